//! Names of what an endpoint is about, for the objects in its messages.

use std::collections::BTreeSet;

use crate::report::Pattern;
use crate::shape::messages::{Direction, MessageKey};
use crate::template::nouns::snake_case;
use crate::template::singular::singular;
use crate::template::vocabulary::words_of;

/// The name of the body of an error.
pub(crate) const ERROR: &str = "error";

/// Weights of names as evidence: that of a response about one thing, of the items of a list, and of a request. The name of a
/// property that holds the thing weighs 2.
const ENTITY_WEIGHT: u64 = 40;
const ITEM_WEIGHT: u64 = 30;
const INPUT_WEIGHT: u64 = 30;
const ERROR_WEIGHT: u64 = 60;

/// Keys that say nothing of what they hold.
const GENERIC_KEYS: [&str; 24] = [
    "attributes",
    "body",
    "content",
    "data",
    "entries",
    "entry",
    "item",
    "items",
    "list",
    "node",
    "nodes",
    "object",
    "objects",
    "output",
    "payload",
    "record",
    "records",
    "response",
    "result",
    "results",
    "row",
    "rows",
    "value",
    "values",
];

/// Segments that are not nouns of things.
const PATH_SAYS_NOTHING: [&str; 8] =
    ["api", "rest", "json", "index_php", "graphql", "rpc", "public", "v"];

/// Names of the objects in one kind of messages of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EntityNames {
    /// For the object at the top.
    pub(crate) top: Vec<(Box<str>, u64)>,
    /// For the items of the list at the top and, of a collection, of the lists in an envelope at the top.
    pub(crate) items: Vec<(Box<str>, u64)>,
    /// Whether the message lists things.
    pub(crate) is_collection: bool,
}

/// The weight of the name of a property as evidence for what it holds.
pub(crate) fn property_weight(key: &str) -> u64 {
    if GENERIC_KEYS.contains(&key) { 0 } else { 2 }
}

/// The literal segments of a path pattern that are nouns, in snake case.
pub(crate) fn nouns_of(path_pattern: &str) -> Vec<String> {
    let is_literal = |segment: &&str| !segment.is_empty() && !segment.contains(['{', '[']);
    let nouns = path_pattern.split('/').filter(is_literal).map(|segment| {
        let plain =
            segment.split(['.', ':', '@']).find(|part| !part.is_empty()).unwrap_or_default();
        snake_case(plain.as_bytes())
    });
    let says_something = |noun: &String| {
        let is_version = noun
            .strip_prefix(['v', 'n'])
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
        noun.len() > 1 && !is_version && !PATH_SAYS_NOTHING.contains(&&**noun)
    };
    nouns.filter(says_something).collect()
}

/// The singular nouns of all paths.
pub(crate) fn path_nouns<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> BTreeSet<String> {
    patterns
        .flat_map(|pattern| nouns_of(&pattern.path_pattern))
        .map(|noun| singular(&noun))
        .collect()
}

/// The names of the objects in the messages of an endpoint that have a key.
pub(crate) fn message_names(pattern: &Pattern, key: &MessageKey) -> EntityNames {
    if key.direction == Direction::Response && key.status >= 400 {
        let top = vec![(ERROR.into(), ERROR_WEIGHT)];
        return EntityNames { top, ..EntityNames::default() };
    }
    let nouns = nouns_of(&pattern.path_pattern);
    let operation = pattern.operation.as_ref().map(|operation| snake_case(operation.as_bytes()));
    let Some(last) = operation.as_ref().or(nouns.last()) else { return EntityNames::default() };
    let ends_with_parameter = operation.is_none() && pattern.path_pattern.ends_with('}');
    let noun = singular(last);
    let is_collection = !ends_with_parameter && noun != *last;
    let before = nouns.len().checked_sub(2).and_then(|at| nouns.get(at)).map(|noun| singular(noun));
    let named = |suffix: &str, weight: u64| {
        let mut names = vec![(format!("{noun}{suffix}").into_boxed_str(), weight)];
        if let Some(before) = before.as_ref().filter(|before| **before != noun) {
            names.push((format!("{before}_{noun}{suffix}").into(), 1));
        }
        names
    };
    if key.direction == Direction::Request {
        return EntityNames {
            top: named("_input", INPUT_WEIGHT),
            items: named("_input", INPUT_WEIGHT),
            is_collection: false,
        };
    }
    let is_collection = is_collection && pattern.method == "GET";
    let top = named(if is_collection { "_list" } else { "" }, ENTITY_WEIGHT);
    EntityNames { top, items: named("", ITEM_WEIGHT), is_collection }
}

/// The singular of a name in snake case.
pub(crate) fn singular_of(name: &str) -> String {
    singular(&snake_case(name.as_bytes()))
}

/// A name in Pascal case: `pull_request` becomes `PullRequest`. Only ASCII letters and digits are left.
pub(crate) fn pascal_case(name: &str) -> String {
    let words = words_of(name.as_bytes());
    let capitalized = words.iter().map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    let name: String = capitalized.collect();
    // A name begins with a letter.
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("N{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_are_the_literals_of_a_path() {
        assert_eq!(
            nouns_of("/api/v2/users/{user_id}/pull-requests.json"),
            ["users", "pull_requests"]
        );
        assert_eq!(nouns_of("/{org}/2024-01/x"), Vec::<String>::new());
    }

    #[test]
    fn names_are_written_as_types() {
        assert_eq!(pascal_case("pull_request"), "PullRequest");
        assert_eq!(pascal_case("created-by URL"), "CreatedByUrl");
        assert_eq!(pascal_case("2fa"), "N2Fa");
        assert_eq!(pascal_case("ipv4Pool"), "Ipv4Pool");
        assert_eq!(pascal_case("öäü"), "");
    }
}
