//! Compares two sides of one API, each a state of captures or a description: what was added, removed or changed, whether
//! clients break by it, and how sure that is.
//!
//! A description says what there is. A capture only shows what came: what is missing from it may have been there. So every
//! change between captures has a probability, from how often something came on one side and how often it could have come on
//! the other.

mod align;
mod compare;
mod model;
mod observed;
mod probability;
mod report;
mod rule;
mod sides;
mod stated;
#[cfg(test)]
mod tests;

use crate::description::ApiDescription;
use crate::finding::FindingReport;
use crate::patterns::Patterns;
use crate::report::options::ReportOptions;

/// One side of a comparison.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum DiffSide<'s> {
    /// The state of captures. One [without bodies](Patterns::has_bodies) has nothing to compare.
    Observed(&'s Patterns),
    /// An API description.
    Described(&'s ApiDescription),
}

/// One side of a comparison that was read from files.
#[derive(Debug)]
#[non_exhaustive]
pub enum OwnedDiffSide {
    /// The state of captures.
    Observed(Box<Patterns>),
    /// An API description.
    Described(Box<ApiDescription>),
}

impl OwnedDiffSide {
    /// The side, to compare it.
    ///
    /// ```
    /// use api_patterns::{DiffOptions, OwnedDiffSide, Patterns, diff};
    ///
    /// let side = OwnedDiffSide::Observed(Box::new(Patterns::with_bodies()));
    /// assert!(diff(side.side(), side.side(), &DiffOptions::default()).findings.is_empty());
    /// ```
    pub fn side(&self) -> DiffSide<'_> {
        match self {
            Self::Observed(patterns) => DiffSide::Observed(patterns),
            Self::Described(api) => DiffSide::Described(api),
        }
    }
}

/// The options of [`diff`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DiffOptions {
    /// Changes between captures that are less sure than this are left out, from 0 (nothing is left out) to 1.
    pub min_confidence: f64,
    /// The options by which templates are decided, from both sides together.
    pub report: ReportOptions,
}

impl Default for DiffOptions {
    fn default() -> Self {
        Self { min_confidence: 0.99, report: ReportOptions::default() }
    }
}

/// Compares two sides. Findings of severity [`Error`](crate::Severity::Error) break clients.
///
/// ```
/// use api_patterns::{DiffOptions, DiffSide, Flow, Patterns, diff};
///
/// let (mut before, mut after) = (Patterns::with_bodies(), Patterns::with_bodies());
/// for _ in 0..50 {
///     before.observe(&Flow::new("GET", "https://h.example/users").unwrap());
///     before.observe(&Flow::new("GET", "https://h.example/orders").unwrap());
///     after.observe(&Flow::new("GET", "https://h.example/users").unwrap());
/// }
/// let sides = (DiffSide::Observed(&before), DiffSide::Observed(&after));
/// let report = diff(sides.0, sides.1, &DiffOptions::default());
/// assert_eq!(report.findings[0].rule, "endpoint-removed");
/// assert_eq!(report.findings[0].operation, "GET /orders");
/// ```
pub fn diff(before: DiffSide<'_>, after: DiffSide<'_>, options: &DiffOptions) -> FindingReport {
    let (before_model, after_model, notes) = sides::models(before, after, options);
    let changes = compare::compare(&before_model, &after_model);
    report::diff_report(&changes, (before, after), (&before_model, &after_model), options, notes)
}
