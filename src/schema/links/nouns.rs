//! Nouns: what a segment of a path, and a place in an answer, say that their values identify.

use crate::schema::links::values::{ANY_KEY, IdentifyingField};
use crate::schema::names::{nouns_of, singular_of};
use crate::template::body_evidence::key_class::KeyClass;
use crate::template::nouns::snake_case;

/// Returns the last literal part of a path template, for example `repos` of `/repos/{owner}`; `None` if all parts are
/// parameters.
pub(super) fn last_literal<'p>(parts: &[&'p str]) -> Option<&'p str> {
    parts.iter().rev().find(|part| !part.contains('{')).copied()
}

/// Whether a part of a path of keys is the name of a key.
pub(super) fn is_name(part: &str) -> bool {
    part != "[]" && part != ANY_KEY
}

/// The singular noun of a literal path segment: `user` for `users`.
pub(super) fn noun_of(part: &str) -> String {
    nouns_of(part).last().map_or_else(String::new, |noun| singular_of(noun))
}

/// Returns `true` for the last word of a key if it names no kind of thing by itself: `id`, `name`.
pub(super) fn is_identifying(word: &str) -> bool {
    matches!(
        word,
        "id" | "ids"
            | "uuid"
            | "guid"
            | "uid"
            | "iid"
            | "key"
            | "code"
            | "number"
            | "name"
            | "slug"
            | "login"
            | "sha"
            | "hash"
            | "ref"
            | "sku"
            | "handle"
            | "username"
            | "label"
            | "title"
    )
}

/// What the values at a place identify: the words before the last one of the key, or the object
/// that holds it, or what the path of the endpoint gives out. Two nouns where an object has no
/// identifier of its own, and may have that of one of its parts: `items[].sys.id`.
pub(super) fn nouns_of_field(
    parts: &[&str],
    fields: &[IdentifyingField],
    path: &[Box<str>],
) -> [String; 2] {
    let noun = noun_of_field(parts, path);
    let names: Vec<usize> = (0..path.len()).filter(|at| is_name(&path[*at])).collect();
    let [.., holder, _] = names[..] else { return [noun, String::new()] };
    if noun != singular_of(&snake_case(path[holder].as_bytes())) {
        return [noun, String::new()];
    }
    let around = &path[..holder];
    let has_own = fields.iter().any(|field| {
        field.path.len() == holder + 1
            && field.path.starts_with(around)
            && KeyClass::of(field.path[holder].as_bytes()) == KeyClass::Identifier
    });
    let outer = if has_own {
        String::new()
    } else {
        noun_of_field(parts, &[around, &["id".into()]].concat())
    };
    [noun, outer]
}

/// The first of the [`nouns_of_field`].
fn noun_of_field(parts: &[&str], path: &[Box<str>]) -> String {
    let mut named = path.iter().rev().filter(|key| is_name(key));
    let key = named.next().map_or_else(String::new, |key| snake_case(key.as_bytes()));
    let of_kind = key.rsplit_once('_').filter(|(_, last)| is_identifying(last));
    let is_kind =
        |noun: &str| matches!(noun, "full" | "display" | "node" | "short" | "unique" | "external");
    if let Some((noun, _)) = of_kind.filter(|(noun, _)| !is_kind(noun)) {
        return singular_of(noun);
    }
    if of_kind.is_none() && !is_identifying(&key) && !key.is_empty() {
        return singular_of(&key);
    }
    // A key around that only holds the answer is not a noun of the thing.
    let holder = named.map(|key| snake_case(key.as_bytes())).find(|key| {
        !matches!(
            &**key,
            "data"
                | "items"
                | "results"
                | "result"
                | "value"
                | "values"
                | "list"
                | "records"
                | "entries"
                | "attributes"
                | "objects"
                | "content"
                | "response"
                | "meta"
                | "metadata"
                | "info"
                | "details"
                | "properties"
                | "fields"
                | "body"
                | "payload"
                | "node"
                | "nodes"
                | "edges"
                | "rows"
                | "hits"
                | "document"
                | "embedded"
        )
    });
    holder.map_or_else(
        || {
            let literal = last_literal(parts);
            literal.map_or_else(String::new, noun_of)
        },
        |holder| singular_of(&holder),
    )
}
