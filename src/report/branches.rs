//! Summary of many endpoints by common path prefixes, for step-by-step navigation.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::report::Pattern;

/// A host and path prefix, with the number of endpoints and requests below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    pub(crate) host: String,
    pub(crate) path_prefix: String,
    pub(crate) patterns: u64,
    pub(crate) requests: u64,
}

/// A branch that may still be split.
struct OpenBranch<'r> {
    branch: Branch,
    depth: usize,
    inside: Vec<&'r Pattern>,
}

/// Summarises `patterns` in at most `most` branches that together contain all of them. The branch
/// with the most endpoints is split first.
///
/// Branches are sorted by host and prefix, and depend only on the patterns. If there are more hosts
/// than `most`, the last branch stands for the remaining hosts and has an empty name.
pub(crate) fn branches(patterns: &[&Pattern], most: usize) -> Vec<Branch> {
    let mut by_host: BTreeMap<&str, Vec<&Pattern>> = BTreeMap::new();
    for pattern in patterns {
        by_host.entry(&pattern.host).or_default().push(pattern);
    }
    let mut open: Vec<OpenBranch<'_>> =
        by_host.into_iter().map(|(host, inside)| OpenBranch::new(host, 0, inside)).collect();
    open.sort_by_key(OpenBranch::rank);
    let left = if open.len() > most { open.split_off(most.saturating_sub(1)) } else { Vec::new() };
    let mut heap: BinaryHeap<Reverse<((Reverse<u64>, String, String), usize)>> = BinaryHeap::new();
    let mut places: Vec<Option<OpenBranch<'_>>> = Vec::new();
    for branch in open {
        heap.push(Reverse((branch.rank(), places.len())));
        places.push(Some(branch));
    }
    let mut count = places.len() + usize::from(!left.is_empty());
    while let Some(Reverse((_, at))) = heap.pop() {
        let Some(children) = places[at].as_ref().map(OpenBranch::children) else { continue };
        if children.is_empty() || count - 1 + children.len() > most {
            continue;
        }
        count += children.len() - 1;
        places[at] = None;
        for child in children {
            heap.push(Reverse((child.rank(), places.len())));
            places.push(Some(child));
        }
    }
    let mut found: Vec<Branch> = places.into_iter().flatten().map(|open| open.branch).collect();
    found.sort_by(|a, b| (&a.host, &a.path_prefix).cmp(&(&b.host, &b.path_prefix)));
    if !left.is_empty() {
        let sum = |of: fn(&Branch) -> u64| left.iter().map(|open| of(&open.branch)).sum();
        found.push(Branch {
            host: String::new(),
            path_prefix: String::new(),
            patterns: sum(|branch| branch.patterns),
            requests: sum(|branch| branch.requests),
        });
    }
    found
}

impl<'r> OpenBranch<'r> {
    /// Creates a branch with the longest common prefix of its endpoints.
    fn new(host: &str, depth: usize, inside: Vec<&'r Pattern>) -> Self {
        let first: Vec<&str> =
            inside.first().map_or_else(Vec::new, |pattern| segments(pattern).collect());
        let common = inside.iter().fold(first.len(), |common, pattern| {
            segments(pattern).zip(&first).take(common).take_while(|(a, b)| a == *b).count()
        });
        let depth = common.max(depth);
        let path_prefix = format!("/{}", first[..depth.min(first.len())].join("/"));
        let branch = Branch {
            host: host.to_owned(),
            path_prefix,
            patterns: inside.len() as u64,
            requests: inside.iter().map(|pattern| pattern.request_count).sum(),
        };
        Self { branch, depth, inside }
    }

    /// Sort key: the largest branch first, then by host and prefix.
    fn rank(&self) -> (Reverse<u64>, String, String) {
        let Branch { host, path_prefix, patterns, .. } = &self.branch;
        (Reverse(*patterns), host.clone(), path_prefix.clone())
    }

    /// Splits the branch by the next segment. Empty if it cannot be split.
    fn children(&self) -> Vec<Self> {
        let mut children: BTreeMap<Option<&str>, Vec<&Pattern>> = BTreeMap::new();
        for pattern in &self.inside {
            children.entry(segments(pattern).nth(self.depth)).or_default().push(pattern);
        }
        if children.len() < 2 {
            return Vec::new();
        }
        let host = &self.branch.host;
        children.into_values().map(|inside| Self::new(host, self.depth, inside)).collect()
    }
}

fn segments(pattern: &Pattern) -> impl Iterator<Item = &str> {
    pattern.path_pattern.split('/').filter(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Flow, Patterns};

    #[test]
    fn the_largest_branches_are_taken_apart_first() {
        let mut patterns = Patterns::new();
        for path in
            ["carts/items", "carts/total", "carts/checkout/start", "search", "reports/sales/daily"]
        {
            let url = format!("https://api.example.com/v1/{path}");
            patterns.observe(&Flow::new("GET", &url).unwrap());
        }
        patterns.observe(&Flow::new("GET", "https://other.example.com/").unwrap());
        let report = patterns.report();
        let all: Vec<&Pattern> = report.patterns.iter().collect();
        let shown = |most| -> Vec<String> {
            branches(&all, most)
                .iter()
                .map(|branch| format!("{}{} {}", branch.host, branch.path_prefix, branch.patterns))
                .collect()
        };
        assert_eq!(shown(2), ["api.example.com/v1 5", "other.example.com/ 1"]);
        assert_eq!(
            shown(4),
            [
                "api.example.com/v1/carts 3",
                "api.example.com/v1/reports/sales/daily 1",
                "api.example.com/v1/search 1",
                "other.example.com/ 1"
            ]
        );
        assert_eq!(shown(1), [" 6"]);
        for most in 1..10 {
            let found = branches(&all, most);
            assert!(found.len() <= most);
            assert_eq!(found.iter().map(|branch| branch.patterns).sum::<u64>(), 6);
        }
    }
}
