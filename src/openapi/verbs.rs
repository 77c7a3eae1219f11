//! Verbs that paths of APIs have: what is done to a thing, and how calls begin.

use crate::template::singular::singular;

/// Verbs that are an action where a path ends with one: `/orders/{id}/cancel`, `/auth/login`. Sorted.
const ACTIONS: &str = "accept acknowledge activate add approve archive assign attach authenticate authorize ban block bookmark calculate \
    cancel capture charge check checkout clear clone close compare complete confirm connect convert copy deactivate \
    decline decrypt deploy detach disable disconnect dismiss download duplicate edit enable encrypt enqueue estimate \
    evaluate exchange execute expire export fetch finalize finish flush follow fork generate import install invalidate \
    invite invoke join kick kill leave like list lock login logout lookup mark merge migrate move mute notify open parse \
    pause pay pin ping poll post preview print process promote provision publish purge query reactivate read reboot rebuild \
    recover redeem refresh refund regenerate register reindex reject release reload remove rename renew reopen reorder \
    replay reply report request resend reset resize resolve restart restore resume retry revert revoke rollback rotate run \
    save scan schedule search select send share sign signin signout signup simulate snooze split star start stop submit \
    subscribe suspend swap sync synchronize tag test toggle track transfer translate trigger unarchive unassign unban \
    unblock undelete undo unfollow uninstall unlike unlock unmute unpin unpublish unregister unshare unstar unsubscribe \
    unsuspend upgrade upload validate verify vote watch withdraw";

/// Actions by which something is read, or a session changes. Other words of [`ACTIONS`] are nouns where they are read: `/archive`.
const READS: &str = "calculate check compare download estimate export login logout lookup ping poll preview query search validate \
    verify";

/// Verbs at the beginning of names of calls, whatever follows: `getInvoice`. Sorted.
const CALLS: &str =
    "create delete destroy do fetch find get insert list make remove retrieve set update";

/// True for a verb that is an action at the end of a path.
pub(super) fn is_action(method: &str, word: &str) -> bool {
    match method {
        "GET" => is_listed(word, READS),
        "POST" | "PUT" | "PATCH" => is_listed(word, ACTIONS),
        // `DELETE /issues/7/lock` unlocks.
        _ => false,
    }
}

/// True for a verb with which a name of a call begins, and that what follows is what it is done to. `check-runs` are runs.
pub(super) fn is_call(method: &str, verb: &str, object: &str) -> bool {
    is_listed(verb, CALLS) || (is_action(method, verb) && singular(object) == object)
}

fn is_listed(word: &str, list: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_without_gaps() {
        for list in [ACTIONS, READS, CALLS] {
            assert!(list.split(' ').is_sorted() && list.split(' ').all(|word| !word.is_empty()));
        }
        assert!(READS.split(' ').all(|word| is_listed(word, ACTIONS)));
    }
}
