//! Which API is this? Clusters captured HTTP traffic into endpoint patterns.
//!
//! People and agents record HTTP with a proxy (mitmproxy above all) and then need one answer first: which endpoints are
//! there, how are they called, and with what. This crate reads captures, finds out which parts of the paths vary, and
//! describes every endpoint: `GET /v1/users/{user_id}/orders/{order_id}`, with counts, statuses, parameter names, header
//! names, sizes and times.
//!
//! # In five minutes
//!
//! **From files**: open [`Captures`] and [`analyze`] them. Formats are found by content; damage costs what is damaged.
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
//! **Flow by flow**, in a proxy or a server: keep [`Patterns`], [observe](Patterns::observe) each [`Flow`], and ask for a
//! [`Report`] at any time. States [merge](Patterns::merge): observe on many threads or machines, and the report is the
//! same, to the byte, as if one had seen it all, in any order.
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
//! **As text**: the [`output`] module writes JSON, JSON lines, CSV, Markdown and a table; [`Report`] is also `Serialize`.
//!
//! **Each flow's endpoint**: [`label`], or [`Patterns::report_and_routes`] and [`Routes::label`].
//!
//! **Progress and cancel**: give [`analyze`] a closure as its [`Monitor`]; it is told how far the run is, and ends it early
//! by returning `false`.
//!
//! **In the words of mitmproxy-mcp**: [`compat_answer`] and [`compat`] give the bytes that its `get_api_patterns` answers.
//!
//! # How it decides
//!
//! Nothing is decided while reading. Flows are observed into an evidence trie of bounded size, tries merge, and one pure
//! function turns the merged trie into templates. What is bounded is bounded by hashes of what was seen ("bottom-k"),
//! never by what came first, so order, split and number of threads cannot show.
//!
//! # Untrusted input
//!
//! Captured traffic is written by strangers. No header value, no body and no value of a parameter is in a report; control,
//! bidi and invisible characters are percent-encoded ([`text`]); memory follows neither the number of flows nor what a
//! length claims; and what cannot be read is counted by reason, with its place ([`Skips`]).
//!
//! # Features
//!
//! All are on by default: `cli` builds the program `api-patterns` and [`output`]'s table, `mcp` its server for agents,
//! `sqlite` reads the database of mitmproxy-mcp. The library alone (`default-features = false`) has neither command line,
//! nor async runtime, nor database code.

mod capture;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod compat;
mod engine;
mod error;
mod flow;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod limits;
mod math;
#[cfg(feature = "mcp")]
mod mcp;
pub mod output;
mod patterns;
mod report;
mod schema;
mod shape;
mod simd;
mod sketch;
mod skip;
mod template;
#[cfg(feature = "training")]
#[doc(hidden)]
pub mod training;

pub use capture::{Captures, InputFormat, time};
pub use engine::{
    Analysis, Change, CompatAnswer, Filter, Follower, LiveCaptures, Monitor, Options, Progress,
    Scope, Snapshot, Split, analyze, compat_answer, for_each_flow, label, observe_split, split,
};
pub use error::Error;
pub use flow::noise::Noise;
pub use flow::proxy_request::Proxied;
pub use flow::{Body, Flow, Header, Headers, Outcome, Protocol, Response, text, url};
pub use patterns::Patterns;
pub use report::bodies::{BodySummaries, BodySummary};
pub use report::decision::{Decision, Explanation, NearMiss};
pub use report::options::ReportOptions;
pub use report::routes::{Label, Routes};
pub use report::{Latency, Parameter, Pattern, Report, Sizes, Totals};
pub use schema::{SchemaReason, Schemas, schema_of_json};
pub use skip::{SkipPlace, SkipReason, Skips};
pub use template::segment::{Segment, SegmentKind};
pub use template::user_rules::Rules;
