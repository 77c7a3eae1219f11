//! Which host and which paths a description is about, by its `servers`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::openapi::merge::tree::{SourceId, SourceTree};

/// Servers of a description that are read.
const MAX_SERVERS: usize = 100;

/// A server of an edited description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// The host in lower case, with variables as `{name}`; `None` where the URL is relative.
    pub(super) host: Option<String>,
    /// The path without a slash at its end.
    pub(super) base: String,
}

/// The servers of a description; one without a host if it has none.
pub(super) fn addresses(tree: &SourceTree) -> Vec<Address> {
    let servers = tree.get(SourceId::ROOT, "servers");
    let items = servers.map_or(&[][..], |servers| tree.items(servers));
    let mut found: Vec<Address> = Vec::new();
    for item in items.iter().take(MAX_SERVERS) {
        let Some(url) = tree.text(*item, "url") else { continue };
        let variables = tree.get(*item, "variables");
        let default = |name: &str| tree.text(tree.get(variables?, name)?, "default");
        found.push(address(&url, default));
    }
    if found.is_empty() {
        found.push(Address { host: None, base: String::new() });
    }
    found
}

fn address(url: &str, default: impl Fn(&str) -> Option<String>) -> Address {
    let (scheme, rest) = match url.split_once("//") {
        Some((scheme, rest)) => (scheme.trim_end_matches(':'), Some(rest)),
        None => ("", None),
    };
    let (host, path) = match rest {
        Some(rest) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            (Some(&rest[..end]), &rest[end..])
        }
        None => (None, url),
    };
    let host = host.map(|host| {
        let host = host.rsplit('@').next().unwrap_or(host).to_ascii_lowercase();
        let port = if scheme.eq_ignore_ascii_case("http") { ":80" } else { ":443" };
        host.strip_suffix(port).unwrap_or(&host).to_owned()
    });
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut base = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let part = name.and_then(&default).unwrap_or_else(|| part.to_owned());
        base.push('/');
        base.push_str(part.trim_matches('/'));
    }
    Address { host, base }
}

/// Returns `true` if a host matches an address, whose variables match any text.
pub(super) fn is_host_of(address: &Address, host: &str) -> bool {
    let Some(written) = &address.host else { return false };
    let host = host.to_ascii_lowercase();
    let mut pieces = written.split('{').enumerate().map(|(n, piece)| {
        if n == 0 { piece } else { piece.split_once('}').map_or(piece, |(_, rest)| rest) }
    });
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = host.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

/// A path in which no parameter has a name.
pub(super) fn shape_of(path: &str) -> String {
    let mut shape = String::new();
    for (n, part) in path.split('{').enumerate() {
        if n == 0 {
            shape.push_str(part);
            continue;
        }
        shape.push_str("{}");
        shape.push_str(part.split_once('}').map_or(part, |(_, rest)| rest));
    }
    shape
}

/// The names of the parameters in a path, in order.
pub(super) fn parameter_names(path: &str) -> Vec<String> {
    let parts = path.split('{').skip(1).filter_map(|part| part.split_once('}'));
    parts.map(|(name, _)| name.to_owned()).collect()
}

/// The paths of an edited description, by shape.
#[derive(Debug)]
pub(super) struct PathIndex {
    bases: Vec<String>,
    paths: BTreeMap<String, (String, SourceId)>,
}

/// The place of a path of the capture in an edited description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PathPlace {
    /// It is there, under this name.
    Known(String, SourceId),
    /// It is not there, and would have this name.
    New(String),
    /// No server has a base that it begins with.
    Outside,
}

impl PathIndex {
    /// The paths below the servers that are of the host, or of all servers if none has a host.
    pub(super) fn new(tree: &SourceTree, host: &str) -> Self {
        let all = addresses(tree);
        let is_own = |address: &&Address| address.host.is_none() || is_host_of(address, host);
        let mut bases: Vec<String> =
            all.iter().filter(is_own).map(|address| address.base.clone()).collect();
        if bases.is_empty() {
            bases = all.into_iter().map(|address| address.base).collect();
        }
        let mut seen = BTreeSet::new();
        bases.retain(|base| seen.insert(base.clone()));
        let paths = tree.get(SourceId::ROOT, "paths");
        let entries = paths.map_or(&[][..], |paths| tree.entries(paths));
        let mut by_shape = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.key.starts_with('/')) {
            let value = (entry.key.clone(), tree.behind_alias(entry.value));
            by_shape.entry(shape_of(&entry.key)).or_insert(value);
        }
        Self { bases, paths: by_shape }
    }

    /// Finds the place of a path with its base.
    pub(super) fn place_of(&self, path: &str) -> PathPlace {
        let within =
            |base: &String| path.strip_prefix(&**base).filter(|rest| rest.starts_with('/'));
        let known =
            self.bases.iter().filter_map(within).find_map(|rest| self.paths.get(&shape_of(rest)));
        if let Some((key, id)) = known {
            return PathPlace::Known(key.clone(), *id);
        }
        // The longest base leaves the path as people would write it.
        let longest = self.bases.iter().filter_map(within).min_by_key(|rest| rest.len());
        longest.map_or(PathPlace::Outside, |rest| PathPlace::New(rest.to_owned()))
    }
}

/// The path of the server of a captured host.
pub(super) fn base_of(api: &Value) -> &str {
    let url = api["servers"][0]["url"].as_str().unwrap_or_default();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("", |at| &rest[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_have_hosts_and_bases() {
        let of = |url: &str| {
            let found = address(url, |name| (name == "version").then(|| "v2".to_owned()));
            (found.host.unwrap_or_default(), found.base)
        };
        let pair = |host: &str, base: &str| (host.to_owned(), base.to_owned());
        assert_eq!(of("https://API.example.com:443/v1/"), pair("api.example.com", "/v1"));
        assert_eq!(of("http://localhost:8080"), pair("localhost:8080", ""));
        assert_eq!(of("/api/{version}"), pair("", "/api/v2"));
        assert_eq!(of("//u:p@x.org/a?b"), pair("x.org", "/a"));
    }

    #[test]
    fn variables_of_hosts_stand_for_any_text() {
        let host = |host: &str| Address { host: Some(host.to_owned()), base: String::new() };
        assert!(is_host_of(&host("{tenant}.example.com"), "Acme.example.com"));
        assert!(is_host_of(&host("api.{region}.example.com:{port}"), "api.eu.example.com:8080"));
        assert!(!is_host_of(&host("api.example.com"), "api.example.com.evil.org"));
        assert!(!is_host_of(&host("{tenant}.example.com"), "example.com"));
    }

    #[test]
    fn shapes_have_no_names() {
        assert_eq!(shape_of("/a/{x}/b.{format}"), "/a/{}/b.{}");
        assert_eq!(parameter_names("/a/{x}/{lat},{lon}"), ["x", "lat", "lon"]);
    }
}
