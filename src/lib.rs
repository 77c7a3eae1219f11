//! Clusters captured HTTP traffic into endpoint patterns.
//!
//! People and agents record HTTP with a proxy, such as mitmproxy, and then need to know which
//! endpoints an API has and how they are called. This crate reads captures, finds out which parts
//! of the paths vary, and describes every endpoint: `GET /v1/users/{user_id}/orders/{order_id}`,
//! with counts, statuses, parameter names, header names, sizes and times.
//!
//! # Quick start
//!
//! **From files**: open [`Captures`] and [`analyze`] them. The format is detected from the content,
//! and damage is skipped and counted.
//!
//! ```
//! use api_patterns::{Captures, InputFormat, Options, analyze};
//!
//! let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
//! let analysis = analyze(&captures, &Options::default(), &())?;
//! let busiest = &analysis.report.patterns[0];
//! assert_eq!(busiest.endpoint, "GET /v1/users/{user_id}");
//! assert_eq!(busiest.request_count, 15);
//! assert_eq!(busiest.parameters[0].kind, "integer");
//! # Ok::<(), api_patterns::Error>(())
//! ```
//!
//! **Flow by flow**, in a proxy or a server: keep [`Patterns`], [observe](Patterns::observe) each
//! [`Flow`], and request a [`Report`] at any time. States [merge](Patterns::merge): flows can be
//! observed by many threads or machines, in any order, and the report equals that of one state that
//! observed all of them, byte for byte.
//!
//! ```
//! use api_patterns::{Flow, Patterns, Response};
//!
//! let mut patterns = Patterns::new();
//! for id in [1001, 1002, 1003] {
//!     let url = format!("https://api.example.com/users/{id}?full=true");
//!     let mut flow = Flow::new("GET", &url).unwrap();
//!     flow.response = Some(Response { status: 200, ..Response::default() });
//!     patterns.observe(&flow);
//! }
//! let report = patterns.report();
//! assert_eq!(report.patterns.len(), 1);
//! assert_eq!(report.patterns[0].query_params, ["full"]);
//! assert_eq!(report.patterns[0].status_codes["200"], 3);
//! ```
//!
//! # Which entry point to use
//!
//! | you have, or want | entry point |
//! |---|---|
//! | capture files, and one report | [`Captures::open`], then [`analyze`] |
//! | flows in a proxy or a server | [`Patterns`], with [`Proxied`] or [`Flow::new`] for each request |
//! | the endpoint of each flow | [`label`], or [`Patterns::report_and_routes`] and [`Routes::label`] |
//! | JSON Schemas of bodies | [`analyze`] with [`Options::bodies`], or [`Patterns::decide_with_schemas`]; [`schema_of_json`] for plain JSON texts |
//! | captures that grow | [`Follower`] for one file; [`LiveCaptures`] for repeated queries |
//! | a capture read by many machines | [`split`] and [`observe_split`] |
//! | states on other machines | [`Patterns::to_bytes`], [`Patterns::from_bytes`] and [`Patterns::merge`] |
//! | the single flows | [`for_each_flow`], and [`Filter`] for the selection that options make |
//! | JSON, CSV, Markdown or a table | [`output`]; [`Report`] also implements `Serialize` |
//! | the answer of mitmproxy-mcp, byte for byte | [`compat_answer`] for captures, [`compat`] for flows |
//! | progress, and a way to stop | a closure or another [`Monitor`] as argument of [`analyze`] |
//! | sentences about damage and other problems | [`Analysis::problems`]; by reason and place: [`Skips`] |
//!
//! # Types in the order of the data
//!
//! | step | types |
//! |---|---|
//! | a capture is opened | [`Captures`], [`InputFormat`] |
//! | its flows are read | [`Flow`] with [`Headers`], [`Body`] and [`Response`]; [`Proxied`] |
//! | flows are selected | [`Options`], [`Filter`], [`Noise`]; [`Skips`] counts the others |
//! | flows are observed | [`Patterns`], the state that merges |
//! | templates are decided | [`ReportOptions`], [`Rules`], [`Decision`], [`Routes`] |
//! | endpoints are described | [`Report`] with a [`Pattern`] and its [`Parameter`]s for each, and the [`ParameterSource`] of each; [`Explanation`] |
//! | bodies are described | [`Schemas`], [`SchemaReason`], [`BodySummary`] |
//! | a run ends | [`Analysis`], [`Label`], [`Snapshot`] or [`CompatAnswer`]; [`Error`] |
//!
//! # How templates are decided
//!
//! Nothing is decided while captures are read. Flows are observed into an evidence trie of bounded
//! size, tries merge, and one pure function turns the merged trie into templates. If a bound is
//! exceeded, the items to keep are chosen by hashes of their content ("bottom-k") and not by their
//! order, so the order of flows, the split and the number of threads have no influence.
//!
//! # Untrusted input
//!
//! Captured traffic is written by strangers. A report has no value of a header, a body or a
//! parameter, except the name of an operation. Control, bidi and invisible characters are
//! percent-encoded ([`text`]). Memory depends neither on the number of flows nor on lengths that a
//! capture claims. Everything that cannot be read is counted by reason, with its place ([`Skips`]).
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `cli` | yes | the program `api-patterns`, and the table in [`output`] |
//! | `mcp` | yes | the server for agents (`api-patterns mcp`); includes `cli` |
//! | `sqlite` | yes | reading of mitmproxy-mcp's database; compiles SQLite, which needs a C compiler |
//! | `gateway` | yes | the gateway in front of other servers for agents (`api-patterns gateway`); includes `mcp`, `live` and `sqlite` |
//! | `live` | yes | a page that is served while a capture grows (`api-patterns report --follow`); includes `cli` |
//! | `tui` | yes | the explorer on a terminal (`api-patterns explore`); includes `cli` |
//! | `training` | no | functions for the scripts that fit the model; not a stable interface |
//! | `fuzzing` | no | functions for the fuzzers; not a stable interface |
//!
//! The library without features (`default-features = false`) has no command line, async runtime or
//! database code.

#[cfg(feature = "mcp")]
#[cfg_attr(not(feature = "gateway"), allow(dead_code, reason = "the gateway uses the rest"))]
mod audit;
mod capture;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod compat;
#[cfg(feature = "descriptions")]
mod description;
#[cfg(feature = "descriptions")]
mod diff;
#[cfg(feature = "descriptions")]
mod drift;
mod engine;
mod error;
#[cfg(feature = "tui")]
mod explorer;
#[cfg(feature = "descriptions")]
mod finding;
mod flow;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "gateway")]
mod gateway;
#[cfg(feature = "mcp")]
#[cfg_attr(not(feature = "gateway"), allow(dead_code, reason = "the gateway uses the rest"))]
mod jsonrpc;
mod limits;
mod math;
#[cfg(feature = "mcp")]
#[cfg_attr(not(feature = "gateway"), allow(dead_code, reason = "the gateway uses the rest"))]
mod mcp;
mod openapi;
pub mod output;
mod patterns;
#[cfg(feature = "mcp")]
#[cfg_attr(not(feature = "gateway"), allow(dead_code, reason = "the gateway uses the rest"))]
mod policy;
mod report;
mod schema;
#[cfg(feature = "live")]
mod serve;
mod shape;
mod simd;
mod sketch;
mod skip;
mod template;
#[cfg(feature = "training")]
#[doc(hidden)]
pub mod training;

pub use capture::{Captures, InputFormat, time};
#[cfg(feature = "descriptions")]
pub use description::ApiDescription;
#[cfg(feature = "descriptions")]
pub use diff::{DiffOptions, DiffSide, OwnedDiffSide, diff};
pub use engine::{
    Analysis, Change, CompatAnswer, CopiedRecords, ExchangeQuery, Filter, Follower, LabelField,
    LiveCaptures, Monitor, ObservedState, Options, Progress, Scope, Snapshot, Split, analyze,
    compat_answer, copy_records, exchanges, for_each_flow, label, observe, observe_split, split,
};
#[cfg(feature = "descriptions")]
pub use engine::{Comparison, drift};
pub use error::Error;
#[cfg(feature = "descriptions")]
pub use finding::baseline::Baseline;
#[cfg(feature = "descriptions")]
pub use finding::{Coverage, Covered, Finding, FindingLocation, FindingReport, Severity};
pub use flow::noise::Noise;
pub use flow::proxy_request::Proxied;
pub use flow::status_filter::StatusFilter;
pub use flow::{Body, Flow, Header, Headers, Outcome, Protocol, Response, text, url};
pub use openapi::{OpenApiOptions, OpenApiVersion, openapi_descriptions};
pub use patterns::Patterns;
pub use report::bodies::{BodySummaries, BodySummary};
pub use report::decision::{Decision, Explanation, NearMiss};
pub use report::endpoint_class::EndpointClass;
pub use report::exchange::{
    BodyContent, Exchange, ExchangeRequest, ExchangeResponse, MessageBody, Secrets,
};
pub use report::message_field::MessageField;
pub use report::options::ReportOptions;
pub use report::parameter_source::ParameterSource;
pub use report::party::Party;
pub use report::routes::{Label, Routes};
pub use report::timeline::{RequestTimeline, TimelineInterval};
pub use report::{Latency, Parameter, Pattern, Report, Sizes, Totals};
pub use schema::{SchemaReason, Schemas, schema_of_json};
pub use skip::{SkipPlace, SkipReason, Skips};
pub use template::segment::{Segment, SegmentKind};
pub use template::user_rules::Rules;
