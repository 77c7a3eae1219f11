//! The trie as a flat list of nodes: what is stored and sent. Hashes and ranks are not in it; they are made anew, so that
//! no bytes, whoever wrote them, make a trie whose parts contradict each other.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;
use crate::sketch::{Distinct, Merge, stable_hash};
use crate::template::evidence::{
    Bounds, End, LEVEL_LAST, Literal, Node, Trie, UNKNOWN, Values, is_known, rank,
};
use crate::template::segment::SegmentKind;

/// A node; its children follow it, those of the literals first, each with all that is below it.
#[derive(Serialize, Deserialize)]
struct FlatNode<B, D, T> {
    count: u64,
    literals: Vec<B>,
    values: Vec<(SegmentKind, B, D)>,
    ends: Vec<(B, B, T)>,
}

type StoredNode<T> = FlatNode<Box<[u8]>, Distinct<{ limits::DISTINCT_HASHES }>, T>;

impl<T: Serialize> Serialize for Trie<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut nodes = Vec::new();
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            nodes.push(FlatNode {
                count: node.count,
                literals: node.literals.iter().map(|child| &child.text).collect(),
                values: node
                    .values
                    .iter()
                    .map(|child| (child.kind, &child.suffix, &child.distinct))
                    .collect(),
                ends: node
                    .ends
                    .iter()
                    .map(|end| (&end.method, &end.operation, &end.seen))
                    .collect(),
            });
            let literals = node.literals.iter().map(|child| &*child.node);
            let children: Vec<&Node<T>> =
                literals.chain(node.values.iter().map(|child| &*child.node)).collect();
            open.extend(children.into_iter().rev());
        }
        (self.level, nodes).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de> + Merge + Default> Deserialize<'de> for Trie<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (level, nodes) = <(u8, Vec<StoredNode<T>>)>::deserialize(deserializer)?;
        if level > LEVEL_LAST {
            return Err(D::Error::custom("a level that does not exist"));
        }
        let mut nodes = nodes.into_iter();
        let mut trie = Self { bounds: Bounds::default(), level, root: Node::default(), made: 0 };
        trie.root = build(&mut nodes, 0).map_err(D::Error::custom)?;
        if nodes.next().is_some() {
            return Err(D::Error::custom("more nodes than have a place"));
        }
        trie.fit();
        Ok(trie)
    }
}

/// Builds the next node with all below it. Hosts stand at depth 0, and `limits::SEGMENTS` segments below them.
fn build<T>(
    nodes: &mut impl Iterator<Item = StoredNode<T>>,
    depth: usize,
) -> Result<Node<T>, &'static str> {
    if depth > limits::SEGMENTS + 1 {
        return Err("nodes that are too deep");
    }
    let stored = nodes.next().ok_or("fewer nodes than there should be")?;
    let mut node = Node { count: stored.count, ..Node::default() };
    for text in stored.literals {
        let hash = stable_hash(&text);
        let rank = rank(hash, depth > 0 && is_known(&text));
        let below = Box::new(build(nodes, depth + 1)?);
        node.literals.push(Literal { rank, hash, text, node: below });
    }
    for (kind, suffix, distinct) in stored.values {
        let below = Box::new(build(nodes, depth + 1)?);
        node.values.push(Values { kind, suffix, distinct, node: below });
    }
    for (method, operation, seen) in stored.ends {
        node.ends.push(End { method, operation, seen: Box::new(seen) });
    }
    let literals = node.literals.is_sorted_by(|a, b| (a.rank, &a.text) < (b.rank, &b.text));
    let values = node.values.is_sorted_by(|a, b| (a.kind, &a.suffix) < (b.kind, &b.suffix));
    let ends = node.ends.is_sorted_by(|a, b| (&a.method, &a.operation) < (&b.method, &b.operation));
    if !(literals && values && ends) {
        return Err("children that are not in order");
    }
    let known = node.literals.iter().filter(|child| child.rank < UNKNOWN).count();
    let unknown = node.literals.len() - known;
    let fits = if depth == 0 {
        node.literals.len() <= limits::HOSTS && node.values.len() <= 1 && node.ends.is_empty()
    } else {
        known <= limits::KNOWN_CHILDREN && unknown <= limits::LITERAL_CHILDREN
    };
    if fits { Ok(node) } else { Err("more children than there can be") }
}
