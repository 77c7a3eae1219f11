//! Merging tries, and folding what is too much: the same whichever way the evidence was split.

use crate::limits;
use crate::sketch::{Distinct, Merge, stable_hash};
use crate::template::evidence::{
    Bounds, Edge, KNOWN_BITS, LEVEL_ONE_KIND, LEVEL_SHALLOW, Literal, Node, Trie, UNKNOWN, Values,
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
        self.root.merge_hosts(other.root, self.bounds);
        self.fit();
    }
}

impl<T: Merge + Default> Node<T> {
    /// Folds literals that are too many into the children of their kinds.
    pub(super) fn trim_literals(&mut self, literals: usize) {
        while self.literals.len() - self.known() > literals
            && let Some(last) = self.literals.pop()
        {
            self.fold_literal(last, literals, None);
        }
        while self.known() > limits::KNOWN_CHILDREN {
            let last = self.literals.remove(limits::KNOWN_CHILDREN);
            self.fold_literal(last, literals, None);
        }
    }

    fn fold_literal(&mut self, literal: Literal<T>, literals: usize, level: Option<u8>) {
        let parsed = Segment::parse(&literal.text);
        let (kind, suffix) = match values_edge(&parsed, literal.hash, level.unwrap_or(0)) {
            Edge::Values(kind, suffix, _) => (kind, suffix),
            Edge::Literal(_) | Edge::Rest(_) => (parsed.kind, parsed.suffix),
        };
        let values = self.values(kind, suffix, &mut 0);
        values.distinct.observe(literal.hash);
        values.node.merge_node(*literal.node, literals);
    }

    pub(super) fn fold_last_host(&mut self, literals: usize) {
        if let Some(last) = self.literals.pop() {
            let values = self.values(SegmentKind::Domain, b"", &mut 0);
            values.distinct.observe(last.hash);
            values.node.merge_node(*last.node, literals);
        }
    }

    fn merge_hosts(&mut self, other: Self, bounds: Bounds) {
        self.count += other.count;
        self.merge_literals(other.literals, bounds.literals);
        while self.literals.len() > bounds.hosts {
            self.fold_last_host(bounds.literals);
        }
        self.merge_values(other.values, bounds.literals);
    }

    fn merge_node(&mut self, other: Self, literals: usize) {
        self.count += other.count;
        for end in other.ends {
            self.end(&end.method, &end.operation).merge(*end.seen);
        }
        self.merge_literals(other.literals, literals);
        self.trim_literals(literals);
        self.merge_values(other.values, literals);
    }

    fn merge_literals(&mut self, others: Vec<Literal<T>>, literals: usize) {
        for other in others {
            match self.position(other.rank, &other.text) {
                Ok(at) => self.literals[at].node.merge_node(*other.node, literals),
                Err(at) => self.literals.insert(at, other),
            }
        }
    }

    fn merge_values(&mut self, others: Vec<Values<T>>, literals: usize) {
        for other in others {
            let values = self.values(other.kind, &other.suffix, &mut 0);
            values.distinct.merge(other.distinct);
            values.node.merge_node(*other.node, literals);
        }
    }

    /// Brings a subtree to a higher level.
    pub(super) fn fold(&mut self, depth: usize, level: u8, bounds: Bounds) {
        let shallow = level.saturating_sub(LEVEL_SHALLOW - 1);
        if depth + 1 >= (limits::SEGMENTS >> shallow).max(1) {
            self.flatten(bounds.literals);
            return;
        }
        for child in &mut self.literals {
            child.node.fold(depth + 1, level, bounds);
        }
        for child in &mut self.values {
            if child.kind != SegmentKind::Path {
                child.node.fold(depth + 1, level, bounds);
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
            self.fold_literal(literal, bounds.literals, Some(level));
        }
        for mut values in std::mem::take(&mut self.values) {
            if level >= LEVEL_ONE_KIND && values.kind != SegmentKind::Path {
                values.kind = SegmentKind::Symbol;
            }
            if !stays(stable_hash(&values.suffix), level) {
                values.suffix = Box::default();
            }
            self.merge_values(vec![values], bounds.literals);
        }
    }

    /// Makes everything below one level one value.
    fn flatten(&mut self, literals: usize) {
        let mut below = Self::default();
        let mut distinct = Distinct::default();
        for literal in std::mem::take(&mut self.literals) {
            distinct.observe(literal.hash);
            below.absorb(*literal.node, literals);
        }
        for values in std::mem::take(&mut self.values) {
            distinct.merge(values.distinct);
            below.absorb(*values.node, literals);
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
    fn absorb(&mut self, mut other: Self, literals: usize) {
        let children: Vec<Box<Self>> = std::mem::take(&mut other.literals)
            .into_iter()
            .map(|literal| literal.node)
            .chain(std::mem::take(&mut other.values).into_iter().map(|values| values.node))
            .collect();
        let passed: u64 = children.iter().map(|child| child.count).sum();
        other.count -= passed.min(other.count);
        self.merge_node(other, literals);
        for child in children {
            self.absorb(*child, literals);
        }
    }
}
