//! Gradient-boosted regression trees, data/trees.tsv. They capture interactions of features that a
//! linear model cannot.

/// The trees of one stage. Their predictions are summed.
#[derive(Debug, Default)]
pub(crate) struct BoostedTrees {
    nodes: Vec<TreeNode>,
    /// Index of the root of each tree.
    roots: Vec<usize>,
}

/// A node of a tree. The left child of a split is the next node.
#[derive(Clone, Copy, Debug)]
enum TreeNode {
    Split {
        feature: usize,
        /// Values up to and including the threshold go left, others to `right`.
        threshold: f64,
        /// Mean prediction of the subtree.
        mean: f64,
        right: usize,
    },
    Leaf(f64),
}

impl TreeNode {
    /// Mean prediction of the node, to attribute a prediction to features.
    fn mean(self) -> f64 {
        match self {
            Self::Split { mean, .. } | Self::Leaf(mean) => mean,
        }
    }
}

impl BoostedTrees {
    /// Parses the trees of `stages` stages, whose features have the names `known`.
    ///
    /// The first line has the names of the features, all of which must be known. Each further line is
    /// one tree: its stage, a tab, and its nodes in pre-order, separated by spaces. A node is
    /// `feature<=threshold:mean` or, for a leaf, `=prediction`.
    pub(crate) fn parse(text: &str, known: &[&str], stages: usize) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        all.resize_with(stages, Self::default);
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let names: Vec<Option<usize>> = lines
            .next()
            .unwrap_or_default()
            .split(' ')
            .map(|name| known.iter().position(|known| *known == name))
            .collect();
        for line in lines {
            let Some((stage, nodes)) = line.split_once('\t') else { continue };
            let Some(trees) = stage.parse::<usize>().ok().and_then(|stage| all.get_mut(stage))
            else {
                continue;
            };
            let mut nodes = nodes.split(' ');
            trees.roots.push(trees.nodes.len());
            trees.add(&mut nodes, &names);
        }
        all
    }

    /// Parses one node and its subtree.
    fn add<'a>(&mut self, nodes: &mut impl Iterator<Item = &'a str>, names: &[Option<usize>]) {
        let number = |text: &str| text.parse().unwrap_or(0.0);
        let node = nodes.next().unwrap_or("=0");
        let split = node.split_once("<=").and_then(|(feature, rest)| {
            let (threshold, mean) = rest.split_once(':')?;
            let feature = names.get(feature.parse::<usize>().ok()?).copied().flatten()?;
            Some((feature, number(threshold), number(mean)))
        });
        let Some((feature, threshold, mean)) = split else {
            self.nodes.push(TreeNode::Leaf(number(node.trim_start_matches('='))));
            return;
        };
        let at = self.nodes.len();
        self.nodes.push(TreeNode::Leaf(mean));
        self.add(nodes, names);
        let right = self.nodes.len();
        self.nodes[at] = TreeNode::Split { feature, threshold, mean, right };
        self.add(nodes, names);
    }

    /// Sum of the predictions of all trees, in log odds.
    pub(crate) fn predict(&self, values: &[f64]) -> f64 {
        let leaf = |root: &usize| {
            let mut at = *root;
            loop {
                match self.nodes[at] {
                    TreeNode::Leaf(answer) => return answer,
                    TreeNode::Split { feature, threshold, right, .. } => {
                        at = if values[feature] <= threshold { at + 1 } else { right };
                    }
                }
            }
        };
        self.roots.iter().map(leaf).sum()
    }

    /// Contribution of each feature to the sum of predictions: the change of the mean at each split
    /// on the way (path attribution).
    pub(crate) fn contributions(&self, values: &[f64]) -> Vec<f64> {
        let mut moved = vec![0.0; values.len()];
        for root in &self.roots {
            let mut at = *root;
            while let TreeNode::Split { feature, threshold, mean, right } = self.nodes[at] {
                at = if values[feature] <= threshold { at + 1 } else { right };
                moved[feature] += self.nodes[at].mean() - mean;
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::features::{COUNT, NAMES};

    #[test]
    fn a_tree_is_gone_down_to_one_leaf() {
        let (first, second) = (NAMES[1], NAMES[2]);
        let text =
            format!("# x\n{first} {second}\n1\t0<=0.5:0.1 =1.5 1<=2:-0.2 =-3 =4\n1\t=0.25\n");
        let trees = &BoostedTrees::parse(&text, NAMES, 2)[1];
        let mut values = vec![0.0; COUNT];
        assert!((trees.predict(&values) - 1.75).abs() < 1e-12);
        values[1] = 1.0;
        assert!((trees.predict(&values) - -2.75).abs() < 1e-12);
        values[2] = 3.0;
        assert!((trees.predict(&values) - 4.25).abs() < 1e-12);
        let moved = trees.contributions(&values);
        assert!((moved[1] - -0.3).abs() < 1e-12 && (moved[2] - 4.2).abs() < 1e-12);
    }
}
