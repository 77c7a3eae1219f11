//! Summaries of schemas for a report.

use std::collections::BTreeSet;

use crate::report::Report;
use crate::report::bodies::BodySummary;
use crate::schema::decide::{SchemaNode, decide};
use crate::schema::{SchemaOptions, Schemas, media_type, number_of};
use crate::shape::messages::{ACCEPTED, BodyStats, Direction};

impl Schemas {
    /// Fills in the summaries of bodies of all endpoints.
    pub(crate) fn summarize(&self, report: &mut Report) {
        for pattern in &mut report.patterns {
            let Some(messages) = number_of(&pattern.id).and_then(|id| self.store.get(id)) else {
                continue;
            };
            for (key, bodies) in messages.bodies() {
                if bodies.observed == 0 && bodies.unreadable.iter().all(|count| *count == 0) {
                    continue;
                }
                let summary = self.summary(bodies);
                let into = match (key.direction, key.status) {
                    (Direction::Request, ACCEPTED) => &mut pattern.request_body,
                    (Direction::Request, _) => continue,
                    (Direction::Response, status) => {
                        pattern.responses.entry(status.to_string()).or_default()
                    }
                };
                into.insert(media_type(&key), summary);
            }
        }
    }

    fn summary(&self, bodies: &BodyStats) -> BodySummary {
        let node = decide(&bodies.shape, &self.prior, SchemaOptions::default());
        let mut sensitive = BTreeSet::new();
        collect_sensitive(&node, &mut sensitive);
        let item = node.list.as_ref().and_then(|list| list.item.as_ref());
        let object = node.object.as_ref().or_else(|| item.and_then(|item| item.object.as_ref()));
        BodySummary {
            bodies: bodies.observed,
            unreadable: bodies.unreadable.iter().sum(),
            kinds: if bodies.observed > 0 { kinds(&node) } else { Vec::new() },
            properties: object.map_or(0, |object| object.properties.len() as u64),
            sensitive: sensitive.into_iter().map(str::to_owned).collect(),
        }
    }
}

fn kinds(node: &SchemaNode) -> Vec<String> {
    let kinds = [
        ("array", node.list.is_some()),
        ("boolean", node.boolean),
        ("null", node.nullable || node.is_open),
        ("number", node.number.is_some()),
        ("object", node.object.is_some()),
        ("string", node.string.is_some()),
    ];
    kinds.iter().filter(|(_, is)| *is).map(|(kind, _)| (*kind).to_owned()).collect()
}

fn collect_sensitive(node: &SchemaNode, into: &mut BTreeSet<&'static str>) {
    into.extend(&node.sensitive);
    if let Some(item) = node.list.as_ref().and_then(|list| list.item.as_ref()) {
        collect_sensitive(item, into);
    }
    if let Some(object) = &node.object {
        let additional = object.additional.iter();
        let fields = object.properties.iter().map(|(_, field)| field).chain(additional);
        fields.for_each(|field| collect_sensitive(field, into));
    }
}
