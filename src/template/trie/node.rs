//! Nodes of the trie: one prefix of segments each, with children for segments and leaves for endpoints.

use crate::limits;
use crate::simd::is_same;
use crate::sketch::{DistinctCounter, HeapSize, KeepsNames, Merge, fmix64, stable_hash, vec_bytes};
use crate::template::body_evidence::NodeBodies;
use crate::template::body_evidence::facts::BodyFacts;
use crate::template::segment::{PLAIN_FRAME, Segment, SegmentKind};
use crate::template::trie::bounds::NodeBounds;
use crate::template::trie::edge::{Edge, KNOWN_BITS, ValuesKey, is_known};

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
    pub(super) rank: u64,
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

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { count: 0, literals: Vec::new(), values: Vec::new(), ends: Vec::new(), bodies: None }
    }
}

/// Bit of a rank that is set for literals that are not in the vocabulary.
pub(super) const UNKNOWN: u64 = 1 << 63;

/// Number of children up to which a linear search is faster than hashing.
pub(super) const MAX_LINEAR_CHILDREN: usize = 8;

/// Sort key of literals: known ones first, then by hash.
pub(super) fn rank(hash: u64, known: bool) -> u64 {
    if known { hash >> KNOWN_BITS } else { (hash >> 1) | UNKNOWN }
}

impl<T: KeepsNames> Node<T> {
    /// Weight of the subtree in names: see [`TrieBounds::weight`].
    pub(super) fn weight(&self) -> usize {
        let literals = self.literals.iter().map(|child| child.node.weight());
        let below = literals.chain(self.values.iter().map(|child| child.node.weight()));
        let names: usize = self.ends.iter().map(|end| end.seen.extra_names()).sum();
        let own = limits::NODE_WEIGHT + self.extra_ends() * limits::LEAF_WEIGHT + names;
        own + below.sum::<usize>()
    }

    /// Prunes every table of every endpoint in the subtree to `most` names.
    pub(super) fn keep_names(&mut self, most: usize) {
        self.ends.iter_mut().for_each(|end| end.seen.keep_names(most));
        self.literals.iter_mut().for_each(|child| child.node.keep_names(most));
        self.values.iter_mut().for_each(|child| child.node.keep_names(most));
    }
}

impl<T> Node<T> {
    /// Adds what the bodies of a request say about the segment that leads to the node.
    #[inline]
    pub(super) fn observe_segment(&mut self, bodies: Option<&BodyFacts>, depth: usize) {
        if let Some(facts) = bodies.and_then(|bodies| bodies.segment(depth)) {
            self.bodies.get_or_insert_default().observe_segment(facts);
        }
    }

    pub(super) fn extra_ends(&self) -> usize {
        self.ends.len().saturating_sub(limits::MAX_FREE_LEAVES)
    }

    pub(super) fn position(&self, rank: u64, text: &[u8]) -> Result<usize, usize> {
        self.literals
            .binary_search_by(|have| have.rank.cmp(&rank).then_with(|| (*have.text).cmp(text)))
    }

    /// Index of a literal child, in the vocabulary or not.
    pub(super) fn find(&self, hash: u64, text: &[u8]) -> Option<usize> {
        let found = self.position(rank(hash, false), text);
        found.or_else(|_| self.position(rank(hash, true), text)).ok()
    }

    /// Index of a literal child. A short list is searched without hashing the segment.
    #[inline]
    pub(super) fn known_literal(&self, text: &[u8]) -> Option<usize> {
        if self.literals.len() <= MAX_LINEAR_CHILDREN {
            return self.literals.iter().position(|have| is_same(&have.text, text));
        }
        self.find(stable_hash(text), text)
    }

    /// Number of literal children in the vocabulary. They come first.
    pub(super) fn known(&self) -> usize {
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

impl<T: Merge + Default + KeepsNames> Node<T> {
    /// The child that an edge leads to, inserted if necessary. `made` counts inserted nodes.
    pub(super) fn child(
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
    pub(super) fn new_literal(
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
    pub(super) fn values(
        &mut self,
        kind: SegmentKind,
        frame: &[u8],
        made: &mut usize,
    ) -> &mut ValuesChild<T> {
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
    pub(super) fn values_node(&mut self, key: &ValuesKey, made: &mut usize) -> &mut Self {
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
    pub(super) fn rest_node(&mut self, hash: u64, made: &mut usize) -> &mut Self {
        let values = self.values(SegmentKind::Path, &PLAIN_FRAME, made);
        values.distinct.observe(hash);
        &mut values.node
    }
}
