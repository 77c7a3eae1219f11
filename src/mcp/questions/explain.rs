//! The question explain_url.

#![expect(
    clippy::doc_markdown,
    reason = "these words are the descriptions of a schema, where backticks are noise"
)]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::{LiveCaptures, Snapshot, unknown_endpoint};
use crate::limits;
use crate::mcp::answer::{EndpointRow, NearMissRow};
use crate::mcp::arguments::{Detail, check_max_bytes, default_max_bytes};
use crate::mcp::messages;
use crate::report::Pattern;
use crate::report::lookup::similar_endpoints;

/// The arguments of explain_url.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::mcp) struct ExplainQuestion {
    /// A URL or a path, with or without the method before it, as in GET https://api.example.com/users/7 or /users/7.
    pub(in crate::mcp) url: String,
    /// The answer is at most this many bytes of JSON; endpoints that do not fit are left out.
    #[schemars(range(min = 2000, max = 40000))]
    #[serde(default = "default_max_bytes")]
    pub(in crate::mcp) max_bytes: u64,
}

impl Default for ExplainQuestion {
    fn default() -> Self {
        Self { url: String::new(), max_bytes: default_max_bytes() }
    }
}

impl ExplainQuestion {
    pub(in crate::mcp) fn check(&self) -> Result<(), String> {
        if self.url.trim().is_empty() {
            return Err("url is empty; give a URL or a path, as in /users/7".to_owned());
        }
        check_max_bytes(self.max_bytes, "a URL with its method has the shortest answer")
    }
}

/// The answer of explain_url.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(in crate::mcp) struct ExplainAnswer {
    /// The version of this shape: 1.
    pub(in crate::mcp) version: u32,
    /// Whether endpoints were left out.
    pub(in crate::mcp) truncated: bool,
    /// The endpoints that such a request belongs to: several, where hosts or methods are not named.
    pub(in crate::mcp) endpoints: Vec<ExplainedRow>,
    /// What to do next, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::mcp) advice: Vec<&'static str>,
    /// Observed data: endpoints that are written nearly so, where none fits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::mcp) similar: Vec<String>,
}

/// One endpoint, and why its segments vary.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(inline)]
pub(in crate::mcp) struct ExplainedRow {
    /// The endpoint; the reasons are in its parameters.
    pub(in crate::mcp) pattern: EndpointRow,
    /// Segments on its way that were nearly judged otherwise, the nearest first.
    pub(in crate::mcp) near_misses: Vec<NearMissRow>,
}

/// The most near misses that are shown of one endpoint.
const MAX_NEAR_MISSES: usize = 8;

/// Answers explain_url.
pub(in crate::mcp) fn explain_answer(
    views: &LiveCaptures,
    view: &Snapshot,
    question: &ExplainQuestion,
) -> ExplainAnswer {
    let mut answer = ExplainAnswer {
        version: 1,
        truncated: false,
        endpoints: Vec::new(),
        advice: Vec::new(),
        similar: Vec::new(),
    };
    let mut room = usize::try_from(question.max_bytes).unwrap_or(usize::MAX).saturating_sub(200);
    for explanation in views.explanations(view, question.url.trim()) {
        let near = explanation.near_misses.iter().take(MAX_NEAR_MISSES);
        let mut row = ExplainedRow {
            pattern: EndpointRow::new(&explanation.pattern, Detail::Full, false),
            near_misses: near.map(Into::into).collect(),
        };
        let size = |row: &ExplainedRow| serde_json::to_string(row).map_or(0, |text| text.len() + 1);
        if size(&row) > room && answer.endpoints.is_empty() {
            row = ExplainedRow {
                pattern: EndpointRow::new(&explanation.pattern, Detail::Summary, true),
                near_misses: Vec::new(),
            };
        }
        let Some(left) = room.checked_sub(size(&row)) else {
            answer.truncated = true;
            break;
        };
        room = left;
        answer.endpoints.push(row);
    }
    if answer.endpoints.is_empty() {
        answer.advice.push(messages::NO_SUCH_REQUEST);
        let similar = similar_endpoints(&view.report.patterns, &question.url);
        answer.similar = similar.into_iter().map(shown).collect();
    }
    answer
}

/// Says that a text means none of the endpoints, and names similar ones if it is not an id.
pub(in crate::mcp) fn no_endpoint(patterns: &[Pattern], text: &str) -> String {
    if similar_endpoints(patterns, text).is_empty() {
        return messages::NO_ENDPOINT.to_owned();
    }
    unknown_endpoint(text, patterns).to_string()
}

fn shown(name: &str) -> String {
    crate::flow::text::shortened(name.as_bytes(), limits::MAX_SHOWN_BYTES).into_owned()
}
