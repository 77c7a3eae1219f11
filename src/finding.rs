//! Findings of a comparison: what differs, where, how often, and how bad it is.

pub(crate) mod baseline;

use serde::{Deserialize, Serialize};

use crate::sketch::stable_hash;

/// The severity of a finding.
///
/// ```
/// use api_patterns::Severity;
///
/// assert!(Severity::Error > Severity::Warning && Severity::Warning > Severity::Info);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing breaks by it.
    Info,
    /// Something is incomplete or imprecise.
    Warning,
    /// Both sides contradict each other, or clients break.
    Error,
}

impl Severity {
    /// As it is written in reports.
    ///
    /// ```
    /// assert_eq!(api_patterns::Severity::Error.name(), "error");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One difference: a rule, and a place of an operation at which it is not held. It has no captured value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// The name of the rule, such as `missing-required`.
    pub rule: String,
    /// The severity.
    pub severity: Severity,
    /// Method and path, `GET /users/{id}`; empty where it is about no operation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// The place in the exchange: `response 200 items[].name`, `query limit`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// A sentence about it, without its end.
    pub message: String,
    /// Number of exchanges that show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Number of exchanges that could have shown it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// Probability that it is a change and not chance, from 0 to 1; `None` if it is certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Start of the earliest of these exchanges, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    /// Start of the latest of these exchanges, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// Ids of the earliest of these flows, at most three.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flow_ids: Vec<String>,
    /// The place of the description that says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<FindingLocation>,
    /// 16 hexadecimal digits that depend on rule, operation and place alone.
    pub fingerprint: String,
    /// Whether it is in the baseline.
    #[serde(default, skip_serializing_if = "is_false")]
    pub known: bool,
}

/// A place in a file of a description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FindingLocation {
    /// The path of the file as it was named.
    pub file: String,
    /// The line, from 1; `None` if it could not be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// JSON pointer (RFC 6901).
    pub pointer: String,
}

/// All findings of a comparison, with what was compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FindingReport {
    /// Version of this form: 1.
    pub version: u32,
    /// The comparison: `drift` or `diff`.
    pub comparison: String,
    /// A sentence about the sides that were compared, without its end.
    pub summary: String,
    /// Counters of the comparison, by name.
    pub totals: std::collections::BTreeMap<String, u64>,
    /// The findings: the worst first, then by operation and place.
    pub findings: Vec<Finding>,
    /// The parts of the description that traffic touched; `None` without a description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// Sentences about what was not compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The parts of a description that were seen in traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Coverage {
    /// Operations with at least one request.
    pub operations: Covered,
    /// Answers, by operation and status.
    pub responses: Covered,
    /// Parameters, by operation.
    pub parameters: Covered,
    /// Properties of bodies; shared schemas count once.
    pub properties: Covered,
    /// The operations without a request, as `GET /users/{id}`, in the order of the description.
    pub never_seen: Vec<String>,
}

/// A count of parts that were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Covered {
    /// Those that were seen.
    pub seen: u64,
    /// All that are described.
    pub of: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl FindingReport {
    /// The worst severity among the findings that are not in the baseline.
    ///
    /// ```
    /// use api_patterns::{ApiDescription, Captures, InputFormat, Options, Severity, drift};
    ///
    /// let line = br#"{"method": "GET", "url": "https://h.example/a", "status": 200}"#;
    /// let captures = Captures::from_bytes("a line", line.to_vec(), InputFormat::Detect)?;
    /// let api = ApiDescription::of_text("api.yaml", "openapi: 3.1.0\npaths: {}\n")?;
    /// let found = drift(&captures, &api, &Options::default(), &())?;
    /// assert_eq!(found.report.worst(), Some(Severity::Error));
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().filter(|finding| !finding.known).map(|finding| finding.severity).max()
    }

    /// Sorts the findings as they are shown.
    pub(crate) fn sort(&mut self) {
        self.findings.sort_by(|a, b| {
            (b.severity, &a.rule, &a.operation, &a.place).cmp(&(
                a.severity,
                &b.rule,
                &b.operation,
                &b.place,
            ))
        });
    }
}

/// The fingerprint of a finding.
pub(crate) fn fingerprint(rule: &str, operation: &str, place: &str) -> String {
    format!("{:016x}", stable_hash(format!("{rule}\0{operation}\0{place}").as_bytes()))
}
