//! Verdicts on texts, kept for a while: of bodies, most values and keys come again and again.

use std::cell::RefCell;

use crate::sketch::stable_hash;
use crate::template::secret::{Frequency, looks_secret};

/// Number of verdicts that a thread keeps; a power of two.
const SLOTS: usize = 1 << 12;

/// The longest text whose verdict is kept, in bytes. With it a slot is a line of the processor's cache.
const MAX_JUDGED_BYTES: usize = 61;

/// A text with its verdict.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Length of the text; 0 if there is none.
    length: u8,
    seen: Frequency,
    is_secret: bool,
    text: [u8; MAX_JUDGED_BYTES],
}

const EMPTY: Slot =
    Slot { length: 0, seen: Frequency::Seldom, is_secret: false, text: [0; MAX_JUDGED_BYTES] };

/// A direct-mapped cache: a text has one slot, which the next text with that slot takes from it.
///
/// It changes no result, because a slot is compared with the whole text, and it is not a part of any state.
#[derive(Debug, Default)]
struct VerdictCache {
    /// Empty until the first text comes.
    slots: Vec<Slot>,
}

impl VerdictCache {
    fn looks_secret(&mut self, text: &[u8], seen: Frequency) -> bool {
        let length = u8::try_from(text.len()).ok();
        let fits = |length: &u8| (1..=MAX_JUDGED_BYTES).contains(&usize::from(*length));
        let Some(length) = length.filter(fits) else { return looks_secret(text, seen) };
        if self.slots.is_empty() {
            self.slots = vec![EMPTY; SLOTS];
        }
        #[expect(clippy::cast_possible_truncation, reason = "any bits of the hash do")]
        let slot = &mut self.slots[stable_hash(text) as usize % SLOTS];
        let kept = &slot.text[..usize::from(slot.length)];
        if slot.seen != seen || kept != text {
            let is_secret = looks_secret(text, seen);
            *slot = Slot { length, seen, is_secret, ..EMPTY };
            slot.text[..text.len()].copy_from_slice(text);
        }
        slot.is_secret
    }
}

thread_local! {
    static VERDICTS: RefCell<VerdictCache> = RefCell::default();
}

/// As [`looks_secret`], for texts of which many are equal.
pub(crate) fn looks_secret_again(text: &[u8], seen: Frequency) -> bool {
    VERDICTS.with_borrow_mut(|verdicts| verdicts.looks_secret(text, seen))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Fast equals naive, also for texts that are too long for a slot, and for one text as often and as seldom seen.
        #[test]
        fn kept_verdicts_are_those_of_the_detector(
            texts in prop::collection::vec(("[a-c]{0,2}|[a-z0-9_-]{0,12}|\\PC{0,70}", any::<bool>()), 1..60),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
        ) {
            let mut cache = VerdictCache::default();
            let again = order.iter().map(|index| index.get(&texts));
            for (text, is_often) in texts.iter().chain(again) {
                let seen = if *is_often { Frequency::Often } else { Frequency::Seldom };
                prop_assert_eq!(cache.looks_secret(text.as_bytes(), seen), looks_secret(text.as_bytes(), seen));
            }
        }
    }

    #[test]
    fn texts_with_one_slot_are_told_apart() {
        #[expect(clippy::cast_possible_truncation, reason = "any bits of the hash do")]
        let slot = |text: &str| stable_hash(text.as_bytes()) as usize % SLOTS;
        let secret = "xkcdqwrtzpl";
        let mut names = (0..99 * SLOTS).map(|n| "users/".repeat(n / 100 % 9) + &n.to_string());
        let name = names.find(|name| slot(name) == slot(secret)).unwrap();
        let mut cache = VerdictCache::default();
        for text in [secret, &name, secret, &name] {
            let naive = looks_secret(text.as_bytes(), Frequency::Seldom);
            assert_eq!(cache.looks_secret(text.as_bytes(), Frequency::Seldom), naive, "{text}");
        }
    }
}
