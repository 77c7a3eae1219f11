//! Schemas: what is decided from shapes, as JSON Schema 2020-12.
//!
//! Every decision is a pure function of a shape: the kinds of a place and whether it may be null, required fields, formats,
//! enumerations, maps, tagged unions, tuples. The law that holds for all of them: a schema accepts every body that was
//! observed.

mod components;
pub(crate) mod decide;
pub(crate) mod emit;
mod enumeration;
mod explain;
mod fields;
pub(crate) mod graph;
pub(crate) mod host;
mod links;
mod map;
pub(crate) mod names;
#[cfg(feature = "mcp")]
pub(crate) mod outline;
mod pool;
pub(crate) mod prior;
mod select;
mod sensitive;
mod summary;
mod text;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::limits;
use crate::patterns::Patterns;
use crate::report::decision::Decision;
use crate::report::options::ReportOptions;
use crate::report::{Pattern, Report};
use crate::schema::graph::{MessageContext, PlaceId};
use crate::schema::host::{HostBuilder, HostSchemas};
use crate::schema::links::{IdentifyingValues, Sources, find_sources};
use crate::schema::names::EntityNames;
use crate::schema::prior::Prior;
use crate::shape::credentials::Credentials;
use crate::shape::messages::{ACCEPTED, BodyStats, Direction, MessageKey, UNREADABLE};
use crate::shape::observe::{SampledValues, observe_json};
use crate::shape::store::ShapeStore;
use crate::shape::{Caps, Shape};
use crate::template::property_rules::{PropertyDecision, PropertyRules};

pub use explain::SchemaReason;

/// The dialect of the schemas.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schemas of the endpoints of a report.
///
/// They come from [`analyze`](crate::analyze) with [`Options::bodies`](crate::Options::bodies), or from a state:
/// [`Patterns::decide_with_schemas`].
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
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    hosts: Vec<HostSchemas>,
    /// By the number of the endpoint.
    endpoints: BTreeMap<u64, EndpointSchemas>,
    pub(crate) prior: Prior,
    unassigned: u64,
    /// Where the values of path parameters come from.
    sources: Sources,
    /// The rules for properties that matched nothing, in words.
    pub(crate) unmatched_rules: Vec<String>,
}

/// The messages of one endpoint, with their places in the graph of its host.
#[derive(Clone, Debug)]
pub(crate) struct EndpointSchemas {
    /// Index into the hosts.
    host: usize,
    pub(crate) requests: u64,
    /// Requests without encryption.
    pub(crate) unencrypted: u64,
    pub(crate) credentials: Credentials,
    pub(crate) query: PlaceId,
    /// In the order of their keys. Their shapes are in the graph.
    pub(crate) bodies: Vec<(MessageKey, BodyStats, PlaceId)>,
}

impl Schemas {
    /// Decides schemas from observed shapes, for the endpoints of a decision and by its rules.
    pub(crate) fn new(mut store: ShapeStore, decision: &Decision) -> Self {
        let rules = PropertyRules::new(&decision.property_rules);
        store.fit();
        let prior = Prior::of(&store);
        let mut by_host: BTreeMap<&str, Vec<&Pattern>> = BTreeMap::new();
        for pattern in &decision.report.patterns {
            by_host.entry(&pattern.host).or_default().push(pattern);
        }
        let (mut hosts, mut endpoints) = (Vec::new(), BTreeMap::new());
        let mut identifying = Vec::new();
        for patterns in by_host.values() {
            let mut builder = HostBuilder::default();
            for pattern in patterns {
                let number = number_of(&pattern.id);
                let taken = number.and_then(|number| Some((number, store.take(number)?)));
                let Some((number, mut messages)) = taken else { continue };
                identifying.push((number, *pattern, IdentifyingValues::take(&mut messages)));
                let endpoint = builder.add_endpoint(hosts.len(), pattern, messages, &rules);
                endpoints.insert(number, endpoint);
            }
            hosts.push(builder.build(patterns, &prior));
        }
        let sources = find_sources(identifying);
        let unmatched_rules = rules.unmatched();
        Self { hosts, endpoints, prior, unassigned: 0, sources, unmatched_rules }
    }

    /// Decides the schemas of the endpoints of a decision from the shapes in a state; `None` if the state is not one
    /// [with bodies](Patterns::with_bodies).
    ///
    /// They are those that a second pass over the captures gives, but for requests whose path was not told apart from others
    /// in bounded memory: see [`unassigned`](Self::unassigned).
    ///
    /// ```
    /// use api_patterns::{Flow, Patterns, ReportOptions, Schemas};
    ///
    /// let patterns = Patterns::new();
    /// let decision = patterns.decide(&ReportOptions::default());
    /// assert!(Schemas::of(&patterns, &decision).is_none());
    /// let patterns = Patterns::with_bodies();
    /// assert_eq!(Schemas::of(&patterns, &decision).unwrap().unassigned(), 0);
    /// ```
    pub fn of(patterns: &Patterns, decision: &Decision) -> Option<Self> {
        let bodies = patterns.bodies.as_ref()?;
        let routes = &decision.routes;
        let (store, unassigned) = bodies.resolve(|route| number_of(&routes.label_of(route)?.id));
        Some(Self { unassigned, ..Self::new(store, decision) })
    }

    /// Number of requests whose messages are in no schema, because their path was not told apart from others when they were
    /// observed, or because their endpoint was left out of the report. 0 after a second pass.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat, Options, analyze};
    ///
    /// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
    /// let mut options = Options::default();
    /// options.bodies = true;
    /// let analysis = analyze(&captures, &options, &())?;
    /// let schemas = analysis.schemas.unwrap();
    /// assert_eq!(schemas.unassigned(), 0);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn unassigned(&self) -> u64 {
        self.unassigned
    }

    /// The messages of an endpoint by its id, with the schemas of its host.
    pub(crate) fn get(&self, id: &str) -> Option<(&HostSchemas, &EndpointSchemas)> {
        let endpoint = self.endpoints.get(&number_of(id)?)?;
        Some((self.hosts.get(endpoint.host)?, endpoint))
    }

    /// The schemas of one endpoint by its id ([`Pattern::id`](crate::Pattern::id)), as JSON; `None` if no message of it was
    /// observed.
    ///
    /// The object has `parameters` (a schema of the query as an object, if there was one), `request_body` (by media type) and
    /// `responses` (by status, then by media type). Each body has its `schema`, the number of `bodies` that the schema was
    /// decided from, and, where some could not be read, how many by reason (`unreadable`).
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
    /// let messages = schemas.endpoint(&user.id).unwrap();
    /// let body = &messages["responses"]["200"]["application/json"];
    /// assert_eq!(body["schema"]["properties"]["id"]["type"], "integer");
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn endpoint(&self, id: &str) -> Option<Value> {
        let (host, endpoint) = self.get(id)?;
        Some(self.messages(host, endpoint))
    }

    /// All endpoints of a report that have schemas, as one JSON object by [`Pattern::endpoint`](crate::Pattern::endpoint) of
    /// each host: `{"$schema": ..., "hosts": {HOST: {ENDPOINT: {...}}}}`, and `unassigned_requests` if there are any.
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
    /// let all = schemas.all(&analysis.report);
    /// assert!(all["hosts"][&user.host][&user.endpoint].is_object());
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
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
        let mut all = json!({ "$schema": DIALECT, "hosts": hosts });
        if let Some(all) = all.as_object_mut().filter(|_| self.unassigned > 0) {
            all.insert("unassigned_requests".to_owned(), json!(self.unassigned));
        }
        all
    }

    /// The schema at a place of an endpoint; `path` as for [`explain`](Self::explain). `None` if there is no such place.
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
    /// let id = schemas.at(&user.id, "200.id").unwrap();
    /// assert_eq!(id["type"], "integer");
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn at(&self, id: &str, path: &str) -> Option<Value> {
        let (host, endpoint) = self.get(id)?;
        let selected = select::place(&host.graph, endpoint, path)?;
        Some(host.schema(&self.prior, selected.place, selected.is_text))
    }

    /// Why the schema at a place is what it is. `path` is `request`, `query` or a status, and then keys: `200.items[].id`.
    /// The numbers are of all places that are one thing with it.
    ///
    /// Returns `None` if the endpoint has no such place.
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
    /// let reasons = schemas.explain(&user.id, "200.id").unwrap();
    /// assert!(!reasons.is_empty());
    /// assert!(schemas.explain(&user.id, "200.nothing").is_none());
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn explain(&self, id: &str, path: &str) -> Option<Vec<SchemaReason>> {
        let (host, endpoint) = self.get(id)?;
        let selected = select::place(&host.graph, endpoint, path)?;
        Some(explain::reasons(&host.decider(&self.prior, selected.is_text), &selected))
    }

    fn messages(&self, host: &HostSchemas, endpoint: &EndpointSchemas) -> Value {
        let mut out = Map::new();
        let query = host.graph.place(endpoint.query).object.map(|query| host.graph.object(query));
        if query.is_some_and(|query| query.fields.most > 0) {
            let parameters = host.schema(&self.prior, endpoint.query, true);
            out.insert("parameters".to_owned(), parameters);
        }
        let mut request = Map::new();
        let mut refused = Map::new();
        let mut responses = Map::new();
        for (key, bodies, place) in &endpoint.bodies {
            let media_type = media_type(key);
            let body = self.body(host, bodies, *place);
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

    fn body(&self, host: &HostSchemas, bodies: &BodyStats, place: PlaceId) -> Value {
        let mut out = Map::new();
        out.insert("bodies".to_owned(), json!(bodies.observed));
        if bodies.observed > 0 {
            // Values of forms are text.
            let schema = host.schema(&self.prior, place, bodies.json == 0);
            out.insert("schema".to_owned(), schema);
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

impl Patterns {
    /// As [`decide`](Self::decide), with the schemas of the endpoints, if the state is one
    /// [with bodies](Self::with_bodies).
    ///
    /// The report then has summaries of the bodies ([`Pattern::request_body`], [`Pattern::responses`]), and
    /// [`Decision::unmatched_rules`] has the rules for properties too. [`Schemas::of`] gives the schemas alone.
    ///
    /// ```
    /// use api_patterns::{Body, Flow, Patterns, ReportOptions};
    ///
    /// let mut flow = Flow::new("PUT", "https://api.example.com/users/7").unwrap();
    /// flow.request_body = Body::decoded(br#"{"name": "x"}"#);
    /// let mut patterns = Patterns::with_bodies();
    /// patterns.observe(&flow);
    /// let (decision, schemas) = patterns.decide_with_schemas(&ReportOptions::default());
    /// let endpoint = &decision.report.patterns[0];
    /// assert_eq!(endpoint.request_body["(none)"].properties, 1);
    /// assert!(schemas.unwrap().endpoint(&endpoint.id).is_some());
    /// ```
    pub fn decide_with_schemas(&self, options: &ReportOptions) -> (Decision, Option<Schemas>) {
        let mut decision = self.decide(options);
        let schemas = Schemas::of(self, &decision);
        if let Some(schemas) = &schemas {
            schemas.summarize(&mut decision.report);
            decision.unmatched_rules.extend_from_slice(&schemas.unmatched_rules);
        }
        (decision, schemas)
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
        let before = level;
        unread +=
            u64::from(observe_json(&mut shape, text, &mut level, SampledValues::All).is_err());
        if number.is_multiple_of(64) || level > before {
            shape.fit(limits::MAX_ENDPOINT_SHAPE_NODES, &mut level);
        }
    }
    shape.fit(limits::MAX_ENDPOINT_SHAPE_NODES, &mut level);
    let mut builder = HostBuilder::default();
    let message = MessageContext {
        names: &EntityNames::default(),
        is_request: false,
        is_text: false,
        caps: Caps::at(level),
        rules: &|_| PropertyDecision::default(),
    };
    let place = builder.add(shape, &message);
    let prior = Prior::default();
    (builder.build(&[], &prior).schema(&prior, place, false), unread)
}
