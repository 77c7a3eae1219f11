//! The fitted model: a weighted sum of the evidence for each stage, data/weights.tsv.

use std::sync::LazyLock;

use crate::math::logistic;
use crate::template::features::{COUNT, Features, LEXICAL, NAMES};
use crate::template::vocabulary::Vocabulary;

/// How many stages there are: the segment alone, with what its siblings look like, and with what they were found to be.
pub(crate) const STAGES: usize = 3;

/// Vocabulary and weights.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) vocabulary: &'static Vocabulary,
    weights: [Vec<f64>; STAGES],
}

static SHIPPED: LazyLock<Model> =
    LazyLock::new(|| Model::parse(Vocabulary::shipped(), include_str!("../../data/weights.tsv")));

impl Model {
    /// The one that is part of the program.
    pub(crate) fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// From the text of the weights: a name and a number for each stage, separated by tabs. What is missing weighs nothing.
    pub(crate) fn parse(vocabulary: &'static Vocabulary, text: &str) -> Self {
        let mut weights = [const { Vec::new() }; STAGES].map(|_: Vec<f64>| vec![0.0; COUNT]);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut cells = line.split('\t');
            let name = cells.next().unwrap_or_default();
            let Some(at) = NAMES.iter().position(|known| *known == name) else { continue };
            for (stage, cell) in weights.iter_mut().zip(cells) {
                stage[at] = cell.trim().parse().unwrap_or(0.0);
            }
        }
        Self { vocabulary, weights }
    }

    /// The probability that the segment is a value, as this stage sees it.
    pub(crate) fn probability(&self, stage: usize, features: &Features) -> f64 {
        let used = if stage == 0 { LEXICAL } else { COUNT };
        let products = features.values[..used].iter().zip(&self.weights[stage]);
        logistic(products.map(|(value, weight)| value * weight).sum())
    }

    /// What spoke most for a value and against it in the last stage: (name, contribution), strongest first.
    pub(crate) fn contributions(&self, features: &Features) -> Vec<(&'static str, f64)> {
        let products = features.values.iter().zip(&self.weights[STAGES - 1]);
        let mut all: Vec<(&str, f64)> =
            NAMES.iter().copied().zip(products.map(|(value, weight)| value * weight)).collect();
        all.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(b.0)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
