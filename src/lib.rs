//! stub
mod capture;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod compat;
mod engine;
mod error;
mod flow;
mod limits;
pub mod output;
mod patterns;
mod report;
mod sketch;
mod skip;
mod template;
pub use capture::{Captures, InputFormat};
pub use engine::{Analysis, CompatAnswer, Monitor, Options, Progress, analyze, compat_answer, for_each_flow, label};
pub use error::Error;
pub use flow::{Flow, Header, Headers, Response, text, url};
pub use patterns::Patterns;
pub use report::routes::{Label, Routes};
pub use report::{Latency, Parameter, Pattern, Report, Sizes, Totals};
pub use skip::{SkipPlace, SkipReason, Skips};
pub use template::segment::{Segment, SegmentKind};
