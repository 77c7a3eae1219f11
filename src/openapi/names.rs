//! Names that people give: ids, summaries and tags of operations.

use std::collections::{BTreeMap, BTreeSet};

use crate::openapi::verbs::{is_action, is_call};
use crate::schema::names::{nouns_of, pascal_case};
use crate::template::nouns::snake_case;
use crate::template::segment::{SegmentKind, kind_of};
use crate::template::singular::singular;

/// What the names of an operation are made of.
pub(super) struct OperationKey<'o> {
    pub(super) method: &'o str,
    /// The path without its base.
    pub(super) path: &'o str,
    /// Whether successful answers are one thing, and no list.
    pub(super) answers_one: bool,
    /// Whether something was created by it.
    pub(super) creates: bool,
}

/// The names of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OperationNames {
    /// The operation id, unique in its description, in camel case: `listUserOrders`.
    pub(super) id: String,
    /// The summary: `List user orders`.
    pub(super) summary: String,
    /// The tag: `users`.
    pub(super) tag: String,
}

/// Names operations. Ids are unique.
pub(super) fn name_operations(operations: &[OperationKey<'_>]) -> Vec<OperationNames> {
    let paths: BTreeSet<&str> = operations.iter().map(|operation| operation.path).collect();
    let mut words: Vec<Vec<String>> =
        operations.iter().map(|operation| words_for(operation, &paths)).collect();
    // Where several have one id, all but the shortest are named by more: by their version, by their last parameter, and then by
    // all of their path.
    for spell in [with_version, with_parameter, with_path] {
        let mut by_id: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, words) in words.iter().enumerate() {
            by_id.entry(camel_case(words)).or_default().push(at);
        }
        for alike in by_id.into_values().filter(|alike| alike.len() > 1) {
            let length = |at: usize| operations[at].path.split('/').count();
            let shortest = alike.iter().map(|at| length(*at)).min().unwrap_or_default();
            let is_only = alike.iter().filter(|at| length(**at) == shortest).count() == 1;
            for at in alike.into_iter().filter(|at| !is_only || length(*at) > shortest) {
                words[at] = spell(&operations[at], &words[at]);
            }
        }
    }
    let mut taken = BTreeSet::new();
    let named = words.iter().zip(operations).map(|(words, operation)| {
        let mut id = camel_case(words);
        // Paths that differ only in what a name leaves out.
        for letter in (b'A'..=b'Z').cycle() {
            if taken.insert(id.to_ascii_lowercase()) {
                break;
            }
            id.push(char::from(letter));
        }
        OperationNames { id, summary: sentence(words), tag: tag_of(operation.path) }
    });
    named.collect()
}

/// The tag of an operation: the first noun of its path, as it is written.
fn tag_of(path: &str) -> String {
    let literal = || path.split('/').find(|part| !part.is_empty() && !part.contains('{'));
    let noun = nouns_of(path).into_iter().next();
    let noun = noun.or_else(|| Some(snake_case(literal()?.as_bytes())));
    if let Some(noun) = noun.filter(|noun| !noun.is_empty()) {
        return noun.replace('_', "-");
    }
    // A word in another script is a tag as it is.
    let decoded = literal()
        .map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned());
    decoded.filter(|part| !part.is_empty()).unwrap_or_else(|| "default".to_owned())
}

/// The literal segments of a path with what they say, and whether a parameter follows each.
struct PathNoun {
    noun: String,
    has_item: bool,
}

/// The words of an operation's name: `list`, `user`, `orders`.
fn words_for(operation: &OperationKey<'_>, paths: &BTreeSet<&str>) -> Vec<String> {
    let OperationKey { method, path, .. } = operation;
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let is_literal = |segment: &str| !segment.contains('{');
    // `/users/{user_id}:activate` is written like `/users/{user_id}/activate`.
    let method_of_item =
        segments.last().and_then(|last| last.split_once("}:")).map(|(_, name)| name);
    if let Some(call) =
        segments.last().filter(|last| is_literal(last)).and_then(|last| call_words(method, last))
    {
        return call;
    }
    let mut nouns: Vec<PathNoun> = Vec::new();
    for (at, segment) in segments.iter().enumerate().filter(|(_, segment)| is_literal(segment)) {
        let has_item = segments.get(at + 1).is_some_and(|next| !is_literal(next));
        let own = nouns_of(&format!("/{segment}")).into_iter();
        nouns.extend(own.map(|noun| PathNoun { noun, has_item }));
    }
    let ends_with_item = segments.last().is_some_and(|last| !is_literal(last));
    let written_action = match method_of_item {
        Some(name) => Some(snake_case(name.as_bytes())),
        None if !ends_with_item => {
            let is_last_verb = nouns.last().is_some_and(|last| is_action(method, &last.noun));
            is_last_verb.then(|| nouns.pop().map(|last| last.noun)).flatten()
        }
        None => None,
    };
    if let Some(action) = written_action.filter(|action| !action.is_empty()) {
        return words_of_action(&action, &nouns);
    }
    let Some(last) = nouns.last() else {
        let only = segments.iter().rev().find(|segment| is_literal(segment));
        let only = only.map(|segment| snake_case(segment.as_bytes()));
        let noun = match only {
            Some(only) if !only.is_empty() => only,
            Some(_) => "resource".to_owned(),
            None => "root".to_owned(),
        };
        return vec![verb(method).to_owned(), noun];
    };
    let one = singular(&last.noun);
    let has_items = paths.iter().any(|other| {
        let rest = other.strip_prefix(path.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.starts_with("/{"))
    });
    let is_collection =
        !ends_with_item && (one != last.noun && !operation.answers_one || has_items);
    let is_action_of_item =
        nouns.len() > 1 && nouns[nouns.len() - 2].has_item && !operation.creates;
    let (verb, noun) = match (*method, ends_with_item) {
        ("GET", false) if is_collection => ("list", last.noun.clone()),
        ("POST", false) if one != last.noun || operation.creates || has_items => ("create", one),
        // An action on one thing: `/orders/{id}/recount`.
        ("POST", false) if is_action_of_item => {
            let (action, rest) = (last.noun.clone(), &nouns[..nouns.len() - 1]);
            return words_of_action(&action, rest);
        }
        (_, true) => (verb(method), one),
        (_, false) => (verb(method), last.noun.clone()),
    };
    let mut words = vec![verb.to_owned()];
    // Two nouns say enough; what they are part of is told where names collide.
    let before = nouns.len().checked_sub(2).map(|at| singular(&nouns[at].noun));
    words.extend(before);
    words.push(noun);
    words
}

/// The words of a segment that is itself the name of a call: `getInvoice`, `create-invoice`, `chat.postMessage`.
fn call_words(method: &str, segment: &str) -> Option<Vec<String>> {
    let last = segment.rsplit(['.', ':']).next().unwrap_or_default();
    let words: Vec<String> = snake_case(last.as_bytes()).split('_').map(str::to_owned).collect();
    let [verb, .., object] = &*words else { return None };
    is_call(method, verb, object).then_some(words)
}

/// The words of an action on what stands before it: `cancel`, `order`.
fn words_of_action(action: &str, before: &[PathNoun]) -> Vec<String> {
    /// Nouns that say where an action is, and not what it is done to.
    const PLACES: [&str; 8] =
        ["auth", "oauth", "oauth2", "session", "sessions", "account", "lifecycle", "actions"];
    /// Actions on several things.
    const ON_MANY: [&str; 8] =
        ["search", "query", "export", "import", "list", "count", "batch", "bulk"];

    let object = before
        .iter()
        .rev()
        .find(|noun| noun.has_item)
        .or_else(|| before.last().filter(|noun| !PLACES.contains(&&*noun.noun)));
    let mut words = vec![action.to_owned()];
    words.extend(object.map(|object| {
        let is_many = !object.has_item && ON_MANY.contains(&action);
        if is_many { object.noun.clone() } else { singular(&object.noun) }
    }));
    words
}

fn verb(method: &str) -> &'static str {
    match method {
        "GET" => "get",
        "POST" => "post",
        "PUT" => "replace",
        "PATCH" => "update",
        "DELETE" => "delete",
        "HEAD" => "head",
        "OPTIONS" => "options",
        "TRACE" => "trace",
        _ => "call",
    }
}

/// The words with the version of the API at their end: `listUsersV2`.
fn with_version(operation: &OperationKey<'_>, words: &[String]) -> Vec<String> {
    let is_version = |segment: &&str| kind_of(segment.as_bytes()) == SegmentKind::Version;
    let version = operation.path.split('/').find(is_version);
    words.iter().cloned().chain(version.map(|version| snake_case(version.as_bytes()))).collect()
}

/// The words with the last parameter at their end: `getCommitBySha`.
fn with_parameter(operation: &OperationKey<'_>, words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    let parameters = operation.path.split('{').skip(1).filter_map(|part| part.split_once('}'));
    if let Some((last, _)) = parameters.last() {
        words.push("by".to_owned());
        words.push(snake_case(last.as_bytes()));
    }
    words
}

/// The method and all words of the path.
fn with_path(operation: &OperationKey<'_>, _: &[String]) -> Vec<String> {
    let mut words = vec![verb(operation.method).to_owned()];
    let parts = operation.path.split(['/', '{', '}']).map(|part| snake_case(part.as_bytes()));
    words.extend(parts.filter(|part| !part.is_empty()));
    words
}

fn camel_case(words: &[String]) -> String {
    let pascal = pascal_case(&words.join("_"));
    let mut letters = pascal.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

fn sentence(words: &[String]) -> String {
    let words = words.join(" ").replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(operations: &[(&str, &str)]) -> Vec<String> {
        let operations: Vec<OperationKey<'_>> = operations
            .iter()
            .map(|(method, path)| {
                let (method, mark) = method.split_once(' ').unwrap_or((method, ""));
                OperationKey { method, path, answers_one: mark == "one", creates: mark == "201" }
            })
            .collect();
        name_operations(&operations).into_iter().map(|names| names.id).collect()
    }

    #[track_caller]
    fn check(cases: &[(&str, &str, &str)]) {
        let operations: Vec<(&str, &str)> = cases.iter().map(|case| (case.0, case.1)).collect();
        let expected: Vec<&str> = cases.iter().map(|case| case.2).collect();
        assert_eq!(ids(&operations), expected);
    }

    #[test]
    fn operations_are_named_as_people_name_them() {
        check(&[
            ("GET", "/users", "listUsers"),
            ("POST", "/users", "createUser"),
            ("GET", "/users/{user_id}", "getUser"),
            ("PUT", "/users/{user_id}", "replaceUser"),
            ("PATCH", "/users/{user_id}", "updateUser"),
            ("DELETE", "/users/{user_id}", "deleteUser"),
            ("GET", "/users/{user_id}/orders", "listUserOrders"),
            ("GET one", "/users/{user_id}/settings", "getUserSettings"),
            ("GET", "/news", "listNews"),
            ("GET", "/news/{news_id}", "getNews"),
            ("POST 201", "/invoice", "createInvoice"),
            ("GET", "/", "getRoot"),
            ("POST", "/graphql", "postGraphql"),
        ]);
    }

    #[test]
    fn actions_are_named_by_their_verb() {
        check(&[
            ("POST", "/orders/{order_id}/cancel", "cancelOrder"),
            ("POST", "/users/{user_id}:activate", "activateUser"),
            ("POST", "/apps/{app_id}/lifecycle/activate", "activateApp"),
            ("POST", "/emails/send", "sendEmail"),
            ("POST", "/orders/search", "searchOrders"),
            ("GET", "/search", "search"),
            ("POST", "/password/reset", "resetPassword"),
            ("POST", "/auth/login", "login"),
            ("GET", "/getInvoice", "getInvoice"),
            ("POST", "/createInvoice", "createInvoice"),
            ("POST", "/chat.postMessage", "postMessage"),
            ("PUT", "/gists/{gist_id}/star", "starGist"),
            ("DELETE", "/gists/{gist_id}/star", "deleteGistStar"),
        ]);
    }

    #[test]
    fn ids_that_collide_say_what_differs() {
        check(&[
            ("GET", "/v1/users", "listUsersV1"),
            ("GET", "/v2/users", "listUsersV2"),
            ("GET", "/gists/{gist_id}", "getGist"),
            ("GET", "/gists/{gist_id}/{sha}", "getGistBySha"),
        ]);
    }

    #[test]
    fn ids_are_unique_and_of_plain_letters() {
        let named = ids(&[
            ("GET", "/a-b/{id}"),
            ("GET", "/a_b/{id}"),
            ("GET", "/x/a/b"),
            ("GET", "/y/a/b"),
            ("GET", "/usu%C3%A1rios"),
            ("GET", "/%E7%94%A8%E6%88%B7"),
            ("GET", "/%E7%94%A8"),
        ]);
        let distinct: BTreeSet<&String> = named.iter().collect();
        assert_eq!(distinct.len(), named.len(), "{named:?}");
        assert!(named.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric())));
        assert!(named.contains(&"listUsuarios".to_owned()), "{named:?}");
    }
}
