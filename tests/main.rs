//! All integration tests, in one binary.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests fail by unwrapping, and say what they skip"
)]

/// The program as a person runs it.
#[cfg(feature = "mcp")]
#[path = "main/agent.rs"]
mod agent;

#[path = "main/cli.rs"]
mod cli;
/// The original's answers, byte for byte.
#[path = "main/compat.rs"]
mod compat;
/// Damaged dumps: what is readable is read, what is not is counted.
#[path = "main/damage.rs"]
mod damage;
/// The database of mitmproxy-mcp.
#[path = "main/database.rs"]
mod database;
/// Dumps of every version, and what is read of them.
#[path = "main/dumps.rs"]
mod dumps;
/// Captures that grow.
#[path = "main/follow.rs"]
mod follow;
/// HAR from all its writers.
#[path = "main/har.rs"]
mod har;
/// Templates by evidence; rules, explanations, operations and groups of hosts.
#[path = "main/inference.rs"]
mod inference;
/// State laws, on random traffic.
#[path = "main/laws.rs"]
mod laws;
/// JSON lines.
#[path = "main/lines.rs"]
mod lines;
/// Places with very many children, scans and junk.
#[path = "main/many.rs"]
mod many;
/// What can be left out.
#[cfg(feature = "mcp")]
#[path = "main/mcp.rs"]
mod mcp;
/// The table of template cases in plain text.
#[path = "main/templates.rs"]
mod templates;

#[cfg(feature = "mcp")]
#[path = "main/mcp_gate.rs"]
mod mcp_gate;

#[cfg(all(feature = "mcp", target_os = "linux"))]
#[path = "main/mcp_safety.rs"]
mod mcp_safety;

#[path = "main/noise.rs"]
mod noise;
/// gzip, zlib, zstd, zip.
#[path = "main/packed.rs"]
mod packed;
/// Who may import whom.
#[path = "main/rooms.rs"]
mod rooms;
/// Kinds of segments, from a table of cases.
#[path = "main/segments.rs"]
mod segments;
/// What the tests share.
#[path = "main/split.rs"]
mod split;

#[path = "main/support.rs"]
mod support;
