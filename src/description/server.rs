//! The servers of a description: which URLs belong to it.

use crate::description::cursor::DescriptionCursor;
use crate::report::masked::is_masked;
use crate::template::secret::{Frequency, looks_secret};

/// A server: hosts and a base path, in which `None` stands for a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiServer {
    /// The host with port, in lower case; `None` if the server is a path alone and belongs to every host.
    host: Option<HostPattern>,
    /// Segments of the base path.
    base: Vec<Option<String>>,
    /// The URL as it is written.
    pub(crate) url: String,
}

/// The text of a host between its variables.
#[derive(Clone, Debug, PartialEq, Eq)]
struct HostPattern {
    first: String,
    /// For each variable whether it stands for text that our own descriptions do not show, and the text behind it.
    rest: Vec<(bool, String)>,
}

/// Reads a list of servers of OpenAPI 3.
pub(super) fn servers(list: &DescriptionCursor<'_>) -> Vec<ApiServer> {
    list.items().filter_map(|server| server.text("url").and_then(ApiServer::of_url)).collect()
}

impl ApiServer {
    /// Parses the URL of a server; `None` if it has a scheme and no host.
    pub(crate) fn of_url(url: &str) -> Option<Self> {
        let written = url;
        let (host, path) = match url.split_once("://") {
            Some((scheme, rest)) => {
                let end = rest.find('/').unwrap_or(rest.len());
                let host = rest[..end].to_ascii_lowercase();
                let default = match &*scheme.to_ascii_lowercase() {
                    "http" | "ws" => ":80",
                    _ => ":443",
                };
                let host = host.strip_suffix(default).unwrap_or(&host).to_owned();
                (Some(host), &rest[end..])
            }
            None => (None, url),
        };
        if host.as_deref() == Some("") {
            return None;
        }
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let base = path.split('/').filter(|segment| !segment.is_empty());
        Some(Self {
            host: host.map(|host| HostPattern::of(&host)),
            base: base.map(|part| (!part.contains('{')).then(|| part.to_owned())).collect(),
            url: written.to_owned(),
        })
    }

    /// The server of OpenAPI 2.0.
    pub(super) fn of_parts(host: Option<&str>, base: &str) -> Option<Self> {
        match host {
            Some(host) => Self::of_url(&format!("https://{host}{base}")),
            None => Self::of_url(base),
        }
    }

    /// A server that every request belongs to.
    pub(super) fn any() -> Self {
        Self { host: None, base: Vec::new(), url: "/".to_owned() }
    }

    /// A text that is equal for servers that lead to one place, however they are written.
    pub(crate) fn identity(&self) -> String {
        format!("{:?} {:?}", self.host, self.base)
    }

    /// True if requests to this host belong to the server. The host is in lower case, with its port if that is not the
    /// default.
    pub(crate) fn has_host(&self, host: &str) -> bool {
        self.host.as_ref().is_none_or(|pattern| pattern.fits(host))
    }

    /// True if the host has text that our own descriptions do not show.
    pub(crate) fn has_masked_host(&self) -> bool {
        self.host.as_ref().is_some_and(|host| host.rest.iter().any(|(is_masked, _)| *is_masked))
    }

    /// The segments behind the base path; `None` if the path does not begin with it.
    pub(crate) fn without_base<'s, 'p>(&self, segments: &'s [&'p str]) -> Option<&'s [&'p str]> {
        let (own, rest) = segments.split_at_checked(self.base.len())?;
        let fits =
            |(base, own): (&Option<String>, &&str)| base.as_deref().is_none_or(|base| base == *own);
        self.base.iter().zip(own).all(fits).then_some(rest)
    }
}

impl HostPattern {
    fn of(host: &str) -> Self {
        let (first, mut rest) = host.split_at(host.find('{').unwrap_or(host.len()));
        let mut variables = Vec::new();
        while let Some((name, after)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'))
        {
            let (text, next) = after.split_at(after.find('{').unwrap_or(after.len()));
            variables.push((is_masked(name), text.to_owned()));
            rest = next;
        }
        Self { first: first.to_owned(), rest: variables }
    }

    fn fits(&self, host: &str) -> bool {
        let Some(mut left) = host.strip_prefix(&*self.first) else { return false };
        for (index, (is_masked, text)) in self.rest.iter().enumerate() {
            let is_last = index + 1 == self.rest.len();
            let at =
                if is_last { left.strip_suffix(&**text).map(str::len) } else { left.find(&**text) };
            // A variable stands for at least one character.
            let Some(at) = at.filter(|at| *at > 0) else { return false };
            if *is_masked && !looks_secret(&left.as_bytes()[..at], Frequency::Seldom) {
                return false;
            }
            left = &left[at + text.len()..];
        }
        left.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_bases_belong_to_servers() {
        let server = ApiServer::of_url("https://{tenant}.Example.com:443/api/{version}").unwrap();
        assert!(server.has_host("a.example.com"));
        assert!(!server.has_host(".example.com") && !server.has_host("example.com"));
        assert!(!server.has_host("a.example.com:8443"));
        assert_eq!(server.without_base(&["api", "v1", "users"]), Some(&["users"][..]));
        assert_eq!(server.without_base(&["api"]), None);
        assert_eq!(server.without_base(&["apis", "v1", "users"]), None);
        let relative = ApiServer::of_url("/v2").unwrap();
        assert!(relative.has_host("h.example"));
        assert!(ApiServer::of_url("http://h.example:8080").unwrap().has_host("h.example:8080"));
        assert_eq!(ApiServer::of_url("https:///v1"), None);
        let masked = ApiServer::of_url("https://{masked}.h.example").unwrap();
        assert!(masked.has_host("k3v9qz81xw04tt7a.h.example") && !masked.has_host("www.h.example"));
    }
}
