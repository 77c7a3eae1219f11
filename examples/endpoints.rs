//! Prints the endpoints of captures, the busiest first, with the parameters of their paths.
//!
//! ```sh
//! cargo run --example endpoints -- fixtures/demo.mitm
//! ```

use std::io::{self, Write};

use api_patterns::{Captures, InputFormat, Options, analyze};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let captures = Captures::open(&paths, InputFormat::Detect)?;
    let analysis = analyze(&captures, &Options::default(), &())?;
    let mut out = io::stdout().lock();
    for pattern in &analysis.report.patterns {
        writeln!(out, "{:6} {} {}", pattern.request_count, pattern.host, pattern.endpoint)?;
        for parameter in &pattern.parameters {
            writeln!(out, "         {}: {}", parameter.name, parameter.kind)?;
        }
    }
    // What was skipped or looks wrong, one sentence each.
    for problem in analysis.problems(&captures) {
        writeln!(io::stderr(), "{problem}")?;
    }
    Ok(())
}
