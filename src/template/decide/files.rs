//! Detection of file trees: file names with various endings at several depths are one value.

use crate::sketch::Merge;
use crate::template::classifier::Classifier;
use crate::template::context::LeafStats;
use crate::template::decided::DecidedNode;
use crate::template::host::HostIndex;
use crate::template::naming::unique;
use crate::template::node_group::NodeGroup;
use crate::template::operations;
use crate::template::segment::{PLAIN_FRAME, ending_of, is_script_extension};
use crate::template::trie::{Leaf, Node};
use crate::template::variable::Variable;
use crate::template::{Part, Template};

/// Probability that a detected file tree is one value.
const FILES: f64 = 0.9;

/// Decides a node whose whole subtree is one value: a file path.
pub(super) fn decide<'t, T: LeafStats>(
    group: &NodeGroup<'t, T>,
    template: Template,
    judge: &dyn Classifier<T>,
) -> DecidedNode<'t, T> {
    let mut variable = Variable::rest();
    let mut below: Vec<&'t Leaf<T>> = Vec::new();
    let mut open: Vec<&Node<T>> = Vec::new();
    for node in group.all() {
        for literal in &node.literals {
            variable
                .add_files(literal.node.count, FILES, |distinct| distinct.observe(literal.hash));
            open.push(&literal.node);
        }
        for values in &node.values {
            let merge = values.distinct.clone();
            variable.add_files(values.node.count, FILES, |distinct| distinct.merge(merge));
            open.push(&values.node);
        }
    }
    while let Some(node) = open.pop() {
        below.extend(&node.ends);
        open.extend(node.literals.iter().map(|literal| &*literal.node));
        open.extend(node.values.iter().map(|values| &*values.node));
    }
    let mut deeper = template.clone();
    let given = judge.parameter_names(&template, &PLAIN_FRAME);
    let names = unique(given.unwrap_or_else(|| vec!["path".to_owned()]), &template.parts);
    deeper.parts.push(Part::Parameter { names, frame: PLAIN_FRAME.into(), rest: true });
    let files = DecidedNode {
        literals: Vec::new(),
        variables: Vec::new(),
        ends: operations::split(&below),
        template: deeper,
        near: Vec::new(),
    };
    let variables = if below.is_empty() { Vec::new() } else { vec![(variable, files)] };
    DecidedNode {
        literals: Vec::new(),
        variables,
        ends: operations::split(&group.ends()),
        template,
        near: Vec::new(),
    }
}

/// Statistics of a subtree, to detect file trees.
#[derive(Default)]
struct FileTreeStats<'t> {
    /// Nodes at which requests end.
    ends: usize,
    /// Of these, nodes with an ending that is neither common on the host nor that of a script.
    with_ending: usize,
    /// Bit set of the depths of files that are not scripts: bit n is set for a file n segments below the root.
    depths: u64,
    /// Two distinct endings, if there are two.
    endings: [Option<&'t [u8]>; 2],
}

/// Returns `true` if a subtree is a file tree: names with endings occur directly below the root and
/// at two further depths at least, and 40 % of all ends have endings, of two kinds at least, that
/// are not common on the host. Endings that the whole API uses, and those of scripts, are not evidence of files.
pub(super) fn are_one_value<T>(group: &NodeGroup<'_, T>, index: &HostIndex<'_>) -> bool {
    let mut found = FileTreeStats::default();
    for node in group.evidence() {
        found.walk(node, 1, index);
    }
    found.depths & 2 != 0
        && found.depths.count_ones() >= 3
        && found.endings[1].is_some()
        && found.with_ending * 5 >= found.ends * 2
}

impl<'t> FileTreeStats<'t> {
    fn walk<T>(&mut self, node: &'t Node<T>, depth: u32, index: &HostIndex<'_>) {
        for literal in &node.literals {
            self.end(&literal.node, ending_of(&literal.text), depth, index);
        }
        for values in &node.values {
            let last = values.frame.iter().rposition(|byte| *byte == 0).map_or(0, |at| at + 1);
            let ending = values.frame[last..].strip_prefix(b".");
            self.end(&values.node, ending, depth, index);
        }
    }

    fn end<T>(
        &mut self,
        node: &'t Node<T>,
        ending: Option<&'t [u8]>,
        depth: u32,
        index: &HostIndex<'_>,
    ) {
        if !node.ends.is_empty() {
            self.ends += 1;
            if let Some(ending) = ending.filter(|ending| !is_script_extension(ending)) {
                self.depths |= 1 << depth.min(63);
                if index.is_common_ending(ending) {
                    return self.walk(node, depth + 1, index);
                }
                self.with_ending += 1;
                match self.endings {
                    [None, _] => self.endings[0] = Some(ending),
                    [Some(first), None] if first != ending => self.endings[1] = Some(ending),
                    _ => {}
                }
            }
        }
        self.walk(node, depth + 1, index);
    }
}
