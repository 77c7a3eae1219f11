//! Hosts of advertising, analytics and crash reports, and those that browsers and systems ask by themselves.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Domains of two lists: data/telemetry.txt, from vendors' documentation, and data/trackers.txt, which others keep.
static DOMAINS: LazyLock<BTreeSet<&'static [u8]>> = LazyLock::new(|| {
    let lists = [include_str!("../../data/telemetry.txt"), include_str!("../../data/trackers.txt")];
    let lines = lists.into_iter().flat_map(str::lines);
    lines.filter(|line| !line.starts_with('#')).map(|line| line.trim().as_bytes()).collect()
});

/// Returns `true` if a host belongs to one of the listed domains. `host` is in lower case and without a port.
pub(crate) fn is_tracker(host: &[u8]) -> bool {
    let mut name = host;
    loop {
        if DOMAINS.contains(name) {
            return true;
        }
        match memchr::memchr(b'.', name) {
            Some(dot) => name = &name[dot + 1..],
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DOMAINS, is_tracker};

    #[test]
    fn subdomains_belong_to_their_domains() {
        assert!(is_tracker(b"www.google-analytics.com"));
        assert!(is_tracker(b"ad.doubleclick.net"));
        assert!(is_tracker(b"detectportal.firefox.com"));
        assert!(!is_tracker(b"accounts.google.com"));
        assert!(!is_tracker(b"notsegment.io"));
        assert!(!is_tracker(b"example.com"));
    }

    #[test]
    fn no_listed_domain_is_a_public_suffix() {
        let names = DOMAINS.iter().map(|domain| std::str::from_utf8(domain).unwrap());
        let suffixes: Vec<&str> = names.filter(|name| psl::domain_str(name).is_none()).collect();
        assert!(suffixes.is_empty(), "{suffixes:?}");
    }
}
