//! Filtering of the endpoints of a report by host, path prefix, method and count.

use crate::report::Pattern;
use crate::report::domain::is_host_in;

/// A filter for endpoints. The default selects all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Selects this host and its subdomains.
    pub(crate) domain: Option<String>,
    /// Selects paths that begin with these segments. A parameter matches any parameter.
    pub(crate) path_prefix: Option<String>,
    /// Selects this method, ignoring case.
    pub(crate) method: Option<String>,
    pub(crate) min_count: u64,
}

impl Selection {
    /// The selected endpoints of all hosts, ordered by number of requests, descending.
    pub(crate) fn of<'r>(&self, patterns: &'r [Pattern]) -> Vec<&'r Pattern> {
        let mut selected: Vec<&Pattern> =
            patterns.iter().filter(|pattern| self.wants(pattern)).collect();
        // The sort is stable: ties keep the order of the report.
        selected.sort_by_key(|pattern| std::cmp::Reverse(pattern.request_count));
        selected
    }

    pub(crate) fn wants(&self, pattern: &Pattern) -> bool {
        pattern.request_count >= self.min_count
            && self.method.as_ref().is_none_or(|method| pattern.method.eq_ignore_ascii_case(method))
            && self
                .domain
                .as_ref()
                .is_none_or(|domain| pattern.host == *domain || is_host_in(&pattern.host, domain))
            && self
                .path_prefix
                .as_ref()
                .is_none_or(|prefix| is_below(&pattern.path_pattern, prefix))
    }
}

/// Returns `true` if the segments of `path` begin with those of `prefix`.
fn is_below(path: &str, prefix: &str) -> bool {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    prefix.split('/').filter(|segment| !segment.is_empty()).all(|wanted| {
        segments.next().is_some_and(|segment| {
            // Parameters match whatever their names.
            segment == wanted || (segment.starts_with('{') && wanted.starts_with('{'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_whole_segments() {
        assert!(is_below("/v1/users/{user_id}", "/v1/users"));
        assert!(is_below("/v1/users/{user_id}/orders", "v1/users/{id}/"));
        assert!(is_below("/v1/users", ""));
        assert!(!is_below("/v1/users", "/v1/use"));
        assert!(!is_below("/v1", "/v1/users"));
    }
}
