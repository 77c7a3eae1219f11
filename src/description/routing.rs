//! Finds the operation that a request belongs to: the most literal path that fits.

use std::collections::BTreeMap;

use crate::description::files::decoded;
use crate::description::operation::ApiOperation;
use crate::description::path_text::texts_between;

/// Alternatives that are tried for one request. Real descriptions need a handful.
const MAX_STEPS: u32 = 10_000;

/// Operations by the segments of their paths.
#[derive(Debug, Default)]
pub(crate) struct ApiRoutes {
    nodes: Vec<ApiRouteNode>,
}

#[derive(Debug, Default)]
struct ApiRouteNode {
    literals: BTreeMap<Box<str>, usize>,
    /// Segments with text beside a parameter: the text between parameters, and the node.
    mixed: Vec<(Vec<Box<str>>, usize)>,
    parameter: Option<usize>,
    /// Operations whose path ends here: method and index.
    operations: Vec<(Box<str>, usize)>,
    /// Operations whose last parameter may have slashes.
    spanning: Vec<(Box<str>, usize)>,
}

/// The result of finding the operation of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteMatch {
    /// The index of the operation.
    Operation(usize),
    /// The path is described, by this operation among others, and the method is not.
    OtherMethod(usize),
    None,
}

impl ApiRoutes {
    pub(super) fn new(operations: &[ApiOperation]) -> Self {
        let mut routes = Self { nodes: vec![ApiRouteNode::default()] };
        for (index, operation) in operations.iter().enumerate() {
            routes.add(index, operation);
        }
        routes
    }

    fn add(&mut self, index: usize, operation: &ApiOperation) {
        let mut node = 0;
        let path = operation.path.split(['?', '#']).next().unwrap_or_default();
        let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let mut before_last = 0;
        for segment in &segments {
            before_last = node;
            let next = self.nodes.len();
            let own = &mut self.nodes[node];
            let texts = texts_between(segment);
            node = if texts.len() == 1 {
                *own.literals.entry(decoded(segment).as_ref().into()).or_insert(next)
            } else if texts.iter().all(|text| text.is_empty()) {
                *own.parameter.get_or_insert(next)
            } else if let Some((_, known)) = own.mixed.iter().find(|(known, _)| *known == texts) {
                *known
            } else {
                own.mixed.push((texts, next));
                // The one with most text is tried first.
                own.mixed.sort_by_key(|(texts, _)| {
                    std::cmp::Reverse(texts.iter().map(|text| text.len()).sum::<usize>())
                });
                next
            };
            if node == next {
                self.nodes.push(ApiRouteNode::default());
            }
        }
        let entry = (operation.method.as_str().into(), index);
        let spans = segments.last().is_some_and(|last| spans_by_name(last));
        if operation.spans_segments || spans {
            self.nodes[before_last].spanning.push(entry.clone());
        }
        self.nodes[node].operations.push(entry);
    }

    /// The operation of a request with these segments behind the base path, percent-encoded as sent.
    pub(crate) fn find(&self, method: &str, segments: &[&str]) -> RouteMatch {
        let decoded: Vec<_> = segments.iter().map(|segment| decoded(segment)).collect();
        let segments: Vec<&str> = decoded.iter().map(|segment| &**segment).collect();
        let mut search = RouteSearch { routes: self, method, steps: 0, other: None };
        match search.search_below(0, &segments) {
            Some(index) => RouteMatch::Operation(index),
            None => search.other.map_or(RouteMatch::None, RouteMatch::OtherMethod),
        }
    }
}

struct RouteSearch<'r> {
    routes: &'r ApiRoutes,
    method: &'r str,
    steps: u32,
    other: Option<usize>,
}

impl RouteSearch<'_> {
    fn search_below(&mut self, node: usize, segments: &[&str]) -> Option<usize> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return None;
        }
        let node = &self.routes.nodes[node];
        let Some((first, rest)) = segments.split_first() else {
            return self.select_method(&node.operations);
        };
        if let Some(next) = node.literals.get(*first)
            && let Some(found) = self.search_below(*next, rest)
        {
            return Some(found);
        }
        for (texts, next) in &node.mixed {
            if fits(texts, first)
                && let Some(found) = self.search_below(*next, rest)
            {
                return Some(found);
            }
        }
        if let Some(next) = node.parameter
            && let Some(found) = self.search_below(next, rest)
        {
            return Some(found);
        }
        self.select_method(&node.spanning)
    }

    fn select_method(&mut self, operations: &[(Box<str>, usize)]) -> Option<usize> {
        if let Some((_, first)) = operations.first() {
            self.other.get_or_insert(*first);
        }
        operations.iter().find(|(method, _)| **method == *self.method).map(|(_, index)| *index)
    }
}

/// True if a segment has the texts of a template around at least one character for each parameter.
fn fits(texts: &[Box<str>], segment: &str) -> bool {
    let [first, middle @ .., last] = texts else { return false };
    let Some(rest) = segment.strip_prefix(&**first) else { return false };
    let Some(mut rest) = rest.strip_suffix(&**last) else { return false };
    for text in middle {
        let Some(at) = rest.get(1..).and_then(|rest| rest.find(&**text)) else { return false };
        rest = &rest[at + 1 + text.len()..];
    }
    !rest.is_empty()
}

/// True if the name of a parameter says that it is a path: `{path}`, `{path+}`, `{+key}`, `{proxy*}`.
fn spans_by_name(segment: &str) -> bool {
    let Some(name) = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
        return false;
    };
    let plain = name.to_ascii_lowercase();
    name.starts_with(['+', '*'])
        || name.ends_with(['+', '*'])
        || ["path", "file_path", "filepath", "filename", "file_name", "subpath", "splat", "rest"]
            .contains(&&*plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_segment() {
        assert_eq!(texts_between("users"), ["users".into()]);
        assert_eq!(texts_between("{id}"), ["".into(), "".into()]);
        assert_eq!(texts_between("{id}.json"), ["".into(), ".json".into()]);
        assert!(fits(&texts_between("{a}...{b}"), "x...y"));
        assert!(!fits(&texts_between("{id}.json"), ".json"));
        assert!(!fits(&texts_between("{a}-{b}"), "ab"));
    }
}
