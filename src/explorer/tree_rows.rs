//! The tree at the left as rows: hosts, and their paths segment by segment, as far as they are opened.

use std::collections::BTreeSet;

use crate::output::OverviewOptions;
use crate::report::Pattern;
use crate::report::overview::{HostOverview, Overview};
use crate::report::party::Party;
use crate::report::path_tree::PathTree;
use crate::report::{OTHER_HOSTS, Report};

/// A node of the tree: what it stands for, and what its key in sets and lists is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NodeKey {
    /// All hosts.
    #[default]
    All,
    /// The hosts of third parties.
    ThirdParties,
    /// A host, with the segments of a path.
    Path(String, Vec<String>),
}

impl NodeKey {
    /// True if an endpoint is at or below the node.
    pub(super) fn holds(&self, pattern: &Pattern) -> bool {
        match self {
            Self::All => true,
            Self::ThirdParties => pattern.party == Party::Third,
            Self::Path(host, segments) => {
                let mut path = pattern.path_pattern.split('/').filter(|it| !it.is_empty());
                pattern.host == *host
                    && segments.iter().all(|segment| path.next() == Some(&**segment))
            }
        }
    }

    /// The node that this one is below.
    pub(super) fn parent(&self, report: &Report) -> Option<Self> {
        match self {
            Self::All => None,
            Self::ThirdParties => Some(Self::All),
            Self::Path(host, segments) => match segments.split_last() {
                Some((_, before)) => Some(Self::Path(host.clone(), before.to_vec())),
                None if is_third(report, host) => Some(Self::ThirdParties),
                None => Some(Self::All),
            },
        }
    }
}

fn is_third(report: &Report, host: &str) -> bool {
    report.patterns.iter().any(|it| it.host == host && it.party == Party::Third)
}

/// A row of the tree.
#[derive(Clone, Debug)]
pub(super) struct TreeRow {
    pub(super) key: NodeKey,
    pub(super) depth: usize,
    pub(super) label: String,
    pub(super) endpoints: u64,
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) has_children: bool,
    pub(super) is_open: bool,
}

/// The rows of the endpoints of a report that are selected, as far as the nodes are open. `opens_all` opens every node.
pub(super) fn tree_rows(
    report: &Report,
    open: &BTreeSet<NodeKey>,
    opens_all: bool,
    selected: &dyn Fn(&Pattern) -> bool,
) -> Vec<TreeRow> {
    let options = OverviewOptions { fold_third_parties: false, by_class: true };
    let overview = Overview::of(report, options);
    let mut builder = RowBuilder { open, opens_all, rows: Vec::new() };
    let mut all = TreeRow {
        key: NodeKey::All,
        depth: 0,
        label: "all hosts".to_owned(),
        endpoints: 0,
        requests: 0,
        errors: 0,
        has_children: true,
        is_open: true,
    };
    let mut third = TreeRow {
        key: NodeKey::ThirdParties,
        label: "third parties".to_owned(),
        is_open: opens_all || open.contains(&NodeKey::ThirdParties),
        ..all.clone()
    };
    let mut third_rows = Vec::new();
    for host in &overview.hosts {
        let patterns: Vec<&Pattern> =
            host.patterns.iter().copied().filter(|pattern| selected(pattern)).collect();
        let Some(first) = patterns.first() else { continue };
        let is_third = first.party == Party::Third;
        let tree = PathTree::of_segments(&patterns);
        for sum in [Some(&mut all), is_third.then_some(&mut third)].into_iter().flatten() {
            sum.endpoints += tree.endpoints;
            sum.requests += tree.requests;
            sum.errors += tree.errors;
        }
        if is_third && !third.is_open {
            continue;
        }
        let before = builder.rows.len();
        builder.add(&tree, host, &mut Vec::new(), usize::from(is_third));
        if is_third {
            third_rows.extend(builder.rows.drain(before..));
        }
    }
    let mut rows = vec![all];
    rows.append(&mut builder.rows);
    if third.endpoints > 0 {
        rows.push(third);
        rows.append(&mut third_rows);
    }
    rows
}

struct RowBuilder<'b> {
    open: &'b BTreeSet<NodeKey>,
    opens_all: bool,
    rows: Vec<TreeRow>,
}

impl RowBuilder<'_> {
    fn add(
        &mut self,
        node: &PathTree<'_>,
        host: &HostOverview<'_>,
        path: &mut Vec<String>,
        depth: usize,
    ) {
        let is_host = path.is_empty();
        let key = NodeKey::Path(host.host.to_owned(), path.clone());
        let has_children = !node.children.is_empty();
        let is_open = has_children && (self.opens_all || self.open.contains(&key));
        let label = if is_host && host.host == OTHER_HOSTS {
            OTHER_HOSTS.to_owned()
        } else if is_host {
            host.host.to_owned()
        } else {
            node.segments.clone()
        };
        self.rows.push(TreeRow {
            key,
            depth,
            label,
            endpoints: node.endpoints,
            requests: node.requests,
            errors: node.errors,
            has_children,
            is_open,
        });
        if is_open {
            for child in &node.children {
                path.push(child.segments.trim_start_matches('/').to_owned());
                self.add(child, host, path, depth + 1);
                path.pop();
            }
        }
    }
}
