//! Reasons for the decisions of a schema, as sentences that can be checked against the traffic.

use crate::schema::decide::{Decider, is_enumeration};
use crate::schema::enumeration::EnumEvidence;
use crate::schema::graph::PlaceEvidence;
use crate::schema::select::SelectedPlace;

/// One decision about a place, with its reason.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct SchemaReason {
    /// The decision: `type`, `nullable`, `required`, `format`, `style`, `enum` or `map`.
    pub decision: &'static str,
    /// The decision, in words.
    pub value: String,
    /// The probability that the decision is right, 0 to 1, with two decimals.
    pub confidence: f64,
    /// The numbers that it follows from.
    pub reason: String,
}

fn reason(decision: &'static str, value: String, confidence: f64, reason: String) -> SchemaReason {
    SchemaReason { decision, value, confidence: (confidence * 100.0).round() / 100.0, reason }
}

/// The decisions about a place.
pub(super) fn reasons(decider: &Decider<'_>, selected: &SelectedPlace<'_>) -> Vec<SchemaReason> {
    let mut out = Vec::new();
    let (graph, prior) = (decider.graph, decider.prior);
    let place = graph.place(selected.place);
    let name = selected.parent.as_ref().map_or("", |(_, name)| name);
    let seen = place.seen();
    let counts = kind_counts(place);
    let kinds: Vec<String> = counts.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    let names: Vec<&str> = counts.iter().map(|(kind, _)| *kind).collect();
    let said = format!("of {seen} values: {}", kinds.join(", "));
    out.push(reason("type", names.join(", "), 1.0, said));
    let nulls = place.shape.nulls;
    let probability = if nulls > 0 { 1.0 } else { prior.nullable_probability(seen) };
    let is_nullable = !decider.is_text && decider.is_nullable(place, name);
    let said = format!("{nulls} of {seen} values are null");
    let confidence = if nulls > 0 { 1.0 } else { 1.0 - probability };
    out.push(reason("nullable", is_nullable.to_string(), confidence, said));
    if let Some((object, name)) = &selected.parent {
        let present = object.key(name.as_bytes()).map_or(0, |(present, _)| present);
        let objects = object.fields.count;
        let is_required = decider.is_required(object, present);
        let confidence =
            if present < objects { 1.0 } else { 1.0 - prior.optional_probability(objects) };
        let said = format!("{present} of {objects} objects have it");
        out.push(reason("required", is_required.to_string(), confidence, said));
    }
    if let Some((style, items)) = place.shape.separated_lists().filter(|_| decider.is_text) {
        let said = format!("all values are lists, of {} items together", items.count);
        out.push(reason("style", style.name().to_owned(), 1.0, said));
    } else if let Some(strings) = place.shape.all_strings().as_deref() {
        let formats = strings.covering_formats();
        if !formats.is_empty() {
            let names = formats.iter().filter_map(|format| format.keyword().or(format.pattern()));
            let value = names.collect::<Vec<_>>().join(" or ");
            let filled = strings.count - strings.empty;
            let said = format!("all {filled} strings that are not empty have it");
            out.push(reason("format", value, 1.0, said));
        }
        if let Some(evidence) = EnumEvidence::of(strings, name) {
            let said = format!(
                "{} distinct values in {} strings, {} of them seen once",
                evidence.distinct, evidence.count, evidence.singletons
            );
            let probability = evidence.probability();
            let value = is_enumeration(strings, place, name).to_string();
            out.push(reason_with_rule("enum", value, probability, said, place.rule.enumeration));
        }
    }
    if let Some(id) = place.object {
        let (object, evidence) = (graph.object(id), graph.map_evidence(id));
        let said = format!(
            "{} distinct keys in {} objects; an object has {:.0} % of them; {:.0} % are written as values",
            evidence.keys,
            evidence.objects,
            evidence.occupancy * 100.0,
            evidence.as_values * 100.0
        );
        let probability = evidence.probability();
        out.push(reason_with_rule(
            "map",
            object.is_map.to_string(),
            probability,
            said,
            object.rule.map,
        ));
    }
    out
}

/// A decision between two that a rule may have made.
fn reason_with_rule(
    decision: &'static str,
    value: String,
    probability: f64,
    said: String,
    rule: Option<bool>,
) -> SchemaReason {
    match rule {
        Some(_) => reason(decision, value, 1.0, format!("a rule says so; {said}")),
        None => reason(decision, value, probability.max(1.0 - probability), said),
    }
}

fn kind_counts(place: &PlaceEvidence) -> Vec<(&'static str, u64)> {
    let shape = &place.shape;
    let counts = [
        ("null", shape.nulls),
        ("boolean", shape.trues + shape.falses),
        ("number", shape.numbers.as_ref().map_or(0, |numbers| numbers.count())),
        ("string", shape.all_strings().map_or(0, |strings| strings.count)),
        ("array", shape.items.as_ref().map_or(0, |items| items.count)),
        ("object", place.objects),
        ("not looked into", shape.opaque),
    ];
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}
