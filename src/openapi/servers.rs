//! The server of a host, and the part of the paths that belongs to it.

use serde_json::{Map, Value, json};

use crate::report::Pattern;
use crate::report::masked::{MASKED_PARAMETER, is_masked};
use crate::schema::Schemas;

/// Leading segments that locate an API and do not name its subject.
const BASES: [&str; 10] =
    ["api", "apis", "rest", "restapi", "service", "services", "public", "gateway", "ws", "webapi"];

/// The leading segments that all paths have and that say nothing of what they are about: `/api/v1`.
pub(super) fn base_path(patterns: &[&Pattern]) -> String {
    let mut base: Option<Vec<&str>> = None;
    for pattern in patterns.iter().filter(|pattern| !pattern.path_pattern.is_empty()) {
        let segments: Vec<&str> = pattern.path_pattern.split('/').skip(1).collect();
        // Something of each path stays in it.
        let most = segments.len().saturating_sub(1);
        let own = segments.into_iter().take(most).take_while(|segment| is_base(segment));
        let own: Vec<&str> = own.collect();
        base = Some(match base {
            None => own,
            Some(base) => {
                base.into_iter().zip(own).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
            }
        });
    }
    base.unwrap_or_default().iter().flat_map(|segment| ["/", segment]).collect()
}

fn is_base(segment: &str) -> bool {
    let version = segment.strip_prefix('v').unwrap_or(segment);
    let is_version = !version.is_empty()
        && version.len() <= 8
        && version.starts_with(|first: char| first.is_ascii_digit())
        && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && (segment.starts_with('v') || segment.contains('.'));
    is_version || BASES.contains(&&*segment.to_ascii_lowercase())
}

/// The URL of the server of a host, without its variables: `https://api.example.com/v1`.
pub(super) fn server_url(
    host: &str,
    base: &str,
    patterns: &[&Pattern],
    schemas: &Schemas,
) -> String {
    let (mut requests, mut unencrypted) = (0, 0);
    for pattern in patterns {
        if let Some((_, endpoint)) = schemas.get(&pattern.id) {
            requests += endpoint.requests;
            unencrypted += endpoint.unencrypted;
        }
    }
    let scheme = if unencrypted * 2 > requests { "http" } else { "https" };
    format!("{scheme}://{}{base}", with_parameters(host))
}

/// A path or host in which parameters stand for text that is not shown: `/keys/[masked:2]` becomes `/keys/{masked}`, since
/// what a reader is to put there is not known.
pub(super) fn with_parameters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut count = 0;
    while let Some((before, after)) = rest.split_once("[masked") {
        let Some((_, after)) = after.split_once(']') else { break };
        count += 1;
        let number = if count > 1 { format!("{count}") } else { String::new() };
        out.extend([before, "{", MASKED_PARAMETER, &number, "}"]);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The object of a server; variables have a default, which OpenAPI requires. What they stand for is said once, since some
/// validators refuse a text beside a default.
pub(super) fn server(url: &str) -> Value {
    let mut variables = Map::new();
    let mut rest = url;
    let mut is_any_masked = false;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        is_any_masked |= is_masked(name);
        variables.insert(name.to_owned(), json!({ "default": name }));
        rest = after;
    }
    let mut server = Map::new();
    server.insert("url".to_owned(), json!(url));
    if !variables.is_empty() {
        let about = if is_any_masked {
            "A part of the host is not shown, because it looks like a secret."
        } else {
            "Hosts that differ in the variable are one API."
        };
        server.insert("description".to_owned(), json!(about));
        server.insert("variables".to_owned(), Value::Object(variables));
    }
    Value::Object(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_words_for_apis_are_the_base() {
        for segment in ["api", "v1", "V1".to_lowercase().as_str(), "v2.1", "2.0", "rest"] {
            assert!(is_base(segment), "{segment}");
        }
        for segment in ["users", "v", "video", "2024", "vip1", "{id}"] {
            assert!(!is_base(segment), "{segment}");
        }
    }

    #[test]
    fn what_is_not_shown_is_a_parameter() {
        assert_eq!(with_parameters("/a/[masked:2]/b[masked:2.2]"), "/a/{masked}/b{masked2}");
        assert!(is_masked("masked2") && !is_masked("masked_by"));
        assert_eq!(with_parameters("/a/[b]"), "/a/[b]");
    }

    #[test]
    fn variables_of_hosts_have_a_default() {
        let server = server("https://{tenant}.example.com/v1");
        assert_eq!(server["variables"]["tenant"]["default"], "tenant");
    }
}
