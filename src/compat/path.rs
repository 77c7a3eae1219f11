//! Reimplementation of the original's `_normalize_path`: four regular expressions, of which the first match wins.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// Regular expressions of the variable segments, with their names. Each allows a final newline, because Python's `$`
/// also matches before one.
static RULES: LazyLock<[(Regex, &str); 4]> = LazyLock::new(|| {
    let rule = |pattern: &str| Regex::new(pattern).unwrap_or_else(|error| unreachable!("{error}"));
    [
        (rule(r"^\d+\n?\z"), "id"),
        (rule(r"(?i-u)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\n?\z"), "uuid"),
        (rule(r"(?i-u)^[0-9a-f]{24}\n?\z"), "objectId"),
        (rule(r"(?-u)^[A-Za-z0-9_-]+\n?\z"), "token"),
    ]
});

/// Replaces the variable segments of a path. Returns the pattern, and the kinds of the variable segments in order.
///
/// ```
/// let (pattern, params) = api_patterns::compat::normalize_path("/users/42/files/507f1f77bcf86cd799439011");
/// assert_eq!(pattern, "/users/{id}/files/{objectId}");
/// assert_eq!(params, ["id", "objectId"]);
/// ```
pub fn normalize_path(path: &str) -> (String, Vec<&'static str>) {
    let (pattern, params) = normalize(path.as_bytes());
    (String::from_utf8_lossy(&pattern).into_owned(), params)
}

pub(super) fn normalize(path: &[u8]) -> (Vec<u8>, Vec<&'static str>) {
    let mut pattern = Vec::with_capacity(path.len());
    let mut params = Vec::new();
    for (i, segment) in path.split(|b| *b == b'/').enumerate() {
        if i > 0 {
            pattern.push(b'/');
        }
        match kind_of(segment) {
            Some(kind) => {
                pattern.extend_from_slice(format!("{{{kind}}}").as_bytes());
                params.push(kind);
            }
            None => pattern.extend_from_slice(segment),
        }
    }
    (pattern, params)
}

fn kind_of(segment: &[u8]) -> Option<&'static str> {
    // Fast path: most segments are short words, which no rule matches.
    let may_match =
        segment.len() > 20 || segment.first().is_some_and(|b| b.is_ascii_digit() || !b.is_ascii());
    if !may_match {
        return None;
    }
    let code_points = segment.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    let found = RULES
        .iter()
        .find(|(rule, kind)| (*kind != "token" || code_points > 20) && rule.is_match(segment));
    found.map(|(_, kind)| *kind)
}
