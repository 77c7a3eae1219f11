//! Compares each line of captures (JSON lines) with a description, and writes the findings as a JSON line: lists of
//! rule, operation and place.
//!
//! ```sh
//! cargo xtask tool drift_each openapi.yaml capture.jsonl
//! ```
//!
//! `scripts/drift_verdicts.py` compares this with the verdicts of another implementation of JSON Schema.

use std::error::Error;
use std::io::{self, Write};

use api_patterns::{ApiDescription, Captures, InputFormat, Options, drift};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let description = arguments.next().ok_or("usage: drift_each DESCRIPTION CAPTURE...")?;
    let api = ApiDescription::open(&description)?;
    let mut options = Options::default();
    options.threads = 1;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for path in arguments {
        for line in std::fs::read_to_string(&path)?.lines() {
            let line = line.as_bytes().to_vec();
            let captures = Captures::from_bytes(&path, line, InputFormat::Detect)?;
            let found = drift(&captures, &api, &options, &())?.report;
            let findings = found.findings.iter();
            let findings = findings.map(|found| json!([found.rule, found.operation, found.place]));
            writeln!(out, "{}", json!(findings.collect::<Vec<_>>()))?;
        }
    }
    out.flush()?;
    Ok(())
}
