//! The schemas of one host: its graph of places, its components, and their definitions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::report::{Pattern, masked};
use crate::schema::EndpointSchemas;
use crate::schema::components::{Components, components};
use crate::schema::decide::{Decider, ObjectNode, ObjectSchema, SchemaNode};
use crate::schema::emit::Emitter;
use crate::schema::graph::{MessageContext, ObjectId, PlaceGraph, PlaceId};
use crate::schema::names::{EntityNames, message_names, path_nouns};
use crate::schema::pool::pool;
use crate::schema::prior::Prior;
use crate::shape::credentials::{CredentialCounts, CredentialKind, CredentialUse};
use crate::shape::messages::{Direction, EndpointMessages};
use crate::shape::{Caps, Shape};
use crate::template::property_rules::PropertyRules;

/// The prefix of references to the definitions of components in a JSON Schema.
const DEFINITIONS: &str = "#/$defs/";

/// The schemas of one host.
#[derive(Clone, Debug)]
pub(crate) struct HostSchemas {
    pub(crate) graph: PlaceGraph,
    pub(crate) components: Components,
    credential_counts: CredentialCounts,
    definitions: BTreeMap<ObjectId, Definition>,
}

/// The decided schema of a component.
#[derive(Clone, Debug)]
struct Definition {
    schema: Value,
    /// The components that it refers to.
    refers_to: BTreeSet<ObjectId>,
}

/// Collects the messages of a host.
#[derive(Debug, Default)]
pub(crate) struct HostBuilder {
    graph: PlaceGraph,
    messages: Vec<PlaceId>,
    credential_counts: CredentialCounts,
}

impl HostBuilder {
    /// Adds the messages of an endpoint of the host with this index.
    pub(crate) fn add_endpoint(
        &mut self,
        host: usize,
        pattern: &Pattern,
        mut messages: EndpointMessages,
        rules: &PropertyRules<'_>,
    ) -> EndpointSchemas {
        let (requests, unencrypted) = (messages.requests, messages.unencrypted);
        let credentials = std::mem::take(&mut messages.credentials);
        self.credential_counts.add(&credentials);
        let caps = Caps::at(messages.level);
        let none = EntityNames::default();
        let rules_of = |message: &str, path: &[&str]| {
            rules.decision(&pattern.host, &pattern.endpoint, message, path)
        };
        let query = MessageContext {
            names: &none,
            is_request: true,
            is_text: true,
            caps,
            rules: &|path| rules_of("query", path),
        };
        let query = self.graph.add(std::mem::take(&mut messages.query), &query);
        let bodies = messages.into_bodies().into_iter().map(|(mut key, mut bodies)| {
            if !key.media_type.is_empty() {
                let shown = masked::media_type(key.media_type.as_bytes(), bodies.messages());
                key.media_type = shown.into_owned();
            }
            let kind = match key.direction {
                Direction::Request => "request".to_owned(),
                Direction::Response => key.status.to_string(),
            };
            let message = MessageContext {
                names: &message_names(pattern, &key),
                is_request: key.direction == Direction::Request,
                // Values of forms are text.
                is_text: bodies.json == 0,
                caps,
                rules: &|path| rules_of(&kind, path),
            };
            let shape = std::mem::take(&mut bodies.shape);
            let place = self.add(shape, &message);
            (key, bodies, place)
        });
        let bodies = bodies.collect();
        EndpointSchemas { host, requests, unencrypted, credentials, query, bodies }
    }

    /// Adds one message.
    pub(crate) fn add(&mut self, shape: Shape, message: &MessageContext<'_>) -> PlaceId {
        let place = self.graph.add(shape, message);
        self.messages.push(place);
        place
    }

    /// Decides what the messages of a host, which has these endpoints, have in common.
    pub(crate) fn build(mut self, patterns: &[&Pattern], prior: &Prior) -> HostSchemas {
        pool(&mut self.graph);
        self.graph.hide_secret_keys();
        let nouns = path_nouns(patterns.iter().copied());
        let components = components(&self.graph, &self.messages, &nouns);
        let mut host = HostSchemas {
            graph: self.graph,
            components,
            credential_counts: self.credential_counts,
            definitions: BTreeMap::new(),
        };
        let definitions =
            host.components.shared.iter().map(|id| (*id, host.definition(*id, prior)));
        host.definitions = definitions.collect();
        host
    }
}

impl HostSchemas {
    /// The sets of credentials that requests to an endpoint of the host carried.
    pub(crate) fn credentials_of(
        &self,
        endpoint: &EndpointSchemas,
    ) -> impl Iterator<Item = (Vec<CredentialKind>, CredentialUse)> {
        self.credential_counts.shown_sets(&endpoint.credentials)
    }

    pub(crate) fn decider<'h>(&'h self, prior: &'h Prior, is_text: bool) -> Decider<'h> {
        Decider { graph: &self.graph, prior, components: &self.components.shared, is_text }
    }

    /// As [`decider`](Self::decider), with all objects that have names as components.
    pub(crate) fn named_decider<'h>(&'h self, prior: &'h Prior) -> Decider<'h> {
        Decider { graph: &self.graph, prior, components: &self.components.named, is_text: false }
    }

    fn emitter(&self) -> Emitter<'_> {
        Emitter { names: &self.components.names, prefix: DEFINITIONS, has_observations: false }
    }

    fn definition(&self, id: ObjectId, prior: &Prior) -> Definition {
        let object = self.decider(prior, false).object(id);
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.extend(self.emitter().of_object(&object, true));
        let mut refers_to = BTreeSet::new();
        object.add_references(&mut refers_to);
        Definition { schema: Value::Object(schema), refers_to }
    }

    /// The JSON Schema of a place, with the definitions that it refers to. A component at its top is written out, with its
    /// name as the title.
    pub(crate) fn schema(&self, prior: &Prior, place: PlaceId, is_text: bool) -> Value {
        let decider = self.decider(prior, is_text);
        let mut node = decider.place(place, "");
        let mut references = BTreeSet::new();
        let mut title = None;
        if let Some(ObjectNode::Component(id)) = node.object {
            title = self.components.names.get(&id);
            let mut object = decider.object(id);
            object.required.append(&mut node.required);
            object.required.sort_unstable();
            node.object = Some(ObjectNode::Inline(Box::new(object)));
        }
        add_references(&node, &mut references);
        let mut schema = self.emitter().emit(&node);
        let definitions = self.definitions(references);
        if let Some(object) = schema.as_object_mut() {
            if let Some(title) = title {
                object.insert("title".to_owned(), json!(title));
            }
            if !definitions.is_empty() {
                object.insert("$defs".to_owned(), Value::Object(definitions));
            }
        }
        schema
    }

    /// The definitions of components and of all that these refer to, by name.
    fn definitions(&self, mut open: BTreeSet<ObjectId>) -> Map<String, Value> {
        let mut found = BTreeMap::new();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop_first() {
            let (true, Some(definition)) = (seen.insert(id), self.definitions.get(&id)) else {
                continue;
            };
            found.insert(self.components.names[&id].clone(), definition.schema.clone());
            open.extend(&definition.refers_to);
        }
        found.into_iter().collect()
    }

    /// The schema tree of a component.
    pub(crate) fn component(&self, prior: &Prior, id: ObjectId) -> SchemaNode {
        let object = self.decider(prior, false).object(id);
        SchemaNode { object: Some(ObjectNode::Inline(Box::new(object))), ..SchemaNode::default() }
    }
}

impl ObjectSchema {
    /// Adds the components that the fields refer to.
    pub(crate) fn add_references(&self, into: &mut BTreeSet<ObjectId>) {
        let nodes = self.properties.iter().map(|(_, node)| node).chain(&self.additional);
        nodes.for_each(|node| add_references(node, into));
    }
}

/// Adds the components that a schema refers to.
pub(crate) fn add_references(node: &SchemaNode, into: &mut BTreeSet<ObjectId>) {
    match &node.object {
        Some(ObjectNode::Component(id)) => drop(into.insert(*id)),
        Some(ObjectNode::Inline(object)) => object.add_references(into),
        None => {}
    }
    if let Some(item) = node.list.as_ref().and_then(|list| list.item.as_ref()) {
        add_references(item, into);
    }
}
