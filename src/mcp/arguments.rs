//! Arguments of the tools: their JSON schemas, parsing, and validation. Error messages tell the agent what to change.

#![expect(
    clippy::doc_markdown,
    reason = "these words are the descriptions of a schema, where backticks are noise"
)]

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::engine::Scope;
use crate::flow::text;
use crate::limits;
use crate::report::Pattern;
use crate::report::endpoint_class::EndpointClass;
use crate::report::selection::{EndpointOrder, Selection};

/// The arguments of `get_api_patterns`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PatternsArguments {
    /// Only this host and its subdomains, as in example.com. Empty: all hosts.
    pub(super) domain: String,
    /// Only the newest N flows (of that domain); templates are then inferred from these alone. Default: all flows.
    #[schemars(with = "i64")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<i64>,
    /// Only paths that begin with these whole segments, as in /api/v1/users; a {parameter} stands for any segment.
    pub(super) path_prefix: String,
    /// Only this HTTP method, as in GET. Empty: all methods.
    pub(super) method: String,
    /// Only endpoints with at least this many requests.
    #[schemars(range(min = 0))]
    pub(super) min_count: u64,
    /// Only endpoints of this class; api leaves out pages and their images, scripts and stylesheets.
    pub(super) only: ClassSelector,
    /// Only endpoints with this text in their method, host or path, ignoring case.
    pub(super) filter: String,
    /// Which endpoints come first. Rows have what they are sorted by. With requests, those of the captured application stand before
    /// third parties, and calls of an API before pages and assets.
    pub(super) sort: EndpointOrder,
    /// Only the first N endpoints in that order. Default: all.
    #[schemars(with = "u64", range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top: Option<u64>,
    /// How much to say of each endpoint.
    pub(super) detail: Detail,
    /// How to say it.
    pub(super) format: AnswerFormat,
    /// The answer is at most this many bytes of JSON; what does not fit is counted, and next_cursor leads on to it.
    #[schemars(range(min = 2000, max = 40000))]
    pub(super) max_bytes: u64,
    /// The next_cursor of the answer before, to go on where it ended; all other arguments stay the same.
    pub(super) cursor: String,
}

impl Default for PatternsArguments {
    fn default() -> Self {
        Self {
            domain: String::new(),
            limit: None,
            path_prefix: String::new(),
            method: String::new(),
            min_count: 0,
            only: ClassSelector::All,
            filter: String::new(),
            sort: EndpointOrder::Requests,
            top: None,
            detail: Detail::Standard,
            format: AnswerFormat::Json,
            max_bytes: limits::DEFAULT_ANSWER_BYTES as u64,
            cursor: String::new(),
        }
    }
}

/// How much is said of each endpoint.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Detail {
    /// A tree of path prefixes with counts, and the names of the endpoints.
    Summary,
    /// Also parameters with their kinds, statuses and content types.
    #[default]
    Standard,
    /// All that is known.
    Full,
    /// The JSON array that mitmproxy-mcp answers, for clients written for it; takes domain and limit alone, and is never cut.
    Compat,
}

/// A class of endpoints.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum ClassSelector {
    /// All classes.
    #[default]
    All,
    /// Calls of an API.
    Api,
    /// Pages that people look at.
    Page,
    /// Stylesheets, scripts, images, fonts, videos and sounds.
    Asset,
    /// Preflights, tunnels and redirects.
    Other,
}

impl ClassSelector {
    fn class(self) -> Option<EndpointClass> {
        match self {
            Self::All => None,
            Self::Api => Some(EndpointClass::Api),
            Self::Page => Some(EndpointClass::Page),
            Self::Asset => Some(EndpointClass::Asset),
            Self::Other => Some(EndpointClass::Other),
        }
    }
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum AnswerFormat {
    /// An object, as the output schema says.
    #[default]
    Json,
    /// Lines in result, one for each endpoint below its host: id, requests, method, path, query parameters and statuses. The
    /// shortest form; detail has no influence.
    Text,
}

/// The arguments of get_endpoint.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndpointArguments {
    /// The id of an endpoint in an answer of get_api_patterns, its name as in GET /users/{user_id}, or a path or URL of it.
    #[serde(alias = "endpoint")]
    pub(super) id: String,
    /// The domain that the answer was asked for with, where it is not found without.
    #[serde(default)]
    pub(super) domain: String,
    /// The limit that the answer was asked for with, where it is not found without.
    #[schemars(with = "i64", range(min = 0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<i64>,
    /// The answer is at most this many bytes of JSON; of schemas the deepest parts that do not fit are left out and counted.
    #[schemars(range(min = 2000, max = 40000))]
    #[serde(default = "default_max_bytes")]
    pub(super) max_bytes: u64,
}

impl Default for EndpointArguments {
    fn default() -> Self {
        Self {
            id: String::new(),
            domain: String::new(),
            limit: None,
            max_bytes: default_max_bytes(),
        }
    }
}

pub(super) fn check_max_bytes(max_bytes: u64, advice: &str) -> Result<(), String> {
    let (least, most) = (limits::MIN_ANSWER_BYTES as u64, limits::MAX_ANSWER_BYTES as u64);
    if (least..=most).contains(&max_bytes) {
        Ok(())
    } else {
        Err(format!("max_bytes must be from {least} to {most}; {advice}"))
    }
}

pub(super) fn default_max_bytes() -> u64 {
    limits::DEFAULT_ANSWER_BYTES as u64
}

/// Returns the JSON schema of a tool's arguments.
pub(super) fn input_schema<T: JsonSchema>() -> Map<String, Value> {
    plain_schema::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

/// Returns the JSON schema of a tool's answer.
pub(super) fn output_schema<T: JsonSchema>() -> Map<String, Value> {
    plain_schema::<T>(SchemaSettings::draft2020_12().for_serialize())
}

/// Generates a schema that every client accepts: without references, Rust-specific formats or empty defaults.
fn plain_schema<T: JsonSchema>(mut settings: SchemaSettings) -> Map<String, Value> {
    settings.inline_subschemas = true;
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    plain(&mut schema);
    schema.remove("title");
    schema.remove("description");
    match schema.to_value() {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

fn plain(schema: &mut Schema) {
    schema.remove("format");
    if let Some(Value::String(words)) = schema.get_mut("description") {
        *words = words.replace('\n', " ");
    }
    // Turn a choice of constants into an enum, for clients that do not support oneOf.
    if let Some(Value::Array(choices)) = schema.get("oneOf") {
        let part = |name: &'static str| choices.iter().filter_map(move |choice| choice.get(name));
        let words: Vec<Value> = part("const").cloned().collect();
        let meanings = words.iter().zip(part("description")).map(|(word, meaning)| {
            format!(
                "{}: {}",
                word.as_str().unwrap_or_default(),
                meaning.as_str().unwrap_or_default()
            )
        });
        let meanings = meanings.collect::<Vec<_>>().join(" ");
        let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let description = format!("{description} {meanings}");
        schema.remove("oneOf");
        schema.insert("type".to_owned(), "string".into());
        schema.insert("enum".to_owned(), Value::Array(words));
        schema.insert("description".to_owned(), description.trim().into());
    }
    let is_empty = |value: &Value| value.is_null() || value.as_str() == Some("");
    if schema.get("default").is_some_and(is_empty) {
        schema.remove("default");
    }
    schemars::transform::transform_subschemas(&mut plain, schema);
}

/// Deserializes the arguments of a call. A member that is null is treated as absent.
pub(super) fn parse<T: DeserializeOwned>(
    arguments: Option<Map<String, Value>>,
) -> Result<T, String> {
    let mut arguments = arguments.unwrap_or_default();
    arguments.retain(|_, value| !value.is_null());
    if let Some((name, _)) = arguments.iter().find(|(name, value)| is_too_long(name, value)) {
        return Err(format!(
            "these arguments do not fit: {} is longer than the {MAX_ARGUMENT_BYTES} bytes that are read",
            text::shortened(name.as_bytes(), 60)
        ));
    }
    arguments.values_mut().for_each(make_whole);
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!("{path}: ") };
        let why = error.inner().to_string();
        let why = why
            .replace("expected i64", "expected a whole number")
            .replace("expected u64", "expected a whole number from 0");
        format!(
            "these arguments do not fit: {}; see the tool's input schema",
            text::shortened(format!("{place}{why}").as_bytes(), 300)
        )
    })
}

/// Maximum length of an argument or its name, in bytes. No path, host or cursor is longer.
const MAX_ARGUMENT_BYTES: usize = 4096;

fn is_too_long(name: &str, value: &Value) -> bool {
    let length = value.as_str().map_or(0, str::len);
    length.max(name.len()) > MAX_ARGUMENT_BYTES
}

/// Converts a whole float into an integer, since some clients send 10 as 10.0.
fn make_whole(value: &mut Value) {
    #[expect(clippy::cast_possible_truncation, reason = "bounded to what a float holds exactly")]
    if let Some(float) = value.as_f64().filter(|_| value.is_f64())
        && float.fract() == 0.0
        && float.abs() < 9e15
    {
        *value = Value::from(float as i64);
    }
}

impl PatternsArguments {
    /// Validates the arguments; the error is a sentence that says what to change.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.detail == Detail::Compat {
            return self.check_compat();
        }
        check_domain(&self.domain)?;
        check_limit(self.limit)?;
        if self.path_prefix.contains(['?', '#']) || self.path_prefix.contains("://") {
            return Err(
                "path_prefix must be the start of a path, as in /api/v1; put the host into domain"
                    .to_owned(),
            );
        }
        if self.method.contains(|c: char| !c.is_ascii_graphic()) {
            return Err(
                "method must be one HTTP method, as in GET; leave it out for all".to_owned()
            );
        }
        if self.top == Some(0) {
            return Err("top must be a number from 1; leave it out for all endpoints".to_owned());
        }
        check_max_bytes(self.max_bytes, "what does not fit follows with next_cursor")
    }

    fn check_compat(&self) -> Result<(), String> {
        let plain = Self {
            domain: self.domain.clone(),
            limit: self.limit,
            detail: Detail::Compat,
            ..Self::default()
        };
        if serde_json::to_value(self).ok() == serde_json::to_value(plain).ok() {
            return Ok(());
        }
        Err("detail compat answers as mitmproxy-mcp does, which takes domain and limit alone; leave the others out, or ask \
             for another detail"
            .to_owned())
    }

    /// Returns the flows that the question is about.
    pub(super) fn scope(&self) -> Scope {
        scope(&self.domain, self.limit)
    }

    /// Returns the filter of the endpoints to answer with.
    pub(super) fn selection(&self) -> Selection {
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        Selection {
            domain: given(&self.domain),
            path_prefix: given(&self.path_prefix),
            method: given(&self.method),
            min_count: self.min_count,
            class: self.only.class(),
            text: given(&self.filter),
        }
    }

    /// Returns the endpoints to answer with, in their order.
    pub(super) fn selected<'r>(
        &self,
        selection: &Selection,
        patterns: &'r [Pattern],
    ) -> Vec<&'r Pattern> {
        let mut selected = selection.ordered(patterns, self.sort);
        let top = self.top.and_then(|top| usize::try_from(top).ok());
        selected.truncate(top.unwrap_or(usize::MAX));
        selected
    }
}

impl EndpointArguments {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.id.trim().is_empty() {
            return Err(
                "id must be the id of an endpoint in an answer of get_api_patterns, as in 0f3a5c7e9b1d, its name or a URL"
                    .to_owned(),
            );
        }
        check_domain(&self.domain)?;
        check_limit(self.limit)?;
        check_max_bytes(self.max_bytes, "schemas that do not fit are found with get_schema")
    }

    pub(super) fn scope(&self) -> Scope {
        scope(&self.domain, self.limit)
    }
}

fn scope(domain: &str, limit: Option<i64>) -> Scope {
    // The masked labels are unknown here, so the scope is the parent domain; `selection` then drops the other hosts.
    let known = domain.rsplit_once("[masked].").map_or(domain, |(_, parent)| parent);
    Scope {
        domain: (!known.is_empty()).then(|| known.to_ascii_lowercase()),
        limit: limit.and_then(|limit| u64::try_from(limit).ok()),
    }
}

fn check_domain(domain: &str) -> Result<(), String> {
    if domain.contains(['/', '?', '#', '@']) || domain.len() > limits::MAX_HOST_BYTES {
        return Err(
            "domain must be a host name, as in api.example.com; leave it out for all hosts"
                .to_owned(),
        );
    }
    Ok(())
}

fn check_limit(limit: Option<i64>) -> Result<(), String> {
    if limit.is_some_and(|limit| limit < 0) {
        return Err(
            "limit must be the number of the newest flows to use; leave it out for all of them"
                .to_owned(),
        );
    }
    Ok(())
}
