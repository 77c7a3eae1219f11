//! Why a schema is what it is, in sentences that can be checked against the traffic.

use crate::schema::SchemaOptions;
use crate::schema::enumeration::{EnumEvidence, IS_ENUM};
use crate::schema::map::{MapEvidence, is_map};
use crate::schema::prior::Prior;
use crate::shape::Shape;
use crate::shape::fields::Fields;

/// One decision about a place, with its reason.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct SchemaReason {
    /// The decision: `type`, `nullable`, `required`, `format`, `enum` or `map`.
    pub decision: &'static str,
    /// What was decided.
    pub value: String,
    /// The probability that the decision is right, 0 to 1, with two decimals.
    pub confidence: f64,
    /// The numbers that it follows from.
    pub reason: String,
}

fn reason(decision: &'static str, value: String, confidence: f64, reason: String) -> SchemaReason {
    SchemaReason { decision, value, confidence: (confidence * 100.0).round() / 100.0, reason }
}

/// The decisions about a place; `parent` is the object it is a field of, with its name.
pub(super) fn reasons(
    shape: &Shape,
    parent: Option<(&Fields, &str)>,
    prior: &Prior,
    options: SchemaOptions,
) -> Vec<SchemaReason> {
    let mut out = Vec::new();
    let seen = shape.seen();
    let kinds: Vec<String> =
        kind_counts(shape).into_iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    out.push(reason(
        "type",
        kinds_of(shape).join(", "),
        1.0,
        format!("of {seen} values: {}", kinds.join(", ")),
    ));
    let name = parent.map_or("", |(_, name)| name);
    let nullable = if shape.nulls > 0 { 1.0 } else { prior.is_nullable(seen) };
    let said = format!("{} of {seen} values are null", shape.nulls);
    out.push(reason(
        "nullable",
        (shape.nulls > 0).to_string(),
        if shape.nulls > 0 { 1.0 } else { 1.0 - nullable },
        said,
    ));
    if let Some((fields, name)) = parent {
        let present = fields
            .iter()
            .find(|(_, key, _)| *key == name.as_bytes())
            .map_or(0, |(_, _, f)| f.present);
        let is_required = present == fields.count && fields.count >= options.required_from;
        let confidence =
            if present < fields.count { 1.0 } else { 1.0 - prior.is_optional(fields.count) };
        let said = format!("{present} of {} objects have it", fields.count);
        out.push(reason("required", is_required.to_string(), confidence, said));
    }
    if let Some(strings) = &shape.strings {
        if let Some(format) = strings.format() {
            let value = format.keyword().or(format.pattern()).unwrap_or_default().to_owned();
            let filled = strings.count - strings.empty;
            out.push(reason(
                "format",
                value,
                1.0,
                format!("all {filled} strings that are not empty have it"),
            ));
        }
        if let Some(evidence) = EnumEvidence::of(strings, name) {
            let said = format!(
                "{} distinct values in {} strings, {} of them seen once",
                evidence.distinct, evidence.count, evidence.singletons
            );
            let probability = evidence.probability();
            let value = (probability >= IS_ENUM).to_string();
            out.push(reason("enum", value, probability.max(1.0 - probability), said));
        }
    }
    if let Some(fields) = &shape.fields {
        let evidence = MapEvidence::of(fields, name);
        let said = format!(
            "{} distinct keys in {} objects; an object has {:.0} % of them; {:.0} % are written as values",
            evidence.keys,
            evidence.objects,
            evidence.occupancy * 100.0,
            evidence.as_values * 100.0
        );
        let probability = evidence.probability();
        out.push(reason(
            "map",
            is_map(fields, name).to_string(),
            probability.max(1.0 - probability),
            said,
        ));
    }
    out
}

fn kind_counts(shape: &Shape) -> Vec<(&'static str, u64)> {
    let counts = [
        ("null", shape.nulls),
        ("boolean", shape.trues + shape.falses),
        ("number", shape.numbers.as_ref().map_or(0, |numbers| numbers.count())),
        ("string", shape.strings.as_ref().map_or(0, |strings| strings.count)),
        ("array", shape.items.as_ref().map_or(0, |items| items.count)),
        ("object", shape.fields.as_ref().map_or(0, |fields| fields.count)),
        ("not looked into", shape.opaque),
    ];
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn kinds_of(shape: &Shape) -> Vec<&'static str> {
    kind_counts(shape).into_iter().map(|(kind, _)| kind).collect()
}
