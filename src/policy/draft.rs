//! A policy to begin with, from the tools of a server: reads are allowed, the rest is denied until an operator allows it.

use serde_json::{Map, Value, json};

use crate::policy::risk::{ToolJudgement, ToolKind, judge};

/// Calls of one reading tool that are allowed in a minute.
const MAX_READS_PER_MINUTE: u64 = 120;

/// Calls of all tools together that are allowed in an hour.
const MAX_CALLS_PER_HOUR: u64 = 2000;

/// A tool with what was made of it.
#[derive(Debug)]
pub(crate) struct JudgedTool {
    pub(crate) name: String,
    pub(crate) judgement: ToolJudgement,
}

/// Judges the tools of a server, as `tools/list` gives them.
pub(crate) fn judge_all(tools: &[Value]) -> Vec<JudgedTool> {
    let name = |tool: &Value| tool["name"].as_str().unwrap_or_default().to_owned();
    tools.iter().map(|tool| JudgedTool { name: name(tool), judgement: judge(tool) }).collect()
}

/// The policy for these tools, as text to be edited.
pub(crate) fn recommended(tools: &[JudgedTool]) -> String {
    let rules: Map<String, Value> =
        tools.iter().map(|tool| (tool.name.clone(), rule(&tool.judgement))).collect();
    let policy = json!({
        "version": "1",
        "default": "deny",
        "all_tools": {"limits": [{"max": MAX_CALLS_PER_HOUR, "window": "hour"}]},
        "tools": rules,
    });
    // Plain data in memory is written.
    serde_json::to_string_pretty(&policy).unwrap_or_default() + "\n"
}

fn rule(judgement: &ToolJudgement) -> Value {
    let ToolJudgement { kind, risk, is_guess, because } = judgement;
    if *kind == ToolKind::Read {
        return json!({"limits": [{"max": MAX_READS_PER_MINUTE, "window": "minute"}]});
    }
    let does = match kind {
        ToolKind::Read => "reads",
        ToolKind::Write => "changes something",
        ToolKind::Network => "reaches other machines",
        ToolKind::Execute => "runs or ends something",
    };
    let guess = if *is_guess { "a guess: " } else { "" };
    let risk = risk.name();
    let reason = format!(
        "This tool {does}, with {risk} risk ({guess}{because}). The operator has not allowed it."
    );
    json!({"action": "deny", "reason": reason})
}
