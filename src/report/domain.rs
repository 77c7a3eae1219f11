//! Matching of hosts against domains.

use crate::flow::site::without_port;

/// Returns `true` if `host` is `domain` or a subdomain of it, compared label by label and ignoring
/// case. A port counts only if the domain has one. A label such as `{tenant}` matches any label.
pub(crate) fn is_host_in(host: &str, domain: &str) -> bool {
    let domain = domain.trim_start_matches("*.").trim_matches('.').to_ascii_lowercase();
    let matches = |host: &str| {
        let mut labels = host.rsplit('.');
        domain.rsplit('.').all(|wanted| {
            labels.next().is_some_and(|label| label == wanted || label.starts_with('{'))
        })
    };
    matches(host) || matches(without_port(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_by_label() {
        assert!(is_host_in("api.example.com", "Example.com"));
        assert!(is_host_in("api.example.com:8443", "example.com"));
        assert!(is_host_in("example.com:8443", "example.com:8443"));
        assert!(is_host_in("{tenant}.example.com", "acme.example.com"));
        assert!(!is_host_in("notexample.com", "example.com"));
        assert!(!is_host_in("com", "example.com"));
    }
}
