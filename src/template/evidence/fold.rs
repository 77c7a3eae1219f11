//! Merging tries, and folding what is too much: the same whichever way the evidence was split.

use crate::limits;
use crate::sketch::{Distinct, Merge, stable_hash};
use crate::template::evidence::{
    Edge, KNOWN_BITS, Keep, LEVEL_ONE_KIND, LEVEL_SHALLOW, Literal, Node, Trie, UNKNOWN, Values,
    stays, values_edge,
};
use crate::template::segment::{Segment, SegmentKind};

impl<T: Merge + Default> Merge for Trie<T> {
    fn merge(&mut self, mut other: Self) {
        debug_assert_eq!(self.bounds, other.bounds);
        let level = self.level.max(other.level);
        for trie in [&mut *self, &mut other] {
            if trie.level < level {
                trie.raise(level);
            }
        }
        let keep = self.keep();
        self.root.merge_hosts(other.root, keep);
        self.fit();
    }
}

impl<T: Merge + Default> Node<T> {
    /// Folds literals that are too many into the children of their kinds.
    pub(super) fn trim_literals(&mut self, keep: Keep) {
        while self.literals.len() - self.known() > keep.literals
            && let Some(last) = self.literals.pop()
        {
            self.fold_literal(last, keep);
        }
        while self.known() > limits::KNOWN_CHILDREN {
            let last = self.literals.remove(limits::KNOWN_CHILDREN);
            self.fold_literal(last, keep);
        }
    }

    fn fold_literal(&mut self, literal: Literal<T>, keep: Keep) {
        let parsed = Segment::parse(&literal.text);
        let (kind, suffix) = match values_edge(&parsed, literal.hash, keep.level) {
            Edge::Values(kind, suffix, _) => (kind, suffix),
            Edge::Literal(_) | Edge::Rest(_) => (parsed.kind, parsed.suffix),
        };
        let values = self.values(kind, suffix, &mut 0);
        values.distinct.observe(literal.hash);
        values.node.merge_node(*literal.node, keep);
    }

    pub(super) fn fold_last_host(&mut self, keep: Keep) {
        if let Some(last) = self.literals.pop() {
            let values = self.values(SegmentKind::Domain, b"", &mut 0);
            values.distinct.observe(last.hash);
            values.node.merge_node(*last.node, keep);
        }
    }

    fn merge_hosts(&mut self, other: Self, keep: Keep) {
        self.count += other.count;
        self.merge_literals(other.literals, keep);
        while self.literals.len() > keep.hosts {
            self.fold_last_host(keep);
        }
        self.merge_values(other.values, keep);
    }

    fn merge_node(&mut self, other: Self, keep: Keep) {
        self.count += other.count;
        for end in other.ends {
            self.end(&end.method, &end.operation).merge(*end.seen);
        }
        self.merge_literals(other.literals, keep);
        self.trim_literals(keep);
        self.merge_values(other.values, keep);
    }

    fn merge_literals(&mut self, others: Vec<Literal<T>>, keep: Keep) {
        for other in others {
            match self.position(other.rank, &other.text) {
                Ok(at) => self.literals[at].node.merge_node(*other.node, keep),
                Err(at) => self.literals.insert(at, other),
            }
        }
    }

    fn merge_values(&mut self, others: Vec<Values<T>>, keep: Keep) {
        for other in others {
            let values = self.values(other.kind, &other.suffix, &mut 0);
            values.distinct.merge(other.distinct);
            values.node.merge_node(*other.node, keep);
        }
    }

    /// Brings a subtree to a higher level.
    pub(super) fn fold(&mut self, depth: usize, keep: Keep) {
        let level = keep.level;
        let shallow = level.saturating_sub(LEVEL_SHALLOW - 1);
        if depth + 1 >= (limits::SEGMENTS >> shallow).max(1) {
            self.flatten(keep);
            return;
        }
        for child in &mut self.literals {
            child.node.fold(depth + 1, keep);
        }
        for child in &mut self.values {
            if child.kind != SegmentKind::Path {
                child.node.fold(depth + 1, keep);
            }
        }
        let stay = |literal: &Literal<T>| {
            let own_level =
                if literal.rank < UNKNOWN { level.saturating_sub(KNOWN_BITS) } else { level };
            stays(literal.hash, own_level)
        };
        let (kept, folded) = std::mem::take(&mut self.literals).into_iter().partition(stay);
        self.literals = kept;
        for literal in folded {
            self.fold_literal(literal, keep);
        }
        for mut values in std::mem::take(&mut self.values) {
            if level >= LEVEL_ONE_KIND && values.kind != SegmentKind::Path {
                values.kind = SegmentKind::Symbol;
            }
            if !stays(stable_hash(&values.suffix), level) {
                values.suffix = Box::default();
            }
            self.merge_values(vec![values], keep);
        }
    }

    /// Makes everything below one level one value.
    fn flatten(&mut self, keep: Keep) {
        let mut below = Self::default();
        let mut distinct = Distinct::default();
        for literal in std::mem::take(&mut self.literals) {
            distinct.observe(literal.hash);
            below.absorb(*literal.node, keep);
        }
        for values in std::mem::take(&mut self.values) {
            distinct.merge(values.distinct);
            below.absorb(*values.node, keep);
        }
        if below.count > 0 {
            let node = Box::new(below);
            self.values.push(Values {
                kind: SegmentKind::Path,
                suffix: Box::default(),
                distinct,
                node,
            });
        }
    }

    /// Takes the ends of a whole subtree, without its structure.
    fn absorb(&mut self, mut other: Self, keep: Keep) {
        let children: Vec<Box<Self>> = std::mem::take(&mut other.literals)
            .into_iter()
            .map(|literal| literal.node)
            .chain(std::mem::take(&mut other.values).into_iter().map(|values| values.node))
            .collect();
        let passed: u64 = children.iter().map(|child| child.count).sum();
        other.count -= passed.min(other.count);
        self.merge_node(other, keep);
        for child in children {
            self.absorb(*child, keep);
        }
    }
}
