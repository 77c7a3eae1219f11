//! The evidence trie: where paths vary, host by host, in bounded and mergeable form. Nothing is decided here.
//!
//! A node keeps literal children for segments that may be names, and one child per kind (and suffix) for segments that
//! are values whatever stands around them. Two bounds keep it small, and both depend on *which* segments were seen,
//! never on their order, so that any split of the traffic merges to the same trie:
//!
//! - a node keeps the [`Bounds::literals`] literal children with the smallest hashes (bottom-k), and beside them as many
//!   as [`limits::KNOWN_CHILDREN`] that the vocabulary knows; it folds the others into the child of their kind;
//! - where the whole trie has more than [`Bounds::nodes`] nodes, the *level* rises: at level n only literals whose hash
//!   begins with n zero bits stay. The level of a state is the lowest at which it fits, and what fits as a whole fits in
//!   every part, so a part never rises above the whole.

mod ends;
mod flat;
mod fold;

use crate::bits::is_same;
use crate::limits;
use crate::sketch::{Distinct, HeapSize, Merge, stable_hash, vec_bytes};
use crate::template::segment::{Segment, SegmentKind};
use crate::template::vocabulary::Vocabulary;

/// How much a trie may keep. States merge only with equal bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) hosts: usize,
    pub(crate) literals: usize,
    pub(crate) nodes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { hosts: limits::HOSTS, literals: limits::LITERAL_CHILDREN, nodes: limits::TRIE_NODES }
    }
}

/// What is kept at a level.
#[derive(Clone, Copy, Debug)]
struct Keep {
    hosts: usize,
    literals: usize,
    level: u8,
}

/// From this level on all kinds of values are one.
const LEVEL_ONE_KIND: u8 = 16;
/// From this level on the number of segments that are told apart is halved with each level.
const LEVEL_SHALLOW: u8 = 18;
const LEVEL_LAST: u8 = 24;

/// Evidence about every path of every host; `T` is what is known of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trie<T> {
    bounds: Bounds,
    level: u8,
    root: Node<T>,
    /// Nodes made since they were last counted, on top of that count: an upper bound.
    made: usize,
}

/// What was seen at one place of the trie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node<T> {
    /// Requests that passed through or ended here.
    pub(crate) count: u64,
    /// Sorted by (rank, text).
    pub(crate) literals: Vec<Literal<T>>,
    /// Sorted by key.
    pub(crate) values: Vec<Values<T>>,
    /// What ended here, sorted by method and operation.
    pub(crate) ends: Vec<End<T>>,
}

/// A child for one segment, kept as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Literal<T> {
    /// What it is sorted by: see [`rank`].
    rank: u64,
    pub(crate) hash: u64,
    pub(crate) text: Box<[u8]>,
    pub(crate) node: Box<Node<T>>,
}

/// A child for all segments of one kind and suffix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Values<T> {
    pub(crate) kind: SegmentKind,
    pub(crate) suffix: Box<[u8]>,
    pub(crate) distinct: Distinct<{ limits::DISTINCT_HASHES }>,
    pub(crate) node: Box<Node<T>>,
}

/// The endpoint statistics of one method and operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End<T> {
    pub(crate) method: Box<[u8]>,
    /// One of several operations behind this path; empty where the request names none.
    pub(crate) operation: Box<[u8]>,
    pub(crate) seen: Box<T>,
}

/// Where a segment leads.
enum Edge<'a> {
    Literal(u64),
    Values(SegmentKind, &'a [u8], u64),
    /// All that follows is one value.
    Rest(u64),
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { count: 0, literals: Vec::new(), values: Vec::new(), ends: Vec::new() }
    }
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self::new(Bounds::default())
    }
}

impl<T> Trie<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, level: 0, root: Node::default(), made: 0 }
    }

    /// The hosts, in the order of their hashes, and one node for all that had no place among them.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (Option<&[u8]>, &Node<T>)> {
        let named = self.root.literals.iter().map(|host| (Some(&*host.text), &*host.node));
        named.chain(self.root.values.iter().map(|rest| (None, &*rest.node)))
    }
}

impl<T: Merge + Default> Trie<T> {
    /// The statistics of the endpoint to which a request belongs, counted on the way.
    pub(crate) fn observe<'s>(
        &mut self,
        host: &[u8],
        segments: impl Iterator<Item = &'s [u8]>,
        method: &[u8],
        operation: &[u8],
    ) -> &mut T {
        if self.made > self.bounds.nodes + self.bounds.nodes / 4 {
            self.fit();
        }
        let keep = self.keep();
        let mut made = 0;
        let mut node = &mut self.root;
        node.count += 1;
        node = node.host(host, keep, &mut made);
        for (depth, segment) in segments.enumerate() {
            node.count += 1;
            // A literal that has a child is one at any level that it has outlived: its kind need not be asked.
            if let Some(at) = node.known_literal(segment) {
                node = &mut node.literals[at].node;
                continue;
            }
            let edge = edge_of(segment, depth, keep.level);
            let last = matches!(edge, Edge::Rest(_));
            node = node.child(segment, &edge, keep, &mut made);
            if last {
                break;
            }
        }
        node.count += 1;
        self.made += made;
        node.end(method, operation)
    }

    fn keep(&self) -> Keep {
        Keep { hosts: self.bounds.hosts, literals: self.bounds.literals, level: self.level }
    }

    /// Is it known to fit its bounds, without counting?
    pub(crate) fn fits(&self) -> bool {
        self.made <= self.bounds.nodes
    }

    /// Raises the level until the trie fits its bounds.
    pub(crate) fn fit(&mut self) {
        self.made = self.root.size();
        while self.made > self.bounds.nodes && self.level < LEVEL_LAST {
            self.raise(self.level + 1);
        }
    }

    fn raise(&mut self, level: u8) {
        self.level = level;
        let keep = self.keep();
        let children = self.root.literals.iter_mut().map(|host| &mut host.node);
        for host in children.chain(self.root.values.iter_mut().map(|rest| &mut rest.node)) {
            host.fold(0, keep);
        }
        self.made = self.root.size();
    }
}

/// The edge for one segment: a pure function of the segment, its depth and the level.
fn edge_of(segment: &[u8], depth: usize, level: u8) -> Edge<'_> {
    let shallow = level.saturating_sub(LEVEL_SHALLOW - 1);
    if depth + 1 >= (limits::SEGMENTS >> shallow).max(1) {
        return Edge::Rest(stable_hash(segment));
    }
    let parsed = Segment::parse(segment);
    if is_value(&parsed) {
        return values_edge(&parsed, stable_hash(segment), level);
    }
    let hash = stable_hash(segment);
    if stays(hash, level) || (stays(hash, level.saturating_sub(KNOWN_BITS)) && is_known(segment)) {
        Edge::Literal(hash)
    } else {
        values_edge(&parsed, hash, level)
    }
}

/// Does the vocabulary know the segment? Such literals are kept first: they are what endpoints are made of.
fn is_known(segment: &[u8]) -> bool {
    Vocabulary::shipped().knows(Segment::parse(segment).core)
}

/// Known literals stay until the level is this much higher.
const KNOWN_BITS: u8 = 8;
const UNKNOWN: u64 = 1 << 63;

/// So many children are gone through one by one.
const FEW: usize = 8;

/// The order in which literals are kept: the known ones first, then by hash.
fn rank(hash: u64, known: bool) -> u64 {
    if known { hash >> KNOWN_BITS } else { (hash >> 1) | UNKNOWN }
}

/// Is a literal child never kept for this segment? Short numbers may be versions or names: they are kept.
fn is_value(segment: &Segment<'_>) -> bool {
    segment.kind.is_unmistakable()
        || (segment.kind == SegmentKind::Integer && segment.core.len() > 3)
}

fn stays(hash: u64, level: u8) -> bool {
    hash.leading_zeros() >= u32::from(level)
}

fn values_edge<'a>(segment: &Segment<'a>, hash: u64, level: u8) -> Edge<'a> {
    let kind = if level >= LEVEL_ONE_KIND { SegmentKind::Symbol } else { segment.kind };
    let suffix = if stays(stable_hash(segment.suffix), level) { segment.suffix } else { b"" };
    Edge::Values(kind, suffix, hash)
}

impl<T> Node<T> {
    fn size(&self) -> usize {
        let literals = self.literals.iter().map(|child| child.node.size());
        1 + literals.chain(self.values.iter().map(|child| child.node.size())).sum::<usize>()
    }

    fn position(&self, rank: u64, text: &[u8]) -> Result<usize, usize> {
        self.literals
            .binary_search_by(|have| have.rank.cmp(&rank).then_with(|| (*have.text).cmp(text)))
    }

    /// Where a literal stands, if it is there, known or not.
    fn find(&self, hash: u64, text: &[u8]) -> Option<usize> {
        let found = self.position(rank(hash, false), text);
        found.or_else(|_| self.position(rank(hash, true), text)).ok()
    }

    /// Where a literal stands, if it is there: of a few, each is compared sooner than one is hashed.
    #[inline]
    fn known_literal(&self, text: &[u8]) -> Option<usize> {
        if self.literals.len() <= FEW {
            return self.literals.iter().position(|have| is_same(&have.text, text));
        }
        self.find(stable_hash(text), text)
    }

    /// How many of the literals are known; they come first.
    fn known(&self) -> usize {
        self.literals.partition_point(|have| have.rank < UNKNOWN)
    }
}

impl<T: HeapSize> HeapSize for Node<T> {
    fn heap_bytes(&self) -> usize {
        let own = vec_bytes(&self.literals) + vec_bytes(&self.values) + vec_bytes(&self.ends);
        let literals = self
            .literals
            .iter()
            .map(|child| child.text.len() + size_of::<Self>() + child.node.heap_bytes());
        let values = self.values.iter().map(|child| {
            child.suffix.len()
                + child.distinct.heap_bytes()
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
        self.root.heap_bytes()
    }
}

impl<T: Merge + Default> Node<T> {
    fn host(&mut self, host: &[u8], keep: Keep, made: &mut usize) -> &mut Self {
        if self.literals.len() <= FEW
            && let Some(at) = self.literals.iter().position(|have| is_same(&have.text, host))
        {
            return &mut self.literals[at].node;
        }
        let hash = stable_hash(host);
        let rank = rank(hash, false);
        match self.position(rank, host) {
            Ok(at) => &mut self.literals[at].node,
            Err(at) if at >= keep.hosts => self.values_node(SegmentKind::Domain, b"", hash, made),
            Err(at) => {
                *made += 1;
                self.literals
                    .insert(at, Literal { rank, hash, text: host.into(), node: Box::default() });
                if self.literals.len() > keep.hosts {
                    self.fold_last_host(keep);
                }
                &mut self.literals[at].node
            }
        }
    }

    fn child(
        &mut self,
        segment: &[u8],
        edge: &Edge<'_>,
        keep: Keep,
        made: &mut usize,
    ) -> &mut Self {
        match *edge {
            Edge::Rest(hash) => self.values_node(SegmentKind::Path, b"", hash, made),
            Edge::Values(kind, suffix, hash) => self.values_node(kind, suffix, hash, made),
            Edge::Literal(hash) => match self.find(hash, segment) {
                Some(at) => &mut self.literals[at].node,
                None => self.new_literal(segment, hash, keep, made),
            },
        }
    }

    fn new_literal(
        &mut self,
        segment: &[u8],
        hash: u64,
        keep: Keep,
        made: &mut usize,
    ) -> &mut Self {
        let known = is_known(segment);
        let rank = rank(hash, known);
        let at = self.position(rank, segment).unwrap_or_else(|at| at);
        let first_too_many =
            if known { limits::KNOWN_CHILDREN } else { self.known() + keep.literals };
        if at >= first_too_many {
            return match values_edge(&Segment::parse(segment), hash, keep.level) {
                Edge::Values(kind, suffix, hash) => self.values_node(kind, suffix, hash, made),
                Edge::Literal(hash) | Edge::Rest(hash) => {
                    self.values_node(SegmentKind::Symbol, b"", hash, made)
                }
            };
        }
        *made += 1;
        self.literals
            .insert(at, Literal { rank, hash, text: segment.into(), node: Box::default() });
        self.trim_literals(keep);
        &mut self.literals[at].node
    }

    fn values(&mut self, kind: SegmentKind, suffix: &[u8], made: &mut usize) -> &mut Values<T> {
        let found = self
            .values
            .binary_search_by(|have| have.kind.cmp(&kind).then_with(|| (*have.suffix).cmp(suffix)));
        let at = found.unwrap_or_else(|at| {
            *made += 1;
            let distinct = Distinct::default();
            self.values
                .insert(at, Values { kind, suffix: suffix.into(), distinct, node: Box::default() });
            at
        });
        &mut self.values[at]
    }

    fn values_node(
        &mut self,
        kind: SegmentKind,
        suffix: &[u8],
        hash: u64,
        made: &mut usize,
    ) -> &mut Self {
        let values = self.values(kind, suffix, made);
        values.distinct.observe(hash);
        &mut values.node
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn observed(paths: &[String], bounds: Bounds) -> Trie<u64> {
        let mut trie = Trie::new(bounds);
        for path in paths {
            let (host, path) = path.split_once('/').unwrap();
            *trie.observe(host.as_bytes(), path.split('/').map(str::as_bytes), b"GET", b"") += 1;
        }
        trie.fit();
        trie
    }

    fn total(node: &Node<u64>) -> u64 {
        let below = node.literals.iter().map(|child| total(&child.node));
        let values = node.values.iter().map(|child| total(&child.node));
        node.ends.iter().map(|end| *end.seen).sum::<u64>() + below.chain(values).sum::<u64>()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn tight_bounds_are_free_of_order_and_split(
            paths in prop::collection::vec("[a-d](/(users|me|v1|[qxz]{4}|[qxz]{4}\\.(json|csv|xml|png)|[0-9]{1,5}|[qxz]{4}:(run|stop|cancel)|[0-9]{5}\\.csv)){1,3}", 0..400),
            cut in 0_usize..400,
            literals in 1_usize..8,
            nodes in 12_usize..300,
        ) {
            // So small that every bound is met, at levels low and high.
            let bounds = Bounds { hosts: 2, literals, nodes };
            let whole = observed(&paths, bounds);
            let (left, right) = paths.split_at(cut.min(paths.len()));
            let mut backwards = right.to_vec();
            backwards.reverse();
            let mut merged = observed(&backwards, bounds);
            merged.merge(observed(left, bounds));
            prop_assert_eq!(merged.level, whole.level);
            prop_assert_eq!(&merged.root, &whole.root);
            prop_assert_eq!(total(&whole.root), paths.len() as u64);
            prop_assert!(whole.root.size() <= nodes || whole.level == LEVEL_LAST);
        }
    }
}
