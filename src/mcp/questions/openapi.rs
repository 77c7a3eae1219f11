//! The question get_openapi.

#![expect(
    clippy::doc_markdown,
    reason = "these words are the descriptions of a schema, where backticks are noise"
)]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::engine::Snapshot;
use crate::flow::text;
use crate::limits;
use crate::mcp::arguments::{PatternsArguments, check_max_bytes, default_max_bytes};
use crate::mcp::messages;
use crate::mcp::questions::ROOM_OF_ANSWER;
use crate::openapi::{OpenApiOptions, OpenApiVersion, openapi_descriptions};
use crate::report::{Pattern, Report};
use crate::schema::Schemas;
use crate::schema::outline::outline;

/// The arguments of get_openapi.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::mcp) struct OpenApiQuestion {
    /// Only this host, as in api.example.com. It is needed where the captures have several.
    pub(in crate::mcp) domain: String,
    /// Only this endpoint: its id, its name as in GET /users/{user_id}, or a path or URL of it.
    #[serde(alias = "endpoint")]
    pub(in crate::mcp) id: String,
    /// Only paths that begin with these whole segments, as in /api/v1/users; a {parameter} stands for any segment.
    pub(in crate::mcp) path_prefix: String,
    /// The version of OpenAPI: 3.1 or 3.0.
    #[serde(alias = "openapi")]
    pub(in crate::mcp) version: String,
    /// The answer is at most this many bytes of JSON; what does not fit is left out and counted.
    #[schemars(range(min = 2000, max = 40000))]
    pub(in crate::mcp) max_bytes: u64,
}

impl Default for OpenApiQuestion {
    fn default() -> Self {
        Self {
            domain: String::new(),
            id: String::new(),
            path_prefix: String::new(),
            version: "3.1".to_owned(),
            max_bytes: default_max_bytes(),
        }
    }
}

impl OpenApiQuestion {
    pub(in crate::mcp) fn check(&self) -> Result<(), String> {
        self.patterns().check()?;
        if !matches!(&*self.version, "3.1" | "3.0") {
            return Err("version must be 3.1 or 3.0".to_owned());
        }
        check_max_bytes(self.max_bytes, "what does not fit is found with id or path_prefix")
    }

    /// The question about patterns that selects the same endpoints.
    fn patterns(&self) -> PatternsArguments {
        PatternsArguments {
            domain: self.domain.clone(),
            path_prefix: self.path_prefix.clone(),
            ..PatternsArguments::default()
        }
    }
}

/// The answer of get_openapi.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(in crate::mcp) struct OpenApiAnswer {
    /// The version of this shape: 1.
    pub(in crate::mcp) version: u32,
    /// The host. Observed data.
    pub(in crate::mcp) host: String,
    /// Endpoints that match.
    pub(in crate::mcp) matched: u64,
    /// Endpoints among them that are described below, the most-used first.
    pub(in crate::mcp) returned: u64,
    /// Whether endpoints or parts of schemas were left out.
    pub(in crate::mcp) truncated: bool,
    /// What to do next, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::mcp) advice: Vec<&'static str>,
    /// The OpenAPI description. Its names, paths and enumerated values are observed data.
    pub(in crate::mcp) openapi: Map<String, Value>,
}

/// Answers get_openapi.
pub(in crate::mcp) fn openapi_answer(
    view: &Snapshot,
    schemas: &Schemas,
    question: &OpenApiQuestion,
) -> Result<OpenApiAnswer, String> {
    let selection = question.patterns().selection();
    let is_asked = |pattern: &&Pattern| {
        selection.wants(pattern) && (question.id.is_empty() || pattern.id == question.id)
    };
    let mut patterns: Vec<&Pattern> = view.report.patterns.iter().filter(is_asked).collect();
    patterns.sort_by(|a, b| b.request_count.cmp(&a.request_count).then_with(|| a.id.cmp(&b.id)));
    let Some(first) = patterns.first() else { return Err(messages::NOTHING_MATCHES.to_owned()) };
    let host = first.host.clone();
    if patterns.iter().any(|pattern| pattern.host != host) {
        return Err(messages::SEVERAL_HOSTS.to_owned());
    }
    let mut options = OpenApiOptions::default();
    if question.version == "3.0" {
        options.version = OpenApiVersion::V3_0;
    }
    let most = usize::try_from(question.max_bytes).unwrap_or(usize::MAX);
    let room = most.saturating_sub(ROOM_OF_ANSWER + host.len());
    let describe = |count: usize| -> Value {
        let part = Report {
            version: view.report.version,
            totals: view.report.totals.clone(),
            patterns: patterns[..count].iter().map(|pattern| (*pattern).clone()).collect(),
        };
        let described = openapi_descriptions(&part, schemas, &options).into_iter().next();
        described.map(|(_, api)| api).unwrap_or_default()
    };
    let size = |api: &Value| api.to_string().len();
    // The largest number of endpoints that fit with outlined schemas.
    let (mut fits, mut too_many) = (1, patterns.len() + 1);
    while fits + 1 < too_many {
        let middle = usize::midpoint(fits, too_many);
        let api = describe(middle);
        let is_small = size(&api) <= room || size(&outline(&api, room).0) > 2;
        if is_small { fits = middle } else { too_many = middle }
    }
    let whole = describe(fits);
    let (api, is_cut) = outline(&whole, room);
    let truncated = is_cut || fits < patterns.len();
    Ok(OpenApiAnswer {
        version: 1,
        host: text::shortened(host.as_bytes(), limits::MAX_SHOWN_BYTES).into_owned(),
        matched: patterns.len() as u64,
        // Where not even one fits, nothing is said of it.
        returned: if api.as_object().is_some_and(Map::is_empty) { 0 } else { fits as u64 },
        truncated,
        advice: if truncated { vec![messages::OPENAPI_CUT] } else { Vec::new() },
        openapi: api.as_object().cloned().unwrap_or_default(),
    })
}
