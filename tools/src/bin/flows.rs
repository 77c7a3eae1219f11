//! Writes every HTTP flow of captures as a JSON line: id, method, URL (in mitmproxy's spelling), status, header names.
//!
//! ```sh
//! cargo xtask tool flows fixtures/demo.mitm
//! ```
//!
//! The differential test against mitmproxy's own reader (scripts/differential.py) reads this output.

use std::io::{self, Write};

use api_patterns::compat::CompatFlow;
use api_patterns::{Captures, InputFormat, for_each_flow};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let captures = Captures::open(&paths, InputFormat::Detect)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut failure = Ok(());
    for_each_flow(&captures, |flow| {
        let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let line = json!({
            "id": name(flow.id),
            "method": name(&flow.method).to_uppercase(),
            "url": CompatFlow::new(flow).url(),
            "status": flow.response.as_ref().map(|response| response.status),
            "headers": flow.request_headers.iter().map(|header| name(header.0)).collect::<Vec<_>>(),
        });
        if failure.is_ok() {
            failure = writeln!(out, "{line}");
        }
    })?;
    failure?;
    out.flush()?;
    Ok(())
}
