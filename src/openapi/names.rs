//! Names that people give: ids, summaries and tags of operations.

use std::collections::{BTreeMap, BTreeSet};

use crate::schema::names::{nouns_of, pascal_case};
use crate::template::nouns::snake_case;
use crate::template::singular::singular;
use crate::template::vocabulary::words_of;

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

/// Names operations, given by method and path without its base. Ids are unique.
pub(super) fn name_operations(operations: &[(String, String)]) -> Vec<OperationNames> {
    let mut words: Vec<Vec<String>> =
        operations.iter().map(|(method, path)| words_for(method, path)).collect();
    // Where two have one id, each is named by its parameters too, and then by all of its path.
    for spell in [words_with_parameters, with_path] {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        words.iter().for_each(|words| *counts.entry(camel_case(words)).or_default() += 1);
        for (words, (method, path)) in words.iter_mut().zip(operations) {
            if counts[&camel_case(words)] > 1 {
                *words = spell(method, path);
            }
        }
    }
    let mut taken = BTreeSet::new();
    let named = words.iter().zip(operations).map(|(words, (_, path))| {
        let mut id = camel_case(words);
        // Paths that differ only in what a name leaves out.
        for letter in (b'A'..=b'Z').cycle() {
            if taken.insert(id.to_ascii_lowercase()) {
                break;
            }
            id.push(char::from(letter));
        }
        let literal = || path.split('/').find(|part| !part.is_empty() && !part.contains('{'));
        let noun = nouns_of(path).into_iter().next();
        let noun = noun.or_else(|| Some(snake_case(literal()?.as_bytes())));
        let noun = noun.filter(|noun| !noun.is_empty());
        let tag = noun.map_or_else(|| "default".to_owned(), |noun| noun.replace('_', "-"));
        OperationNames { id, summary: sentence(words), tag }
    });
    named.collect()
}

/// The verb and the nouns of an operation: `list`, `user`, `orders`.
fn words_for(method: &str, path: &str) -> Vec<String> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let is_literal = |segment: &&str| !segment.contains('{');
    let nouns: Vec<(usize, String)> = segments
        .iter()
        .enumerate()
        .filter(|(_, segment)| is_literal(segment))
        .flat_map(|(at, segment)| {
            nouns_of(&format!("/{segment}")).into_iter().map(move |noun| (at, noun))
        })
        .collect();
    let Some((last_at, last)) = nouns.last() else {
        let only = segments.iter().rev().find(|segment| is_literal(segment));
        let only =
            only.map(|segment| snake_case(segment.as_bytes())).filter(|name| !name.is_empty());
        return vec![verb(method).to_owned(), only.unwrap_or_else(|| "root".to_owned())];
    };
    let is_item = segments.len() > last_at + 1;
    let one = singular(last);
    let is_plural = one != *last;
    let mut before: Vec<String> =
        nouns[..nouns.len() - 1].iter().map(|(_, noun)| singular(noun)).collect();
    // Two nouns say enough; what they are part of is told where names collide.
    before.drain(..before.len().saturating_sub(1));
    let (verb, noun) = match (method, is_item, is_plural) {
        ("GET", false, true) => ("list", last.clone()),
        ("POST", false, true) => ("create", one),
        ("POST", false, false) if last_at > &0 && !is_literal(&segments[last_at - 1]) => {
            // An action on one thing: `/orders/{id}/cancel`.
            let mut words = vec![last.clone()];
            words.extend(before);
            return words;
        }
        (method, true, _) => (verb(method), one),
        (method, false, _) => (verb(method), last.clone()),
    };
    let mut words = vec![verb.to_owned()];
    words.extend(before);
    words.push(noun);
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

fn words_with_parameters(method: &str, path: &str) -> Vec<String> {
    let mut words = words_for(method, path);
    let parameters = path.split('{').skip(1).filter_map(|part| part.split_once('}'));
    let parameters: Vec<&str> = parameters.map(|(name, _)| name).collect();
    if let Some(last) = parameters.last() {
        words.push("by".to_owned());
        words.push(snake_case(last.as_bytes()));
    }
    words
}

fn with_path(method: &str, path: &str) -> Vec<String> {
    let mut words = vec![verb(method).to_owned()];
    let parts = path.split(['/', '{', '}']).filter(|part| !part.is_empty());
    words.extend(parts.map(|part| snake_case(part.as_bytes())));
    words
}

fn camel_case(words: &[String]) -> String {
    let pascal = pascal_case(&words.join("_"));
    let mut letters = pascal.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

fn sentence(words: &[String]) -> String {
    let words = words_of(words.join("_").as_bytes()).join(" ");
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(operations: &[(&str, &str)]) -> Vec<String> {
        let operations: Vec<(String, String)> = operations
            .iter()
            .map(|(method, path)| ((*method).to_owned(), (*path).to_owned()))
            .collect();
        name_operations(&operations).into_iter().map(|names| names.id).collect()
    }

    #[test]
    fn operations_are_named_as_people_name_them() {
        let named = ids(&[
            ("GET", "/users"),
            ("POST", "/users"),
            ("GET", "/users/{user_id}"),
            ("PUT", "/users/{user_id}"),
            ("PATCH", "/users/{user_id}"),
            ("DELETE", "/users/{user_id}"),
            ("GET", "/users/{user_id}/orders"),
            ("POST", "/orders/{order_id}/cancel"),
            ("GET", "/search"),
            ("GET", "/"),
            ("POST", "/graphql"),
        ]);
        assert_eq!(
            named,
            [
                "listUsers",
                "createUser",
                "getUser",
                "replaceUser",
                "updateUser",
                "deleteUser",
                "listUserOrders",
                "cancelOrder",
                "getSearch",
                "getRoot",
                "postGraphql"
            ]
        );
    }

    #[test]
    fn ids_are_unique() {
        let named = ids(&[
            ("GET", "/a-b/{id}"),
            ("GET", "/a_b/{id}"),
            ("GET", "/x/a/b"),
            ("GET", "/y/a/b"),
        ]);
        let distinct: BTreeSet<&String> = named.iter().collect();
        assert_eq!(distinct.len(), named.len(), "{named:?}");
        assert!(named.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric())));
    }
}
