//! The question get_schema.

#![expect(
    clippy::doc_markdown,
    reason = "these words are the descriptions of a schema, where backticks are noise"
)]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::flow::text;
use crate::limits;
use crate::mcp::arguments::{EndpointArguments, check_max_bytes, default_max_bytes};
use crate::mcp::messages;
use crate::report::Pattern;
use crate::schema::Schemas;
use crate::schema::outline::outline;

/// The arguments of get_schema.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::mcp) struct SchemaQuestion {
    /// The id of an endpoint in an answer of get_api_patterns, its name as in GET /users/{user_id}, or a path or URL of it.
    #[serde(alias = "endpoint")]
    pub(in crate::mcp) id: String,
    /// Only this place: query, request or a status, and then keys, as in 200.items[].owner. Empty: all messages.
    #[serde(default)]
    pub(in crate::mcp) path: String,
    /// The answer is at most this many bytes of JSON; the deepest parts that do not fit are left out and counted.
    #[schemars(range(min = 2000, max = 40000))]
    #[serde(default = "default_max_bytes")]
    pub(in crate::mcp) max_bytes: u64,
}

impl Default for SchemaQuestion {
    fn default() -> Self {
        Self { id: String::new(), path: String::new(), max_bytes: default_max_bytes() }
    }
}

impl SchemaQuestion {
    pub(in crate::mcp) fn check(&self) -> Result<(), String> {
        EndpointArguments { id: self.id.clone(), ..EndpointArguments::default() }.check()?;
        check_max_bytes(self.max_bytes, "what does not fit is found with path")
    }
}

/// The answer of get_schema.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(in crate::mcp) struct SchemaAnswer {
    /// The version of this shape: 1.
    pub(in crate::mcp) version: u32,
    /// The id of the endpoint.
    pub(in crate::mcp) id: String,
    /// Method and path template. Observed data.
    pub(in crate::mcp) endpoint: String,
    /// The host. Observed data.
    pub(in crate::mcp) host: String,
    /// Whether parts were left out.
    pub(in crate::mcp) truncated: bool,
    /// What to do next, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::mcp) advice: Vec<&'static str>,
    /// Without a path: parameters, request_body by media type, and responses by status and media type, each with the number of
    /// bodies and their schema. With a path: the schema of that place. Names and enumerated values are observed data.
    pub(in crate::mcp) schemas: Map<String, Value>,
}

/// Answers get_schema about an endpoint. Fails with a sentence if the endpoint or the place has no schema.
pub(in crate::mcp) fn schema_answer(
    pattern: &Pattern,
    schemas: &Schemas,
    question: &SchemaQuestion,
) -> Result<SchemaAnswer, &'static str> {
    let all = schemas.endpoint(&pattern.id).ok_or(messages::NO_SCHEMA)?;
    let whole = if question.path.is_empty() {
        all
    } else {
        schemas.at(&pattern.id, &question.path).ok_or(messages::NO_PLACE)?
    };
    let shown = |text: &str| text::shortened(text.as_bytes(), limits::MAX_SHOWN_BYTES).into_owned();
    let mut answer = SchemaAnswer {
        version: 1,
        id: pattern.id.clone(),
        endpoint: shown(&pattern.endpoint),
        host: shown(&pattern.host),
        truncated: false,
        advice: Vec::new(),
        schemas: Map::new(),
    };
    let own = serde_json::to_string(&answer).map_or(0, |text| text.len());
    let max_bytes = usize::try_from(question.max_bytes).unwrap_or(usize::MAX);
    let room = max_bytes.saturating_sub(own + messages::SCHEMA_CUT.len() + 32);
    let (schema, is_cut) = outline(&whole, room);
    answer.truncated = is_cut;
    answer.advice.extend(is_cut.then_some(messages::SCHEMA_CUT));
    answer.schemas = schema.as_object().cloned().unwrap_or_default();
    Ok(answer)
}
