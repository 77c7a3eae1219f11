//! Summary of an audit log: calls, denials by rule, the slowest tools, and who called.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};

/// The longest line that is read, in bytes.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// The most names of a kind that are counted; others are counted together.
const MAX_NAMES: usize = 1000;

/// The name under which names beyond [`MAX_NAMES`] are counted.
const OTHERS: &str = "(others)";

/// Decisions by which a call was passed on or answered.
const ALLOWED: [&str; 3] = ["allow", "approved", "continued"];

/// Outcomes of calls that the server, or the gateway in its place, answered.
const ANSWERED: [&str; 3] = ["answered", "answered_here", "failed"];

/// The fields of a log line that the summary uses.
#[derive(Deserialize)]
struct AuditLine {
    time: Option<String>,
    event: Option<String>,
    identity: Option<String>,
    tool: Option<String>,
    decision: Option<String>,
    rule: Option<String>,
    why: Option<String>,
    upstream: Option<String>,
    duration: Option<f64>,
    #[serde(default)]
    is_error: bool,
}

/// Counts of one tool.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct ToolSummary {
    pub(crate) calls: u64,
    /// Calls that were not passed on.
    pub(crate) refused: u64,
    /// Calls whose answer was an error.
    pub(crate) errors: u64,
    /// Seconds until the answer: their sum over the answers, and the longest.
    pub(crate) total_seconds: f64,
    pub(crate) slowest_seconds: f64,
    pub(crate) answers: u64,
}

/// The sums over the lines of audit logs.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct AuditSummary {
    /// The times of the first and the last line.
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) calls: u64,
    pub(crate) refused: u64,
    /// Messages that were not calls and were refused, by what was wrong.
    pub(crate) invalid_messages: BTreeMap<String, u64>,
    pub(crate) decisions: BTreeMap<String, u64>,
    /// Refused calls by the rule that decided.
    pub(crate) denials_by_rule: BTreeMap<String, u64>,
    pub(crate) tools: BTreeMap<String, ToolSummary>,
    /// Calls and refused calls by grant or name of a client.
    pub(crate) identities: BTreeMap<String, (u64, u64)>,
    /// Times at which the log had been cut.
    pub(crate) truncations: u64,
    /// Lines that are not of an audit log.
    pub(crate) unreadable_lines: u64,
}

impl AuditSummary {
    /// Takes the lines of a log. Returns `false` if it has lines and none is of an audit log.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be read.
    pub(crate) fn read(&mut self, mut log: impl BufRead) -> io::Result<bool> {
        let (mut lines, unreadable) = (0, self.unreadable_lines);
        loop {
            let mut line = Vec::new();
            let read = io::Read::take(&mut log, MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(lines == 0 || self.unreadable_lines - unreadable < lines);
            }
            if read as u64 == MAX_LINE_BYTES && !line.ends_with(b"\n") {
                log.skip_until(b'\n')?;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            lines += 1;
            match serde_json::from_slice::<AuditLine>(&line) {
                Ok(line) => self.add(line),
                Err(_) => self.unreadable_lines += 1,
            }
        }
    }

    fn add(&mut self, line: AuditLine) {
        let time = line.time.unwrap_or_default();
        if self.first.is_empty() || (!time.is_empty() && time < self.first) {
            self.first.clone_from(&time);
        }
        if time > self.last {
            self.last = time;
        }
        let tool = line.tool.unwrap_or_default();
        match line.event.as_deref() {
            Some("outcome") => {
                let is_answer = line.upstream.is_none_or(|it| ANSWERED.contains(&&*it));
                self.count_answer(&tool, line.duration.filter(|_| is_answer), line.is_error);
            }
            Some("refused") => {
                *entry(&mut self.invalid_messages, line.why.unwrap_or_default()) += 1
            }
            Some("log_truncated") => self.truncations += 1,
            Some("decision") | None if line.decision.is_some() => {
                let decision = line.decision.unwrap_or_default();
                // The user is asked before the call is decided on.
                if decision != "approval_asked" {
                    let is_refused = !ALLOWED.contains(&&*decision);
                    self.count_decision(
                        &tool,
                        line.identity.unwrap_or_default(),
                        line.rule,
                        is_refused,
                    );
                    // A server of captures writes one line, when it has answered.
                    if line.event.is_none() && !is_refused {
                        self.count_answer(&tool, line.duration, line.is_error);
                    }
                }
                *entry(&mut self.decisions, decision) += 1;
            }
            _ => self.unreadable_lines += 1,
        }
    }

    fn count_decision(
        &mut self,
        tool: &str,
        identity: String,
        rule: Option<String>,
        is_refused: bool,
    ) {
        let refused = u64::from(is_refused);
        self.calls += 1;
        self.refused += refused;
        if is_refused {
            let rule = rule.filter(|rule| !rule.is_empty()).unwrap_or_else(|| "(none)".to_owned());
            *entry(&mut self.denials_by_rule, rule) += 1;
        }
        let of_tool = entry(&mut self.tools, tool.to_owned());
        of_tool.calls += 1;
        of_tool.refused += refused;
        let identity = if identity.is_empty() { "(unnamed)".to_owned() } else { identity };
        let of_identity = entry(&mut self.identities, identity);
        of_identity.0 += 1;
        of_identity.1 += refused;
    }

    fn count_answer(&mut self, tool: &str, duration: Option<f64>, is_error: bool) {
        let tool = entry(&mut self.tools, tool.to_owned());
        tool.errors += u64::from(is_error);
        let seconds = duration.filter(|it| it.is_finite() && *it >= 0.0);
        let Some(seconds) = seconds else { return };
        tool.answers += 1;
        tool.total_seconds += seconds;
        tool.slowest_seconds = tool.slowest_seconds.max(seconds);
    }

    /// The tools whose answers took longest, slowest first.
    pub(crate) fn slowest(&self) -> Vec<(&str, &ToolSummary)> {
        let mut tools: Vec<(&str, &ToolSummary)> = self
            .tools
            .iter()
            .filter(|(_, tool)| tool.answers > 0)
            .map(|(name, tool)| (&**name, tool))
            .collect();
        tools.sort_by(|one, other| other.1.slowest_seconds.total_cmp(&one.1.slowest_seconds));
        tools
    }

    /// Names of rules or clients with counts, most first.
    pub(crate) fn most_first<T: Copy + Ord>(counts: &BTreeMap<String, T>) -> Vec<(&str, T)> {
        let mut all: Vec<(&str, T)> =
            counts.iter().map(|(name, count)| (&**name, *count)).collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }
}

/// The entry of a name, or that of all others where there are too many.
fn entry<T: Default>(counts: &mut BTreeMap<String, T>, name: String) -> &mut T {
    let name = if counts.len() >= MAX_NAMES && !counts.contains_key(&name) {
        OTHERS.to_owned()
    } else {
        name
    };
    counts.entry(name).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_of_both_kinds_are_summarized() {
        let log = r#"{"time":"2026-01-01T00:00:00Z","event":"decision","call":1,"identity":"alice","tool":"a","decision":"allow","rule":"/tools/a"}
{"time":"2026-01-01T00:00:01Z","event":"outcome","call":1,"identity":"alice","tool":"a","upstream":"answered","duration":0.5,"bytes":3,"is_error":true}
{"time":"2026-01-01T00:00:02Z","event":"decision","call":2,"identity":"","tool":"b","decision":"deny","rule":"/tools/b/action"}
{"time":"2026-01-01T00:00:03Z","event":"refused","identity":"","decision":"invalid_message","why":"batches are not answered"}
{"time":"2026-01-01T00:00:04Z","identity":"test","tool":"get_api_patterns","arguments":{},"decision":"allow","rule":"/default","duration":2.0,"bytes":7,"is_error":false}
cut off
"#;
        let mut summary = AuditSummary::default();
        summary.read(log.as_bytes()).unwrap();
        assert_eq!((summary.calls, summary.refused, summary.unreadable_lines), (3, 1, 1));
        assert_eq!(summary.denials_by_rule["/tools/b/action"], 1);
        assert_eq!((summary.tools["a"].errors, summary.tools["a"].answers), (1, 1));
        assert_eq!(summary.slowest()[0].0, "get_api_patterns");
        assert_eq!(summary.identities["(unnamed)"], (1, 1));
        assert_eq!(summary.first, "2026-01-01T00:00:00Z");
    }
}
