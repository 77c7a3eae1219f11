//! Names of path parameters: derived from the noun before the parameter for ids, and from the kind
//! of value otherwise.

mod sequences;

use std::collections::BTreeSet;

use crate::template::Part;
use crate::template::body_evidence::SegmentEchoes;
use crate::template::naming::sequences::{code_of, name_from_position};
use crate::template::node_group::NodeGroup;
use crate::template::nouns::{is_person, noun_before, snake_case};
use crate::template::segment::{Segment, SegmentKind};
use crate::template::singular::singular;
use crate::template::variable::Variable;
use crate::template::vocabulary::Vocabulary;

/// Names of the parameters of `variable`, one for each zero byte of its frame. `parts` is the
/// template before it, and `below` the group of nodes after it.
pub(crate) fn parameter_names<T>(
    parts: &[Part],
    variable: &Variable<'_>,
    below: &NodeGroup<'_, T>,
) -> Vec<String> {
    let places = memchr::memchr_iter(0, &variable.frame).count();
    if places > 1 {
        let names: &[&str] = match main_kind(variable) {
            Some(SegmentKind::Tile) => &["z", "x", "y"],
            Some(SegmentKind::Coordinates) => &["lat", "lon"],
            Some(SegmentKind::Dimensions) => &["width", "height"],
            _ => &["value"],
        };
        return (0..places).map(|place| names[place % names.len()].to_owned()).collect();
    }
    let noun = noun_before(parts);
    let by_kind = name_from_frame(variable)
        .or_else(|| variable.are_files().then(|| "filename".to_owned()))
        .or_else(|| name_from_position(parts, noun.as_deref(), variable, below))
        .or_else(|| code_of(variable).map(str::to_owned))
        .or_else(|| name_from_key(&variable.echoes, noun.as_deref()))
        .or_else(|| {
            let qualifies = qualifies_names(parts, variable, noun.as_deref(), below);
            qualifies.then(|| "namespace".to_owned())
        })
        .or_else(|| name_from_kind(variable, noun.as_deref()));
    let base = by_kind.unwrap_or_else(|| after_noun(noun.as_deref()));
    if !is_taken(&base, parts) {
        return vec![base];
    }
    let others = alternative_names(variable, noun.as_deref());
    let free = others.into_iter().find(|name| !is_taken(name, parts));
    vec![free.unwrap_or(base)]
}

/// Returns `true` if the template already has a parameter of this name.
fn is_taken(name: &str, parts: &[Part]) -> bool {
    parts.iter().any(
        |part| matches!(part, Part::Parameter { names, .. } if names.iter().any(|have| have == name)),
    )
}

/// Makes names unique within the template by appending `_2`, `_3`, ...
pub(crate) fn unique(names: Vec<String>, parts: &[Part]) -> Vec<String> {
    let mut free: Vec<String> = Vec::with_capacity(names.len());
    for base in names {
        let mut name = base.clone();
        let mut number = 2;
        while free.contains(&name) || is_taken(&name, parts) {
            name = format!("{base}_{number}");
            number += 1;
        }
        free.push(name);
    }
    free
}

/// The kind of at least 90 % of the values; all kinds of words count as one. `None` if there is no
/// such kind.
fn main_kind(variable: &Variable<'_>) -> Option<SegmentKind> {
    use SegmentKind as K;
    let kinds = variable.naming_kinds();
    let all: u64 = kinds.values().sum();
    let words = [K::Word, K::WordWithDigits, K::Symbol];
    let in_words: u64 = words.iter().filter_map(|kind| kinds.get(kind)).sum();
    if in_words * 10 >= all * 9 {
        return Some(K::Word);
    }
    let (kind, count) = kinds.iter().max_by_key(|(_, count)| **count)?;
    (count * 10 >= all * 9).then_some(*kind)
}

/// Name derived from the fixed text around the value: `@{username}`, `Products({key})`,
/// `sha256:{digest}`, `tracks:{track_id}`.
fn name_from_frame(variable: &Variable<'_>) -> Option<String> {
    let frame = &*variable.frame;
    let prefix = &frame[..frame.iter().position(|byte| *byte == 0)?];
    let (last, before) = prefix.split_last()?;
    let name = match last {
        b'@' | b'~' => "username".to_owned(),
        b'(' | b'\'' => "key".to_owned(),
        b':' | b'-' if before.starts_with(b"sha") || before.starts_with(b"md5") => {
            "digest".to_owned()
        }
        b':' => {
            // The last part of a namespace is the noun: `org.couchdb.user:`.
            let start = before.iter().rposition(|byte| b":.".contains(byte));
            let start = start.map_or(0, |at| at + 1);
            after_noun(Some(&snake_case(&before[start..])))
        }
        _ if prefix.ends_with(b"%27") => "key".to_owned(),
        _ => "id".to_owned(),
    };
    Some(name)
}

/// Returns `true` if words behind a noun qualify the names behind them, as the owners of
/// repositories do: nothing is asked of them alone, and nearly each has names of its own below.
fn qualifies_names<T>(
    parts: &[Part],
    variable: &Variable<'_>,
    noun: Option<&str>,
    below: &NodeGroup<'_, T>,
) -> bool {
    let is_first = matches!(parts.last(), Some(Part::Literal { .. }));
    let noun = noun.map(singular).filter(|noun| !is_person(noun));
    if !is_first || noun.is_none() || main_kind(variable) != Some(SegmentKind::Word) {
        return false;
    }
    let nodes = below.evidence();
    if nodes.len() < MIN_QUALIFIERS || nodes.iter().any(|node| !node.ends.is_empty()) {
        return false;
    }
    let children = || nodes.iter().flat_map(|node| &node.literals);
    let is_name = |text: &[u8]| {
        let segment = Segment::parse(text);
        matches!(segment.kind, SegmentKind::Word | SegmentKind::WordWithDigits)
            && segment.core.len() == text.len()
            && !Vocabulary::shipped().knows(text)
    };
    let all = children().count() + nodes.iter().map(|node| node.values.len()).sum::<usize>();
    let names = children().filter(|child| is_name(&child.text)).count();
    let texts: BTreeSet<&[u8]> = children().map(|child| &*child.text).collect();
    // Some have several names: else each word may just have been asked another question.
    all * 4 >= nodes.len() * 5
        && names * 10 >= all * 7
        && texts.len() * 10 >= children().count() * 7
}

/// Words with names below them that tell whether they have them in common.
const MIN_QUALIFIERS: usize = 3;

/// Name by the key under which bodies hold the values: `{login}`, `{bucket_name}`, `{owner}`. `None`
/// if it is that of an id of the thing itself, which is called after the noun before it.
fn name_from_key(echoes: &SegmentEchoes, noun: Option<&str>) -> Option<String> {
    let key = echoes.main_key()?;
    let (holder, key) =
        key.rsplit_once('.').map_or((None, key), |(holder, key)| (Some(holder), key));
    let key = snake_case(key.as_bytes());
    if !key.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    let is_id = matches!(&*key, "id" | "uuid" | "guid" | "uid" | "ids" | "oid" | "pk");
    let holder = holder.map(|holder| snake_case(holder.as_bytes()));
    let holder = holder.filter(|holder| {
        holder.starts_with(|first: char| first.is_ascii_alphabetic())
            && !HOLDERS.contains(&&**holder)
    });
    let says_little =
        matches!(&*key, "name" | "code" | "number" | "key" | "title" | "ref" | "path");
    match holder {
        Some(holder) if is_id => Some(format!("{}_id", singular(&holder))),
        Some(holder) if key == "name" || key == "login" || key == "slug" => Some(singular(&holder)),
        // That `"user": 7` refers to one of `/users` says no more than the noun.
        _ if is_id || noun.is_some_and(|noun| singular(noun) == key) => None,
        _ if says_little => Some(match noun {
            Some(noun) if !ATTRIBUTES.contains(&noun) => format!("{}_{key}", singular(noun)),
            _ => key,
        }),
        _ => Some(key),
    }
}

/// Keys that hold an answer and do not say what it is.
const HOLDERS: [&str; 14] = [
    "data",
    "result",
    "results",
    "item",
    "items",
    "response",
    "value",
    "attributes",
    "metadata",
    "meta",
    "payload",
    "content",
    "object",
    "properties",
];

/// Name of a kind of value that is not an id, or that has no noun before it.
fn name_from_kind(variable: &Variable<'_>, noun: Option<&str>) -> Option<String> {
    use SegmentKind as K;
    let name = match main_kind(variable)? {
        K::Locale => "locale",
        K::Email => "email",
        K::Ip => "ip",
        K::Domain => "domain",
        K::Version => "version",
        K::Coordinates => "coordinates",
        K::Dimensions => "size",
        K::Tile => "tile",
        K::Date => "date",
        K::Number | K::WordWithDigits if are_releases(variable, noun) => "version",
        K::Number if noun.is_none() => "number",
        K::Hex if noun.is_none() => "hash",
        K::Jwt => "token",
        K::List if noun == Some("trpc") => "procedures",
        K::List => return noun.map(|noun| format!("{}_ids", singular(noun))),
        K::Word | K::WordWithDigits | K::Symbol => return name_from_words(variable, noun),
        _ => return None,
    };
    Some(name.to_owned())
}

/// Returns `true` for releases: numbers of three parts, and those of two behind a noun that says it.
fn are_releases(variable: &Variable<'_>, noun: Option<&str>) -> bool {
    let parts = |text: &&[u8]| text.split(|byte| *byte == b'.').count();
    let is_said = noun.is_some_and(|noun| RELEASES.contains(&singular(noun).as_str()));
    variable.all_texts_known()
        && variable.texts.iter().all(|text| parts(text) >= if is_said { 2 } else { 3 })
}

/// Nouns of things that are called after a version.
const RELEASES: [&str; 3] = ["version", "release", "tag"];

/// Name of a parameter whose values are words.
fn name_from_words(variable: &Variable<'_>, noun: Option<&str>) -> Option<String> {
    let dashed = |text: &&&[u8]| text.contains(&b'-') && text.iter().any(u8::is_ascii_alphabetic);
    let texts = &variable.texts;
    let noun = noun.map(singular);
    if noun.as_deref().is_some_and(is_person) {
        return Some("username".to_owned());
    }
    if !texts.is_empty() && texts.iter().filter(dashed).count() * 2 > texts.len() {
        return Some("slug".to_owned());
    }
    noun.is_none().then(|| "name".to_owned())
}

/// Alternative names for a parameter whose name is taken, the best first.
fn alternative_names(variable: &Variable<'_>, noun: Option<&str>) -> Vec<String> {
    use SegmentKind as K;
    let kinds: &[&str] = match main_kind(variable) {
        Some(K::Integer | K::Year | K::Number) => &["number", "index", "position", "part"],
        Some(K::Word | K::WordWithDigits | K::Symbol | K::Encoded) | None => {
            &["name", "slug", "key", "value", "part"]
        }
        Some(K::Uuid) => &["uuid", "key", "ref"],
        Some(K::Hex) => &["hash", "key", "ref"],
        Some(K::Date) => &["until", "day"],
        Some(_) => &["key", "token", "ref", "value"],
    };
    let plain = kinds.iter().map(|kind| (*kind).to_owned());
    let with_noun = noun.map(singular);
    let with_noun =
        with_noun.iter().flat_map(|noun| kinds.iter().map(move |kind| format!("{noun}_{kind}")));
    ["id".to_owned()].into_iter().filter(|_| noun.is_some()).chain(plain).chain(with_noun).collect()
}

/// Nouns of attributes. The segment after one of them is its value, and not an id.
const ATTRIBUTES: [&str; 38] = [
    "id", "name", "email", "slug", "username", "login", "date", "year", "month", "day", "lang",
    "language", "locale", "country", "currency", "version", "hash", "code", "key", "token", "uuid",
    "guid", "path", "url", "uri", "ip", "domain", "hostname", "phone", "isbn", "sku", "symbol",
    "ticker", "zip", "status", "type", "handle", "number",
];

/// The name of an id after a noun.
fn after_noun(noun: Option<&str>) -> String {
    let Some(noun) = noun else { return "id".to_owned() };
    let written = noun.strip_prefix("by_").unwrap_or(noun);
    // An attribute is followed by its value, a plural by one of several things.
    if ATTRIBUTES.contains(&written) || written == "id" || written.ends_with("_id") {
        return written.to_owned();
    }
    format!("{}_id", singular(written))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::secret::Frequency;
    use crate::template::segment::PLAIN_FRAME;

    /// The name of a parameter after a path. All parameters in the path, written `{}`, are ids.
    fn name_after(path: &str) -> String {
        let mut parts = Vec::new();
        let name = |parts: &[Part]| {
            let mut variable = Variable::default();
            variable.add_kind(SegmentKind::Uuid, 10);
            let below = NodeGroup::<u64> { answered: Vec::new(), not_found: Vec::new() };
            unique(parameter_names(parts, &variable, &below), parts)
        };
        for segment in path.split('/').skip(1) {
            parts.push(if segment == "{}" {
                let names = name(&parts);
                Part::Parameter { names, frame: PLAIN_FRAME.into(), rest: false }
            } else {
                Part::literal(segment.as_bytes(), Frequency::Often, 0)
            });
        }
        name(&parts).remove(0)
    }

    #[test]
    fn parameters_are_named_after_the_noun_before_them() {
        for (path, name) in [
            ("/users", "user_id"),
            ("/api/v1/userGroups", "user_group_id"),
            ("/companies/{}/addresses", "address_id"),
            ("/repos/{}", "id"),
            ("/repos/{}/{}", "uuid"),
            ("/api/v2", "id"),
            ("", "id"),
            ("/statuses", "status_id"),
            ("/HTTPProxies", "http_proxy_id"),
            ("/orders/{}/orders", "id"),
            ("/people", "person_id"),
            ("/movies", "movie_id"),
            ("/reserved/ips", "ip_id"),
            ("/users/by-email", "email"),
            ("/users/get", "user_id"),
            ("/users/id", "id"),
        ] {
            assert_eq!(name_after(path), name, "{path}");
        }
    }
}
