//! Sentences about problems of a run, for stderr and for the callers of the library.

use crate::capture::Captures;
use crate::engine::CompatAnswer;
use crate::engine::analysis::{Analysis, ObservedState};
use crate::error::Error;
use crate::flow::text;
use crate::math::format_thousands;
use crate::report::decision::rule_problems;
use crate::skip::Skips;

/// Sentences of one sort that are said.
const MAX_ALIKE: usize = 20;

impl Analysis {
    /// The problems of the run, one sentence each: damage with its place, rules that matched
    /// nothing, and captures that could not be opened or read to their end. `captures` must be the
    /// captures that were analyzed.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat, Options, analyze};
    ///
    /// let lines = br#"{"method": "GET", "url": "https://api.example.com/users/42"}
    /// not JSON"#;
    /// let captures = Captures::from_bytes("two lines", lines.to_vec(), InputFormat::Detect)?;
    /// let analysis = analyze(&captures, &Options::default(), &())?;
    /// assert!(analysis.problems(&captures)[0].starts_with("two lines: at byte "));
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn problems(&self, captures: &Captures) -> Vec<String> {
        let rules = rule_problems(&self.unmatched_rules, &self.rule_conflicts);
        problems(captures, &self.skips, rules, &self.failures)
    }
}

impl CompatAnswer {
    /// The problems of the run, as [`Analysis::problems`].
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat, Options, compat_answer};
    ///
    /// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
    /// let answer = compat_answer(&captures, None, None, &Options::default(), &())?;
    /// assert!(answer.problems(&captures).is_empty());
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn problems(&self, captures: &Captures) -> Vec<String> {
        problems(captures, &self.skips, Vec::new(), &self.failures)
    }
}

impl ObservedState {
    /// The problems of the run, as [`Analysis::problems`].
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat, Options, observe};
    ///
    /// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
    /// assert!(observe(&captures, &Options::default(), &())?.problems(&captures).is_empty());
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn problems(&self, captures: &Captures) -> Vec<String> {
        problems(captures, self.patterns.skips(), Vec::new(), &self.failures)
    }
}

#[cfg(feature = "descriptions")]
impl crate::engine::Comparison {
    /// The problems of the run, as [`Analysis::problems`].
    ///
    /// ```
    /// use api_patterns::{ApiDescription, Captures, InputFormat, Options, drift};
    ///
    /// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
    /// let api = ApiDescription::of_text("api.yaml", "openapi: 3.1.0\npaths: {}\n")?;
    /// let comparison = drift(&captures, &api, &Options::default(), &())?;
    /// assert!(comparison.problems(&captures).is_empty());
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn problems(&self, captures: &Captures) -> Vec<String> {
        problems(captures, &self.skips, Vec::new(), &self.failures)
    }
}

pub(super) fn problems(
    captures: &Captures,
    skips: &Skips,
    rules: Vec<String>,
    failures: &[Error],
) -> Vec<String> {
    let mut sentences = Vec::new();
    for (reason, count, places) in skips.iter().filter(|(reason, _, _)| reason.is_damage()) {
        for place in places {
            let name = captures.name(place.source).unwrap_or_default();
            let name = text::printable(name.as_bytes());
            let unit = captures.unit(place.source);
            sentences.push(format!("{name}: at {unit} {}: {}", place.offset, place.message));
        }
        if count > places.len() as u64 {
            let more = format_thousands(count - places.len() as u64);
            sentences.push(format!("... and {more} more: {}", reason.name()));
        }
    }
    let unread = captures.refused().iter().chain(failures).map(ToString::to_string);
    sentences.extend(capped(rules, "about rules"));
    sentences.extend(capped(unread.collect(), "about captures that cannot be read"));
    sentences
}

/// The first sentences of many that are alike, and how many more there are.
fn capped(mut sentences: Vec<String>, about: &str) -> Vec<String> {
    let more = sentences.len().saturating_sub(MAX_ALIKE);
    if more > 0 {
        sentences.truncate(MAX_ALIKE);
        sentences.push(format!("... and {} more {about}", format_thousands(more as u64)));
    }
    sentences
}
