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
mod leaf;
mod prune;

use std::borrow::Cow;

pub(crate) use bounds::TrieBounds;
pub(crate) use codec::StoredTrie;

use crate::limits;
use crate::simd::is_same;
use crate::sketch::{
    DistinctCounter, HeapSize, KeepsNames, Merge, fair_share, fmix64, stable_hash, vec_bytes,
};
use crate::template::body_evidence::NodeBodies;
use crate::template::body_evidence::facts::BodyFacts;
use crate::template::segment::{PLAIN_FRAME, Segment, SegmentKind, is_value, is_value_at};
use crate::template::trie::bounds::{
    LEVEL_ALL_LITERALS, LEVEL_LAST, LEVEL_ONE_KIND, NodeBounds, depth_at, names_at,
};
use crate::template::vocabulary::Vocabulary;

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

/// A node of the trie: one prefix of segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node<T> {
    /// Requests whose path passes through or ends at this node.
    pub(crate) count: u64,
    /// Children for single segments, sorted by (rank, text).
    pub(crate) literals: Vec<LiteralChild<T>>,
    /// Children for kinds of segments, sorted by (kind, frame).
    pub(crate) values: Vec<ValuesChild<T>>,
    /// Leaves of the paths that end at this node, sorted by (method, operation).
    pub(crate) ends: Vec<Leaf<T>>,
    /// What bodies say; `None` if none was read. The node of a value that spans all remaining
    /// segments has none, because it has no segment of its own.
    pub(crate) bodies: Option<Box<NodeBodies>>,
}

/// A child for one segment, kept verbatim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiteralChild<T> {
    /// Sort key: see [`rank`].
    rank: u64,
    pub(crate) hash: u64,
    pub(crate) text: Box<[u8]>,
    pub(crate) node: Box<Node<T>>,
}

/// A child for all segments of one kind and frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValuesChild<T> {
    pub(crate) kind: SegmentKind,
    /// The segment with a zero byte in place of each varying part: see [`Segment::frame`].
    pub(crate) frame: Box<[u8]>,
    /// Sketch of the distinct segments.
    pub(crate) distinct: DistinctCounter<{ limits::MAX_DISTINCT_HASHES }>,
    /// Sketch of the segments that may be names and were folded because there were too many.
    pub(crate) folded: DistinctCounter<{ limits::MAX_DISTINCT_HASHES }>,
    pub(crate) node: Box<Node<T>>,
}

/// A leaf: the aggregate of one method and operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaf<T> {
    pub(crate) method: Box<[u8]>,
    /// The operation, if several are behind this path; empty if the request names none.
    pub(crate) operation: Box<[u8]>,
    pub(crate) seen: Box<T>,
}

/// The edge that a segment follows.
enum Edge {
    Literal(u64),
    Values(ValuesKey),
    /// All remaining segments are one value.
    Rest(u64),
}

/// The values child to which a segment belongs.
struct ValuesKey {
    kind: SegmentKind,
    frame: Cow<'static, [u8]>,
    hash: u64,
    /// True if the segment may be a name.
    folded: bool,
}

impl ValuesKey {
    fn new(segment: &Segment<'_>, hash: u64, level: u8) -> Self {
        let kind = if level >= LEVEL_ONE_KIND { SegmentKind::Symbol } else { segment.kind };
        let frame = segment.frame();
        let all_stay = level <= LEVEL_ALL_LITERALS;
        let frame = if all_stay || stays(stable_hash(&frame), level) { frame } else { PLAIN_FRAME };
        Self { kind, frame, hash, folded: !is_value(segment) }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { count: 0, literals: Vec::new(), values: Vec::new(), ends: Vec::new(), bodies: None }
    }
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
        if self.hosts.len() <= FEW
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
            while *size > share && host.level < LEVEL_LAST {
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

/// The edge of one segment: a pure function of the segment, its depth and the level.
fn edge_of(segment: &[u8], depth: usize, level: u8) -> Edge {
    let parsed = Segment::parse(segment);
    let hash = stable_hash(segment);
    if depth + 1 >= depth_at(level) {
        return Edge::Rest(if is_value(&parsed) { hash } else { fmix64(hash) });
    }
    if is_value_at(&parsed, depth) {
        return Edge::Values(ValuesKey::new(&parsed, hash, level));
    }
    if stays(hash, level) || (stays(hash, level.saturating_sub(KNOWN_BITS)) && is_known(segment)) {
        Edge::Literal(hash)
    } else {
        Edge::Values(ValuesKey::new(&parsed, hash, level))
    }
}

/// Returns `true` if the segment is in the vocabulary. Such literals are kept first, because
/// endpoints consist of them.
fn is_known(segment: &[u8]) -> bool {
    Vocabulary::shipped().knows(Segment::parse(segment).core)
}

/// Number of levels by which known literals outlive unknown ones.
const KNOWN_BITS: u8 = 8;
/// Bit of a rank that is set for literals that are not in the vocabulary.
const UNKNOWN: u64 = 1 << 63;

/// Number of children up to which a linear search is faster than hashing.
const FEW: usize = 8;

/// Sort key of literals: known ones first, then by hash.
fn rank(hash: u64, known: bool) -> u64 {
    if known { hash >> KNOWN_BITS } else { (hash >> 1) | UNKNOWN }
}

/// Returns `true` if a literal or frame with this hash is kept at a level.
fn stays(hash: u64, level: u8) -> bool {
    hash.leading_zeros() >= u32::from(level.saturating_sub(LEVEL_ALL_LITERALS))
}

impl<T: KeepsNames> Node<T> {
    /// Weight of the subtree in names: see [`TrieBounds::weight`].
    fn weight(&self) -> usize {
        let literals = self.literals.iter().map(|child| child.node.weight());
        let below = literals.chain(self.values.iter().map(|child| child.node.weight()));
        let names: usize = self.ends.iter().map(|end| end.seen.extra_names()).sum();
        let own = limits::NODE_WEIGHT + self.extra_ends() * limits::LEAF_WEIGHT + names;
        own + below.sum::<usize>()
    }

    /// Prunes every table of every endpoint in the subtree to `most` names.
    fn keep_names(&mut self, most: usize) {
        self.ends.iter_mut().for_each(|end| end.seen.keep_names(most));
        self.literals.iter_mut().for_each(|child| child.node.keep_names(most));
        self.values.iter_mut().for_each(|child| child.node.keep_names(most));
    }
}

impl<T> Node<T> {
    /// Adds what the bodies of a request say about the segment that leads to the node.
    #[inline]
    fn observe_segment(&mut self, bodies: Option<&BodyFacts>, depth: usize) {
        if let Some(facts) = bodies.and_then(|bodies| bodies.segment(depth)) {
            self.bodies.get_or_insert_default().observe_segment(facts);
        }
    }

    fn extra_ends(&self) -> usize {
        self.ends.len().saturating_sub(limits::FREE_LEAVES)
    }

    fn position(&self, rank: u64, text: &[u8]) -> Result<usize, usize> {
        self.literals
            .binary_search_by(|have| have.rank.cmp(&rank).then_with(|| (*have.text).cmp(text)))
    }

    /// Index of a literal child, in the vocabulary or not.
    fn find(&self, hash: u64, text: &[u8]) -> Option<usize> {
        let found = self.position(rank(hash, false), text);
        found.or_else(|_| self.position(rank(hash, true), text)).ok()
    }

    /// Index of a literal child. A short list is searched without hashing the segment.
    #[inline]
    fn known_literal(&self, text: &[u8]) -> Option<usize> {
        if self.literals.len() <= FEW {
            return self.literals.iter().position(|have| is_same(&have.text, text));
        }
        self.find(stable_hash(text), text)
    }

    /// Number of literal children in the vocabulary. They come first.
    fn known(&self) -> usize {
        self.literals.partition_point(|have| have.rank < UNKNOWN)
    }
}

impl<T: HeapSize> HeapSize for Node<T> {
    fn heap_bytes(&self) -> usize {
        let own = vec_bytes(&self.literals) + vec_bytes(&self.values) + vec_bytes(&self.ends);
        let bodies = |bodies: &NodeBodies| size_of::<NodeBodies>() + bodies.heap_bytes();
        let own = own + self.bodies.as_deref().map_or(0, bodies);
        let literals = self
            .literals
            .iter()
            .map(|child| child.text.len() + size_of::<Self>() + child.node.heap_bytes());
        let values = self.values.iter().map(|child| {
            child.frame.len()
                + child.distinct.heap_bytes()
                + child.folded.heap_bytes()
                + size_of::<Self>()
                + child.node.heap_bytes()
        });
        let ends = self.ends.iter().map(|end| {
            end.method.len() + end.operation.len() + size_of::<T>() + end.seen.heap_bytes()
        });
        own + literals.chain(values).chain(ends).sum::<usize>()
    }
}

impl<T: HeapSize> HeapSize for Trie<T> {
    fn heap_bytes(&self) -> usize {
        let hosts = self.hosts.iter().chain(&self.rest);
        vec_bytes(&self.hosts)
            + hosts.map(|host| host.text.len() + host.node.heap_bytes()).sum::<usize>()
    }
}

impl<T: Merge + Default + KeepsNames> Node<T> {
    /// The child that an edge leads to, inserted if necessary. `made` counts inserted nodes.
    fn child(
        &mut self,
        segment: &[u8],
        edge: Edge,
        keep: NodeBounds,
        made: &mut usize,
    ) -> &mut Self {
        match edge {
            Edge::Rest(hash) => self.rest_node(hash, made),
            Edge::Values(key) => self.values_node(&key, made),
            Edge::Literal(hash) => match self.find(hash, segment) {
                Some(at) => &mut self.literals[at].node,
                None => self.new_literal(segment, hash, keep, made),
            },
        }
    }

    /// Inserts a literal child, or folds the segment into a values child if the bottom-k bound
    /// excludes it.
    fn new_literal(
        &mut self,
        segment: &[u8],
        hash: u64,
        keep: NodeBounds,
        made: &mut usize,
    ) -> &mut Self {
        let known = is_known(segment);
        let rank = rank(hash, known);
        let at = self.position(rank, segment).unwrap_or_else(|at| at);
        let first_too_many = if known { keep.literals } else { self.known() + keep.literals };
        if at >= first_too_many {
            let key = ValuesKey::new(&Segment::parse(segment), hash, keep.level);
            return self.values_node(&key, made);
        }
        *made += 1;
        self.literals
            .insert(at, LiteralChild { rank, hash, text: segment.into(), node: Box::default() });
        self.trim_literals(keep);
        &mut self.literals[at].node
    }

    /// The values child of a kind and frame, inserted if necessary.
    fn values(&mut self, kind: SegmentKind, frame: &[u8], made: &mut usize) -> &mut ValuesChild<T> {
        let found = self
            .values
            .binary_search_by(|have| have.kind.cmp(&kind).then_with(|| (*have.frame).cmp(frame)));
        let at = found.unwrap_or_else(|at| {
            *made += 1;
            let (distinct, folded) = (DistinctCounter::default(), DistinctCounter::default());
            let (frame, node) = (frame.into(), Box::default());
            self.values.insert(at, ValuesChild { kind, frame, distinct, folded, node });
            at
        });
        &mut self.values[at]
    }

    /// The node of a values child, after counting the segment as distinct.
    fn values_node(&mut self, key: &ValuesKey, made: &mut usize) -> &mut Self {
        let values = self.values(key.kind, &key.frame, made);
        if key.folded {
            let hash = fmix64(key.hash);
            values.distinct.observe(hash);
            values.folded.observe(hash);
        } else {
            values.distinct.observe(key.hash);
        }
        &mut values.node
    }

    /// The node for all remaining segments as one value, after counting them as distinct.
    fn rest_node(&mut self, hash: u64, made: &mut usize) -> &mut Self {
        let values = self.values(SegmentKind::Path, &PLAIN_FRAME, made);
        values.distinct.observe(hash);
        &mut values.node
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
            let all_last = hosts().all(|host| host.level == LEVEL_LAST || host.level == 0);
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
