//! The question compare_captures.

#![expect(
    clippy::doc_markdown,
    reason = "these words are the descriptions of a schema, where backticks are noise"
)]

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capture::{Captures, InputFormat};
use crate::diff::{DiffOptions, DiffSide, diff};
use crate::engine::{Monitor, Options, observe};
use crate::finding::{Finding, Severity};
use crate::flow::text;
use crate::limits;
use crate::mcp::arguments::{PatternsArguments, check_max_bytes, default_max_bytes};
use crate::mcp::messages;
use crate::mcp::questions::ROOM_OF_ANSWER;

/// The arguments of compare_captures.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::mcp) struct CompareQuestion {
    /// The name of one of the captures, as in monday.mitm. A wrong name is answered with all names.
    pub(in crate::mcp) before: String,
    /// The name of the capture to compare it with.
    pub(in crate::mcp) after: String,
    /// Only this host and its subdomains, as in example.com. Empty: all hosts.
    #[serde(default)]
    pub(in crate::mcp) domain: String,
    /// Also changes that are unlikely: what was merely not seen.
    #[serde(default)]
    pub(in crate::mcp) all: bool,
    /// The answer is at most this many bytes of JSON; what does not fit is left out and counted.
    #[schemars(range(min = 2000, max = 40000))]
    #[serde(default = "default_max_bytes")]
    pub(in crate::mcp) max_bytes: u64,
}

impl Default for CompareQuestion {
    fn default() -> Self {
        Self {
            before: String::new(),
            after: String::new(),
            domain: String::new(),
            all: false,
            max_bytes: default_max_bytes(),
        }
    }
}

impl CompareQuestion {
    pub(in crate::mcp) fn check(&self) -> Result<(), String> {
        PatternsArguments { domain: self.domain.clone(), ..PatternsArguments::default() }
            .check()?;
        check_max_bytes(self.max_bytes, "what does not fit is found with domain")
    }
}

/// The answer of compare_captures.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(in crate::mcp) struct CompareAnswer {
    /// The version of this shape: 1.
    pub(in crate::mcp) version: u32,
    /// Endpoints of the capture before.
    pub(in crate::mcp) endpoints_before: u64,
    /// Endpoints of the capture after.
    pub(in crate::mcp) endpoints_after: u64,
    /// Changes that break clients.
    pub(in crate::mcp) breaking: u64,
    /// All changes.
    pub(in crate::mcp) changes: u64,
    /// Changes that are left out, because they may be chance.
    pub(in crate::mcp) unlikely: u64,
    /// Whether changes were left out of the list, because they do not fit.
    pub(in crate::mcp) truncated: bool,
    /// The changes, the worst first.
    pub(in crate::mcp) found: Vec<ChangeRow>,
}

/// A change between two captures.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(inline)]
pub(in crate::mcp) struct ChangeRow {
    /// error: breaks clients; warning: may break them; info: does not.
    pub(in crate::mcp) severity: &'static str,
    /// The kind of change.
    pub(in crate::mcp) rule: String,
    /// Method and path template. Observed data.
    pub(in crate::mcp) operation: String,
    /// The place in the exchange, as in response 200 items[].name. Observed data.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(in crate::mcp) place: String,
    /// A sentence about it. Names in it are observed data.
    pub(in crate::mcp) message: String,
    /// Probability that the change is not a coincidence, 0 to 1.
    #[schemars(with = "f64")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::mcp) confidence: Option<f64>,
}

/// Answers compare_captures; `paths` are those that the operator named.
pub(in crate::mcp) fn compare_answer(
    paths: &[PathBuf],
    options: &Options,
    question: &CompareQuestion,
    monitor: &dyn Monitor,
) -> Result<CompareAnswer, String> {
    let known = names_of(paths);
    let path_of = |name: &str| {
        let found = known.iter().find(|(known, _)| known == name).map(|(_, path)| path);
        found.ok_or_else(|| {
            let names: Vec<&str> = known.iter().take(40).map(|(name, _)| &**name).collect();
            let said = format!("{} {}", messages::NO_SUCH_CAPTURE, names.join(", "));
            text::shortened(said.as_bytes(), 1500).into_owned()
        })
    };
    let (before, after) = (path_of(&question.before)?, path_of(&question.after)?);
    let mut options = Options { bodies: true, limit: None, ..options.clone() };
    if !question.domain.is_empty() {
        options.domains = vec![question.domain.to_ascii_lowercase()];
    }
    let read = |path: &Path| {
        let captures = Captures::open_only_read(path, InputFormat::Detect);
        let observed = captures.and_then(|captures| observe(&captures, &options, monitor));
        observed.map(|observed| observed.patterns).map_err(|_| messages::NO_CAPTURE.to_owned())
    };
    let (before, after) = (read(before)?, read(after)?);
    if before.used() == 0 || after.used() == 0 {
        return Err(messages::NO_FLOWS_TO_COMPARE.to_owned());
    }
    let mut diff_options = DiffOptions { report: options.report.clone(), ..DiffOptions::default() };
    if question.all {
        diff_options.min_confidence = 0.0;
    }
    let report = diff(DiffSide::Observed(&before), DiffSide::Observed(&after), &diff_options);
    let of = |severity: Severity| {
        report.findings.iter().filter(|found| found.severity == severity).count() as u64
    };
    let mut answer = CompareAnswer {
        version: 1,
        endpoints_before: report.totals.get("endpoints_before").copied().unwrap_or(0),
        endpoints_after: report.totals.get("endpoints_after").copied().unwrap_or(0),
        breaking: of(Severity::Error),
        changes: report.findings.len() as u64,
        unlikely: report.totals.get("unlikely_changes").copied().unwrap_or(0),
        truncated: false,
        found: Vec::new(),
    };
    let most = usize::try_from(question.max_bytes).unwrap_or(usize::MAX);
    let mut room = most.saturating_sub(ROOM_OF_ANSWER);
    for finding in &report.findings {
        let row = row_of(finding);
        let size = serde_json::to_string(&row).map_or(0, |text| text.len() + 1);
        let Some(left) = room.checked_sub(size) else {
            answer.truncated = true;
            break;
        };
        room = left;
        answer.found.push(row);
    }
    Ok(answer)
}

fn row_of(finding: &Finding) -> ChangeRow {
    let short = |text: &str| text::shortened(text.as_bytes(), limits::MAX_SHOWN_BYTES).into_owned();
    ChangeRow {
        severity: finding.severity.name(),
        rule: finding.rule.clone(),
        operation: short(&finding.operation),
        place: short(&finding.place),
        message: short(&finding.message),
        confidence: finding.confidence,
    }
}

/// The captures that may be named: files by their names, and files in folders by their names.
fn names_of(paths: &[PathBuf]) -> Vec<(String, PathBuf)> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut names = Vec::new();
    for path in paths {
        if path.is_dir() {
            let files =
                std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
            let mut files: Vec<PathBuf> =
                files.filter(|path| path.is_file() && !path.is_symlink()).collect();
            files.sort();
            names.extend(files.into_iter().map(|file| (name(&file), file)));
        } else {
            names.push((name(path), path.clone()));
        }
    }
    names
}
