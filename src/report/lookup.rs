//! Lookup of endpoints by what people write: a name, an id, a template, a path or a URL.

use std::collections::BTreeSet;

use crate::flow::{Flow, Response};
use crate::report::Pattern;
use crate::report::routes::Routes;
use crate::template::segment::is_written_as_value;

/// The endpoints that a text means, in the order of the report. Empty if it means none.
///
/// The text is an id, a name as reports write it (`GET /users/{user_id}`, also with other names of parameters), a path or a
/// URL, each with or without the method. A path is looked up on all hosts.
pub(crate) fn find_endpoints<'p>(
    patterns: &'p [Pattern],
    routes: &Routes,
    text: &str,
) -> Vec<&'p Pattern> {
    let text = text.trim();
    let exact = |pattern: &&Pattern| pattern.id == text || pattern.endpoint == text;
    let found: Vec<&Pattern> = patterns.iter().filter(exact).collect();
    if !found.is_empty() {
        return found;
    }
    let (method, place) = method_and_place(text);
    // Tables show handshakes of websockets so.
    let method = if method == Some("WS") { Some("GET") } else { method };
    let wants = |pattern: &&Pattern| {
        method.is_none_or(|method| pattern.method.eq_ignore_ascii_case(method))
    };
    let (host, template) = host_and_path(place);
    let named = without_names(template);
    let is_named = |pattern: &&Pattern| {
        let operation = pattern.operation.as_ref().map(|name| format!("#{name}"));
        let path = without_names(&pattern.path_pattern);
        let is_path =
            named == path || operation.is_some_and(|operation| named == path + &operation);
        wants(pattern) && is_path && host.is_none_or(|host| pattern.host == host)
    };
    let found: Vec<&Pattern> = patterns.iter().filter(is_named).collect();
    if !found.is_empty() {
        return found;
    }
    let hosts: BTreeSet<&str> = patterns.iter().map(|pattern| &*pattern.host).collect();
    let urls: Vec<String> = match host {
        Some(_) => vec![place.to_owned()],
        None if template.starts_with('/') => {
            hosts.iter().map(|host| format!("https://{host}{template}")).collect()
        }
        None => Vec::new(),
    };
    let methods: BTreeSet<&str> = match method {
        Some(method) => BTreeSet::from([method]),
        None => patterns.iter().map(|pattern| &*pattern.method).collect(),
    };
    let mut ids = BTreeSet::new();
    for (url, method) in urls.iter().flat_map(|url| methods.iter().map(move |method| (url, method)))
    {
        let Some(mut flow) = Flow::new(method, url) else { continue };
        // Requests that were answered with 404 are kept apart.
        for status in [200, 404] {
            flow.response = Some(Response { status, ..Response::default() });
            ids.extend(routes.label(&flow).map(|label| &*label.id));
        }
    }
    patterns.iter().filter(|pattern| ids.contains(&*pattern.id)).collect()
}

/// Names of endpoints that are written nearly as a text, the nearest first.
pub(crate) fn similar_endpoints<'p>(patterns: &'p [Pattern], text: &str) -> Vec<&'p str> {
    /// The most names that are suggested.
    const MAX_SUGGESTIONS: usize = 3;
    /// The least similarity of Jaro and Winkler (1990), from 0 to 1.
    const MIN_SUGGESTED: f64 = 0.75;

    let (method, place) = method_and_place(text.trim());
    let path = host_and_path(place).1;
    let mut near: Vec<(f64, &str)> = patterns
        .iter()
        .map(|pattern| {
            let is_method = method.is_none_or(|method| pattern.method.eq_ignore_ascii_case(method));
            let similarity = path_similarity(path, &pattern.path_pattern);
            // Without a method, what is read comes first.
            let is_other = method.is_none() && pattern.method != "GET";
            let less = if !is_method {
                0.1
            } else if is_other {
                0.01
            } else {
                0.0
            };
            (similarity - less, &*pattern.endpoint)
        })
        .filter(|near| near.0 >= MIN_SUGGESTED)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    near.dedup_by(|a, b| a.1 == b.1);
    near.into_iter().take(MAX_SUGGESTIONS).map(|near| near.1).collect()
}

/// The similarity of a path and a template, from 0 to 1: that of their texts, or of their segments one by one.
fn path_similarity(path: &str, template: &str) -> f64 {
    /// The similarity of a parameter and a text that may as well be a name.
    const MAY_BE_VALUE: f64 = 0.7;

    fn segments(text: &str) -> Vec<&str> {
        text.split('/').filter(|part| !part.is_empty()).collect()
    }

    let whole = strsim::jaro_winkler(path, template);
    let (texts, parts) = (segments(path), segments(template));
    let count = texts.len();
    if count == 0 || count != parts.len() {
        return whole;
    }
    let similarity = |(text, part): (&&str, &&str)| {
        if !part.starts_with('{') {
            strsim::jaro_winkler(text, part)
        } else if text.starts_with('{') || is_written_as_value(text.as_bytes()) {
            1.0
        } else {
            MAY_BE_VALUE
        }
    };
    let sum: f64 = texts.iter().zip(&parts).map(similarity).sum();
    #[expect(clippy::cast_precision_loss, reason = "segments of one path")]
    let mean = sum / count as f64;
    whole.max(mean)
}

/// Splits `GET /users` into its method, if there is one, and the rest.
fn method_and_place(text: &str) -> (Option<&str>, &str) {
    match text.split_once(' ') {
        Some((method, place)) if !method.contains(['/', ':', '.']) => (Some(method), place.trim()),
        _ => (None, text),
    }
}

/// The host of a URL or of `host/path`, and its path with the operation.
fn host_and_path(place: &str) -> (Option<&str>, &str) {
    let Some((scheme, rest)) = place.split_once("://") else { return (None, place) };
    let rest = if scheme.contains('/') { return (None, place) } else { rest };
    let at = rest.find('/').unwrap_or(rest.len());
    (Some(&rest[..at]), if at == rest.len() { "/" } else { &rest[at..] })
}

/// A template in which the names of its parameters do not count.
fn without_names(template: &str) -> String {
    let mut plain = String::new();
    let mut is_inside = false;
    for letter in template.chars() {
        match letter {
            '{' => is_inside = true,
            '}' => is_inside = false,
            _ if is_inside => continue,
            _ => {}
        }
        plain.push(letter);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patterns::Patterns;

    fn patterns() -> Patterns {
        let mut patterns = Patterns::new();
        for number in 100..130 {
            for host in ["api", "beta"] {
                let url = format!("https://{host}.example.com/users/{number}/orders?page={number}");
                patterns.observe(&Flow::new("GET", &url).unwrap());
                let url = format!("https://{host}.example.com/users/{number}");
                patterns.observe(&Flow::new("DELETE", &url).unwrap());
            }
        }
        patterns
    }

    #[test]
    fn a_misspelled_path_suggests_the_endpoint_of_its_values() {
        let report = patterns().report_and_routes().0;
        let similar = similar_endpoints(&report.patterns, "/usrs/12");
        assert_eq!(similar.first(), Some(&"DELETE /users/{user_id}"), "{similar:?}");
        let similar = similar_endpoints(&report.patterns, "/usrs/12/ordrs");
        assert_eq!(similar.first(), Some(&"GET /users/{user_id}/orders"), "{similar:?}");
    }

    #[test]
    fn endpoints_are_found_by_all_that_means_them() {
        let (report, routes) = patterns().report_and_routes();
        let find = |text: &str| -> Vec<String> {
            let found = find_endpoints(&report.patterns, &routes, text);
            found.iter().map(|pattern| format!("{} {}", pattern.host, pattern.endpoint)).collect()
        };
        let orders = "GET /users/{user_id}/orders";
        let both = [format!("api.example.com {orders}"), format!("beta.example.com {orders}")];
        for text in
            [orders, "get /users/{id}/orders", "/users/7/orders", "GET /users/115/orders?page=2"]
        {
            assert_eq!(find(text), both, "{text}");
        }
        for text in [
            "https://api.example.com/users/7/orders",
            "GET https://api.example.com/users/{x}/orders",
        ] {
            assert_eq!(find(text), both[..1], "{text}");
        }
        let id = &report.patterns[0].id;
        assert_eq!(find_endpoints(&report.patterns, &routes, id).len(), 1);
        assert!(find("DELETE /users/7/orders").is_empty() && find("").is_empty());
        assert!(find("https://other.example.com/users/7").is_empty());
    }

    #[test]
    fn near_names_are_suggested() {
        let report = patterns().report();
        let similar = similar_endpoints(&report.patterns, "GET /user/{id}/order");
        assert_eq!(similar, ["GET /users/{user_id}/orders", "DELETE /users/{user_id}"]);
        assert!(similar_endpoints(&report.patterns, "zzz").is_empty());
    }
}
