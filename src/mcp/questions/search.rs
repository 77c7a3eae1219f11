//! The question search_endpoints.

#![expect(
    clippy::doc_markdown,
    reason = "these words are the descriptions of a schema, where backticks are noise"
)]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::Snapshot;
use crate::mcp::answer::EndpointRow;
use crate::mcp::arguments::{Detail, PatternsArguments, check_max_bytes, default_max_bytes};
use crate::mcp::questions::ROOM_OF_ANSWER;
use crate::report::Pattern;
use crate::report::selection::EndpointOrder;
use crate::schema::Schemas;

/// The arguments of search_endpoints.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::mcp) struct SearchQuestion {
    /// Words that all must occur, in any case, in the path, the host, the operation, or the names of parameters, headers and
    /// fields of bodies, as in invoice email.
    pub(in crate::mcp) query: String,
    /// Only this host and its subdomains, as in example.com. Empty: all hosts.
    #[serde(default)]
    pub(in crate::mcp) domain: String,
    /// Only this HTTP method, as in GET. Empty: all methods.
    #[serde(default)]
    pub(in crate::mcp) method: String,
    /// The answer is at most this many bytes of JSON; what does not fit is left out and counted.
    #[schemars(range(min = 2000, max = 40000))]
    #[serde(default = "default_max_bytes")]
    pub(in crate::mcp) max_bytes: u64,
}

impl Default for SearchQuestion {
    fn default() -> Self {
        Self {
            query: String::new(),
            domain: String::new(),
            method: String::new(),
            max_bytes: default_max_bytes(),
        }
    }
}

impl SearchQuestion {
    pub(in crate::mcp) fn check(&self) -> Result<(), String> {
        if self.query.trim().is_empty() {
            return Err("query is empty; give words, as in invoice".to_owned());
        }
        self.patterns().check()?;
        check_max_bytes(self.max_bytes, "more words find fewer endpoints")
    }

    fn patterns(&self) -> PatternsArguments {
        PatternsArguments {
            domain: self.domain.clone(),
            method: self.method.clone(),
            ..PatternsArguments::default()
        }
    }
}

/// The answer of search_endpoints.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(in crate::mcp) struct SearchAnswer {
    /// The version of this shape: 1.
    pub(in crate::mcp) version: u32,
    /// Endpoints that have all words.
    pub(in crate::mcp) matched: u64,
    /// Whether endpoints were left out, because they do not fit.
    pub(in crate::mcp) truncated: bool,
    /// The endpoints: those with a word in their path first, then the most-used.
    pub(in crate::mcp) found: Vec<FoundRow>,
}

/// An endpoint that has all words.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(inline)]
pub(in crate::mcp) struct FoundRow {
    /// The endpoint.
    pub(in crate::mcp) pattern: EndpointRow,
    /// Where words occur: path, host, parameter, protocol, header, field.
    pub(in crate::mcp) words_in: Vec<&'static str>,
}

/// Answers search_endpoints.
pub(in crate::mcp) fn search_answer(
    view: &Snapshot,
    schemas: &Schemas,
    question: &SearchQuestion,
) -> SearchAnswer {
    let words: Vec<String> =
        question.query.split_whitespace().map(str::to_lowercase).take(MAX_WORDS).collect();
    let selection = question.patterns().selection();
    let mut found: Vec<(&Pattern, Vec<&'static str>)> = selection
        .ordered(&view.report.patterns, EndpointOrder::Requests)
        .into_iter()
        .filter_map(|pattern| Some((pattern, places_of(pattern, schemas, &words)?)))
        .collect();
    // The sort is stable: the most-used come first among equals.
    found.sort_by_key(|(_, places)| !places.contains(&"path"));
    let mut answer = SearchAnswer {
        version: 1,
        matched: found.len() as u64,
        truncated: false,
        found: Vec::new(),
    };
    let most = usize::try_from(question.max_bytes).unwrap_or(usize::MAX);
    let mut room = most.saturating_sub(ROOM_OF_ANSWER);
    for (pattern, words_in) in found {
        let row = FoundRow { pattern: EndpointRow::new(pattern, Detail::Summary, false), words_in };
        let size = serde_json::to_string(&row).map_or(0, |text| text.len() + 1);
        let Some(left) = room.checked_sub(size) else {
            answer.truncated = true;
            break;
        };
        room = left;
        answer.found.push(row);
    }
    answer
}

/// The most words of a query that are looked for.
const MAX_WORDS: usize = 16;

/// The places in which words occur; `None` if one occurs nowhere.
fn places_of(pattern: &Pattern, schemas: &Schemas, words: &[String]) -> Option<Vec<&'static str>> {
    let parameters = pattern.parameters.iter().map(|parameter| &*parameter.name);
    let mut places: Vec<(&'static str, Vec<String>)> = vec![
        ("path", vec![pattern.endpoint.to_lowercase()]),
        ("host", vec![pattern.host.to_lowercase()]),
        ("parameter", parameters.map(str::to_lowercase).collect()),
        (
            "protocol",
            if pattern.websocket_count > 0 { vec!["websocket".to_owned()] } else { Vec::new() },
        ),
        ("header", pattern.common_headers.keys().map(|name| name.to_lowercase()).collect()),
    ];
    let is_in = |texts: &[String], word: &String| texts.iter().any(|text| text.contains(&**word));
    // The fields of bodies are many; most words are found before.
    if words.iter().any(|word| !places.iter().any(|(_, texts)| is_in(texts, word))) {
        let mut fields = Vec::new();
        if let Some(schema) = schemas.endpoint(&pattern.id) {
            add_fields(&schema, &mut fields);
        }
        places.push(("field", fields));
    }
    let is_somewhere = |word: &String| places.iter().any(|(_, texts)| is_in(texts, word));
    if !words.iter().all(is_somewhere) {
        return None;
    }
    let has_word = |texts: &[String]| words.iter().any(|word| is_in(texts, word));
    Some(places.iter().filter(|(_, texts)| has_word(texts)).map(|(place, _)| *place).collect())
}

/// Adds the names of all properties of a schema, in lower case.
fn add_fields(schema: &Value, fields: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                fields.extend(properties.keys().map(|name| name.to_lowercase()));
            }
            members.values().for_each(|value| add_fields(value, fields));
        }
        Value::Array(items) => items.iter().for_each(|item| add_fields(item, fields)),
        _ => {}
    }
}
