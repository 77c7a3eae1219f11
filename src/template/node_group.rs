//! Trie nodes that are decided together.

use crate::template::model_rules::ModelRule;
use crate::template::trie::{Leaf, Node};

/// Trie nodes that form one node of the decided tree, from both tries.
///
/// Nodes that were only ever answered with 404 are decided by the evidence of the others. They are
/// evidence themselves only if there are no others.
#[derive(Debug)]
pub(crate) struct NodeGroup<'t, T> {
    pub(crate) answered: Vec<&'t Node<T>>,
    pub(crate) not_found: Vec<&'t Node<T>>,
}

impl<T> Default for NodeGroup<'_, T> {
    fn default() -> Self {
        Self { answered: Vec::new(), not_found: Vec::new() }
    }
}

impl<T> Clone for NodeGroup<'_, T> {
    fn clone(&self) -> Self {
        Self { answered: self.answered.clone(), not_found: self.not_found.clone() }
    }
}

impl<'t, T> NodeGroup<'t, T> {
    /// All nodes, those of answered requests first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'t Node<T>> + Clone {
        self.answered.iter().chain(&self.not_found).copied()
    }

    /// The nodes that are used as evidence.
    pub(crate) fn evidence(&self) -> &[&'t Node<T>] {
        if self.answered.is_empty() { &self.not_found } else { &self.answered }
    }

    pub(super) fn push(&mut self, node: &'t Node<T>, answered: bool) {
        if answered || !ModelRule::NotFound.is_on() {
            self.answered.push(node)
        } else {
            self.not_found.push(node)
        }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.answered.extend(other.answered);
        self.not_found.extend(other.not_found);
    }

    pub(super) fn ends(&self) -> Vec<&'t Leaf<T>> {
        self.all().flat_map(|node| &node.ends).collect()
    }
}
