//! The evidence trie: a bounded, mergeable aggregate of all observed paths, per host. Nothing is
//! decided here.
//!
//! A node has literal children for segments that may be names, and one child per kind (and frame)
//! for segments that are values in any context. Three bounds limit the trie. Each depends only on
//! *which* segments were observed, not on their order or number, so any split of the traffic merges
//! to an identical trie:
//!
//! - A node keeps the [`TrieBounds::literals`] literal children with the smallest hashes (bottom-k),
//!   and in addition as many that the vocabulary knows. The others are folded into the child of
//!   their kind.
//! - The trie keeps the [`TrieBounds::hosts`] hosts with the smallest hashes and folds the others into
//!   one.
//! - The trie has [`TrieBounds::nodes`] nodes, which hosts share by max-min fairness: a host may have
//!   as many as it needs up to the *share*, the largest number at which the sum over the hosts
//!   fits. A host that needs more has its *level* raised step by step: first its endpoints keep
//!   fewer names of headers and parameters, then fewer segments of a path are distinguished, then
//!   kinds of values are not distinguished, and finally only literals remain whose hash begins with
//!   ever more zero bits. The share only falls as hosts and paths are added. What fits in the whole
//!   therefore fits in every part, and a part never exceeds the level of the whole. If there are
//!   more hosts than are kept, the need of the folded ones is unknown, and the share is the
//!   smallest possible one. Names beyond the free number, and many operations at one node, count as
//!   fractions of nodes.

mod bounds;
mod codec;
mod edge;
mod leaf;
mod node;
mod prune;

pub(crate) use bounds::TrieBounds;
pub(crate) use codec::StoredTrie;
pub(crate) use node::{Leaf, Node, ValuesChild};

use crate::limits;
use crate::simd::is_same;
use crate::sketch::{HeapSize, KeepsNames, Merge, fair_share, stable_hash, vec_bytes};
use crate::template::body_evidence::facts::BodyFacts;
use crate::template::trie::bounds::{MAX_LEVEL, NodeBounds, names_at};
use crate::template::trie::edge::{Edge, edge_of};
use crate::template::trie::node::MAX_LINEAR_CHILDREN;

/// Evidence about all paths of all hosts. `T` is the aggregate of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trie<T> {
    bounds: TrieBounds,
    /// Sorted by (hash, text).
    hosts: Vec<HostTrie<T>>,
    /// Union of all hosts beyond the bound; its text is empty.
    rest: Option<HostTrie<T>>,
    /// Upper bound of the weight: the last exact count plus everything added since.
    weight_bound: usize,
    /// True if nothing was added since the trie was last folded to its bounds.
    is_folded_to_bounds: bool,
}

/// The subtree of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
struct HostTrie<T> {
    hash: u64,
    text: Box<[u8]>,
    /// Folding level, from 0 (nothing is folded) to [`LEVEL_LAST`].
    level: u8,
    node: Node<T>,
}

impl<T> Trie<T> {
    pub(crate) fn new(bounds: TrieBounds) -> Self {
        Self { bounds, hosts: Vec::new(), rest: None, weight_bound: 0, is_folded_to_bounds: true }
    }

    /// The hosts in the order of their hashes, then the union of all hosts beyond the bound as
    /// `None`.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (Option<&[u8]>, &Node<T>)> {
        let named = self.hosts.iter().map(|host| (Some(&*host.text), &host.node));
        named.chain(self.rest.iter().map(|rest| (None, &rest.node)))
    }

    fn is_folded(&self) -> bool {
        self.hosts.iter().chain(&self.rest).any(|host| host.level > 0)
    }

    /// Returns `true` if the trie is known to fit its bounds without counting. `false` means
    /// unknown.
    pub(crate) fn fits(&self) -> bool {
        self.is_folded_to_bounds
            || (self.weight_bound <= self.bounds.weight()
                && self.rest.is_none()
                && !self.is_folded())
    }
}

impl<T: Merge + Default + KeepsNames> Trie<T> {
    /// Counts a request along its path, with what its bodies say if they were read. `observe` then
    /// adds the request to the aggregate of its leaf.
    pub(crate) fn observe<'s>(
        &mut self,
        host: &[u8],
        segments: impl Iterator<Item = &'s [u8]>,
        method: &[u8],
        operation: &[u8],
        bodies: Option<&BodyFacts>,
        observe: impl FnOnce(&mut T),
    ) {
        let most = self.bounds.weight();
        if self.weight_bound > most + most / 4 {
            self.fit();
        }
        let mut made = 0;
        let literals = self.bounds.literals;
        let at = self.host(host);
        let host = match at {
            Some(at) => &mut self.hosts[at],
            None => self.rest.get_or_insert_with(HostTrie::rest),
        };
        let keep = NodeBounds { literals, level: host.level };
        let mut node = &mut host.node;
        let mut is_rest = false;
        for (depth, segment) in segments.enumerate() {
            node.count += 1;
            // A literal that already has a child is a literal at the current level too, so its kind
            // need not be computed.
            if let Some(at) = node.known_literal(segment) {
                node = &mut node.literals[at].node;
                node.observe_segment(bodies, depth);
                continue;
            }
            let edge = edge_of(segment, depth, keep.level);
            let last = matches!(edge, Edge::Rest(_));
            node = node.child(segment, edge, keep, &mut made);
            if last {
                is_rest = true;
                break;
            }
            node.observe_segment(bodies, depth);
        }
        node.count += 1;
        if let Some(answer) = bodies.filter(|_| !is_rest).and_then(BodyFacts::answer) {
            node.bodies.get_or_insert_default().observe_answer(method, answer);
        }
        let ends = node.extra_ends();
        let end = node.end(method, operation);
        let names = end.extra_names_at_most();
        observe(end);
        let names = end.extra_names_at_most().saturating_sub(names);
        let ends = node.extra_ends().saturating_sub(ends);
        let made = made * limits::NODE_WEIGHT + ends * limits::LEAF_WEIGHT + names;
        if made > 0 {
            self.weight_bound += made;
            self.is_folded_to_bounds = false;
        }
    }

    /// Index of a host, inserted if necessary; `None` if it belongs to the rest.
    fn host(&mut self, text: &[u8]) -> Option<usize> {
        if self.hosts.len() <= MAX_LINEAR_CHILDREN
            && let Some(at) = self.hosts.iter().position(|have| is_same(&have.text, text))
        {
            return Some(at);
        }
        let hash = stable_hash(text);
        match self.host_position(hash, text) {
            Ok(at) => Some(at),
            Err(at) if at >= self.bounds.hosts => None,
            Err(at) => {
                self.weight_bound += limits::NODE_WEIGHT;
                self.is_folded_to_bounds = false;
                let host = HostTrie { hash, text: text.into(), level: 0, node: Node::default() };
                self.hosts.insert(at, host);
                self.trim_hosts();
                Some(at)
            }
        }
    }

    fn host_position(&self, hash: u64, text: &[u8]) -> Result<usize, usize> {
        self.hosts
            .binary_search_by(|have| have.hash.cmp(&hash).then_with(|| (*have.text).cmp(text)))
    }

    /// Raises the levels of hosts until the trie fits its bounds.
    pub(crate) fn fit(&mut self) {
        // Names observed since a host was folded are not pruned yet.
        for host in self.hosts.iter_mut().chain(&mut self.rest).filter(|host| host.level > 0) {
            host.node.keep_names(names_at(host.level));
        }
        let mut sizes: Vec<usize> =
            self.hosts.iter().chain(&self.rest).map(|host| host.node.weight()).collect();
        let literals = self.bounds.literals;
        let levels = self.hosts.iter().chain(&self.rest).map(|host| host.level);
        let share = if self.rest.is_some() {
            self.bounds.weight() / (self.bounds.hosts + 1)
        } else {
            fair_share(self.bounds.weight(), &sizes, levels)
        };
        for (host, size) in self.hosts.iter_mut().chain(&mut self.rest).zip(&mut sizes) {
            while *size > share && host.level < MAX_LEVEL {
                host.raise(host.level + 1, literals);
                *size = host.node.weight();
            }
        }
        self.weight_bound = sizes.iter().sum();
        self.is_folded_to_bounds = true;
    }
}

impl<T> HostTrie<T> {
    fn rest() -> Self {
        Self { hash: 0, text: Box::default(), level: 0, node: Node::default() }
    }
}

impl<T: Merge + Default + KeepsNames> HostTrie<T> {
    fn raise(&mut self, level: u8, literals: usize) {
        self.level = level;
        self.node.fold(0, NodeBounds { literals, level });
    }
}

impl<T: HeapSize> HeapSize for Trie<T> {
    fn heap_bytes(&self) -> usize {
        let hosts = self.hosts.iter().chain(&self.rest);
        vec_bytes(&self.hosts)
            + hosts.map(|host| host.text.len() + host.node.heap_bytes()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch::BottomK;
    use proptest::prelude::*;

    crate::sketch::summary! {
        /// Test aggregate: requests at a leaf, and their names.
        struct Requests {
            count: u64,
            names: BottomK<u64, { limits::MAX_NAMES }>,
        }
    }

    /// The names of a path; a third of the paths has many.
    fn names_with(path: &str) -> impl Iterator<Item = [u8; 8]> {
        let hash = stable_hash(path.as_bytes());
        (0..if hash.is_multiple_of(3) { hash >> 8 & 127 } else { 2 })
            .map(move |name| (name + (hash & 63)).to_le_bytes())
    }

    fn observed(paths: &[String], bounds: TrieBounds) -> Trie<Requests> {
        let mut trie = Trie::new(bounds);
        for whole in paths {
            let (host, path) = whole.split_once('/').unwrap();
            let segments = path.split('/').map(str::as_bytes);
            trie.observe(
                host.as_bytes(),
                segments,
                b"GET",
                b"",
                None,
                |requests: &mut Requests| {
                    requests.count += 1;
                    names_with(whole).for_each(|name| *requests.names.entry(&name) += 1);
                },
            );
        }
        trie.fit();
        trie
    }

    /// Requests in a subtree, and names in them.
    fn total(node: &Node<Requests>) -> (u64, u64) {
        let below = node.literals.iter().map(|child| total(&child.node));
        let values = node.values.iter().map(|child| total(&child.node));
        let names =
            |names: &BottomK<u64, _>| names.rest + names.iter().map(|name| name.value).sum::<u64>();
        let own = node.ends.iter().map(|end| (end.seen.count, names(&end.seen.names)));
        own.chain(below).chain(values).fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn tight_bounds_are_free_of_order_and_split(
            paths in prop::collection::vec("[a-d](/(users|me|v1|[qxz]{4}|[qxz]{4}\\.(json|csv|xml|png)|[0-9]{1,5}|[qxz]{4}:(run|stop|cancel)|[0-9]{5}\\.csv)){1,3}", 0..400),
            cut in 0_usize..400,
            bounds in prop_oneof![
                (1_usize..8).prop_map(|literals| TrieBounds { hosts: 2, literals, nodes: 100_000 }),
                (1_usize..5, 12_usize..300)
                    .prop_map(|(hosts, nodes)| TrieBounds { hosts, literals: 10_000, nodes }),
            ],
        ) {
            // The bounds are so small that each is reached, at low and high levels.
            let nodes = bounds.nodes;
            let whole = observed(&paths, bounds);
            let (left, right) = paths.split_at(cut.min(paths.len()));
            let mut backwards = right.to_vec();
            backwards.reverse();
            let mut merged = observed(&backwards, bounds);
            merged.merge(observed(left, bounds));
            prop_assert_eq!(&merged.hosts, &whole.hosts);
            prop_assert_eq!(&merged.rest, &whole.rest);
            let hosts = || whole.hosts.iter().chain(&whole.rest);
            prop_assert_eq!(hosts().map(|host| total(&host.node).0).sum::<u64>(), paths.len() as u64);
            let names = paths.iter().map(|path| names_with(path).count() as u64).sum::<u64>();
            prop_assert_eq!(hosts().map(|host| total(&host.node).1).sum::<u64>(), names);
            let all_last = hosts().all(|host| host.level == MAX_LEVEL || host.level == 0);
            let weight = hosts().map(|host| host.node.weight()).sum::<usize>();
            prop_assert!(weight <= nodes * limits::NODE_WEIGHT || all_last);
        }

        /// Whatever one host contains, the others equal what they would be if it contained no more
        /// than its share.
        #[test]
        fn no_host_takes_the_share_of_another(
            small in prop::collection::vec("a(/(users|me|[qxz]{4})){1,2}", 0..20),
            large in prop::collection::vec("b(/[qxz]{4}){1,4}", 0..300),
        ) {
            let bounds = TrieBounds { hosts: 4, literals: 64, nodes: 100 };
            let alone = observed(&small, bounds);
            let both = observed(&[small, large].concat(), bounds);
            let of = |trie: &Trie<Requests>| trie.hosts.iter().find(|host| &*host.text == b"a").cloned();
            if of(&alone).is_none_or(|host| host.node.weight() <= 50 * limits::NODE_WEIGHT) {
                prop_assert_eq!(of(&both), of(&alone));
            }
        }
    }
}
