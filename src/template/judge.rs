//! Who decides which segments of a place are values.

use crate::template::context::{Candidate, Observed, Place};
use crate::template::features::{Features, lexical};
use crate::template::model::{Model, STAGES};

/// What a judge says of one segment.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) is_value: bool,
    /// From 0 to 1: that it is a value.
    pub(crate) probability: f64,
}

/// Decides for all segments of one place at once.
pub(crate) trait Judge<T> {
    fn judge(&self, place: &Place<'_, '_, T>) -> Vec<Verdict>;
}

/// A lone segment that is taken for a value swallows an endpoint; a lone value that stays as it is costs nothing. So the one
/// that stands alone must be surer.
const SURE: f64 = 0.85;
const LIKELY: f64 = 0.5;

/// The fitted model.
#[derive(Debug)]
pub(crate) struct Fitted<'m>(pub(crate) &'m Model);

impl<T: Observed> Judge<T> for Fitted<'_> {
    fn judge(&self, place: &Place<'_, '_, T>) -> Vec<Verdict> {
        let (probabilities, _) = stages(self.0, place, STAGES);
        verdicts(&probabilities)
    }
}

/// A threshold that follows from what an error costs.
pub(crate) fn verdicts(probabilities: &[f64]) -> Vec<Verdict> {
    let possible = probabilities.iter().filter(|probability| **probability > 0.3).count();
    let threshold = if possible <= 1 { SURE } else { LIKELY };
    let verdict = |probability: &f64| Verdict { is_value: *probability > threshold, probability: *probability };
    probabilities.iter().map(verdict).collect()
}

/// Runs the first `count` stages; the probabilities of the last, and the evidence it had.
pub(crate) fn stages<T: Observed>(model: &Model, place: &Place<'_, '_, T>, count: usize) -> (Vec<f64>, Vec<Features>) {
    let own: Vec<Features> = place.candidates.iter().map(|c: &Candidate<'_, T>| lexical(&c.segment, model.vocabulary)).collect();
    let mut probabilities: Vec<f64> = own.iter().map(|features| model.probability(0, features)).collect();
    let mut features = own.clone();
    for stage in 1..count {
        let guesses: Vec<f64> = probabilities.iter().map(|p| if stage == 1 { sharpened(*p) } else { *p }).collect();
        features = place.features(&own, &guesses);
        probabilities = features.iter().map(|features| model.probability(stage, features)).collect();
    }
    (probabilities, features)
}

/// The evidence that a stage sees.
pub(crate) fn evidence<T: Observed>(model: &Model, place: &Place<'_, '_, T>, stage: usize) -> Vec<Features> {
    if stage == 0 {
        return stages(model, place, 1).1;
    }
    let own: Vec<Features> = place.candidates.iter().map(|c| lexical(&c.segment, model.vocabulary)).collect();
    let (probabilities, _) = stages(model, place, stage);
    let guesses: Vec<f64> = probabilities.iter().map(|p| if stage == 1 { sharpened(*p) } else { *p }).collect();
    place.features(&own, &guesses)
}

fn sharpened(p: f64) -> f64 {
    let (yes, no) = (p * p * p, (1.0 - p) * (1.0 - p) * (1.0 - p));
    yes / (yes + no)
}
