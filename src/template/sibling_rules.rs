//! Rules about the siblings of one place that the fitted model has too few examples of: lists of codes, words beside ids, names
//! of a system, versions with a point.

mod query_names;

use std::collections::{BTreeMap, BTreeSet};

use crate::template::Part;
use crate::template::codes;
use crate::template::context::{Candidate, LeafStats, SiblingSet};
use crate::template::model_rules::ModelRule;
use crate::template::nouns::{is_person, noun_before};
use crate::template::segment::{Segment, SegmentKind};
use crate::template::singular::singular;
use crate::template::trie::Node;
use crate::template::vocabulary::words_of;

/// The highest probability of what a rule takes for a name.
const MAX_NAME: f64 = 0.05;

/// The lowest probability of what a rule takes for a value.
const MIN_VALUE: f64 = 0.95;

/// Siblings from a list of codes that make it a parameter.
const MIN_CODES: usize = 3;

/// Ids beside which a word may be a keyword.
const MIN_IDS: u64 = 3;

/// Requests of a keyword, and how many times those of an id it has.
const MIN_KEYWORD_REQUESTS: u64 = 8;
const MIN_KEYWORD_RATIO: u64 = 5;

/// Words beside ids that may be keywords; where there are more, words are values as well.
const MAX_KEYWORDS: usize = 3;

/// Ids for each word beside them, for the words to be keywords where the ids are numbers. On the recorded APIs and sessions, 56
/// words that were answered beside three and more numbers are names, and 2 are values.
const MIN_IDS_PER_KEYWORD: u64 = 2;

/// Minimum length of a keyword beside numbers, in bytes: `/packages/3f/de` are parts of a hash.
const MIN_KEYWORD_BYTES: usize = 3;

/// Versions at one place.
const MAX_VERSIONS: usize = 4;

/// Adjusts the probabilities of the candidates of a place.
pub(super) fn adjust<T: LeafStats>(place: &SiblingSet<'_, '_, T>, probabilities: &mut [f64]) {
    let codes = if ModelRule::Codes.is_on() { codes_of(place) } else { Vec::new() };
    let mut values = codes;
    if ModelRule::Numbered.is_on() {
        values.extend(numbered(place));
    }
    if ModelRule::SystemNames.is_on() {
        values.extend(holders_of_system_names(place));
    }
    let versions = ModelRule::PointVersions.is_on() && are_point_versions(place);
    let functions =
        if ModelRule::QueryNames.is_on() { query_names::functions(place) } else { Vec::new() };
    let ids = if ModelRule::Keywords.is_on() { ids_of(place) } else { None };
    for (number, (candidate, p)) in place.candidates.iter().zip(probabilities).enumerate() {
        if values.contains(&number) {
            *p = p.max(MIN_VALUE);
        } else if (ModelRule::SystemNames.is_on() && is_system_name(candidate.text))
            || (versions && is_point_version(candidate.text))
            || ids.is_some_and(|ids| ids.has_keyword(candidate))
            || functions.contains(&number)
        {
            *p = p.min(MAX_NAME);
        }
    }
}

/// Minimum number of siblings with one name and different numbers for the number to be a value.
const MIN_NUMBERED: usize = 4;

/// The candidates that differ from siblings in a number alone: `item_1` to `item_6`, `db-eu-08.log`.
fn numbered<T>(place: &SiblingSet<'_, '_, T>) -> Vec<usize> {
    let mut by_name: BTreeMap<(&[u8], &[u8]), Vec<usize>> = BTreeMap::new();
    for (number, candidate) in place.candidates.iter().enumerate() {
        if let Some(name) = around_number(candidate.text) {
            by_name.entry(name).or_default().push(number);
        }
    }
    by_name.into_values().filter(|found| found.len() >= MIN_NUMBERED).flatten().collect()
}

/// The text before and after the only number of a segment, if a separator stands before the number and a letter before that.
fn around_number(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = text.iter().position(u8::is_ascii_digit)?;
    let digits = text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, after) = (&text[..start], &text[start + digits..]);
    let is_separated = matches!(before, [first, .., b'_' | b'-'] if first.is_ascii_alphabetic());
    (is_separated && !after.iter().any(u8::is_ascii_digit)).then_some((before, after))
}

/// Returns `true` for a name of a system or a query language: `_search`, `_all_docs`, `$metadata`.
fn is_system_name(text: &[u8]) -> bool {
    let [b'_' | b'$', rest @ ..] = text else { return false };
    rest.len() > 2
        && rest[0].is_ascii_alphabetic()
        && rest.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
}

/// Minimum number of system names that two siblings have in common below them.
const MIN_SYSTEM_NAMES: usize = 2;

/// The candidates that have several system names in common with a sibling: indexes and databases of
/// one server, as in `/orders/_search`, `/orders/_doc/7` and `/customers/_search`, `/customers/_doc/9`.
fn holders_of_system_names<T>(place: &SiblingSet<'_, '_, T>) -> Vec<usize> {
    // A reserved name at the place itself shows that names without an underscore are chosen by users.
    let is_reserved = |text: &[u8]| text.starts_with(b"_") && is_system_name(text);
    if !place.candidates.iter().any(|candidate| is_reserved(candidate.text)) {
        return Vec::new();
    }
    let is_chosen = |candidate: &&Candidate<'_, T>| {
        candidate.segment.kind != SegmentKind::Version && !is_system_name(candidate.text)
    };
    let below: Vec<BTreeSet<&[u8]>> = place
        .candidates
        .iter()
        .map(|candidate| {
            let nodes = Some(candidate).filter(is_chosen).into_iter().flat_map(Candidate::nodes);
            let names = nodes.flat_map(|node| &node.literals).map(|child| &*child.text);
            names.filter(|text| is_reserved(text)).collect()
        })
        .collect();
    let mut holders: BTreeMap<&[u8], usize> = BTreeMap::new();
    for name in below.iter().flatten() {
        *holders.entry(name).or_default() += 1;
    }
    let shared = |names: &BTreeSet<&[u8]>| names.iter().filter(|name| holders[**name] > 1).count();
    (0..below.len()).filter(|i| shared(&below[*i]) >= MIN_SYSTEM_NAMES).collect()
}

/// The candidates that are codes of one list: all siblings, or those that have names below them in common.
fn codes_of<T>(place: &SiblingSet<'_, '_, T>) -> Vec<usize> {
    let texts: Vec<&[u8]> = place.candidates.iter().map(|candidate| candidate.text).collect();
    let lists = codes::members(&texts).into_iter();
    // Behind a currency, one other is a currency as well: `/rates/{from_currency}/CHF`.
    let earlier = place.template.parameters().map(|(_, name)| name);
    let least = if codes::list_of_second(earlier, &texts).is_some() { 1 } else { MIN_CODES };
    let lists = lists.filter(|codes| {
        // Words are seldom written in capitals among codes.
        let is_code =
            |text: &[u8]| text.iter().all(u8::is_ascii_uppercase) || !codes::is_word(text);
        let plain = codes.iter().filter(|number| is_code(texts[**number]));
        plain.count() >= least && (codes.len() == texts.len() || share_names(place, codes))
    });
    lists.max_by_key(Vec::len).unwrap_or_default()
}

/// Returns `true` if each of the candidates has a name below it that stands below another of them too.
fn share_names<T>(place: &SiblingSet<'_, '_, T>, numbers: &[usize]) -> bool {
    let names = |number: &usize| -> Vec<u64> {
        let nodes = place.candidates[*number].places.evidence();
        nodes.iter().flat_map(|node| node.literals.iter().map(|child| child.hash)).collect()
    };
    let below: Vec<Vec<u64>> = numbers.iter().map(names).collect();
    below.iter().enumerate().all(|(at, own)| {
        let others = below.iter().enumerate().filter(|(other, _)| *other != at);
        others.flat_map(|(_, names)| names).any(|name| own.contains(name))
    })
}

/// The ids of a place.
#[derive(Clone, Copy, Default)]
struct SiblingIds {
    distinct: u64,
    /// Number of words beside them.
    words: u64,
    /// Whether they are ids of people, who have names as well.
    are_people: bool,
    requests: u64,
    /// Whether a number is among them.
    has_numbers: bool,
    /// Whether one of them is asked for itself, and not only what is below it.
    are_asked_for: bool,
}

/// The ids of a place; `None` where there are few, or where as many words stand beside them as values do.
fn ids_of<T>(place: &SiblingSet<'_, '_, T>) -> Option<SiblingIds> {
    use SegmentKind::{Hex, Integer, ObjectId, Ulid, Uuid, Year};

    let mut ids = SiblingIds::default();
    for values in place.values {
        if !matches!(values.kind, Hex | Integer | ObjectId | Ulid | Uuid | Year) {
            return None;
        }
        ids.has_numbers |= values.kind.is_integer();
        ids.are_asked_for |= !values.node.ends.is_empty();
        ids.distinct += values.distinct.estimate();
        ids.requests += values.node.count;
    }
    let mut words = 0;
    for candidate in place.candidates {
        if candidate.is_date() {
            return None;
        }
        if candidate.is_number() {
            ids.has_numbers = true;
            ids.are_asked_for |= candidate.nodes().iter().any(|node| !node.ends.is_empty());
            ids.distinct += 1;
            ids.requests += candidate.requests();
        } else {
            words += 1;
        }
    }
    ids.words = words as u64;
    ids.are_people =
        noun_before(&place.template.parts).is_some_and(|noun| is_person(&singular(&noun)));
    (ids.distinct >= MIN_IDS && words <= MAX_KEYWORDS).then_some(ids)
}

impl SiblingIds {
    /// Returns `true` if a word is more likely a keyword than the name of one of the things: no id has a number, or there
    /// are few words, and the things themselves are asked for by number.
    fn takes_keyword(self, text: &[u8]) -> bool {
        let takes_beside_numbers = self.are_asked_for
            && !self.are_people
            && self.distinct >= MIN_IDS_PER_KEYWORD * self.words
            && text.len() >= MIN_KEYWORD_BYTES;
        !self.has_numbers || takes_beside_numbers
    }

    /// Returns `true` for a word that is asked for far more often than the ids beside it, or that is answered where keywords
    /// are taken. People have names as well as numbers: many servers take `/users/alice` and `/users/7`.
    fn has_keyword<T: LeafStats>(self, candidate: &Candidate<'_, T>) -> bool {
        let requests = candidate.requests();
        let is_word = |byte: &u8| byte.is_ascii_alphabetic() || b"-_".contains(byte);
        let is_often = requests >= MIN_KEYWORD_REQUESTS
            && requests.saturating_mul(self.distinct)
                >= self.requests.saturating_mul(MIN_KEYWORD_RATIO);
        let ends = || candidate.places.evidence().iter().flat_map(|node| &node.ends);
        let is_answered =
            || ends().next().is_some() && ends().all(|end| end.seen.client_errors() == 0);
        candidate.text.iter().all(is_word)
            && (is_often || (self.takes_keyword(candidate.text) && is_answered()))
    }
}

/// Minimum number of providers that use a word for their number to say what it is, and the maximum
/// share of them that put values behind a word such as `api`, behind which versions stand.
const MIN_PROVIDERS: u32 = 10;
const MAX_SHARE_BEFORE_VERSION: f64 = 0.05;
/// Maximum number of dated versions at one place.
const MAX_DATED_VERSIONS: usize = 12;
/// Maximum number of dated versions that have one name below them: a report of each month has the
/// names of the others, while clients use one or two versions of an endpoint.
const MAX_DATES_PER_NAME: usize = 2;
/// Number of segments below a date that are searched for calls.
const MAX_DEPTH_OF_CALLS: usize = 4;

/// Returns `true` where dates near the root are versions: `/2010-04-01/Accounts`, and
/// `/admin/api/2024-04/products.json`. Names stand below each, with calls of an API among them, no
/// two are of one month, and they are the first segment or follow a word that takes no values.
pub(super) fn are_dated_versions<T>(place: &SiblingSet<'_, '_, T>) -> bool {
    let dates: Vec<&Candidate<'_, T>> =
        place.candidates.iter().filter(|candidate| candidate.is_date()).collect();
    if !(1..=MAX_DATED_VERSIONS).contains(&dates.len())
        || place.values.iter().any(|values| values.kind == SegmentKind::Date)
        || !takes_versions(place)
    {
        return false;
    }
    let month = |candidate: &&Candidate<'_, T>| -> Vec<u8> {
        candidate.text.iter().copied().take(b"2010-04".len()).collect()
    };
    let months: BTreeSet<Vec<u8>> = dates.iter().map(month).collect();
    let mut holders: BTreeMap<u64, usize> = BTreeMap::new();
    for date in &dates {
        let names = date.nodes().iter().flat_map(|node| &node.literals);
        let names: BTreeSet<u64> = names.map(|child| child.hash).collect();
        if names.is_empty() {
            return false;
        }
        names.into_iter().for_each(|name| *holders.entry(name).or_default() += 1);
    }
    let nodes = || dates.iter().flat_map(|date| date.nodes());
    months.len() == dates.len()
        && holders.values().all(|count| *count <= MAX_DATES_PER_NAME)
        && nodes().any(|node| has_calls_below(node, MAX_DEPTH_OF_CALLS))
}

/// Returns `true` if something is changed below a node, or a name stands behind a value:
/// `/Accounts/7/Calls`. Pages of a day and rates of a month are only read, and have neither.
fn has_calls_below<T>(node: &Node<T>, depth: usize) -> bool {
    let changes = |method: &[u8]| matches!(method, b"POST" | b"PUT" | b"PATCH" | b"DELETE");
    node.ends.iter().any(|end| changes(&end.method))
        || node.values.iter().any(|values| !values.node.literals.is_empty())
        || (depth > 0 && {
            let values = node.values.iter().map(|values| &values.node);
            let mut below = node.literals.iter().map(|child| &child.node).chain(values);
            below.any(|child| has_calls_below(child, depth - 1))
        })
}

/// Returns `true` at the root, and behind a word such as `api`.
fn takes_versions<T>(place: &SiblingSet<'_, '_, T>) -> bool {
    match place.template.parts.last() {
        None => true,
        Some(Part::Parameter { .. }) => false,
        Some(Part::Literal { text, .. }) => {
            let words = words_of(Segment::parse(text).core).join("_");
            let (used, before) = place.index.parent_counts(&words);
            let share = f64::from(before) / f64::from(used.max(1));
            place.template.parameters().next().is_none()
                && used >= MIN_PROVIDERS
                && share < MAX_SHARE_BEFORE_VERSION
        }
    }
}

/// Returns `true` for a number with one or two points: `2.0`, `1.4.2`.
fn is_point_version(text: &[u8]) -> bool {
    let mut parts = 0;
    text.split(|byte| *byte == b'.').all(|part| {
        parts += 1;
        matches!(part.len(), 1 | 2) && part.iter().all(u8::is_ascii_digit)
    }) && matches!(parts, 2 | 3)
}

/// Returns `true` where numbers with points near the root are versions: names stand below each of them.
fn are_point_versions<T>(place: &SiblingSet<'_, '_, T>) -> bool {
    let has_parameter = place.template.parameters().next().is_some();
    let numbers: Vec<_> =
        place.candidates.iter().filter(|candidate| is_point_version(candidate.text)).collect();
    let has_names = |candidate: &&Candidate<'_, T>| {
        candidate.places.evidence().iter().any(|node| {
            node.literals.iter().any(|child| child.text.iter().any(u8::is_ascii_alphabetic))
        })
    };
    // Several with three parts are releases of something: `/packages/1.2.3/download`.
    let has_three_parts = |text: &[u8]| memchr::memchr_iter(b'.', text).nth(1).is_some();
    let are_releases =
        numbers.len() > 1 && numbers.iter().any(|candidate| has_three_parts(candidate.text));
    !has_parameter
        && !are_releases
        && place.template.parts.len() <= 3
        && (1..=MAX_VERSIONS).contains(&numbers.len())
        && numbers.iter().all(has_names)
}
