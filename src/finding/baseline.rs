//! Baselines: the findings that are known, so that only new ones fail.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::finding::{Finding, FindingReport};
use crate::flow::text;

/// The known findings, as a file keeps them.
///
/// ```
/// use api_patterns::Baseline;
///
/// let baseline = Baseline::parse("known.json", r#"{"version": 1, "findings": []}"#)?;
/// assert!(baseline.is_empty());
/// # Ok::<(), api_patterns::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    version: u32,
    findings: Vec<KnownFinding>,
}

/// A known finding. Only the fingerprint counts; the rest is for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct KnownFinding {
    #[serde(default)]
    rule: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    place: String,
    fingerprint: String,
}

impl Baseline {
    /// Reads a baseline from JSON. `name` is what messages call it.
    ///
    /// # Errors
    ///
    /// Fails if the text is not a baseline, or is one of a later version.
    pub fn parse(name: &str, json: &str) -> Result<Self, Error> {
        let said = |what: String| Error::usage(text::printable(what.as_bytes()).into_owned());
        let baseline: Self = serde_json::from_str(json).map_err(|error| {
            said(format!(
                "{name}: this is not a baseline ({error}); write one with --update-baseline"
            ))
        })?;
        if baseline.version != 1 {
            let version = baseline.version;
            return Err(said(format!(
                "{name}: this is a baseline of version {version}, and version 1 is read; write it again with --update-baseline"
            )));
        }
        Ok(baseline)
    }

    /// Creates a baseline that knows all findings of a report.
    ///
    /// ```
    /// use api_patterns::{ApiDescription, Baseline, Captures, InputFormat, Options, drift};
    ///
    /// let api = ApiDescription::of_text("empty.yaml", "openapi: 3.0.3\npaths: {}\n")?;
    /// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
    /// let report = drift(&captures, &api, &Options::default(), &())?.report;
    /// let baseline = Baseline::of(&report);
    /// assert!(!baseline.is_empty());
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn of(report: &FindingReport) -> Self {
        let known = |finding: &Finding| KnownFinding {
            rule: finding.rule.clone(),
            operation: finding.operation.clone(),
            place: finding.place.clone(),
            fingerprint: finding.fingerprint.clone(),
        };
        let findings: BTreeSet<KnownFinding> = report.findings.iter().map(known).collect();
        Self { version: 1, findings: findings.into_iter().collect() }
    }

    /// The baseline as JSON, one finding on a line.
    ///
    /// ```
    /// use api_patterns::Baseline;
    ///
    /// let baseline = Baseline::parse("known.json", r#"{"version": 1, "findings": []}"#)?;
    /// assert_eq!(Baseline::parse("again.json", &baseline.to_json())?, baseline);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn to_json(&self) -> String {
        let lines: Vec<String> = self
            .findings
            .iter()
            .map(|finding| format!("    {}", serde_json::json!(finding)))
            .collect();
        let lines =
            if lines.is_empty() { String::new() } else { format!("\n{}\n  ", lines.join(",\n")) };
        format!("{{\n  \"version\": {},\n  \"findings\": [{lines}]\n}}\n", self.version)
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Marks the findings of a report that are known. Returns how many known findings the report does not have.
    ///
    /// ```
    /// use api_patterns::{ApiDescription, Baseline, Captures, InputFormat, Options, drift};
    ///
    /// let api = ApiDescription::of_text("empty.yaml", "openapi: 3.0.3\npaths: {}\n")?;
    /// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
    /// let mut report = drift(&captures, &api, &Options::default(), &())?.report;
    /// let baseline = Baseline::of(&report);
    /// assert_eq!(baseline.mark(&mut report), 0);
    /// assert!(report.findings.iter().all(|finding| finding.known));
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn mark(&self, report: &mut FindingReport) -> usize {
        let known: BTreeSet<&str> =
            self.findings.iter().map(|finding| &*finding.fingerprint).collect();
        let mut found = BTreeSet::new();
        for finding in &mut report.findings {
            if let Some(fingerprint) = known.get(&*finding.fingerprint) {
                finding.known = true;
                found.insert(*fingerprint);
            }
        }
        known.len() - found.len()
    }
}
