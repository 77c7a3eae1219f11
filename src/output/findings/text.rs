use std::io::{self, Write};

use indexmap::IndexMap;

use crate::finding::{Finding, FindingReport};
use crate::output::findings::{
    FindingsOutput, by_cause, counts, frequency, further, parts_of, share,
};

/// Writes findings for people, grouped by operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct FindingsText {
    /// Whether the coverage of the description is written too.
    pub coverage: bool,
}

impl FindingsOutput for FindingsText {
    fn write(&self, report: &FindingReport, out: &mut dyn Write) -> io::Result<()> {
        let mut groups: IndexMap<&str, Vec<(&Finding, usize)>> = IndexMap::new();
        for cause in by_cause(report.findings.iter().filter(|finding| !finding.known)) {
            groups.entry(&cause.0.operation).or_default().push(cause);
        }
        for (operation, group) in groups {
            let operation = if operation.is_empty() { "the whole API" } else { operation };
            writeln!(out, "{operation}")?;
            for (finding, places) in group {
                write_finding(finding, places, out)?;
            }
            writeln!(out)?;
        }
        if self.coverage
            && let Some(coverage) = &report.coverage
        {
            writeln!(out, "seen in traffic")?;
            for (name, covered) in parts_of(coverage) {
                writeln!(out, "  {name:<10}  {}", share(covered))?;
            }
            for operation in &coverage.never_seen {
                writeln!(out, "  never seen  {operation}")?;
            }
            writeln!(out)?;
        }
        writeln!(out, "{}: {}", report.summary, counts(report))
    }
}

fn write_finding(finding: &Finding, places: usize, out: &mut dyn Write) -> io::Result<()> {
    let severity = finding.severity.name();
    let place =
        if finding.place.is_empty() { String::new() } else { format!("  {}", finding.place) };
    writeln!(out, "  {severity:<7}  {}{place}", finding.rule)?;
    writeln!(out, "           {}", finding.message)?;
    let mut about: Vec<String> = frequency(finding).into_iter().chain(further(places)).collect();
    if let Some(confidence) = finding.confidence {
        about.push(format!("confidence {confidence:.2}"));
    }
    match (&finding.first_seen, &finding.last_seen) {
        (Some(first), Some(last)) if first != last => about.push(format!("{first} to {last}")),
        (Some(first), _) => about.push(first.clone()),
        _ => {}
    }
    if !finding.flow_ids.is_empty() {
        about.push(format!("flows {}", finding.flow_ids.join(", ")));
    }
    if let Some(location) = &finding.location {
        let line = location.line.map(|line| format!(":{line}")).unwrap_or_default();
        about.push(format!("{}{line}", location.file));
    }
    if about.is_empty() { Ok(()) } else { writeln!(out, "           {}", about.join("; ")) }
}
