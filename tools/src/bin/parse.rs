//! Parses JSON with `serde_json` and discards the result, as a baseline for measurements.
//!
//! ```sh
//! cargo xtask tool parse ignored big.har    # the whole file as serde::de::IgnoredAny
//! cargo xtask tool parse lines big.jsonl    # each line into borrowed types
//! ```
//!
//! Prints the time of parsing alone in seconds, without reading the file: the best of five passes.

use std::borrow::Cow;
use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// A JSON line as `generate` writes it.
#[derive(Deserialize)]
#[allow(dead_code, reason = "only parsed")]
struct Line<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    request: Request<'a>,
    response: Option<Response<'a>>,
    timestamp: f64,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only parsed")]
struct Request<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow)]
    headers: &'a RawValue,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only parsed")]
struct Response<'a> {
    status_code: i64,
    #[serde(borrow)]
    headers: &'a RawValue,
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = || io::Error::new(io::ErrorKind::InvalidInput, "usage: parse ignored|lines FILE");
    let [what, path] = &arguments[..] else { return Err(usage()) };
    let bytes = std::fs::read(path)?;
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        match &**what {
            "ignored" => drop(black_box(serde_json::from_slice::<IgnoredAny>(&bytes)?)),
            "lines" => {
                for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    drop(black_box(serde_json::from_slice::<Line<'_>>(line)?));
                }
            }
            _ => return Err(usage()),
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    writeln!(io::stdout(), "{best:.4}")
}
