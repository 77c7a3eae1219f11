//! Writes the serialized state of captures, or merges such states and reports on them.
//!
//! ```sh
//! cargo run --example state -- monday.mitm > monday.state
//! cargo run --example state -- tuesday.har > tuesday.state
//! cargo run --example state -- merge monday.state tuesday.state    # JSON lines, as of both
//! ```

use std::io::{self, Write};

use api_patterns::output::{JsonLines, Output};
use api_patterns::{Captures, InputFormat, Patterns, for_each_flow};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut patterns = Patterns::new();
    if arguments.first().is_some_and(|first| first == "merge") {
        for path in &arguments[1..] {
            patterns.merge(Patterns::from_bytes(&std::fs::read(path)?)?);
        }
        JsonLines.write(&patterns.report(), &mut io::stdout().lock())?;
        return Ok(());
    }
    let captures = Captures::open(&arguments, InputFormat::Detect)?;
    for_each_flow(&captures, |flow| patterns.observe(flow))?;
    io::stdout().write_all(&patterns.to_bytes())?;
    Ok(())
}
