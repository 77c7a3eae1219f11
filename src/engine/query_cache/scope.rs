//! The flows that a query is about, and the report about them at one time.

use crate::error::Error;
use crate::patterns::Patterns;
use crate::report::domain::is_host_in;
use crate::report::{OTHER_HOSTS, Report};

/// The flows that a query is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers create it")]
pub struct Scope {
    /// Only flows of this host and its subdomains. A report without a limit may contain other hosts
    /// as well, which the caller must leave out: see [`Snapshot::is_narrowed`].
    pub domain: Option<String>,
    /// Only this many of the newest of these flows. The templates are then decided from these flows
    /// only.
    pub limit: Option<u64>,
}

/// The report about some flows at one time.
#[derive(Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The endpoints and the totals.
    pub report: Report,
    /// Hash of the content of the report. Equal reports have equal fingerprints.
    pub fingerprint: u64,
    /// Number that rises with every snapshot that is decided, so that the later of two snapshots is
    /// known.
    pub sequence: u64,
    /// Number of files that were read.
    pub readable: usize,
    /// Errors of files that were not read, or not to their end.
    pub problems: Vec<Error>,
    /// Whether the report contains only flows of the requested domain. If not, the caller must
    /// leave the other hosts out.
    pub is_narrowed: bool,
    pub(super) state: Patterns,
}

/// Returns `true` if the report of all flows cannot answer for the scope: if a limit excludes some
/// flows, and if flows of the domain were merged into the rest of the hosts or into a group of
/// hosts.
pub(super) fn needs_own_flows(scope: &Scope, all: &Report) -> bool {
    let in_scope = |host: &str| scope.domain.as_ref().is_none_or(|domain| is_host_in(host, domain));
    let flows = || -> u64 {
        let patterns = all.patterns.iter().filter(|pattern| in_scope(&pattern.host));
        patterns.map(|pattern| pattern.request_count).sum()
    };
    let is_of_several = |host: &str| host == OTHER_HOSTS || (host.contains('{') && in_scope(host));
    let is_hidden = || all.patterns.iter().any(|pattern| is_of_several(&pattern.host));
    match (&scope.domain, scope.limit) {
        (Some(domain), None) if domain == OTHER_HOSTS => false,
        (Some(_), _) if is_hidden() => true,
        (_, limit) => limit.is_some_and(|limit| limit < flows()),
    }
}

/// The domains that contain exactly the hosts of both `domains` (all hosts if empty) and `domain`.
pub(super) fn intersect_domains(domains: &[String], domain: &str) -> Vec<String> {
    if domains.is_empty() || domains.iter().any(|outer| is_host_in(domain, outer)) {
        return vec![domain.to_owned()];
    }
    let inside: Vec<String> =
        domains.iter().filter(|inner| is_host_in(inner, domain)).cloned().collect();
    // No host has this name, so no flow is selected.
    if inside.is_empty() { vec!["\0".to_owned()] } else { inside }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_operator_leaves_out_stays_out() {
        let domains = ["example.com".to_owned(), "api.other.org".to_owned()];
        assert_eq!(intersect_domains(&[], "a.b"), ["a.b"]);
        assert_eq!(intersect_domains(&domains, "api.example.com"), ["api.example.com"]);
        assert_eq!(intersect_domains(&domains, "other.org"), ["api.other.org"]);
        assert_eq!(intersect_domains(&domains, "third.net"), ["\0"]);
    }
}
