use std::io::{self, Write};

use crate::finding::{FindingReport, Severity};
use crate::output::findings::{FindingsOutput, counts, frequency};

/// Writes findings as workflow commands of GitHub Actions, which shows them at the lines of the description.
#[derive(Clone, Copy, Debug, Default)]
pub struct FindingsGithub;

impl FindingsOutput for FindingsGithub {
    fn write(&self, report: &FindingReport, out: &mut dyn Write) -> io::Result<()> {
        for finding in report.findings.iter().filter(|finding| !finding.known) {
            let level = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Info => "notice",
            };
            let mut properties = Vec::new();
            if let Some(location) = &finding.location {
                properties.push(format!("file={}", property(&location.file)));
                if let Some(line) = location.line {
                    properties.push(format!("line={line}"));
                }
            }
            properties.push(format!("title={}", property(&finding.rule)));
            let mut message: Vec<&str> = [&*finding.operation, &*finding.place]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect();
            message.push(&finding.message);
            let mut message = message.join(", ");
            if let Some(frequency) = frequency(finding) {
                message = format!("{message} ({frequency})");
            }
            writeln!(out, "::{level} {}::{}", properties.join(","), data(&message))?;
        }
        writeln!(out, "{}: {}", data(&report.summary), counts(report))
    }
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
