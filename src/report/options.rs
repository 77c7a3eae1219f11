//! Options of a report.

use crate::template::user_rules::Rules;

/// Options of [`Patterns::decide`](crate::Patterns::decide). The default has no rules, keeps hosts apart, includes all
/// endpoints and explains none.
///
/// ```
/// use api_patterns::ReportOptions;
///
/// let mut options = ReportOptions::default();
/// options.group_hosts = true;
/// options.explain = Some("GET /users/{user_id}".to_owned());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct ReportOptions {
    /// User-defined rules that override the classifier.
    pub rules: Rules,
    /// True to merge sibling hosts into one if they have the same endpoints and differ only in
    /// their first label.
    pub group_hosts: bool,
    /// Domains whose hosts are first parties; all others are third parties then. Empty to decide it from the requests.
    pub first_parties: Vec<String>,
    /// True to leave out endpoints whose every response was 404.
    pub exclude_errors_only_404: bool,
    /// The endpoint to explain, by [`Pattern::endpoint`](crate::Pattern::endpoint) (`GET /users/{user_id}`) or
    /// [`Pattern::id`](crate::Pattern::id), or by a path or a URL that belongs to it, with or without the method. A text may
    /// mean several endpoints.
    pub explain: Option<String>,
    /// True to decide templates by paths alone, also where the state has read bodies.
    pub paths_alone: bool,
    /// True to add the near misses of every endpoint to the decision.
    pub near_misses: bool,
}
