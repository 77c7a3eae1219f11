//! The site of a host: its registrable domain, by the public suffix list.

/// The registrable domain of a host, `example.co.uk` of `api.example.co.uk:8443`: the public suffix and one label more. The host
/// itself, without its port, if it is an address, a name without dots, or a public suffix. `host` is in lower case.
///
/// The list is that of <https://publicsuffix.org>, as of the version of the crate `psl`. Its private part counts, so that
/// `a.github.io` and `b.github.io` are two sites, as for browsers.
pub(crate) fn site_of(host: &str) -> &str {
    let bare = without_port(host);
    let is_ipv6 = bare.starts_with('[') && bare.ends_with(']');
    if is_ipv6 || bare.parse::<std::net::Ipv4Addr>().is_ok() {
        return bare;
    }
    psl::domain_str(bare).unwrap_or(bare)
}

/// A host without its port.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::site_of;

    #[test]
    fn sites_follow_the_public_suffix_list() {
        for (host, site) in [
            ("api.example.com", "example.com"),
            ("api.shop.example.co.uk:8443", "example.co.uk"),
            ("a.github.io", "a.github.io"),
            ("localhost:3000", "localhost"),
            ("10.0.0.7:80", "10.0.0.7"),
            ("[::1]:8080", "[::1]"),
            ("co.uk", "co.uk"),
            ("{tenant}.example.com", "example.com"),
            ("[masked].example.com", "example.com"),
            ("", ""),
        ] {
            assert_eq!(site_of(host), site, "{host}");
        }
    }
}
