//! The endpoints of a host as a tree of path segments.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::report::Pattern;

/// A node of the tree: a path prefix, with sums over all endpoints at and below it.
#[derive(Debug, Default)]
pub(crate) struct PathTree<'r> {
    /// The segments from the parent to this node, each after a slash; empty for a host.
    pub(crate) segments: String,
    pub(crate) endpoints: u64,
    pub(crate) requests: u64,
    /// Requests that failed, or were answered with 4xx or 5xx.
    pub(crate) errors: u64,
    /// The endpoints whose path ends here, in the order of the report.
    pub(crate) patterns: Vec<&'r Pattern>,
    /// The prefixes below, those with most requests first.
    pub(crate) children: Vec<PathTree<'r>>,
}

/// A node while the tree is built.
#[derive(Default)]
struct GrowingNode<'r> {
    patterns: Vec<&'r Pattern>,
    children: BTreeMap<&'r str, GrowingNode<'r>>,
}

impl<'r> PathTree<'r> {
    /// The tree of some endpoints of one host, in which prefixes with a single continuation are one node with it.
    pub(crate) fn of(patterns: &[&'r Pattern]) -> Self {
        Self::from_patterns(patterns, true)
    }

    /// The tree of some endpoints of one host, with a node for each segment.
    #[cfg(feature = "tui")]
    pub(crate) fn of_segments(patterns: &[&'r Pattern]) -> Self {
        Self::from_patterns(patterns, false)
    }

    fn from_patterns(patterns: &[&'r Pattern], joins: bool) -> Self {
        let mut root = GrowingNode::default();
        for pattern in patterns {
            let mut branch = &mut root;
            for segment in pattern.path_pattern.split('/').filter(|segment| !segment.is_empty()) {
                branch = branch.children.entry(segment).or_default();
            }
            branch.patterns.push(pattern);
        }
        Self::from_branch(String::new(), root, joins)
    }

    fn from_branch(segments: String, branch: GrowingNode<'r>, joins: bool) -> Self {
        let is_host = segments.is_empty();
        let mut children: Vec<Self> = branch
            .children
            .into_iter()
            .map(|(segment, below)| Self::from_branch(format!("/{segment}"), below, joins))
            .collect();
        if joins
            && branch.patterns.is_empty()
            && children.len() == 1
            && !is_host
            && let Some(only) = children.pop()
        {
            return Self { segments: segments + &only.segments, ..only };
        }
        children.sort_by(|a, b| {
            (Reverse(a.requests), &a.segments).cmp(&(Reverse(b.requests), &b.segments))
        });
        let mut node = Self { segments, patterns: branch.patterns, ..Self::default() };
        for pattern in &node.patterns {
            node.endpoints += 1;
            node.requests += pattern.request_count;
            node.errors += pattern.errors();
        }
        for child in &children {
            node.endpoints += child.endpoints;
            node.requests += child.requests;
            node.errors += child.errors;
        }
        node.children = children;
        node
    }
}

#[cfg(test)]
mod tests {
    use super::PathTree;
    use crate::{Flow, Patterns};

    #[test]
    fn prefixes_with_one_continuation_are_one_node() {
        let mut patterns = Patterns::new();
        for url in ["/api/v1/users", "/api/v1/users/12/posts", "/api/v1/teams", "/about"] {
            patterns.observe(&Flow::new("GET", &format!("https://h.example{url}")).unwrap());
        }
        let report = patterns.report();
        let tree = PathTree::of(&report.patterns.iter().collect::<Vec<_>>());
        assert_eq!((tree.endpoints, tree.requests), (4, 4));
        let [api, about] = &*tree.children else { panic!("two prefixes") };
        assert_eq!((&*api.segments, &*about.segments), ("/api/v1", "/about"));
        let users = &api.children[0];
        assert_eq!((&*users.segments, users.endpoints), ("/users", 2));
        assert_eq!(users.children[0].segments, "/{user_id}/posts");
    }
}
