//! Writes generated traffic for measurements to stdout.
//!
//! ```sh
//! cargo xtask tool generate mitmproxy 200000 > big.mitm
//! cargo xtask tool generate jsonl 200000 > big.jsonl
//! cargo xtask tool generate har 45000 > big.har
//! cargo xtask tool generate har-pretty 28000 > big-pretty.har
//! ```

use std::io;

#[path = "../../../benches/support/traffic.rs"]
#[allow(dead_code, reason = "shared with the benches")]
mod traffic;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = || {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "usage: generate mitmproxy|jsonl|har|har-pretty FLOWS",
        )
    };
    let [format, flows] = &arguments[..] else { return Err(usage()) };
    let flows = flows.parse().map_err(|_| usage())?;
    let mut out = io::stdout().lock();
    let write_one = match &**format {
        "har" => return traffic::write_har(&mut out, flows, traffic::write_entry),
        "har-pretty" => return traffic::write_har(&mut out, flows, traffic::write_pretty_entry),
        "mitmproxy" => traffic::write_record,
        "jsonl" => traffic::write_line,
        _ => return Err(usage()),
    };
    traffic::write_all(&mut out, flows, write_one)
}
