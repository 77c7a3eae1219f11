//! Summaries of schemas for a report.

use std::collections::BTreeSet;

use crate::report::Report;
use crate::report::bodies::BodySummary;
use crate::schema::decide::{ObjectNode, SchemaNode};
use crate::schema::graph::{ObjectId, PlaceId};
use crate::schema::host::HostSchemas;
use crate::schema::{Schemas, media_type};
use crate::shape::messages::{ACCEPTED, BodyStats, Direction};

impl Schemas {
    /// Fills in the summaries of bodies of all endpoints, and the sources of their parameters.
    pub(crate) fn summarize(&self, report: &mut Report) {
        for pattern in &mut report.patterns {
            self.link(pattern);
            let Some((host, endpoint)) = self.get(&pattern.id) else { continue };
            for (key, bodies, place) in &endpoint.bodies {
                if bodies.observed == 0 && bodies.unreadable.iter().all(|count| *count == 0) {
                    continue;
                }
                let summary = self.summary(host, bodies, *place);
                let into = match (key.direction, key.status) {
                    (Direction::Request, ACCEPTED) => &mut pattern.request_body,
                    (Direction::Request, _) => continue,
                    (Direction::Response, status) => {
                        pattern.responses.entry(status.to_string()).or_default()
                    }
                };
                into.insert(media_type(key), summary);
            }
        }
    }

    fn summary(&self, host: &HostSchemas, bodies: &BodyStats, place: PlaceId) -> BodySummary {
        let node = host.decider(&self.prior, bodies.json == 0).place(place, "");
        let mut sensitive = BTreeSet::new();
        let mut open = BTreeSet::new();
        let mut seen = BTreeSet::new();
        collect_sensitive(&node, &mut sensitive, &mut open);
        while let Some(id) = open.pop_first() {
            if seen.insert(id) {
                let component = host.component(&self.prior, id);
                collect_sensitive(&component, &mut sensitive, &mut open);
            }
        }
        let item = node.list.as_ref().and_then(|list| list.item.as_ref());
        let object = node.object.as_ref().or_else(|| item.and_then(|item| item.object.as_ref()));
        let properties = object.map_or(0, |object| match object {
            ObjectNode::Inline(object) => object.properties.len(),
            ObjectNode::Component(id) => host.graph.object(*id).fields.keys.len(),
        });
        BodySummary {
            bodies: bodies.observed,
            unreadable: bodies.unreadable.iter().sum(),
            kinds: if bodies.observed > 0 { kinds(&node) } else { Vec::new() },
            properties: properties as u64,
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

/// Collects the sensitive kinds of a schema, and the components that it refers to.
fn collect_sensitive(
    node: &SchemaNode,
    into: &mut BTreeSet<&'static str>,
    open: &mut BTreeSet<ObjectId>,
) {
    into.extend(&node.sensitive);
    if let Some(item) = node.list.as_ref().and_then(|list| list.item.as_ref()) {
        collect_sensitive(item, into, open);
    }
    match &node.object {
        Some(ObjectNode::Component(id)) => drop(open.insert(*id)),
        Some(ObjectNode::Inline(object)) => {
            let fields = object.properties.iter().map(|(_, field)| field).chain(&object.additional);
            fields.for_each(|field| collect_sensitive(field, into, open));
        }
        None => {}
    }
}
