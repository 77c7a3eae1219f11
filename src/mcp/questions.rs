//! Questions about descriptions, credentials and changes: arguments, answers, and how these are made.

#![expect(
    clippy::doc_markdown,
    reason = "these words are the descriptions of a schema, where backticks are noise"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::capture::{Captures, InputFormat};
use crate::diff::{DiffOptions, DiffSide, diff};
use crate::engine::{Monitor, Options, Snapshot, observe};
use crate::finding::{Finding, Severity};
use crate::flow::text;
use crate::limits;
use crate::mcp::arguments::{PatternsArguments, check_max_bytes, default_max_bytes};
use crate::mcp::messages;
use crate::openapi::{OpenApiOptions, OpenApiVersion, openapi_descriptions};
use crate::report::{Pattern, Report};
use crate::schema::Schemas;
use crate::schema::outline::outline;
use crate::shape::credentials::CredentialKind;

/// Room for what an answer has beside its parts, in bytes.
const ROOM_OF_ANSWER: usize = 900;

/// The arguments of get_openapi.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OpenApiQuestion {
    /// Only this host, as in api.example.com. It is needed where the captures have several.
    pub(super) domain: String,
    /// Only the endpoint with this id, from an answer of get_api_patterns.
    pub(super) id: String,
    /// Only paths that begin with these whole segments, as in /api/v1/users; a {parameter} stands for any segment.
    pub(super) path_prefix: String,
    /// The version of OpenAPI: 3.1 or 3.0.
    pub(super) version: String,
    /// The answer is at most this many bytes of JSON; what does not fit is left out and counted.
    #[schemars(range(min = 2000, max = 40000))]
    pub(super) max_bytes: u64,
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
    pub(super) fn check(&self) -> Result<(), String> {
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
pub(super) struct OpenApiAnswer {
    /// The version of this shape: 1.
    pub(super) version: u32,
    /// The host. Observed data.
    pub(super) host: String,
    /// Endpoints that match.
    pub(super) matched: u64,
    /// Endpoints among them that are described below, the most-used first.
    pub(super) returned: u64,
    /// Whether endpoints or parts of schemas were left out.
    pub(super) truncated: bool,
    /// What to do next, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) advice: Vec<&'static str>,
    /// The OpenAPI description. Its names, paths and enumerated values are observed data.
    pub(super) openapi: Map<String, Value>,
}

/// Answers get_openapi.
pub(super) fn openapi_answer(
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
    let Some(first) = patterns.first() else { return Err(messages::NO_ENDPOINT.to_owned()) };
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
        returned: fits as u64,
        truncated,
        advice: if truncated { vec![messages::OPENAPI_CUT] } else { Vec::new() },
        openapi: api.as_object().cloned().unwrap_or_default(),
    })
}

/// The arguments of get_auth.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AuthQuestion {
    /// Only this host and its subdomains, as in example.com. Empty: all hosts.
    pub(super) domain: String,
}

impl AuthQuestion {
    pub(super) fn check(&self) -> Result<(), String> {
        self.patterns().check()
    }

    fn patterns(&self) -> PatternsArguments {
        PatternsArguments { domain: self.domain.clone(), ..PatternsArguments::default() }
    }
}

/// The answer of get_auth.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct AuthAnswer {
    /// The version of this shape: 1.
    pub(super) version: u32,
    /// Whether rows were left out, because there are too many.
    pub(super) truncated: bool,
    /// Credentials by host, the most-used first. Never a value of one.
    pub(super) credentials: Vec<AuthRow>,
}

/// Requests to one host with one set of credentials.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(inline)]
pub(super) struct AuthRow {
    /// The host. Observed data.
    pub(super) host: String,
    /// What was sent together, such as "Authorization: bearer", "header x-api-key", "cookie sid". Empty: nothing. Names are
    /// observed data.
    pub(super) sent: Vec<String>,
    /// Requests that sent it.
    pub(super) requests: u64,
    /// Those that were answered below 400.
    pub(super) accepted: u64,
    /// Those that were answered with 401 or 403.
    pub(super) refused: u64,
    /// Endpoints that were asked with it.
    pub(super) endpoints: u64,
    /// Schemes that the server asked for in WWW-Authenticate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) asked_for: Vec<String>,
}

/// Rows of get_auth.
const MAX_AUTH_ROWS: usize = 60;

/// Answers get_auth.
pub(super) fn auth_answer(
    view: &Snapshot,
    schemas: &Schemas,
    question: &AuthQuestion,
) -> AuthAnswer {
    let selection = question.patterns().selection();
    let mut rows: BTreeMap<(String, Vec<String>), AuthRow> = BTreeMap::new();
    for pattern in view.report.patterns.iter().filter(|pattern| selection.wants(pattern)) {
        let Some((_, endpoint)) = schemas.get(&pattern.id) else { continue };
        for (kinds, used) in endpoint.credentials.sets() {
            let kinds = kinds.iter().filter(|kind| !kind.looks_secret(used.sent));
            let sent: Vec<String> = kinds.map(CredentialKind::words).collect();
            let row = rows.entry((pattern.host.clone(), sent.clone())).or_insert_with(|| AuthRow {
                host: text::shortened(pattern.host.as_bytes(), limits::MAX_SHOWN_BYTES)
                    .into_owned(),
                sent,
                requests: 0,
                accepted: 0,
                refused: 0,
                endpoints: 0,
                asked_for: Vec::new(),
            });
            row.requests += used.sent;
            row.accepted += used.accepted;
            row.refused += used.refused;
            row.endpoints += 1;
            for scheme in endpoint.credentials.challenges() {
                if used.refused > 0 && !row.asked_for.contains(&scheme) {
                    row.asked_for.push(scheme);
                }
            }
        }
    }
    let mut credentials: Vec<AuthRow> = rows.into_values().collect();
    credentials.sort_by(|a, b| {
        b.requests.cmp(&a.requests).then_with(|| (&a.host, &a.sent).cmp(&(&b.host, &b.sent)))
    });
    let truncated = credentials.len() > MAX_AUTH_ROWS;
    credentials.truncate(MAX_AUTH_ROWS);
    AuthAnswer { version: 1, truncated, credentials }
}

/// The arguments of compare_captures.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CompareQuestion {
    /// The name of one of the captures, as in monday.mitm. A wrong name is answered with all names.
    pub(super) before: String,
    /// The name of the capture to compare it with.
    pub(super) after: String,
    /// Only this host and its subdomains, as in example.com. Empty: all hosts.
    #[serde(default)]
    pub(super) domain: String,
    /// Also changes that are unlikely: what was merely not seen.
    #[serde(default)]
    pub(super) all: bool,
    /// The answer is at most this many bytes of JSON; what does not fit is left out and counted.
    #[schemars(range(min = 2000, max = 40000))]
    #[serde(default = "default_max_bytes")]
    pub(super) max_bytes: u64,
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
    pub(super) fn check(&self) -> Result<(), String> {
        AuthQuestion { domain: self.domain.clone() }.check()?;
        check_max_bytes(self.max_bytes, "what does not fit is found with domain")
    }
}

/// The answer of compare_captures.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct CompareAnswer {
    /// The version of this shape: 1.
    pub(super) version: u32,
    /// Endpoints of the capture before.
    pub(super) endpoints_before: u64,
    /// Endpoints of the capture after.
    pub(super) endpoints_after: u64,
    /// Changes that break clients.
    pub(super) breaking: u64,
    /// All changes.
    pub(super) changes: u64,
    /// Changes that are left out, because they may be chance.
    pub(super) unlikely: u64,
    /// Whether changes were left out of the list, because they do not fit.
    pub(super) truncated: bool,
    /// The changes, the worst first.
    pub(super) found: Vec<ChangeRow>,
}

/// A change between two captures.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(inline)]
pub(super) struct ChangeRow {
    /// error: breaks clients; warning: may break them; info: does not.
    pub(super) severity: &'static str,
    /// The kind of change.
    pub(super) rule: String,
    /// Method and path template. Observed data.
    pub(super) operation: String,
    /// The place in the exchange, as in response 200 items[].name. Observed data.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) place: String,
    /// A sentence about it. Names in it are observed data.
    pub(super) message: String,
    /// Probability that it is no chance.
    #[schemars(with = "f64")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) confidence: Option<f64>,
}

/// Answers compare_captures; `paths` are those that the operator named.
pub(super) fn compare_answer(
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
