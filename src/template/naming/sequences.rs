//! Names of values that stand one after the other: parts of dates, tiles, ranges, coordinates, pairs of codes.

use std::collections::BTreeSet;

use crate::template::Part;
use crate::template::codes;
use crate::template::node_group::NodeGroup;
use crate::template::segment::{Segment, SegmentKind};
use crate::template::singular::singular;
use crate::template::trie::Node;
use crate::template::variable::Variable;

/// Name of a value in a known sequence: `{year}/{month}/{day}`, `{z}/{x}/{y}`, `{start_date}/{end_date}`, `{lat}/{lon}`,
/// `{from_currency}/{to_currency}`.
pub(super) fn name_from_position<T>(
    parts: &[Part],
    noun: Option<&str>,
    variable: &Variable<'_>,
    below: &NodeGroup<'_, T>,
) -> Option<String> {
    let before = match parts.last() {
        Some(Part::Parameter { names, .. }) => names.last().map(String::as_str),
        _ => None,
    };
    let kinds = variable.naming_kinds();
    let are_integers = kinds.keys().all(|kind| kind.is_integer());
    let numbers = || variable.texts.iter().map(|text| number_of(text));
    let all_short = are_integers && variable.all_texts_known();
    let within = |low: u32, high: u32| {
        all_short && numbers().all(|number| number.is_some_and(|n| (low..=high).contains(&n)))
    };
    let name = match before {
        Some("year") if within(1, 12) => "month",
        Some("month") if within(1, 31) => "day",
        Some("z") if are_integers => "x",
        Some("x") if are_integers => "y",
        Some("start_date") => "end_date",
        Some("lat") if are_degrees(&variable.texts, 180.0) => "lon",
        _ if kinds.keys().all(|kind| *kind == SegmentKind::Date) => {
            let next_is_date = leads_to(below, &|kind| kind == SegmentKind::Date);
            if next_is_date { "start_date" } else { "date" }
        }
        _ if kinds.keys().all(|kind| *kind == SegmentKind::Year) => {
            let next_is_month = leads_to(below, &SegmentKind::is_integer);
            // After a plural noun, values are ids that look like years.
            let behind_plural = noun.is_some_and(|noun| {
                noun.ends_with('s') && !OF_YEARS.contains(&singular(noun).as_str())
            });
            return (next_is_month || !behind_plural).then(|| "year".to_owned());
        }
        _ if within(0, 24) && leads_to(below, &SegmentKind::is_integer) => {
            let mut next = NodeGroup { answered: Vec::new(), not_found: Vec::new() };
            for node in below.evidence() {
                next.answered.extend(node.literals.iter().map(|child| &*child.node));
                next.answered.extend(node.values.iter().map(|child| &*child.node));
            }
            if !leads_to(&next, &SegmentKind::is_integer) {
                return None;
            }
            "z"
        }
        _ if variable.all_texts_known() => {
            let earlier = parts.iter().flat_map(|part| match part {
                Part::Parameter { names, .. } => &names[..],
                Part::Literal { .. } => &[],
            });
            let earlier = earlier.map(String::as_str);
            if let Some(list) = codes::list_of_second(earlier, &variable.texts) {
                return Some(format!("to_{list}"));
            }
            let next = texts_below(below)?;
            if let Some(list) = code_of(variable).filter(|list| codes::name_of(&next) == Some(list))
            {
                return Some(format!("from_{list}"));
            }
            if !are_degrees(&variable.texts, 90.0) || !are_degrees(&next, 180.0) {
                return None;
            }
            "lat"
        }
        _ => return None,
    };
    Some(name.to_owned())
}

/// Nouns of things that occur once a year or are archived by year.
const OF_YEARS: [&str; 8] =
    ["year", "season", "archive", "holiday", "calendar", "edition", "stat", "statistic"];

/// Returns `true` if there are children and all of them are of a kind.
fn leads_to<T>(group: &NodeGroup<'_, T>, is_kind: &dyn Fn(SegmentKind) -> bool) -> bool {
    let nodes = group.evidence();
    let has_children = |node: &&Node<T>| !node.literals.is_empty() || !node.values.is_empty();
    nodes.iter().any(has_children)
        && nodes.iter().all(|node| {
            node.literals.iter().all(|child| is_kind(Segment::parse(&child.text).kind))
                && node.values.iter().all(|child| is_kind(child.kind))
        })
}

/// The different texts of the children; `None` if some are not known.
fn texts_below<'t, T>(group: &NodeGroup<'t, T>) -> Option<Vec<&'t [u8]>> {
    let nodes = group.evidence();
    let texts = nodes.iter().flat_map(|node| node.literals.iter().map(|child| &*child.text));
    let distinct: BTreeSet<&[u8]> = texts.collect();
    let are_known = nodes.iter().all(|node| node.values.is_empty());
    are_known.then(|| distinct.into_iter().collect())
}

/// Returns `true` for decimal numbers within a range around zero, most of them with a fraction.
fn are_degrees(texts: &[&[u8]], most: f64) -> bool {
    let degrees = |text: &&[u8]| {
        let number: Option<f64> = std::str::from_utf8(text).ok()?.parse().ok();
        number.filter(|number| number.abs() <= most)
    };
    let with_fraction = texts.iter().filter(|text| text.contains(&b'.')).count();
    with_fraction * 2 > texts.len() && texts.iter().all(|text| degrees(text).is_some())
}

fn number_of(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(Segment::parse(text).core).ok()?.parse().ok()
}

/// Name of values that are all codes of one list: `{currency}`.
pub(super) fn code_of(variable: &Variable<'_>) -> Option<&'static str> {
    codes::name_of(&variable.texts).filter(|_| variable.all_texts_known())
}
