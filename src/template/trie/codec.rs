//! Serialised form of the trie: a flat list of nodes in pre-order.
//!
//! Hashes and ranks are recomputed on load, so that untrusted bytes cannot produce an inconsistent
//! trie.

use serde::{Deserialize, Serialize, Serializer};

use crate::limits;
use crate::sketch::{DistinctCounter, KeepsNames, Merge, stable_hash};
use crate::template::body_evidence::NodeBodies;
use crate::template::segment::SegmentKind;
use crate::template::trie::bounds::MAX_LEVEL;
use crate::template::trie::edge::is_known;
use crate::template::trie::node::{Leaf, LiteralChild, Node, UNKNOWN, ValuesChild, rank};
use crate::template::trie::{HostTrie, Trie, TrieBounds};

/// A node, followed by its children in pre-order: first the literals, then the values.
#[derive(Serialize, Deserialize)]
struct FlatNode<B, D, T, E> {
    count: u64,
    literals: Vec<B>,
    values: Vec<(SegmentKind, B, D, D)>,
    ends: Vec<(B, B, T)>,
    bodies: E,
}

type StoredNode<T> = FlatNode<
    Box<[u8]>,
    DistinctCounter<{ limits::MAX_DISTINCT_HASHES }>,
    T,
    Option<Box<NodeBodies>>,
>;

/// Names and levels of the hosts, the level of the rest (if there is one), and the nodes of all
/// hosts.
type FlatTrie<B, N> = (Vec<(B, u8)>, Option<u8>, Vec<N>);

impl<T: Serialize> Serialize for Trie<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut nodes = Vec::new();
        let hosts = self.hosts.iter().chain(&self.rest).map(|host| &host.node);
        let mut open: Vec<&Node<T>> = hosts.collect();
        open.reverse();
        while let Some(node) = open.pop() {
            nodes.push(FlatNode {
                count: node.count,
                literals: node.literals.iter().map(|child| &child.text).collect(),
                values: node
                    .values
                    .iter()
                    .map(|child| (child.kind, &child.frame, &child.distinct, &child.folded))
                    .collect(),
                ends: node
                    .ends
                    .iter()
                    .map(|end| (&end.method, &end.operation, &end.seen))
                    .collect(),
                bodies: &node.bodies,
            });
            let literals = node.literals.iter().map(|child| &*child.node);
            let children: Vec<&Node<T>> =
                literals.chain(node.values.iter().map(|child| &*child.node)).collect();
            open.extend(children.into_iter().rev());
        }
        let hosts = self.hosts.iter().map(|host| (&host.text, host.level)).collect();
        let stored: FlatTrie<_, _> = (hosts, self.rest.as_ref().map(|rest| rest.level), nodes);
        stored.serialize(serializer)
    }
}

impl<T: Merge + Default + KeepsNames> Trie<T> {
    /// Builds a trie from its serialised form.
    ///
    /// # Errors
    ///
    /// Returns a sentence fragment if no sequence of observations can produce the trie.
    pub(crate) fn from_stored(
        bounds: TrieBounds,
        stored: StoredTrie<T>,
    ) -> Result<Self, &'static str> {
        let (hosts, rest, nodes) = stored.0;
        if hosts.iter().any(|host| host.1 > MAX_LEVEL) || rest > Some(MAX_LEVEL) {
            return Err("a level that does not exist");
        }
        if hosts.len() > bounds.hosts {
            return Err("more hosts than there can be");
        }
        let mut nodes = nodes.into_iter();
        let mut trie = Self::new(bounds);
        for (text, level) in hosts {
            let node = build(&mut nodes, 1, bounds)?;
            trie.hosts.push(HostTrie { hash: stable_hash(&text), text, level, node });
        }
        if let Some(level) = rest {
            let node = build(&mut nodes, 1, bounds)?;
            trie.rest = Some(HostTrie { level, node, ..HostTrie::rest() });
        }
        if !trie.hosts.is_sorted_by(|a, b| (a.hash, &a.text) < (b.hash, &b.text)) {
            return Err("hosts that are not in order");
        }
        if nodes.next().is_some() {
            return Err("more nodes than have a place");
        }
        trie.fit();
        Ok(trie)
    }
}

/// A trie as deserialised, not validated yet.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(crate) struct StoredTrie<T>(FlatTrie<Box<[u8]>, StoredNode<T>>);

/// Builds the next node and its subtree. Hosts are at depth 1, with at most `limits::MAX_PATH_SEGMENTS`
/// segments below them.
fn build<T>(
    nodes: &mut impl Iterator<Item = StoredNode<T>>,
    depth: usize,
    bounds: TrieBounds,
) -> Result<Node<T>, &'static str> {
    if depth > limits::MAX_PATH_SEGMENTS + 1 {
        return Err("nodes that are too deep");
    }
    let stored = nodes.next().ok_or("fewer nodes than there should be")?;
    let mut node = Node { count: stored.count, bodies: stored.bodies, ..Node::default() };
    for text in stored.literals {
        let hash = stable_hash(&text);
        let rank = rank(hash, is_known(&text));
        let below = Box::new(build(nodes, depth + 1, bounds)?);
        node.literals.push(LiteralChild { rank, hash, text, node: below });
    }
    for (kind, frame, distinct, folded) in stored.values {
        let below = Box::new(build(nodes, depth + 1, bounds)?);
        if kind == SegmentKind::Path && below.bodies.is_some() {
            return Err("bodies where there can be none");
        }
        node.values.push(ValuesChild { kind, frame, distinct, folded, node: below });
    }
    for (method, operation, seen) in stored.ends {
        node.ends.push(Leaf { method, operation, seen: Box::new(seen) });
    }
    let literals = node.literals.is_sorted_by(|a, b| (a.rank, &a.text) < (b.rank, &b.text));
    let values = node.values.is_sorted_by(|a, b| (a.kind, &a.frame) < (b.kind, &b.frame));
    let ends = node.ends.is_sorted_by(|a, b| (&a.method, &a.operation) < (&b.method, &b.operation));
    if !(literals && values && ends) {
        return Err("children that are not in order");
    }
    let known = node.literals.iter().filter(|child| child.rank < UNKNOWN).count();
    let unknown = node.literals.len() - known;
    if known <= bounds.literals && unknown <= bounds.literals {
        Ok(node)
    } else {
        Err("more children than there can be")
    }
}
