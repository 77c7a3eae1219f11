use std::io::{self, Write};

use crate::finding::FindingReport;
use crate::output::findings::FindingsOutput;

/// Writes findings as one JSON object: the [`FindingReport`] itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct FindingsJson;

impl FindingsOutput for FindingsJson {
    fn write(&self, report: &FindingReport, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, report)?;
        out.write_all(b"\n")
    }
}
