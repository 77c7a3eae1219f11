//! Accuracy measures of the log-parsing field (LogHub-2.0), applied to endpoint templates.

use std::collections::{BTreeMap, BTreeSet};

/// A labelled request: its method, host and path, its true template, and the inferred template.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// As in `GET`.
    pub method: String,
    /// In lower case, with the port that the URL has.
    pub host: String,
    /// Without its query.
    pub path: String,
    /// The true template.
    pub truth: String,
    /// The template that was inferred.
    pub template: String,
}

impl Labelled {
    /// A request to an absolute URL.
    #[must_use]
    pub fn new(method: String, url: &str, truth: String, template: String) -> Self {
        let after = url.split_once("://").map_or("", |parts| parts.1);
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let path = after[end..].split(['?', '#']).next().unwrap_or_default().to_owned();
        Self { method, host: after[..end].to_ascii_lowercase(), path, truth, template }
    }
}

/// Accuracy of a corpus. The measures are shares from 0 to 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Score {
    /// Number of requests with a known template.
    pub requests: usize,
    /// Number of true endpoints.
    pub true_groups: usize,
    /// Number of endpoints that were inferred.
    pub groups: usize,
    /// GA: share of requests whose group equals a true group.
    pub grouping: f64,
    /// FGA: F1 score over groups that equal a true group.
    pub group_f1: f64,
    /// FTA: F1 score over groups that equal a true group and whose template has its parameters at the right segments.
    pub template_f1: f64,
    /// Number of true endpoints without a path parameter.
    pub static_groups: usize,
    /// Number of static endpoints that are merged with another endpoint or shown with a parameter.
    pub static_wrong: usize,
}

type Key<'a> = (&'a str, &'a str, &'a str);

fn groups<'a>(
    requests: &'a [Labelled],
    name: impl Fn(&'a Labelled) -> &'a str,
) -> BTreeMap<Key<'a>, Vec<usize>> {
    let mut groups: BTreeMap<Key<'a>, Vec<usize>> = BTreeMap::new();
    for (i, request) in requests.iter().enumerate() {
        groups.entry((&request.method, &request.host, name(request))).or_default().push(i);
    }
    groups
}

fn segments(template: &str) -> Vec<&str> {
    let path = template.split(['?', '#']).next().unwrap_or_default();
    path.trim_matches('/').split('/').collect()
}

fn is_variable(segment: &str) -> bool {
    segment.contains('{') || segment.starts_with(':') || matches!(segment, "*" | "**" | "<*>")
}

/// Returns `true` if the template of a group has its parameters at the right segments. A true parameter with only one
/// observed value may also be shown as a literal, since the two cannot be distinguished.
fn is_exact(requests: &[Labelled], members: &[usize]) -> bool {
    let first = &requests[members[0]];
    let (truth, given) = (segments(&first.truth), segments(&first.template));
    truth.len() == given.len()
        && (0..truth.len()).all(|at| {
            let seen: BTreeSet<Option<&str>> =
                members.iter().map(|i| segments(&requests[*i].path).get(at).copied()).collect();
            let (wanted, got) = (is_variable(truth[at]), is_variable(given[at]));
            wanted == got || (wanted && seen.len() < 2)
        })
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn f1(right: usize, given: usize, wanted: usize) -> f64 {
    let (precision, recall) = (ratio(right, given), ratio(right, wanted));
    if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
}

/// Compares the inferred templates of requests with the true ones.
#[must_use]
pub fn score(requests: &[Labelled]) -> Score {
    let wanted = groups(requests, |request| &request.truth);
    let given = groups(requests, |request| &request.template);
    let true_sets: BTreeSet<&Vec<usize>> = wanted.values().collect();
    let right: Vec<&Vec<usize>> =
        given.values().filter(|members| true_sets.contains(members)).collect();
    let exact = right.iter().filter(|members| is_exact(requests, members)).count();
    let is_static = |key: &&Key<'_>| !segments(key.2).iter().any(|segment| is_variable(segment));
    let is_wrong = |(key, members): &(&Key<'_>, &Vec<usize>)| {
        members.iter().any(|i| {
            let template = &*requests[*i].template;
            let beside = given.get(&(key.0, key.1, template));
            segments(template).iter().any(|segment| is_variable(segment))
                || beside.is_some_and(|group| group.iter().any(|j| requests[*j].truth != key.2))
        })
    };
    let statics = || wanted.iter().filter(|(key, _)| is_static(key));
    Score {
        static_groups: statics().count(),
        static_wrong: statics().filter(is_wrong).count(),
        requests: requests.len(),
        true_groups: wanted.len(),
        groups: given.len(),
        grouping: ratio(right.iter().map(|members| members.len()).sum(), requests.len()),
        group_f1: f1(right.len(), given.len(), wanted.len()),
        template_f1: f1(exact, given.len(), wanted.len()),
    }
}
