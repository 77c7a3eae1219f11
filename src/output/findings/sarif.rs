use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::finding::{Finding, FindingReport, Severity};
use crate::output::findings::{FindingsOutput, frequency};

/// Writes findings in SARIF 2.1.0 (OASIS), which code scanning services read. Locations are lines of the description.
#[derive(Clone, Copy, Debug, Default)]
pub struct FindingsSarif;

impl FindingsOutput for FindingsSarif {
    fn write(&self, report: &FindingReport, out: &mut dyn Write) -> io::Result<()> {
        let rules: BTreeSet<&str> = report.findings.iter().map(|finding| &*finding.rule).collect();
        let rules: Vec<&str> = rules.into_iter().collect();
        let described: Vec<Value> = rules.iter().map(|rule| json!({ "id": rule })).collect();
        let results: Vec<Value> =
            report.findings.iter().map(|finding| result(finding, &rules)).collect();
        let sarif = json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "api-patterns",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": described,
                } },
                "columnKind": "unicodeCodePoints",
                "results": results,
            }],
        });
        serde_json::to_writer_pretty(&mut *out, &sarif)?;
        out.write_all(b"\n")
    }
}

fn result(finding: &Finding, rules: &[&str]) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    };
    let what: Vec<&str> = [&*finding.operation, &*finding.place]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    let mut message = finding.message.clone();
    if !what.is_empty() {
        message = format!("{}: {message}", what.join(", "));
    }
    if let Some(frequency) = frequency(finding) {
        message = format!("{message} ({frequency})");
    }
    let mut result = Map::new();
    result.insert("ruleId".to_owned(), json!(finding.rule));
    result
        .insert("ruleIndex".to_owned(), json!(rules.iter().position(|rule| *rule == finding.rule)));
    result.insert("level".to_owned(), json!(level));
    result.insert("message".to_owned(), json!({ "text": message }));
    let mut location = Map::new();
    if let Some(place) = &finding.location {
        let mut physical = json!({ "artifactLocation": { "uri": uri_of(&place.file) } });
        if let Some(line) = place.line {
            physical["region"] = json!({ "startLine": line });
        }
        location.insert("physicalLocation".to_owned(), physical);
    }
    if !what.is_empty() {
        let name = json!([{ "fullyQualifiedName": what.join(" ") }]);
        location.insert("logicalLocations".to_owned(), name);
    }
    if !location.is_empty() {
        result.insert("locations".to_owned(), json!([location]));
    }
    let prints = json!({ "apiPatterns/v1": finding.fingerprint });
    result.insert("partialFingerprints".to_owned(), prints);
    if let Some(count) = finding.count {
        result.insert("occurrenceCount".to_owned(), json!(count));
    }
    let state = if finding.known { "unchanged" } else { "new" };
    result.insert("baselineState".to_owned(), json!(state));
    Value::Object(result)
}

/// A path as a relative URI reference.
fn uri_of(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let mut uri = String::new();
    for byte in path.replace('\\', "/").bytes() {
        if plain(byte) {
            uri.push(char::from(byte))
        } else {
            uri.extend(["%", &format!("{byte:02X}")])
        }
    }
    uri
}
