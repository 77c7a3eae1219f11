//! Formatters of reports: one file per format, each an implementation of [`Output`].

mod csv;
#[cfg(feature = "cli")]
pub(crate) mod endpoint_details;
mod exchange;
mod explanation;
#[cfg(feature = "descriptions")]
mod findings;
mod json;
mod markdown;
#[cfg(feature = "cli")]
mod page;
mod rules;
#[cfg(feature = "cli")]
mod table;
#[cfg(feature = "cli")]
mod tree;

use std::io::{self, Write};

use crate::report::Report;

pub use crate::report::overview::OverviewOptions;
pub use csv::Csv;
pub use exchange::{
    ExchangeCurl, ExchangeDump, ExchangeHar, ExchangeJson, ExchangeOutput, ExchangeText,
};
pub use explanation::{ExplanationJson, ExplanationOutput, ExplanationText};
#[cfg(feature = "descriptions")]
pub use findings::{
    FindingsGithub, FindingsJson, FindingsJunit, FindingsMarkdown, FindingsOutput, FindingsSarif,
    FindingsText,
};
pub use json::{Json, JsonLines};
pub use markdown::Markdown;
#[cfg(feature = "cli")]
pub use page::{Page, PageEndpoint, PageViewer};
#[cfg(feature = "tui")]
pub(crate) use rules::quoted;
pub use rules::rules_of;
#[cfg(feature = "cli")]
pub use table::Table;
#[cfg(feature = "cli")]
pub(crate) use table::format_count;
#[cfg(feature = "cli")]
pub use tree::Tree;

/// A format in which a report can be written. Captured text is always escaped: see [`text`](crate::text).
///
/// ```
/// use api_patterns::output::{Csv, Output};
/// use api_patterns::{Flow, Patterns};
///
/// let mut patterns = Patterns::new();
/// patterns.observe(&Flow::new("GET", "https://api.example.com/users/42").unwrap());
/// let mut out = Vec::new();
/// Csv.write(&patterns.report(), &mut out).unwrap();
/// assert!(String::from_utf8(out).unwrap().contains("GET,/users/{user_id}"));
/// ```
pub trait Output {
    /// Writes the whole report, and a final newline.
    ///
    /// # Errors
    ///
    /// Returns an error if `out` cannot be written to.
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()>;
}

/// The names of the classes of status, and of requests without an answer.
#[cfg(feature = "cli")]
const CLASS_NAMES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

/// Counts the responses by class of status: 1xx to 5xx, in that order. Other codes are ignored.
pub(crate) fn status_classes(pattern: &crate::Pattern) -> [u64; 5] {
    let mut classes = [0; 5];
    for (code, count) in &pattern.status_codes {
        let class = code.parse::<usize>().unwrap_or(0) / 100;
        if let Some(class) = class.checked_sub(1).and_then(|class| classes.get_mut(class)) {
            *class += count;
        }
    }
    classes
}
