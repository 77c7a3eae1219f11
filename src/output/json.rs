//! JSON output: the whole report as one object, or one pattern per line.

use std::io::{self, Write};

use crate::output::Output;
use crate::report::Report;

/// Writes the whole report as one indented object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl Output for Json {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, report)?;
        out.write_all(b"\n")
    }
}

/// Writes one pattern per line (JSON Lines), without the totals.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonLines;

impl Output for JsonLines {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        for pattern in &report.patterns {
            serde_json::to_writer(&mut *out, pattern)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}
