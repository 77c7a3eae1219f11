//! The question get_sample.

#![expect(
    clippy::doc_markdown,
    reason = "these words are the descriptions of a schema, where backticks are noise"
)]

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::capture::{Captures, InputFormat};
use crate::engine::{ExchangeQuery, Monitor, Options, exchanges};
use crate::flow::text;
use crate::limits;
use crate::mcp::arguments::{check_max_bytes, default_max_bytes};
use crate::mcp::messages;
use crate::report::exchange::{BodyContent, Exchange, MessageBody, Secrets};

/// The arguments of get_sample.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::mcp) struct SampleQuestion {
    /// An endpoint, whose newest request is shown: its id, its name as in GET /users/{user_id}, or a path or URL of it.
    #[serde(default)]
    pub(in crate::mcp) endpoint: String,
    /// One of its sample_flow_ids instead.
    #[serde(default)]
    pub(in crate::mcp) flow_id: String,
    /// The answer is at most this many bytes of JSON; long lists and texts of bodies are cut.
    #[schemars(range(min = 2000, max = 40000))]
    #[serde(default = "default_max_bytes")]
    pub(in crate::mcp) max_bytes: u64,
}

impl Default for SampleQuestion {
    fn default() -> Self {
        Self { endpoint: String::new(), flow_id: String::new(), max_bytes: default_max_bytes() }
    }
}

impl SampleQuestion {
    pub(in crate::mcp) fn check(&self) -> Result<(), String> {
        if self.endpoint.trim().is_empty() == self.flow_id.trim().is_empty() {
            return Err("give either endpoint or flow_id".to_owned());
        }
        check_max_bytes(self.max_bytes, "get_schema tells the structure of large bodies")
    }
}

/// The answer of get_sample.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(in crate::mcp) struct SampleAnswer {
    /// The version of this shape: 1.
    pub(in crate::mcp) version: u32,
    /// Observed data: the id of the flow.
    pub(in crate::mcp) flow_id: String,
    /// Observed data: its endpoint. Absent if it belongs to none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(in crate::mcp) endpoint: String,
    /// When the request began.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(in crate::mcp) started: String,
    /// Milliseconds until the response was complete.
    #[schemars(with = "f64")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::mcp) duration_ms: Option<f64>,
    /// Observed data: method, url, headers and body. What is secret or personal, or looks so, is [masked].
    pub(in crate::mcp) request: Map<String, Value>,
    /// Observed data: status, headers and body; empty if there was no response.
    pub(in crate::mcp) response: Map<String, Value>,
    /// Whether lists, texts or bodies were cut.
    pub(in crate::mcp) truncated: bool,
}

/// Answers get_sample; `paths` are those that the operator named.
pub(in crate::mcp) fn sample_answer(
    paths: &[PathBuf],
    format: InputFormat,
    options: &Options,
    question: &SampleQuestion,
    monitor: &dyn Monitor,
) -> Result<SampleAnswer, String> {
    let mut captures = Captures::only_read();
    for path in paths {
        captures.add_path(path, format);
    }
    if captures.is_empty() {
        return Err(messages::no_capture(paths).to_owned());
    }
    let query = if question.flow_id.is_empty() {
        ExchangeQuery::Endpoint { endpoint: question.endpoint.clone(), newest: 1 }
    } else {
        ExchangeQuery::Id(question.flow_id.clone())
    };
    let found = exchanges(&captures, options, &query, Secrets::Masked, monitor);
    let found = found.map_err(|error| {
        if error.is_usage() { error.to_string() } else { messages::FAILED.to_owned() }
    })?;
    let exchange = found.into_iter().next().ok_or(messages::FAILED)?;
    let most = usize::try_from(question.max_bytes).unwrap_or(usize::MAX);
    let mut answer = answer_of(&exchange, CUTS[0]);
    for cut in CUTS {
        answer = answer_of(&exchange, cut);
        if serde_json::to_string(&answer).map_or(0, |text| text.len()) <= most {
            break;
        }
    }
    Ok(answer)
}

/// Bounds of the parts of a sample.
#[derive(Clone, Copy)]
struct SampleCut {
    items: usize,
    text_bytes: usize,
    depth: usize,
    headers: usize,
}

/// The bounds that are tried, until an answer fits.
const CUTS: [SampleCut; 9] = [
    SampleCut { items: 100_000, text_bytes: 4000, depth: 64, headers: 100 },
    SampleCut { items: 300, text_bytes: 2000, depth: 32, headers: 100 },
    SampleCut { items: 100, text_bytes: 1000, depth: 32, headers: 100 },
    SampleCut { items: 30, text_bytes: 1000, depth: 16, headers: 100 },
    SampleCut { items: 10, text_bytes: 500, depth: 16, headers: 60 },
    SampleCut { items: 3, text_bytes: 200, depth: 8, headers: 40 },
    SampleCut { items: 1, text_bytes: 100, depth: 5, headers: 20 },
    SampleCut { items: 1, text_bytes: 60, depth: 2, headers: 10 },
    SampleCut { items: 0, text_bytes: 40, depth: 0, headers: 4 },
];

fn answer_of(exchange: &Exchange, cut: SampleCut) -> SampleAnswer {
    let mut is_cut = false;
    let short = |text: &str| text::shortened(text.as_bytes(), limits::MAX_SHOWN_BYTES).into_owned();
    let mut request = Map::new();
    request.insert("method".to_owned(), json!(short(&exchange.request.method)));
    let url = text::shortened(exchange.request.url.as_bytes(), cut.text_bytes.max(200));
    request.insert("url".to_owned(), json!(url));
    add_message(&mut request, &exchange.request.headers, &exchange.request.body, cut, &mut is_cut);
    let mut answer = Map::new();
    if let Some(response) = &exchange.response {
        answer.insert("status".to_owned(), json!(response.status));
        add_message(&mut answer, &response.headers, &response.body, cut, &mut is_cut);
    }
    SampleAnswer {
        version: 1,
        flow_id: short(&exchange.id),
        endpoint: short(exchange.endpoint.as_deref().unwrap_or_default()),
        started: exchange.started.clone().unwrap_or_default(),
        duration_ms: exchange.duration_ms,
        request,
        response: answer,
        truncated: is_cut,
    }
}

fn add_message(
    message: &mut Map<String, Value>,
    headers: &[(String, String)],
    body: &MessageBody,
    cut: SampleCut,
    is_cut: &mut bool,
) {
    let mut shown: Map<String, Value> = Map::new();
    for (name, value) in headers.iter().take(cut.headers) {
        let value = text::shortened(value.as_bytes(), cut.text_bytes.min(200)).into_owned();
        // Headers that come several times are one list.
        let known = shown.get(name).and_then(Value::as_str);
        let value = known.map_or(value.clone(), |known| format!("{known}, {value}"));
        let name = text::shortened(name.as_bytes(), limits::MAX_SHOWN_BYTES).into_owned();
        shown.insert(name, Value::String(value));
    }
    *is_cut |= headers.len() > cut.headers;
    message.insert("headers".to_owned(), Value::Object(shown));
    let body = match &body.content {
        BodyContent::Empty => return,
        BodyContent::Json { json } => shortened(json, cut, cut.depth, is_cut),
        BodyContent::Text { text } | BodyContent::Bytes { base64: text } => {
            shortened(&json!(text), cut, cut.depth, is_cut)
        }
        BodyContent::Hidden { bytes, why } => {
            json!(format!("({bytes} bytes are not shown: {why})"))
        }
    };
    message.insert("body".to_owned(), body);
}

/// A JSON value with its lists, texts and depth cut; what was left out is counted in its place.
fn shortened(value: &Value, cut: SampleCut, depth: usize, is_cut: &mut bool) -> Value {
    match value {
        Value::Array(items) if depth == 0 && !items.is_empty() => {
            *is_cut = true;
            json!(format!("({} items)", items.len()))
        }
        Value::Object(members) if depth == 0 && !members.is_empty() => {
            *is_cut = true;
            json!(format!("({} fields)", members.len()))
        }
        Value::Array(items) => {
            let kept = items.iter().take(cut.items);
            let mut kept: Vec<Value> =
                kept.map(|item| shortened(item, cut, depth - 1, is_cut)).collect();
            if items.len() > cut.items {
                *is_cut = true;
                kept.push(json!(format!("({} more items)", items.len() - cut.items)));
            }
            Value::Array(kept)
        }
        Value::Object(members) => {
            let most = (cut.items * 10).max(10);
            let kept = members.iter().take(most);
            let mut kept: Map<String, Value> = kept
                .map(|(name, value)| {
                    let name = text::shortened(name.as_bytes(), limits::MAX_SHOWN_BYTES);
                    (name.into_owned(), shortened(value, cut, depth - 1, is_cut))
                })
                .collect();
            if members.len() > most {
                *is_cut = true;
                kept.insert("(more fields)".to_owned(), json!(members.len() - most));
            }
            Value::Object(kept)
        }
        Value::String(text) => {
            *is_cut |= text.len() > cut.text_bytes;
            json!(text::shortened(text.as_bytes(), cut.text_bytes))
        }
        other => other.clone(),
    }
}
