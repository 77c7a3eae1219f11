//! Integration tests, compiled into one binary to save link time.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests fail by unwrapping, and say what they skip"
)]

/// The action for GitHub.
#[cfg(unix)]
#[path = "main/action.rs"]
mod action;
/// A client of the MCP server that implements the protocol by hand.
#[cfg(feature = "mcp")]
#[path = "main/agent.rs"]
mod agent;
/// Schemas of bodies, from captures to the command line and the report.
#[path = "main/bodies.rs"]
mod bodies;
/// Bodies as evidence for templates, names and sources of parameters.
#[path = "main/body_evidence.rs"]
mod body_evidence;
/// The command line: output of every format, messages and exit codes.
#[path = "main/cli.rs"]
mod cli;
/// Answers of mitmproxy-mcp, byte for byte.
#[path = "main/compat.rs"]
mod compat;
/// Damaged dumps: intact flows are read, and damage is counted.
#[path = "main/damage.rs"]
mod damage;
/// Databases of mitmproxy-mcp.
#[path = "main/database.rs"]
mod database;
/// The documents: commands that run, links that lead somewhere.
#[path = "main/documents.rs"]
mod documents;
/// Comparisons with descriptions and between captures, on the command line.
#[path = "main/drift.rs"]
mod drift;
/// Dumps of every mitmproxy version.
#[path = "main/dumps.rs"]
mod dumps;
/// Captures that grow.
#[path = "main/follow.rs"]
mod follow;
/// The gateway, its grants, its page and the commands around it.
#[cfg(feature = "gateway")]
#[path = "main/gateway.rs"]
mod gateway;
/// HAR files of various programs.
#[path = "main/har.rs"]
mod har;
/// Templates, rules, explanations, operations and grouped hosts.
#[path = "main/inference.rs"]
mod inference;
/// Laws of the state, on random traffic.
#[path = "main/laws.rs"]
mod laws;
/// JSON lines.
#[path = "main/lines.rs"]
mod lines;
/// Path prefixes with very many children, scans and junk.
#[path = "main/many.rs"]
mod many;
/// Answers of the MCP server.
#[cfg(feature = "mcp")]
#[path = "main/mcp.rs"]
mod mcp;
/// Schemas in one pass: shapes by path give the schemas that a second pass gives.
#[path = "main/one_pass.rs"]
mod one_pass;
/// OpenAPI descriptions: valid, deterministic, without captured values, and true of the traffic.
#[path = "main/openapi.rs"]
mod openapi;
/// Merges of OpenAPI descriptions that people have edited, and examples, on the command line.
#[path = "main/openapi_merge.rs"]
mod openapi_merge;
/// What people see first: classes and parties of endpoints, and third parties in short.
#[path = "main/overview.rs"]
mod overview;
/// The page of a report.
#[path = "main/page.rs"]
mod page;
/// Templates, from a table of cases in plain text.
#[path = "main/templates.rs"]
mod templates;

/// Access control of the MCP server: policy, approval, rate limits, and the audit log.
#[cfg(feature = "mcp")]
#[path = "main/mcp_gate.rs"]
mod mcp_gate;
/// Safety of the MCP server: text that it must not reveal, and databases that it does not open.
#[cfg(feature = "mcp")]
#[path = "main/mcp_safety.rs"]
mod mcp_safety;
/// Exclusion of noise.
#[path = "main/noise.rs"]
mod noise;
/// Compressed captures: gzip, zlib, zstd, zip.
#[path = "main/packed.rs"]
mod packed;
/// Credentials planted everywhere, and every output.
#[path = "main/planted.rs"]
mod planted;
/// Dependencies between the modules of the crate.
#[path = "main/rooms.rs"]
mod rooms;
/// Kinds of segments, from a table of cases.
#[path = "main/segments.rs"]
mod segments;
/// Single requests: shown, exported, and cut out of captures.
#[path = "main/show.rs"]
mod show;
/// Splits of captures, observed separately and merged.
#[path = "main/split.rs"]
mod split;
/// Helpers shared by the tests.
#[path = "main/support.rs"]
mod support;
