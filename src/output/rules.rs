//! Rules output: a report as a rules file that pins its templates.

use std::collections::BTreeSet;
use std::fmt::Write;

use indexmap::IndexMap;

use crate::report::Report;

/// Converts the templates of a report into a rules file (TOML) that pins each of them. The file is meant to be edited.
///
/// ```
/// use api_patterns::{Flow, Patterns, Rules, output::rules_of};
///
/// let mut patterns = Patterns::new();
/// patterns.observe(&Flow::new("GET", "https://api.example.com/users/42").unwrap());
/// let toml = rules_of(&patterns.report());
/// assert!(toml.contains(r#"path = "/users/{user_id}""#));
/// assert!(Rules::parse("today", &toml).is_ok());
/// ```
pub fn rules_of(report: &Report) -> String {
    let mut out = String::from(
        "# Rules for api-patterns: the current decisions, to be edited. A template pins its literals and names its parameters.\n\
         # Beside [[template]] there are [[literal]] (a segment that is kept), [[forbid]] (a place, /auth/*, where nothing is\n\
         # merged), [[rename]] (a parameter's name) and [[host]] (hosts that are one, {tenant}.example.com).\n",
    );
    let mut methods: IndexMap<(&str, &str), BTreeSet<&str>> = IndexMap::new();
    for pattern in &report.patterns {
        // A masked segment cannot be pinned, since its text is unknown.
        let is_masked = pattern.path_pattern.contains("[masked");
        if !is_masked && !pattern.path_pattern.trim_matches('/').is_empty() {
            methods
                .entry((&pattern.host, &pattern.path_pattern))
                .or_default()
                .insert(&pattern.method);
        }
    }
    for ((host, path), methods) in methods {
        let methods = methods.into_iter().collect::<Vec<_>>().join(" ");
        let (host, path) = (quoted(host), quoted(path));
        write!(out, "\n# {methods}\n[[template]]\nhost = {host}\npath = {path}\n")
            .unwrap_or_default();
    }
    out
}

/// Quotes text as a TOML basic string. A report contains no control characters, since these are percent-encoded.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
