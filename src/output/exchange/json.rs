//! Exchanges as JSON.

use std::io::{self, Write};

use crate::output::exchange::ExchangeOutput;
use crate::report::exchange::Exchange;

/// Exchanges as a JSON array, with the fields of [`Exchange`](crate::Exchange).
#[derive(Clone, Copy, Debug, Default)]
pub struct ExchangeJson;

impl ExchangeOutput for ExchangeJson {
    fn write(&self, exchanges: &[Exchange], out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, exchanges)?;
        out.write_all(b"\n")
    }
}
