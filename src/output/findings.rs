//! Outputs of findings, one file for each format.

mod github;
mod json;
mod junit;
mod markdown;
mod sarif;
mod text;

use std::collections::BTreeMap;
use std::io::{self, Write};

pub use self::github::FindingsGithub;
pub use self::json::FindingsJson;
pub use self::junit::FindingsJunit;
pub use self::markdown::FindingsMarkdown;
pub use self::sarif::FindingsSarif;
pub use self::text::FindingsText;
use crate::finding::{Coverage, Covered, Finding, FindingReport, Severity};
use crate::math::format_thousands;

/// A format that findings are written in.
pub trait FindingsOutput {
    /// Writes a report.
    ///
    /// # Errors
    ///
    /// Fails if `out` cannot be written to.
    fn write(&self, report: &FindingReport, out: &mut dyn Write) -> io::Result<()>;
}

/// Counts of findings by severity, in words: `2 errors, 1 warning`.
fn counts(report: &FindingReport) -> String {
    let of = |severity: Severity| {
        report.findings.iter().filter(|found| !found.known && found.severity == severity).count()
            as u64
    };
    let said =
        [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "note")]
            .into_iter()
            .filter_map(|(severity, noun)| {
                let count = of(severity);
                let plural = if count == 1 { "" } else { "s" };
                (count > 0).then(|| format!("{} {noun}{plural}", format_thousands(count)))
            });
    let said: Vec<String> = said.collect();
    let known = report.findings.iter().filter(|found| found.known).count() as u64;
    let known =
        if known > 0 { format!(" ({} known)", format_thousands(known)) } else { String::new() };
    if said.is_empty() {
        format!("nothing new{known}")
    } else {
        format!("{}{known}", said.join(", "))
    }
}

/// Findings for people: those of one rule at one place of the description are told once, with the number of further places that
/// they have in exchanges.
fn by_cause<'r>(findings: impl Iterator<Item = &'r Finding>) -> Vec<(&'r Finding, usize)> {
    let mut causes: Vec<(&Finding, usize)> = Vec::new();
    let mut known: BTreeMap<(&str, &str, &str, &str, &str), usize> = BTreeMap::new();
    for finding in findings {
        // What is about a whole operation has no schema that others share.
        let location = finding.location.as_ref().filter(|_| !finding.place.is_empty());
        let Some(location) = location else {
            causes.push((finding, 0));
            continue;
        };
        // Another key of one object is another cause.
        let leaf = finding.place.rsplit(['.', ' ']).next().unwrap_or_default();
        let key = (&*finding.rule, &*location.file, &*location.pointer, leaf, &*finding.message);
        if let Some(at) = known.get(&key) {
            causes[*at].1 += 1;
        } else {
            known.insert(key, causes.len());
            causes.push((finding, 0));
        }
    }
    causes
}

/// The number of further places that a finding stands for, in words.
fn further(places: usize) -> Option<String> {
    let noun = if places == 1 { "place" } else { "places" };
    (places > 0)
        .then(|| format!("and at {} more {noun} with this schema", format_thousands(places as u64)))
}

/// The frequency of a finding in words: `3 of 20 exchanges`.
fn frequency(finding: &Finding) -> Option<String> {
    let count = finding.count?;
    let exchanges = if finding.of.unwrap_or(count) == 1 { "exchange" } else { "exchanges" };
    Some(match finding.of {
        Some(of) if of != count => {
            format!("{} of {} {exchanges}", format_thousands(count), format_thousands(of))
        }
        _ => format!("{} {exchanges}", format_thousands(count)),
    })
}

/// The parts of a coverage with their names.
fn parts_of(coverage: &Coverage) -> [(&'static str, Covered); 4] {
    [
        ("operations", coverage.operations),
        ("responses", coverage.responses),
        ("parameters", coverage.parameters),
        ("properties", coverage.properties),
    ]
}

/// A share in percent: `12 of 30 (40 %)`.
fn share(covered: Covered) -> String {
    let percent = (covered.seen * 100).checked_div(covered.of).unwrap_or(100);
    format!("{} of {} ({percent} %)", format_thousands(covered.seen), format_thousands(covered.of))
}
