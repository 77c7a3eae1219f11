//! One operation: its parameters, bodies, answers and security.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::openapi::OpenApiOptions;
use crate::openapi::dialect::convert_to_dialect;
use crate::openapi::names::OperationNames;
use crate::openapi::parameters::{
    add_parameter, header_parameters, path_parameters, query_parameters, take_encoding,
};
use crate::openapi::security::SecuritySchemes;
use crate::report::Pattern;
use crate::schema::Schemas;
use crate::schema::emit::Emitter;
use crate::schema::graph::ObjectId;
use crate::schema::host::{HostSchemas, add_references};
use crate::shape::credentials::CredentialKind;
use crate::shape::messages::{ACCEPTED, BodyStats, Direction};

/// The prefix of references to components in a description.
pub(super) const COMPONENTS: &str = "#/components/schemas/";

/// The endpoints with one method and path, and what their host needs to describe them.
pub(super) struct OperationInput<'o> {
    pub(super) patterns: &'o [&'o Pattern],
    pub(super) schemas: &'o Schemas,
    pub(super) names: &'o OperationNames,
    /// The names of the parameters in the path.
    pub(super) path_names: &'o [String],
    pub(super) options: OpenApiOptions,
}

/// Media types with their schemas.
type Contents = BTreeMap<String, Vec<Value>>;

impl OperationInput<'_> {
    /// The operation; adds the components that it refers to.
    pub(super) fn describe(
        &self,
        security: &mut SecuritySchemes,
        references: &mut BTreeSet<ObjectId>,
    ) -> Value {
        let Some(first) = self.patterns.first() else { return Value::Null };
        let (requirement, stated) = security.requirement(self.patterns, self.schemas);
        let mut out = Map::new();
        out.insert("operationId".to_owned(), json!(self.names.id));
        out.insert("summary".to_owned(), json!(self.names.summary));
        out.insert("description".to_owned(), json!(self.description()));
        out.insert("tags".to_owned(), json!([self.names.tag]));
        let parameters = self.parameters(first, &stated);
        if !parameters.is_empty() {
            out.insert("parameters".to_owned(), Value::Array(parameters));
        }
        if let Some(body) = self.request_body(references) {
            out.insert("requestBody".to_owned(), body);
        }
        out.insert("responses".to_owned(), self.responses(references));
        out.insert("security".to_owned(), requirement);
        let operations: Vec<Value> = self
            .patterns
            .iter()
            .filter_map(|pattern| {
                let name = pattern.operation.as_ref()?;
                Some(json!({ "name": name, "id": pattern.id }))
            })
            .collect();
        if !operations.is_empty() {
            out.insert("x-operations".to_owned(), Value::Array(operations));
        }
        if self.patterns.iter().any(|pattern| pattern.websocket_count > 0) {
            out.insert("x-websocket".to_owned(), json!(true));
        }
        if first.path_pattern.ends_with("+}") {
            out.insert("x-spans-segments".to_owned(), json!(true));
        }
        if self.options.evidence {
            out.insert("x-evidence".to_owned(), self.evidence());
        }
        Value::Object(out)
    }

    fn description(&self) -> String {
        let sums = |count: fn(&Pattern) -> u64| {
            self.patterns.iter().map(|pattern| count(pattern)).sum::<u64>()
        };
        let mut said = "Inferred from captured traffic.".to_owned();
        if sums(|pattern| pattern.websocket_count) > 0 {
            said.push_str(" The connection becomes a WebSocket.");
        }
        let is_stream = |pattern: &&Pattern| pattern.media_types.contains_key("text/event-stream");
        if self.patterns.iter().any(is_stream) {
            said.push_str(" Answers with a stream of server-sent events.");
        }
        said
    }

    fn evidence(&self) -> Value {
        let mut statuses: BTreeMap<&str, u64> = BTreeMap::new();
        for pattern in self.patterns {
            for (status, count) in &pattern.status_codes {
                *statuses.entry(status).or_default() += count;
            }
        }
        json!({
            "requests": self.patterns.iter().map(|pattern| pattern.request_count).sum::<u64>(),
            "statuses": statuses,
            "first_seen": self.patterns.iter().filter_map(|pattern| pattern.first_seen.as_ref()).min(),
            "last_seen": self.patterns.iter().filter_map(|pattern| pattern.last_seen.as_ref()).max(),
            "ids": self.patterns.iter().map(|pattern| &pattern.id).collect::<Vec<_>>(),
        })
    }

    /// The parameters, without the credentials that are stated as security.
    fn parameters(&self, first: &Pattern, stated: &[CredentialKind]) -> Vec<Value> {
        let mut all = path_parameters(first, self.path_names, self.options);
        for pattern in self.patterns {
            let Some((host, endpoint)) = self.schemas.get(&pattern.id) else { continue };
            let query = host.decider(&self.schemas.prior, true).place(endpoint.query, "");
            let is_credential =
                |name: &str| stated.contains(&CredentialKind::Query(name.to_owned()));
            let query =
                query_parameters(&query, &emitter(host, self.options), is_credential, self.options);
            let is_credential =
                |name: &str| stated.contains(&CredentialKind::Header(name.to_owned()));
            for parameter in query.into_iter().chain(header_parameters(pattern, is_credential)) {
                add_parameter(&mut all, parameter);
            }
        }
        all
    }

    /// Adds the schema of a body to those of its media type.
    fn add_body(
        &self,
        host: &HostSchemas,
        (media_type, bodies, place): (&str, &BodyStats, crate::schema::graph::PlaceId),
        contents: &mut Contents,
        references: &mut BTreeSet<ObjectId>,
    ) {
        if bodies.observed == 0 && bodies.other == 0 && bodies.bytes == 0 {
            return;
        }
        // What came without a type, or with one that is not shown, is of any type.
        let is_shown = media_type.contains('/');
        if !is_shown && bodies.observed == 0 {
            return;
        }
        let media_type = if is_shown { media_type } else { "*/*" };
        let schemas = contents.entry(media_type.to_owned()).or_default();
        if bodies.observed == 0 {
            // Content without a schema: pages, images, archives.
            return;
        }
        let is_text = bodies.json == 0;
        let node = if is_text {
            host.decider(&self.schemas.prior, true).place(place, "")
        } else {
            host.named_decider(&self.schemas.prior).place(place, "")
        };
        add_references(&node, references);
        let mut schema = emitter(host, self.options).emit(&node);
        convert_to_dialect(self.options.version, &mut schema);
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }

    fn request_body(&self, references: &mut BTreeSet<ObjectId>) -> Option<Value> {
        let mut contents = Contents::new();
        let mut is_always = true;
        for pattern in self.patterns {
            let Some((host, endpoint)) = self.schemas.get(&pattern.id) else { continue };
            let mut with_body = 0;
            for (key, bodies, place) in &endpoint.bodies {
                if key.direction == Direction::Request && key.status == ACCEPTED {
                    self.add_body(
                        host,
                        (&key.media_type, bodies, *place),
                        &mut contents,
                        references,
                    );
                    with_body += bodies.observed + bodies.other;
                }
            }
            // Requests that were refused do not show what a request has to have.
            let accepted = pattern
                .status_codes
                .iter()
                .filter(|(status, _)| status.parse().is_ok_and(|status: u16| status < 400))
                .map(|(_, count)| count)
                .sum::<u64>();
            is_always &= with_body >= accepted.min(endpoint.requests);
        }
        if contents.is_empty() {
            return None;
        }
        Some(json!({ "required": is_always, "content": contents_value(contents) }))
    }

    fn responses(&self, references: &mut BTreeSet<ObjectId>) -> Value {
        let mut by_status: BTreeMap<u16, Contents> = BTreeMap::new();
        for pattern in self.patterns {
            for status in pattern.status_codes.keys().filter_map(|status| status.parse().ok()) {
                by_status.entry(status).or_default();
            }
            let Some((host, endpoint)) = self.schemas.get(&pattern.id) else { continue };
            for (key, bodies, place) in &endpoint.bodies {
                if key.direction == Direction::Response {
                    let contents = by_status.entry(key.status).or_default();
                    self.add_body(host, (&key.media_type, bodies, *place), contents, references);
                }
            }
        }
        by_status.retain(|status, _| (100..600).contains(status));
        let mut out = Map::new();
        let has_success = by_status.keys().any(|status| (200..400).contains(status));
        for (status, contents) in by_status {
            let mut response = Map::new();
            response.insert("description".to_owned(), json!(reason_phrase(status)));
            if !contents.is_empty() {
                response.insert("content".to_owned(), contents_value(contents));
            }
            out.insert(status.to_string(), Value::Object(response));
        }
        if !has_success {
            let said = "No success was captured.";
            out.insert("2XX".to_owned(), json!({ "description": said, "x-not-captured": true }));
        }
        Value::Object(out)
    }
}

fn emitter(host: &HostSchemas, options: OpenApiOptions) -> Emitter<'_> {
    Emitter {
        names: &host.components.names,
        prefix: COMPONENTS,
        has_observations: options.observations,
    }
}

fn contents_value(contents: Contents) -> Value {
    let content = contents.into_iter().map(|(media_type, mut schemas)| {
        let encoding: Map<String, Value> = schemas.iter_mut().flat_map(take_encoding).collect();
        let schema = match schemas.len() {
            0 if media_type.starts_with("text/") => json!({ "type": "string" }),
            0 => json!({}),
            1 => schemas.remove(0),
            _ => json!({ "anyOf": schemas }),
        };
        let mut content = json!({ "schema": schema });
        if !encoding.is_empty() {
            content["encoding"] = Value::Object(encoding);
        }
        (media_type, content)
    });
    Value::Object(content.collect())
}

/// The reason phrase of a status (RFC 9110, section 15).
fn reason_phrase(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        423 => "Locked",
        424 => "Failed Dependency",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ if status < 200 => "Informational",
        _ if status < 300 => "Success",
        _ if status < 400 => "Redirection",
        _ if status < 500 => "Client error",
        _ => "Server error",
    }
}
