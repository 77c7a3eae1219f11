//! A decision as a rules file.

use std::fmt::Write;

use crate::report::Report;

/// The templates of a report as a rules file (TOML) that pins each of them, and that a person can edit.
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
        "# Rules for api-patterns: what is decided today, to be edited. A template pins its literals, and names what varies.\n\
         # Beside [[template]] there are [[literal]] (a segment that is kept), [[forbid]] (a place, /auth/*, where nothing is\n\
         # merged), [[rename]] (a parameter's name) and [[host]] (hosts that are one, {tenant}.example.com).\n",
    );
    let mut written: Vec<(&str, &str)> = Vec::new();
    for pattern in &report.patterns {
        let key = (&*pattern.host, &*pattern.path_pattern);
        if pattern.path_pattern.trim_matches('/').is_empty() || written.contains(&key) {
            continue;
        }
        written.push(key);
        let methods: Vec<&str> = report
            .patterns
            .iter()
            .filter(|other| (&*other.host, &*other.path_pattern) == key)
            .map(|other| &*other.method)
            .collect();
        let (host, path) = (quoted(&pattern.host), quoted(&pattern.path_pattern));
        write!(out, "\n# {}\n[[template]]\nhost = {host}\npath = {path}\n", methods.join(" ")).unwrap_or_default();
    }
    out
}

/// A basic string of TOML. Control characters are already percent-encoded in a report.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
