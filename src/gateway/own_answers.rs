//! Answers of the gateway to questions that it answers better than mitmproxy-mcp, from the database of that server.

mod auth_pattern;
mod openapi_spec;

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::capture::{Captures, InputFormat};
use crate::engine::{LiveCaptures, Options, for_each_flow};
use crate::error::Error;
use crate::flow::body::RecordedContent;
use crate::gateway::OperatorMessages;
use crate::mcp::CaptureTools;

/// The tools of mitmproxy-mcp that the gateway can answer.
pub(crate) const ANSWERED: [&str; 4] =
    ["get_api_patterns", "export_openapi_spec", "get_flow_schema", "detect_auth_pattern"];

/// The name under which mitmproxy-mcp presents itself.
pub(super) const MITMPROXY_MCP: &str = "Mitmproxy Manager";

/// The note in the description of a tool that the gateway answers.
const NOTE: &str = "Answered by the gateway from the server's database.";

/// Answers from a database.
pub(super) struct OwnAnswers {
    database: PathBuf,
    tools: Vec<String>,
    captures: LiveCaptures,
    /// The tools of this project, where answers are to be in its words.
    better: Option<CaptureTools>,
}

/// A result of a call as JSON.
#[derive(Debug)]
pub(super) struct OwnAnswer {
    pub(super) result: String,
    pub(super) is_error: bool,
}

impl OwnAnswers {
    /// Answers these tools, in the words of mitmproxy-mcp or in those of this project.
    pub(super) fn new(
        database: PathBuf,
        tools: Vec<String>,
        is_better: bool,
        complain: &OperatorMessages,
    ) -> Self {
        let paths = vec![database.clone()];
        let captures = LiveCaptures::new(paths.clone(), InputFormat::Detect, Options::default());
        let own_tools = is_better.then(|| CaptureTools::new(paths, complain.clone()));
        Self { database, tools, captures, better: own_tools }
    }

    pub(super) fn answers(&self, tool: &str) -> bool {
        self.tools.iter().any(|name| name == tool)
    }

    /// The entry of a tool in the list of the server, with what says that the gateway answers.
    pub(super) fn listing(&self, tool: &str, listed: &str) -> Option<String> {
        if !self.answers(tool) {
            return None;
        }
        let better = self.better.as_ref().and_then(|_| CaptureTools::listing(tool));
        let listed = better.as_deref().unwrap_or(listed);
        let entry: Value = serde_json::from_str(listed).ok()?;
        let description = entry["description"].as_str().unwrap_or_default().trim();
        let description = format!("{description}\n\n{NOTE}");
        let text = Value::from(description.trim()).to_string();
        crate::jsonrpc::replace_members(listed, &[("description", Some(&text))])
    }

    /// The answer to a call; `None` if the server must answer it, since the database cannot be read.
    pub(super) fn answer(
        &self,
        tool: &str,
        arguments: &Value,
        is_modern: bool,
    ) -> Option<OwnAnswer> {
        let empty = Map::new();
        let given = arguments.as_object().unwrap_or(&empty);
        if let Some((result, is_error)) = self.better.as_ref().and_then(|it| it.answer(tool, given))
        {
            return Some(finished(result, is_error, is_modern));
        }
        let text = match tool {
            "get_api_patterns" => self.patterns(arguments),
            "export_openapi_spec" => self
                .patterns(arguments)
                .map(|patterns| openapi_spec::of_patterns(&patterns, arguments["domain"].as_str())),
            "get_flow_schema" => self.flow_schema(arguments["flow_id"].as_str()?),
            "detect_auth_pattern" => self.auth_pattern(arguments["flow_ids"].as_str()),
            _ => return None,
        };
        let text = text.ok()?;
        let result = json!({
            "content": [{"type": "text", "text": text}], "structuredContent": {"result": text}, "isError": false,
        });
        Some(finished(result, false, is_modern))
    }

    fn patterns(&self, arguments: &Value) -> Result<String, Error> {
        let domain = arguments["domain"].as_str().filter(|domain| !domain.is_empty());
        Ok(self.captures.compat_answer(domain, arguments["limit"].as_i64(), &())?.text)
    }

    fn open(&self) -> Result<Captures, Error> {
        Captures::open(&[&self.database], InputFormat::Detect)
    }

    /// The kinds of the members of the object that a flow was answered with.
    fn flow_schema(&self, id: &str) -> Result<String, Error> {
        let mut found: Option<Option<Vec<u8>>> = None;
        for_each_flow(&self.open()?, |flow| {
            if found.is_none() && flow.id == id.as_bytes() {
                let body = flow.response.as_ref().map(|response| response.body.content);
                let Some(RecordedContent::Decoded(bytes) | RecordedContent::Wire(bytes)) = body
                else {
                    found = Some(None);
                    return;
                };
                found = Some((!bytes.is_empty()).then(|| bytes.to_vec()));
            }
        })?;
        let body = match found {
            None => return Ok("Flow not found.".to_owned()),
            Some(None) => return Ok("Flow has no response body.".to_owned()),
            Some(Some(body)) => body,
        };
        let Ok(body) = serde_json::from_slice::<Value>(&body) else {
            return Ok("Response body is not valid JSON.".to_owned());
        };
        let Some(members) = body.as_object() else {
            let kind = if body.is_null() { "NoneType" } else { python_kind(&body) };
            return Ok(format!("Response is JSON but not an object (it's {kind})."));
        };
        let kinds: Map<String, Value> =
            members.iter().map(|(key, value)| (key.clone(), json!(python_kind(value)))).collect();
        Ok(python_json(&Value::Object(kinds)))
    }

    fn auth_pattern(&self, ids: Option<&str>) -> Result<String, Error> {
        let ids = ids.filter(|ids| !ids.is_empty());
        let ids: Option<Vec<&str>> =
            ids.map(|ids| ids.split(',').map(str::trim).filter(|id| !id.is_empty()).collect());
        let mut signs = auth_pattern::AuthSigns::default();
        for_each_flow(&self.open()?, |flow| {
            let is_asked = |ids: &Vec<&str>| ids.iter().any(|id| id.as_bytes() == flow.id);
            if ids.as_ref().is_none_or(is_asked) {
                signs.observe(flow);
            }
        })?;
        Ok(python_json(&signs.to_json()))
    }
}

fn finished(mut result: Value, is_error: bool, is_modern: bool) -> OwnAnswer {
    if is_modern {
        result["resultType"] = json!("complete");
    }
    OwnAnswer { result: result.to_string(), is_error }
}

/// What Python calls the kind of a JSON value.
fn python_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// JSON as Python writes it with an indent of two: all that is not ASCII, which only texts have, is escaped.
fn python_json(value: &Value) -> String {
    // Plain data in memory is written.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing into memory cannot fail.
                write!(out, "\\u{unit:04x}").unwrap_or_default();
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_written_as_python_does() {
        let value = json!({"é\u{1f600}": [1, 2.5, {}], "a\"\n\u{7f}": []});
        let written = "{\n  \"\\u00e9\\ud83d\\ude00\": [\n    1,\n    2.5,\n    {}\n  ],\n  \"a\\\"\\n\u{7f}\": []\n}";
        assert_eq!(python_json(&value), written);
    }
}
