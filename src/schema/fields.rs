//! The fields of messages with what was counted of them, for people who read them.

use crate::flow::text;
use crate::report::message_field::MessageField;
use crate::schema::Schemas;
use crate::schema::decide::{Decider, ObjectNode, SchemaNode};
use crate::schema::emit::kinds_of;
use crate::schema::graph::{PlaceEvidence, PlaceId};
use crate::shape::messages::{ACCEPTED, Direction};

/// The deepest place that is listed, in steps below the top of a message.
const MAX_FIELD_DEPTH: usize = 3;

/// The most places that are looked at for one endpoint.
const MAX_FIELDS_COUNTED: usize = 400;

impl Schemas {
    /// The fields of the messages of an endpoint by its id ([`Pattern::id`](crate::Pattern::id)): at most so many of them, those
    /// of the request before those of the answers, and the number of fields beyond that. Fields are looked at to a depth of three, and 400
    /// of them at most.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat, Options, analyze};
    ///
    /// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
    /// let mut options = Options::default();
    /// options.bodies = true;
    /// let analysis = analyze(&captures, &options, &())?;
    /// let schemas = analysis.schemas.unwrap();
    /// let user = &analysis.report.patterns[0];
    /// let (fields, more) = schemas.fields(&user.id, 2);
    /// assert_eq!(fields.len(), 2);
    /// assert!(more > 0);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn fields(&self, id: &str, at_most: usize) -> (Vec<MessageField>, usize) {
        let Some((host, endpoint)) = self.get(id) else { return (Vec::new(), 0) };
        let mut found = Vec::new();
        for (key, bodies, place) in &endpoint.bodies {
            let message = match key.direction {
                Direction::Request if key.status == ACCEPTED => "request".to_owned(),
                Direction::Request => continue,
                Direction::Response => key.status.to_string(),
            };
            if bodies.observed > 0 {
                let decider = host.decider(&self.prior, bodies.json == 0);
                let node = decider.place(*place, "");
                let top = MessageField { path: message, ..MessageField::default() };
                FieldLister { decider: &decider, found: &mut found }.add(top, &node, *place, 0);
            }
        }
        let more = found.len().saturating_sub(at_most);
        found.truncate(at_most);
        (found, more)
    }
}

/// Lists the places of one message.
struct FieldLister<'l, 'g> {
    decider: &'l Decider<'g>,
    found: &'l mut Vec<MessageField>,
}

impl FieldLister<'_, '_> {
    /// Adds a place, of which the field has the path and the presence, and the places below it.
    fn add(&mut self, mut field: MessageField, node: &SchemaNode, id: PlaceId, depth: usize) {
        if self.found.len() >= MAX_FIELDS_COUNTED {
            return;
        }
        let place = self.decider.graph.place(id);
        let mut path = field.path.clone();
        describe(&mut field, node, place);
        // What a list holds is said with the list.
        let item = node.list.as_ref().and_then(|list| list.item.as_ref()).zip(place.item);
        let below = if let Some((item, item_id)) = item {
            field.kind = format!("{} of {}", field.kind, kind_in_words(item));
            path.push_str("[]");
            (item, item_id)
        } else {
            (node, id)
        };
        self.found.push(field);
        if depth < MAX_FIELD_DEPTH {
            self.add_fields_of(&path, below.0, below.1, depth);
        }
    }

    fn add_fields_of(&mut self, path: &str, node: &SchemaNode, id: PlaceId, depth: usize) {
        let place = self.decider.graph.place(id);
        let (Some(object_node), Some(object_id)) = (&node.object, place.object) else { return };
        let component;
        let object = match object_node {
            ObjectNode::Inline(object) => object,
            ObjectNode::Component(id) => {
                component = Box::new(self.decider.object(*id));
                &component
            }
        };
        let evidence = self.decider.graph.object(object_id);
        for (name, node) in &object.properties {
            let Some((present, child)) = evidence.key(name.as_bytes()) else { continue };
            let shown = text::printable(name.as_bytes());
            let field = MessageField {
                path: format!("{path}.{shown}"),
                presence: Some(share(present, evidence.fields.count)),
                is_required: object.required.contains(name)
                    || node_requires(place, self.decider, name),
                ..MessageField::default()
            };
            self.add(field, node, child, depth + 1);
        }
        if let (Some(node), Some(child)) = (&object.additional, evidence.rest) {
            let field = MessageField { path: format!("{path}.*"), ..MessageField::default() };
            self.add(field, node, child, depth + 1);
        }
    }
}

/// True if the objects of this place always have a field that the others of their component may lack.
fn node_requires(place: &PlaceEvidence, decider: &Decider<'_>, name: &str) -> bool {
    decider.required_here(place).iter().any(|required| required == name)
}

fn describe(field: &mut MessageField, node: &SchemaNode, place: &PlaceEvidence) {
    field.kind = kind_in_words(node);
    if let Some(string) = &node.string {
        field.format = (!string.formats.is_empty()).then(|| string.formats.join(" or "));
        let values = string.values.iter();
        field.values = values.map(|value| text::printable(value.as_bytes()).into()).collect();
    }
    field.nulls = share(place.shape.nulls, place.seen());
    field.sensitive = node.sensitive.iter().map(|kind| (*kind).to_owned()).collect();
}

fn kind_in_words(node: &SchemaNode) -> String {
    let mut kinds = kinds_of(node);
    if node.is_open {
        return "any".to_owned();
    }
    if node.nullable {
        kinds.push("null");
    }
    kinds.join(" or ")
}

#[expect(clippy::cast_precision_loss, reason = "shown in percent")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use crate::{Body, Flow, Patterns, ReportOptions, Response};

    #[test]
    fn fields_have_shares_formats_and_values() {
        let mut patterns = Patterns::with_bodies();
        for number in 0..40 {
            let nick = if number % 4 == 0 { "null" } else { "\"x\"" };
            let state = ["open", "closed"][number % 2];
            let extra = if number % 2 == 0 { ", \"extra\": [1]" } else { "" };
            let id = format!("0b9f2c1e-8a4d-4c6b-9e3f-{number:012}");
            let body = format!(r#"[{{"id": "{id}", "state": "{state}", "nick": {nick}{extra}}}]"#);
            let mut flow = Flow::new("GET", "https://api.example.com/tickets").unwrap();
            let content_type = Some(&b"application/json"[..]);
            flow.response = Some(Response {
                status: 200,
                content_type,
                body: Body::decoded(body.as_bytes()),
                ..Response::default()
            });
            patterns.observe(&flow);
        }
        let (decision, schemas) = patterns.decide_with_schemas(&ReportOptions::default());
        let schemas = schemas.unwrap();
        let id = &decision.report.patterns[0].id;
        let (fields, more) = schemas.fields(id, 100);
        let mut lines: Vec<String> =
            fields.iter().map(|field| format!("{} {}", field.path, field.in_words())).collect();
        lines.sort();
        let wanted = [
            "200 array of object",
            "200[].extra array of integer?, in 50 %",
            "200[].id string (uuid)",
            "200[].nick string or null, null in 25 %",
            "200[].state string: closed | open",
        ];
        assert_eq!((lines, more), (wanted.map(str::to_owned).to_vec(), 0));
        assert_eq!(schemas.fields(id, 2).1, 3);
    }
}
