//! Schemas: what is decided from shapes, as JSON Schema 2020-12.
//!
//! Every decision is a pure function of a shape: the kinds of a place and whether it may be null, required fields, formats,
//! enumerations, maps, tagged unions, tuples. The law that holds for all of them: a schema accepts every body that was
//! observed.

mod decide;
mod emit;
mod enumeration;
mod explain;
mod map;
#[cfg(feature = "mcp")]
pub(crate) mod outline;
mod prior;
mod select;
mod sensitive;
mod summary;

use serde_json::{Map, Value, json};

use crate::limits;
use crate::report::Report;
use crate::schema::decide::{decide, decide_text};
use crate::schema::prior::Prior;
use crate::shape::Shape;
use crate::shape::messages::{
    ACCEPTED, BodyStats, Direction, EndpointMessages, MessageKey, UNREADABLE,
};
use crate::shape::observe::observe_json;
use crate::shape::store::ShapeStore;

pub use explain::SchemaReason;

/// The dialect of the schemas.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schemas of the endpoints of a report.
///
/// They come from [`analyze`](crate::analyze) with [`Options::bodies`](crate::Options::bodies).
///
/// ```
/// use api_patterns::{Captures, InputFormat, Options, analyze};
///
/// let lines = br#"{"method": "GET", "url": "https://h.example/users/1", "status": 200, "content_type": "application/json", "response_body": "{\"id\": 1}"}"#;
/// let captures = Captures::from_bytes("a line", lines.to_vec(), InputFormat::Detect)?;
/// let mut options = Options::default();
/// options.bodies = true;
/// let analysis = analyze(&captures, &options, &())?;
/// let schemas = analysis.schemas.unwrap();
/// let endpoint = schemas.endpoint(&analysis.report.patterns[0].id).unwrap();
/// let schema = &endpoint["responses"]["200"]["application/json"]["schema"];
/// // A place that was seen seldom may be null.
/// assert_eq!(schema["properties"]["id"]["type"], serde_json::json!(["integer", "null"]));
/// # Ok::<(), api_patterns::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Schemas {
    store: ShapeStore,
    prior: Prior,
}

/// How schemas are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaOptions {
    /// Objects of one place that must have been seen before a field that all of them have is required.
    pub required_from: u64,
}

impl Default for SchemaOptions {
    fn default() -> Self {
        Self { required_from: 5 }
    }
}

impl Schemas {
    /// Schemas from observed shapes.
    pub(crate) fn new(mut store: ShapeStore) -> Self {
        store.fit();
        let prior = Prior::of(&store);
        Self { store, prior }
    }

    /// The schemas of one endpoint by its id ([`Pattern::id`](crate::Pattern::id)), as JSON; `None` if no message of it was
    /// observed.
    ///
    /// The object has `parameters` (a schema of the query as an object, if there was one), `request_body` (by media type) and
    /// `responses` (by status, then by media type). Each body has its `schema`, the number of `bodies` that the schema was
    /// decided from, and, where some could not be read, how many by reason (`unreadable`).
    pub fn endpoint(&self, id: &str) -> Option<Value> {
        let messages = self.store.get(number_of(id)?)?;
        Some(self.messages(messages, SchemaOptions::default()))
    }

    /// All endpoints of a report that have schemas, as one JSON object by [`Pattern::endpoint`](crate::Pattern::endpoint) of
    /// each host: `{"$schema": ..., "hosts": {HOST: {ENDPOINT: {...}}}}`.
    pub fn all(&self, report: &Report) -> Value {
        let mut hosts = Map::new();
        for pattern in &report.patterns {
            let Some(mut endpoint) = self.endpoint(&pattern.id) else { continue };
            if let Some(object) = endpoint.as_object_mut() {
                object.insert("id".to_owned(), json!(pattern.id));
            }
            let host = hosts.entry(pattern.host.clone()).or_insert_with(|| json!({}));
            if let Some(host) = host.as_object_mut() {
                host.insert(pattern.endpoint.clone(), endpoint);
            }
        }
        json!({ "$schema": DIALECT, "hosts": hosts })
    }

    /// The schema at a place of an endpoint; `path` as for [`explain`](Self::explain). `None` if there is no such place.
    pub fn at(&self, id: &str, path: &str) -> Option<Value> {
        let messages = self.store.get(number_of(id)?)?;
        let (shape, _) = select::place(messages, path)?;
        Some(self.schema(shape, SchemaOptions::default()))
    }

    /// Why the schema at a place is what it is. `path` is `request`, `query` or a status, and then keys: `200.items[].id`.
    ///
    /// Returns `None` if the endpoint has no such place.
    pub fn explain(&self, id: &str, path: &str) -> Option<Vec<SchemaReason>> {
        let messages = self.store.get(number_of(id)?)?;
        let (shape, parent) = select::place(messages, path)?;
        Some(explain::reasons(
            shape,
            parent.as_ref().map(|(fields, name)| (*fields, &**name)),
            &self.prior,
            SchemaOptions::default(),
        ))
    }

    /// Memory of the shapes, in bytes.
    pub fn size(&self) -> usize {
        self.store.size()
    }

    fn schema(&self, shape: &Shape, options: SchemaOptions) -> Value {
        emit::emit(&decide(shape, &self.prior, options))
    }

    fn messages(&self, messages: &EndpointMessages, options: SchemaOptions) -> Value {
        let mut out = Map::new();
        let query = messages.query.fields.as_ref();
        if query.is_some_and(|query| query.most > 0) {
            let node = decide_text(&messages.query, &self.prior, options);
            out.insert("parameters".to_owned(), emit::emit(&node));
        }
        let mut request = Map::new();
        let mut refused = Map::new();
        let mut responses = Map::new();
        for (key, bodies) in messages.bodies() {
            let media_type = media_type(&key);
            let body = self.body(bodies, options);
            let into = match (key.direction, key.status) {
                (Direction::Request, ACCEPTED) => &mut request,
                (Direction::Request, _) => &mut refused,
                (Direction::Response, status) => {
                    let status = responses.entry(status.to_string()).or_insert_with(|| json!({}));
                    match status.as_object_mut() {
                        Some(status) => status,
                        None => continue,
                    }
                }
            };
            into.insert(media_type, body);
        }
        for (name, part) in
            [("request_body", request), ("refused_request_body", refused), ("responses", responses)]
        {
            if !part.is_empty() {
                out.insert(name.to_owned(), Value::Object(part));
            }
        }
        Value::Object(out)
    }

    fn body(&self, bodies: &BodyStats, options: SchemaOptions) -> Value {
        let mut out = Map::new();
        out.insert("bodies".to_owned(), json!(bodies.observed));
        if bodies.observed > 0 {
            // Values of forms are text.
            let decided = if bodies.json == 0 { decide_text } else { decide };
            out.insert(
                "schema".to_owned(),
                emit::emit(&decided(&bodies.shape, &self.prior, options)),
            );
        }
        let unreadable: Map<String, Value> = UNREADABLE
            .iter()
            .zip(bodies.unreadable)
            .filter(|(_, count)| *count > 0)
            .map(|(reason, count)| ((*reason).to_owned(), json!(count)))
            .collect();
        if !unreadable.is_empty() {
            out.insert("unreadable".to_owned(), Value::Object(unreadable));
        }
        Value::Object(out)
    }
}

/// The media type of a body as it is shown.
fn media_type(key: &MessageKey) -> String {
    if key.media_type.is_empty() { "(none)".to_owned() } else { key.media_type.clone() }
}

/// The number of an endpoint's id, which has 12 hexadecimal digits.
pub(crate) fn number_of(id: &str) -> Option<u64> {
    u64::from_str_radix(id, 16).ok()
}

/// Infers one JSON Schema from JSON texts; gives it with the number of texts that are not JSON.
///
/// The schema accepts every text that was read, and does not depend on their order.
///
/// ```
/// use api_patterns::schema_of_json;
///
/// let texts: [&[u8]; 3] = [br#"{"id": 1, "tags": ["a"]}"#, br#"{"id": 2.5, "tags": []}"#, b"{"];
/// let (schema, unread) = schema_of_json(texts);
/// // A place that was seen seldom may be null.
/// assert_eq!(schema["properties"]["id"]["type"], serde_json::json!(["number", "null"]));
/// assert_eq!(unread, 1);
/// ```
pub fn schema_of_json<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> (Value, u64) {
    let mut shape = Shape::default();
    let mut unread = 0;
    let mut level = 0;
    for (number, text) in texts.into_iter().enumerate() {
        unread += u64::from(observe_json(&mut shape, text).is_err());
        if number.is_multiple_of(64) {
            shape.fit(limits::MAX_ENDPOINT_SHAPE_NODES, &mut level);
        }
    }
    shape.fit(limits::MAX_ENDPOINT_SHAPE_NODES, &mut level);
    let schema = emit::emit(&decide(&shape, &Prior::default(), SchemaOptions::default()));
    (schema, unread)
}
