//! The classifier model: in each stage the weighted mean of a linear model (data/weights.tsv) and
//! boosted trees (data/trees.tsv).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::math::logistic;
use crate::template::context::bodies::{BODY_COUNT, BODY_NAMES, log_odds};
use crate::template::features::{COUNT, Features, LEXICAL, NAMES};
use crate::template::trees::BoostedTrees;
use crate::template::vocabulary::Vocabulary;

/// Number of stages: the segment alone, then with its context, then twice more with the
/// probabilities of its siblings from the previous stage.
pub(crate) const STAGES: usize = 4;

/// Number of stages that correct the result by bodies; the second uses the siblings' probabilities
/// of the first.
pub(crate) const BODY_STAGES: usize = 2;

/// Weight of the trees in the mean, in log odds. Chosen for minimum loss in leave-one-API-out
/// cross-validation.
const SHARE_OF_TREES: f64 = 0.65;

/// A fitted model: vocabulary, linear weights and trees.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) vocabulary: &'static Vocabulary,
    weights: [Vec<f64>; STAGES],
    /// One ensemble per stage.
    trees: Vec<BoostedTrees>,
    /// One ensemble per stage that corrects the probabilities by what bodies say, in log odds.
    body_trees: Vec<BoostedTrees>,
}

static SHIPPED: LazyLock<Model> = LazyLock::new(|| {
    Model::parse(
        Vocabulary::shipped(),
        include_str!("../../data/weights.tsv"),
        include_str!("../../data/trees.tsv"),
        include_str!("../../data/bodies.tsv"),
    )
});

impl Model {
    /// The model compiled into the program.
    pub(crate) fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// Parses a model. A line of `text` has a feature name and one weight per stage, separated by
    /// tabs. Missing weights are 0.
    pub(crate) fn parse(
        vocabulary: &'static Vocabulary,
        text: &str,
        trees: &str,
        bodies: &str,
    ) -> Self {
        let mut weights = [const { Vec::new() }; STAGES].map(|_: Vec<f64>| vec![0.0; COUNT]);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut cells = line.split('\t');
            let name = cells.next().unwrap_or_default();
            let Some(at) = NAMES.iter().position(|known| *known == name) else { continue };
            for (stage, cell) in weights.iter_mut().zip(cells) {
                stage[at] = cell.trim().parse().unwrap_or(0.0);
            }
        }
        Self {
            vocabulary,
            weights,
            trees: BoostedTrees::parse(trees, NAMES, STAGES),
            body_trees: BoostedTrees::parse(bodies, BODY_NAMES, BODY_STAGES),
        }
    }

    /// The probability that a segment is a value, by the given stage.
    pub(crate) fn probability(&self, stage: usize, features: &Features) -> f64 {
        let used = if stage == 0 { LEXICAL } else { COUNT };
        let products = features.values[..used].iter().zip(&self.weights[stage]);
        let sum: f64 = products.map(|(value, weight)| value * weight).sum();
        // The linear model generalises to values never seen in training; the trees capture
        // interactions.
        let trees = self.trees[stage].predict(&features.values);
        logistic(sum * (1.0 - SHARE_OF_TREES) + trees * SHARE_OF_TREES)
    }

    /// The probability of the stage before, corrected by what bodies say.
    pub(crate) fn corrected_probability(
        &self,
        stage: usize,
        guess: f64,
        bodies: &[f64; BODY_COUNT],
        weight: f64,
    ) -> f64 {
        logistic(log_odds(guess) + weight * self.body_trees[stage].predict(bodies))
    }

    /// Contribution of each feature to the log odds of the last stage; positive for a value.
    fn contributions(&self, features: &Features) -> Vec<f64> {
        let products = features.values.iter().zip(&self.weights[STAGES - 1]);
        let trees = self.trees[STAGES - 1].contributions(&features.values);
        let both = products.zip(trees);
        both.map(|((value, weight), moved)| {
            value * weight * (1.0 - SHARE_OF_TREES) + moved * SHARE_OF_TREES
        })
        .collect()
    }

    /// The topic whose features contributed most to the classification, as a user-facing phrase.
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
    /// The features with their contributions in the last stage, by absolute value, descending.
    /// Positive for a value.
    pub(crate) fn strongest(&self, features: &Features) -> Vec<(&'static str, f64)> {
        let mut all: Vec<(&str, f64)> =
            NAMES.iter().copied().zip(self.contributions(features)).collect();
        all.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(b.0)));
        all
    }
}

/// The distinct topics, sorted.
static TOPICS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let topics: BTreeSet<&str> = NAMES.iter().map(|name| topic(name)).collect();
    topics.into_iter().collect()
});

/// Upper bound of the number of topics.
const MAX_TOPICS: usize = 16;

/// Index of each feature's topic in [`TOPICS`].
static TOPIC_OF_FEATURE: LazyLock<Vec<usize>> = LazyLock::new(|| {
    NAMES.iter().map(|name| TOPICS.binary_search(&topic(name)).unwrap_or_default()).collect()
});

/// The topic of a feature as a user-facing phrase; empty for the bias.
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
        "the segments below it"
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
        "the segments beside it"
    } else if begins(&["children_per", "singletons", "once", "traffic"]) {
        "how often it occurs"
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
        "how it is requested"
    } else if begins(&["root", "second", "parent", "two_values"]) {
        "its position in the path"
    } else if begins(&["host_", "habit_", "place_unknown", "place_known"]) {
        "how the host spells its words"
    } else if begins(&["elsewhere"]) {
        "where else it occurs"
    } else {
        "how it is spelled"
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
