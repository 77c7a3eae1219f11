//! The fitted model: for each stage a weighted sum of the evidence, data/weights.tsv, and trees, data/trees.tsv.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::math::logistic;
use crate::template::features::{COUNT, Features, LEXICAL, NAMES};
use crate::template::trees::Trees;
use crate::template::vocabulary::Vocabulary;

/// How many stages there are: the segment alone, with what its siblings look like, and twice with what they were found to be.
pub(crate) const STAGES: usize = 4;

/// How much of the answer the trees give: where the loss is least when one API is left out of the fit.
const SHARE_OF_TREES: f64 = 0.65;

/// Vocabulary, weights and trees.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) vocabulary: &'static Vocabulary,
    weights: [Vec<f64>; STAGES],
    /// One for each stage.
    trees: Vec<Trees>,
}

static SHIPPED: LazyLock<Model> = LazyLock::new(|| {
    Model::parse(
        Vocabulary::shipped(),
        include_str!("../../data/weights.tsv"),
        include_str!("../../data/trees.tsv"),
    )
});

impl Model {
    /// The one that is part of the program.
    pub(crate) fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// From the text of the weights: a name and a number for each stage, separated by tabs. What is missing weighs nothing.
    pub(crate) fn parse(vocabulary: &'static Vocabulary, text: &str, trees: &str) -> Self {
        let mut weights = [const { Vec::new() }; STAGES].map(|_: Vec<f64>| vec![0.0; COUNT]);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut cells = line.split('\t');
            let name = cells.next().unwrap_or_default();
            let Some(at) = NAMES.iter().position(|known| *known == name) else { continue };
            for (stage, cell) in weights.iter_mut().zip(cells) {
                stage[at] = cell.trim().parse().unwrap_or(0.0);
            }
        }
        Self { vocabulary, weights, trees: Trees::parse(trees, STAGES) }
    }

    /// The probability that the segment is a value, as this stage sees it.
    pub(crate) fn probability(&self, stage: usize, features: &Features) -> f64 {
        let used = if stage == 0 { LEXICAL } else { COUNT };
        let products = features.values[..used].iter().zip(&self.weights[stage]);
        let sum: f64 = products.map(|(value, weight)| value * weight).sum();
        // The sums are good at what was never seen, the trees at what depends on several things at once.
        let trees = self.trees[stage].answer(&features.values);
        logistic(sum * (1.0 - SHARE_OF_TREES) + trees * SHARE_OF_TREES)
    }

    /// How much each number of the evidence speaks for a value in the last stage.
    fn contributions(&self, features: &Features) -> Vec<f64> {
        let products = features.values.iter().zip(&self.weights[STAGES - 1]);
        let trees = self.trees[STAGES - 1].contributions(&features.values);
        let both = products.zip(trees);
        both.map(|((value, weight), moved)| {
            value * weight * (1.0 - SHARE_OF_TREES) + moved * SHARE_OF_TREES
        })
        .collect()
    }

    /// In words, what spoke most for this decision.
    pub(crate) fn reason(&self, features: &Features, is_value: bool) -> &'static str {
        let mut sums = [0.0; MAX_TOPICS];
        for (topic, contribution) in TOPIC_OF_FEATURE.iter().zip(self.contributions(features)) {
            sums[*topic] += contribution;
        }
        let sign = if is_value { 1.0 } else { -1.0 };
        let strongest = TOPICS
            .iter()
            .zip(sums)
            .filter(|(topic, _)| !topic.is_empty())
            .max_by(|a, b| (a.1 * sign).total_cmp(&(b.1 * sign)));
        strongest.map_or("", |(topic, _)| topic)
    }

    #[cfg(feature = "training")]
    /// What spoke most for a value and against it in the last stage: (name, contribution), strongest first.
    pub(crate) fn strongest(&self, features: &Features) -> Vec<(&'static str, f64)> {
        let mut all: Vec<(&str, f64)> =
            NAMES.iter().copied().zip(self.contributions(features)).collect();
        all.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(b.0)));
        all
    }
}

/// What the numbers of the evidence are about, sorted.
static TOPICS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let topics: BTreeSet<&str> = NAMES.iter().map(|name| topic(name)).collect();
    topics.into_iter().collect()
});

/// There are not more topics than this.
const MAX_TOPICS: usize = 16;

/// The place of each number's topic among all topics.
static TOPIC_OF_FEATURE: LazyLock<Vec<usize>> = LazyLock::new(|| {
    NAMES.iter().map(|name| TOPICS.binary_search(&topic(name)).unwrap_or_default()).collect()
});

/// What a number of the evidence is about.
fn topic(name: &str) -> &'static str {
    let begins = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    if name == "bias" {
        ""
    } else if begins(&[
        "shared",
        "literals_below",
        "leaf",
        "below",
        "collection",
        "items_below",
        "host_shared",
    ]) {
        "what stands below it"
    } else if begins(&[
        "sibling",
        "only_child",
        "value_share",
        "unmistakable",
        "same_",
        "named",
        "ids_",
        "id_share",
        "pure",
        "many_named",
        "name_traffic",
        "keyword",
        "no_keyword",
        "word_reuse",
        "host_value_share",
        "host_named",
        "host_siblings",
        "host_only_child",
    ]) {
        "what stands beside it"
    } else if begins(&["children_per", "singletons", "once", "traffic"]) {
        "how often it comes"
    } else if begins(&[
        "get",
        "post",
        "put",
        "delete",
        "patch",
        "ends_here",
        "only_post",
        "like_item",
        "not_found",
        "client_error",
        "place_ends",
        "place_posts",
        "post_leaf",
        "query",
        "media",
        "host_get",
        "host_post",
    ]) {
        "how it is asked for"
    } else if begins(&["root", "second", "parent", "two_values"]) {
        "where it stands"
    } else if begins(&["host_", "habit_", "place_unknown", "place_known"]) {
        "how the host writes its words"
    } else if begins(&["elsewhere"]) {
        "where else it stands"
    } else {
        "how it is written"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_few() {
        assert!((2..=MAX_TOPICS).contains(&TOPICS.len()), "{:?}", *TOPICS);
    }

    #[test]
    fn every_weight_belongs_to_a_feature() {
        let text = include_str!("../../data/weights.tsv");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split('\t').next().unwrap_or_default();
            assert!(NAMES.contains(&name), "{name}");
        }
        assert!(NAMES.iter().all(|name| text.contains(&format!("{name}\t"))));
    }
}
