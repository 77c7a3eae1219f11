//! Merging and folding of tries. The result does not depend on how the evidence was split.

use crate::sketch::{DistinctCounter, KeepsNames, Merge, fmix64, merge_option, stable_hash};
use crate::template::segment::{PLAIN_FRAME, Segment, SegmentKind};
use crate::template::trie::bounds::{LEVEL_ONE_KIND, NodeBounds, depth_at, names_at};
use crate::template::trie::edge::{KNOWN_BITS, ValuesKey, stays};
use crate::template::trie::node::{LiteralChild, Node, UNKNOWN, ValuesChild};
use crate::template::trie::{HostTrie, Trie};

impl<T: Merge + Default + KeepsNames> Merge for Trie<T> {
    fn merge(&mut self, other: Self) {
        debug_assert_eq!(self.bounds, other.bounds);
        let literals = self.bounds.literals;
        for host in other.hosts {
            match self.host_position(host.hash, &host.text) {
                Ok(at) => self.hosts[at].merge(host, literals),
                Err(at) => self.hosts.insert(at, host),
            }
        }
        self.trim_hosts();
        if let Some(rest) = other.rest {
            self.rest.get_or_insert_with(HostTrie::rest).merge(rest, literals);
        }
        self.fit();
    }
}

impl<T: Merge + Default + KeepsNames> Trie<T> {
    /// Folds hosts beyond the bound into the rest.
    pub(super) fn trim_hosts(&mut self) {
        while self.hosts.len() > self.bounds.hosts
            && let Some(last) = self.hosts.pop()
        {
            self.rest.get_or_insert_with(HostTrie::rest).merge(last, self.bounds.literals);
        }
    }
}

impl<T: Merge + Default + KeepsNames> HostTrie<T> {
    /// Merges another aggregate of this host, or a host that is folded into this one. Both are
    /// raised to the higher of their levels first.
    fn merge(&mut self, mut other: Self, literals: usize) {
        let level = self.level.max(other.level);
        for host in [&mut *self, &mut other] {
            if host.level < level {
                host.raise(level, literals);
            }
        }
        self.node.merge_node(other.node, NodeBounds { literals, level });
    }
}

impl<T: Merge + Default + KeepsNames> Node<T> {
    /// Folds literal children beyond the bound into the children of their kinds.
    pub(super) fn trim_literals(&mut self, keep: NodeBounds) {
        while self.literals.len() - self.known() > keep.literals
            && let Some(last) = self.literals.pop()
        {
            self.fold_literal(last, keep);
        }
        while self.known() > keep.literals {
            let last = self.literals.remove(keep.literals);
            self.fold_literal(last, keep);
        }
    }

    /// Moves a literal child into the child of its kind.
    fn fold_literal(&mut self, literal: LiteralChild<T>, keep: NodeBounds) {
        let key = ValuesKey::new(&Segment::parse(&literal.text), literal.hash, keep.level);
        self.values_node(&key, &mut 0).merge_node(*literal.node, keep);
    }

    fn merge_node(&mut self, other: Self, keep: NodeBounds) {
        self.count += other.count;
        merge_option(&mut self.bodies, other.bodies);
        for end in other.ends {
            let seen = self.end(&end.method, &end.operation);
            seen.merge(*end.seen);
            seen.keep_names(names_at(keep.level));
        }
        self.merge_literals(other.literals, keep);
        self.trim_literals(keep);
        self.merge_values(other.values, keep);
    }

    fn merge_literals(&mut self, others: Vec<LiteralChild<T>>, keep: NodeBounds) {
        for other in others {
            match self.position(other.rank, &other.text) {
                Ok(at) => self.literals[at].node.merge_node(*other.node, keep),
                Err(at) => self.literals.insert(at, other),
            }
        }
    }

    fn merge_values(&mut self, others: Vec<ValuesChild<T>>, keep: NodeBounds) {
        for other in others {
            let values = self.values(other.kind, &other.frame, &mut 0);
            values.distinct.merge(other.distinct);
            values.folded.merge(other.folded);
            values.node.merge_node(*other.node, keep);
        }
    }

    /// Raises a subtree to a higher level.
    pub(super) fn fold(&mut self, depth: usize, keep: NodeBounds) {
        let level = keep.level;
        self.ends.iter_mut().for_each(|end| end.seen.keep_names(names_at(level)));
        if depth + 1 >= depth_at(level) {
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
        let stay = |literal: &LiteralChild<T>| {
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
            if !stays(stable_hash(&values.frame), level) {
                values.frame = PLAIN_FRAME.into();
            }
            self.merge_values(vec![values], keep);
        }
    }

    /// Replaces everything below one node by a single value.
    fn flatten(&mut self, keep: NodeBounds) {
        let mut below = Self::default();
        let mut distinct = DistinctCounter::default();
        for literal in std::mem::take(&mut self.literals) {
            distinct.observe(fmix64(literal.hash));
            below.absorb(*literal.node, keep);
        }
        for values in std::mem::take(&mut self.values) {
            distinct.merge(values.distinct);
            below.absorb(*values.node, keep);
        }
        below.bodies = None;
        if below.count > 0 {
            let node = Box::new(below);
            self.values.push(ValuesChild {
                kind: SegmentKind::Path,
                frame: PLAIN_FRAME.into(),
                distinct,
                folded: DistinctCounter::default(),
                node,
            });
        }
    }

    /// Merges the leaves of a whole subtree without its structure.
    fn absorb(&mut self, mut other: Self, keep: NodeBounds) {
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
