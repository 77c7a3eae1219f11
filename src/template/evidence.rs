//! The evidence trie: where paths vary, host by host, in bounded and mergeable form. Nothing is decided here.
//!
//! A node keeps literal children for segments that may be names, and one child per kind (and frame) for segments that
//! are values whatever stands around them. Three bounds keep it small, and all of them depend on *which* segments were
//! seen, never on their order or number, so that any split of the traffic merges to one and the same trie:
//!
//! - a node keeps the [`Bounds::literals`] literal children with the smallest hashes (bottom-k), and beside them as many
//!   that the vocabulary knows; it folds the others into the child of their kind;
//! - the trie keeps [`Bounds::hosts`] hosts, and folds the others into one;
//! - the trie has [`Bounds::nodes`] nodes, which its hosts share fairly: a host may have as many as it needs up to the
//!   *share*, the largest number at which the sum over the hosts fits (max-min fairness). A host that needs more has its
//!   *level* raised: first its endpoints keep fewer names of headers and parameters, then it tells fewer segments of a path
//!   apart, then no kinds of values, and then only literals stay whose hash begins with ever more zero bits. The share falls
//!   as hosts and paths come in, so what fits as a whole fits in every part, and a part never rises above the whole. Where
//!   there are more hosts than are kept, what the others need is no longer known, and the share is the smallest that it can
//!   be. Names beyond the usual number and many operations of a node count as parts of nodes.

mod ends;
mod flat;
mod fold;

use std::borrow::Cow;

pub(crate) use flat::StoredTrie;

use crate::bits::is_same;
use crate::limits;
use crate::sketch::{Distinct, HeapSize, KeepsNames, Merge, respread, stable_hash, vec_bytes};
use crate::template::segment::{PLAIN_FRAME, Segment, SegmentKind};
use crate::template::vocabulary::Vocabulary;

/// How much a trie may keep. States merge only with equal bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) hosts: usize,
    pub(crate) literals: usize,
    pub(crate) nodes: usize,
}

impl Bounds {
    /// For requests that got an answer, or of which no answer is known.
    pub(crate) const ANSWERED: Self = Self {
        hosts: limits::HOSTS,
        literals: limits::LITERAL_CHILDREN,
        nodes: limits::TRIE_NODES,
    };
    /// The most that a trie may weigh, in names: its nodes, and in their place names and operations beyond the usual number.
    fn weight(&self) -> usize {
        self.nodes * limits::NAMES_PER_NODE
    }

    /// For requests that were answered with 404: they have a budget of their own, so that a scan costs no name its place.
    pub(crate) const NOT_FOUND: Self = Self {
        hosts: limits::HOSTS,
        literals: limits::NOT_FOUND_CHILDREN,
        nodes: limits::NOT_FOUND_NODES,
    };
}

/// What is kept at a level.
#[derive(Clone, Copy, Debug)]
struct Keep {
    literals: usize,
    level: u8,
}

/// Up to this level the number of names that an endpoint keeps is halved with each level.
const LEVEL_FEWEST_NAMES: u8 = 4;
/// How many segments of a path are told apart at the levels after that: junk is deep, and names of endpoints are not.
const DEPTHS: [usize; 3] = [limits::SEGMENTS, 24, 12];
/// From this level on all kinds of values are one.
const LEVEL_ONE_KIND: u8 = 7;
/// Up to this level all literals stay; from then on, one bit more of their hash must be zero with each level.
const LEVEL_ALL_LITERALS: u8 = 7;
/// From this level on the number of segments that are told apart is halved with each level.
const LEVEL_SHALLOW: u8 = 26;
const LEVEL_LAST: u8 = 30;

/// How many names each table of an endpoint keeps at a level.
fn names_at(level: u8) -> usize {
    limits::NAMES >> level.min(LEVEL_FEWEST_NAMES)
}

/// How many segments of a path are told apart at a level; what follows is one value.
fn depth_at(level: u8) -> usize {
    let step = usize::from(level.saturating_sub(LEVEL_FEWEST_NAMES));
    let first = DEPTHS.get(step).copied().unwrap_or(DEPTHS[DEPTHS.len() - 1]);
    (first >> level.saturating_sub(LEVEL_SHALLOW - 1)).max(1)
}

/// Evidence about every path of every host; `T` is what is known of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trie<T> {
    bounds: Bounds,
    /// Sorted by (hash, text).
    hosts: Vec<Host<T>>,
    /// All hosts that had no place among them; its text is empty.
    rest: Option<Host<T>>,
    /// Weight made since it was last counted, on top of that count: an upper bound.
    made: usize,
    /// True if nothing was made since the trie was last fitted to its bounds.
    fitted: bool,
}

/// Everything seen of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Host<T> {
    hash: u64,
    text: Box<[u8]>,
    /// How much of it is folded.
    level: u8,
    node: Node<T>,
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

/// A child for all segments of one kind and frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Values<T> {
    pub(crate) kind: SegmentKind,
    /// The segment with a zero byte in the place of each part that varies: see [`Segment::frame`].
    pub(crate) frame: Box<[u8]>,
    pub(crate) distinct: Distinct<{ limits::DISTINCT_HASHES }>,
    /// Segments among them that could have been names, and were folded because there were too many of them.
    pub(crate) folded: Distinct<{ limits::DISTINCT_HASHES }>,
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
enum Edge {
    Literal(u64),
    Values(ValuesKey),
    /// All that follows is one value.
    Rest(u64),
}

/// Which values child a segment belongs to.
struct ValuesKey {
    kind: SegmentKind,
    frame: Cow<'static, [u8]>,
    hash: u64,
    /// True if the segment could have been a name.
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
        Self { count: 0, literals: Vec::new(), values: Vec::new(), ends: Vec::new() }
    }
}

impl<T> Trie<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, hosts: Vec::new(), rest: None, made: 0, fitted: true }
    }

    /// The hosts, in the order of their hashes, and one node for all that had no place among them.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (Option<&[u8]>, &Node<T>)> {
        let named = self.hosts.iter().map(|host| (Some(&*host.text), &host.node));
        named.chain(self.rest.iter().map(|rest| (None, &rest.node)))
    }

    fn is_folded(&self) -> bool {
        self.hosts.iter().chain(&self.rest).any(|host| host.level > 0)
    }

    /// True if it is known to fit its bounds, without counting.
    pub(crate) fn fits(&self) -> bool {
        self.fitted
            || (self.made <= self.bounds.weight() && self.rest.is_none() && !self.is_folded())
    }
}

impl<T: Merge + Default + KeepsNames> Trie<T> {
    /// Counts a request on the way to its endpoint, to whose statistics `observe` then adds it.
    pub(crate) fn observe<'s>(
        &mut self,
        host: &[u8],
        segments: impl Iterator<Item = &'s [u8]>,
        method: &[u8],
        operation: &[u8],
        observe: impl FnOnce(&mut T),
    ) {
        let most = self.bounds.weight();
        if self.made > most + most / 4 {
            self.fit();
        }
        let mut made = 0;
        let literals = self.bounds.literals;
        let at = self.host(host);
        let host = match at {
            Some(at) => &mut self.hosts[at],
            None => self.rest.get_or_insert_with(Host::rest),
        };
        let keep = Keep { literals, level: host.level };
        let mut node = &mut host.node;
        for (depth, segment) in segments.enumerate() {
            node.count += 1;
            // A literal that has a child is one at any level that it has outlived: its kind need not be asked.
            if let Some(at) = node.known_literal(segment) {
                node = &mut node.literals[at].node;
                continue;
            }
            let edge = edge_of(segment, depth, keep.level);
            let last = matches!(edge, Edge::Rest(_));
            node = node.child(segment, edge, keep, &mut made);
            if last {
                break;
            }
        }
        node.count += 1;
        let ends = node.extra_ends();
        let end = node.end(method, operation);
        let names = end.extra_names_at_most();
        observe(end);
        let names = end.extra_names_at_most().saturating_sub(names);
        let ends = node.extra_ends().saturating_sub(ends);
        let made = made * limits::NAMES_PER_NODE + ends * limits::NAMES_PER_END + names;
        if made > 0 {
            self.made += made;
            self.fitted = false;
        }
    }

    /// Where a host stands; `None` where it is one of the rest.
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
                self.made += limits::NAMES_PER_NODE;
                self.fitted = false;
                let host = Host { hash, text: text.into(), level: 0, node: Node::default() };
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
        // Those that came since the host was folded are still to be cut.
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
        self.made = sizes.iter().sum();
        self.fitted = true;
    }
}

/// The largest weight that every host may have so that all of them fit (max-min fairness). A host that was folded
/// needed more than any share since then, and so more than this one: it is given all of it.
fn fair_share(weight: usize, sizes: &[usize], levels: impl Iterator<Item = u8>) -> usize {
    let needs = sizes.iter().zip(levels);
    let mut needs: Vec<usize> =
        needs.map(|(size, level)| if level > 0 { usize::MAX } else { *size }).collect();
    needs.sort_unstable();
    let mut left = weight;
    for (at, need) in needs.iter().enumerate() {
        let share = left / (needs.len() - at);
        if *need > share {
            return share;
        }
        left -= need;
    }
    usize::MAX
}

impl<T> Host<T> {
    fn rest() -> Self {
        Self { hash: 0, text: Box::default(), level: 0, node: Node::default() }
    }
}

impl<T: Merge + Default + KeepsNames> Host<T> {
    fn raise(&mut self, level: u8, literals: usize) {
        self.level = level;
        self.node.fold(0, Keep { literals, level });
    }
}

/// The edge for one segment: a pure function of the segment, its depth and the level.
fn edge_of(segment: &[u8], depth: usize, level: u8) -> Edge {
    let parsed = Segment::parse(segment);
    let hash = stable_hash(segment);
    if depth + 1 >= depth_at(level) {
        return Edge::Rest(if is_value(&parsed) { hash } else { respread(hash) });
    }
    if is_value(&parsed) {
        return Edge::Values(ValuesKey::new(&parsed, hash, level));
    }
    if stays(hash, level) || (stays(hash, level.saturating_sub(KNOWN_BITS)) && is_known(segment)) {
        Edge::Literal(hash)
    } else {
        Edge::Values(ValuesKey::new(&parsed, hash, level))
    }
}

/// True if the vocabulary knows the segment. Such literals are kept first: they are what endpoints are made of.
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

/// True if no literal child is ever kept for this segment. Short numbers may be versions or names: they are kept.
fn is_value(segment: &Segment<'_>) -> bool {
    segment.is_key()
        || segment.kind.is_unmistakable()
        || (segment.kind.is_integer() && segment.core.len() > 3)
}

/// True if what has this hash is kept at a level.
fn stays(hash: u64, level: u8) -> bool {
    hash.leading_zeros() >= u32::from(level.saturating_sub(LEVEL_ALL_LITERALS))
}

impl<T: KeepsNames> Node<T> {
    /// What it takes up with all below it, in names: see [`Bounds::weight`].
    fn weight(&self) -> usize {
        let literals = self.literals.iter().map(|child| child.node.weight());
        let below = literals.chain(self.values.iter().map(|child| child.node.weight()));
        let names: usize = self.ends.iter().map(|end| end.seen.extra_names()).sum();
        let own = limits::NAMES_PER_NODE + self.extra_ends() * limits::NAMES_PER_END + names;
        own + below.sum::<usize>()
    }

    /// Keeps so many names in each table of every endpoint below it.
    fn keep_names(&mut self, most: usize) {
        self.ends.iter_mut().for_each(|end| end.seen.keep_names(most));
        self.literals.iter_mut().for_each(|child| child.node.keep_names(most));
        self.values.iter_mut().for_each(|child| child.node.keep_names(most));
    }
}

impl<T> Node<T> {
    fn extra_ends(&self) -> usize {
        self.ends.len().saturating_sub(limits::FREE_ENDS)
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
    fn child(&mut self, segment: &[u8], edge: Edge, keep: Keep, made: &mut usize) -> &mut Self {
        match edge {
            Edge::Rest(hash) => self.rest_node(hash, made),
            Edge::Values(key) => self.values_node(&key, made),
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
        let first_too_many = if known { keep.literals } else { self.known() + keep.literals };
        if at >= first_too_many {
            let key = ValuesKey::new(&Segment::parse(segment), hash, keep.level);
            return self.values_node(&key, made);
        }
        *made += 1;
        self.literals
            .insert(at, Literal { rank, hash, text: segment.into(), node: Box::default() });
        self.trim_literals(keep);
        &mut self.literals[at].node
    }

    fn values(&mut self, kind: SegmentKind, frame: &[u8], made: &mut usize) -> &mut Values<T> {
        let found = self
            .values
            .binary_search_by(|have| have.kind.cmp(&kind).then_with(|| (*have.frame).cmp(frame)));
        let at = found.unwrap_or_else(|at| {
            *made += 1;
            let (distinct, folded) = (Distinct::default(), Distinct::default());
            let (frame, node) = (frame.into(), Box::default());
            self.values.insert(at, Values { kind, frame, distinct, folded, node });
            at
        });
        &mut self.values[at]
    }

    fn values_node(&mut self, key: &ValuesKey, made: &mut usize) -> &mut Self {
        let values = self.values(key.kind, &key.frame, made);
        if key.folded {
            let hash = respread(key.hash);
            values.distinct.observe(hash);
            values.folded.observe(hash);
        } else {
            values.distinct.observe(key.hash);
        }
        &mut values.node
    }

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

    /// Requests that ended at a node, and names that came with them.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Requests {
        count: u64,
        names: BottomK<u64, { limits::NAMES }>,
    }

    impl Merge for Requests {
        fn merge(&mut self, other: Self) {
            self.count += other.count;
            self.names.merge(other.names);
        }
    }

    impl KeepsNames for Requests {
        fn extra_names_at_most(&self) -> usize {
            self.names.extra()
        }

        fn extra_names(&self) -> usize {
            self.names.extra()
        }

        fn keep_names(&mut self, most: usize) {
            self.names.keep(most);
        }
    }

    /// The names that come with a path: of some paths many.
    fn names_with(path: &str) -> impl Iterator<Item = [u8; 8]> {
        let hash = stable_hash(path.as_bytes());
        (0..if hash.is_multiple_of(3) { hash >> 8 & 127 } else { 2 })
            .map(move |name| (name + (hash & 63)).to_le_bytes())
    }

    fn observed(paths: &[String], bounds: Bounds) -> Trie<Requests> {
        let mut trie = Trie::new(bounds);
        for whole in paths {
            let (host, path) = whole.split_once('/').unwrap();
            let segments = path.split('/').map(str::as_bytes);
            trie.observe(host.as_bytes(), segments, b"GET", b"", |requests: &mut Requests| {
                requests.count += 1;
                names_with(whole).for_each(|name| *requests.names.entry(&name) += 1);
            });
        }
        trie.fit();
        trie
    }

    /// Requests below a node, and names in them.
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
                (1_usize..8).prop_map(|literals| Bounds { hosts: 2, literals, nodes: 100_000 }),
                (1_usize..5, 12_usize..300)
                    .prop_map(|(hosts, nodes)| Bounds { hosts, literals: 10_000, nodes }),
            ],
        ) {
            // So small that each bound is met, at levels low and high.
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
            prop_assert!(weight <= nodes * limits::NAMES_PER_NODE || all_last);
        }

        /// Whatever one host holds, the others are what they would be if it held no more than its share.
        #[test]
        fn no_host_takes_the_share_of_another(
            small in prop::collection::vec("a(/(users|me|[qxz]{4})){1,2}", 0..20),
            large in prop::collection::vec("b(/[qxz]{4}){1,4}", 0..300),
        ) {
            let bounds = Bounds { hosts: 4, literals: 64, nodes: 100 };
            let alone = observed(&small, bounds);
            let both = observed(&[small, large].concat(), bounds);
            let of = |trie: &Trie<Requests>| trie.hosts.iter().find(|host| &*host.text == b"a").cloned();
            if of(&alone).is_none_or(|host| host.node.weight() <= 50 * limits::NAMES_PER_NODE) {
                prop_assert_eq!(of(&both), of(&alone));
            }
        }
    }
}
