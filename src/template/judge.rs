//! Who decides which segments of a place are values.

use crate::math::ln1;
use crate::template::Template;
use crate::template::context::{Candidate, Observed, Place};
use crate::template::features::{Feature, Features};
use crate::template::model::{Model, STAGES};

/// What a judge says of one segment.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) is_value: bool,
    /// From 0 to 1: that it is a value.
    pub(crate) probability: f64,
    /// What spoke most for it.
    pub(crate) reason: &'static str,
}

/// A verdict is a near miss if its probability is within this distance of one half.
const NEAR: f64 = 0.35;

impl Verdict {
    /// True if the segment was nearly judged otherwise.
    pub(crate) fn is_near(&self) -> bool {
        (self.probability - 0.5).abs() < NEAR
    }

    /// Overrules it.
    pub(crate) fn decide(&mut self, is_value: bool) {
        self.is_value = is_value;
        self.probability = if is_value { 1.0 } else { 0.0 };
        self.reason = "a rule says so";
    }
}

/// Decides for all segments of one place at once.
pub(crate) trait Judge<T> {
    fn judge(&self, place: &Place<'_, '_, T>) -> Vec<Verdict>;

    /// What the parameters of a frame below a template are called, where a rule names them.
    fn parameter_names(&self, _template: &Template, _frame: &[u8]) -> Option<Vec<String>> {
        None
    }

    /// The frame that a rule gives to a segment below a template, or to one of the frames by which values are kept.
    fn pinned_frame(&self, _template: &Template, _segment: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// True if a rule makes all that stands below a template one value.
    fn takes_rest(&self, _template: &Template) -> bool {
        false
    }
}

/// A lone segment that is taken for a value swallows an endpoint; a lone value that stays as it is costs nothing. So the one
/// that stands alone must be surer.
const SURE: f64 = 0.85;
/// A word that is the only segment ever seen at its place has shown no sign of varying, and what it looks like is no sign.
const ALONE: f64 = 0.99;
/// So few words that come once or twice, with no id beside and nothing below them, confirm each other only in being unknown.
const FEW_WORDS: usize = 3;
const SURE_OF_FEW: f64 = 0.93;
const LIKELY: f64 = 0.5;
/// What a version is given for being a value.
const VERSION: f64 = 0.05;
/// What a service or a method of a remote procedure call is given for being a value at most.
const REMOTE: f64 = 0.05;
/// A known word that comes at most this many times as often as the folded segments do on average is one of them.
const LIKE_FOLDED: u64 = 4;
/// What a segment is given that stands for others that were folded.
const FOLDED: f64 = 0.95;

/// The fitted model.
#[derive(Debug)]
pub(crate) struct Fitted<'m>(pub(crate) &'m Model);

impl<T: Observed> Judge<T> for Fitted<'_> {
    fn judge(&self, place: &Place<'_, '_, T>) -> Vec<Verdict> {
        let (probabilities, features) = settled(self.0, place);
        let mut verdicts = verdicts(&probabilities, threshold(place, &probabilities));
        for (verdict, features) in verdicts.iter_mut().zip(&features) {
            // Nobody is told why a name is one, unless it nearly was none.
            if verdict.is_value || verdict.is_near() {
                verdict.reason = self.0.reason(features, verdict.is_value);
            }
        }
        verdicts
    }
}

/// The one rule by hand: few small numbers near the root are versions where known words stand below each (`/1/boards`,
/// `/rest/api/3/issue`), and where names that are no other number's stand behind the name of a service (`/mobile/24/feed`).
/// Too few APIs have them to learn it.
fn are_versions<T: Observed>(place: &Place<'_, '_, T>, features: &[Features]) -> bool {
    let has_no_parameter = place.template.parameters().next().is_none();
    let near_root = place.template.parts.len() <= 3 && has_no_parameter;
    let numbers = || features.iter().filter(|features| features.get(Feature::small_number) > 0.0);
    if !near_root || !(1..=3).contains(&numbers().count()) {
        return false;
    }
    // At least three known words below, and most of what is below.
    let is_rich = |features: &Features| {
        features.get(Feature::small_number_rich) >= ln1(3)
            && features.get(Feature::below_unknown) + features.get(Feature::below_ids) <= 0.5
    };
    // Behind a word that takes no values, with names below that no other number has: several, or of several numbers.
    let behind_service = |features: &Features| {
        features.get(Feature::small_number_apart_singular) >= 1.0
            && features.get(Feature::below_ids) <= 0.0
            && features.get(Feature::parent_value_share) < 0.25
            && features.get(Feature::root) < 0.5
    };
    let several_names = numbers().count() > 1
        || numbers().all(|features| features.get(Feature::below_children) >= ln1(2));
    (place.template.parts.len() <= 2 && numbers().all(is_rich))
        || (several_names && numbers().all(behind_service))
}

/// How likely a segment must be a value to be taken for one, as it follows from what an error costs.
fn threshold<T>(place: &Place<'_, '_, T>, probabilities: &[f64]) -> f64 {
    let possible: Vec<&Candidate<'_, T>> = place
        .candidates
        .iter()
        .zip(probabilities)
        .filter_map(|(candidate, probability)| (*probability > 0.3).then_some(candidate))
        .collect();
    let has_ids = !place.values.is_empty() || place.candidates.iter().any(Candidate::is_number);
    let are_rare = possible.iter().all(|candidate| candidate.is_rare_leaf());
    match (place.candidates.len(), possible.len()) {
        (1, _) if !has_ids => ALONE,
        (_, 0 | 1) => SURE,
        (_, 2..=FEW_WORDS) if !has_ids && are_rare => SURE_OF_FEW,
        _ => LIKELY,
    }
}

fn verdicts(probabilities: &[f64], threshold: f64) -> Vec<Verdict> {
    let verdict = |probability: &f64| Verdict {
        is_value: *probability > threshold,
        probability: *probability,
        reason: "",
    };
    probabilities.iter().map(verdict).collect()
}

/// All stages; then what follows from segments that were folded.
fn settled<T: Observed>(model: &Model, place: &Place<'_, '_, T>) -> (Vec<f64>, Vec<Features>) {
    let (mut probabilities, features) = stages(model, place, STAGES);
    let long_numbers = place.values.iter().any(|values| values.kind.is_integer());
    let (mut folded_requests, mut folded_names) = (0, 0);
    for values in place.values.iter().filter(|values| values.folded.estimate() > 0) {
        folded_requests += values.node.count;
        folded_names += values.folded.estimate();
    }
    let is_unknown = |features: &Features| features.get(Feature::segment_unknown) > 0.5;
    let are_values = folded_names > 0 && sample_says_values(&probabilities, &features);
    for ((probability, features), candidate) in
        probabilities.iter_mut().zip(&features).zip(place.candidates)
    {
        // Beside longer numbers, short ones are numbers as well. And where the names that a node could not keep are values,
        // so are the unknown ones that it kept, and known words that come no more often.
        let is_number = long_numbers && candidate.segment.kind.is_integer();
        let as_often =
            candidate.requests().saturating_mul(folded_names) <= folded_requests * LIKE_FOLDED;
        if is_number || (are_values && (is_unknown(features) || as_often)) {
            *probability = probability.max(FOLDED);
        }
    }
    (probabilities, features)
}

/// The unknown segments that a node keeps are a sample of those that it folded (those with the smallest hashes): true if
/// most of the sample are values.
fn sample_says_values(probabilities: &[f64], features: &[Features]) -> bool {
    let unknown = probabilities
        .iter()
        .zip(features)
        .filter(|(_, features)| features.get(Feature::segment_unknown) > 0.5);
    let (count, sum) = unknown.fold((0.0, 0.0), |(count, sum), (p, _)| (count + 1.0, sum + p));
    sum > count * LIKELY
}

/// Runs the first `count` stages; the probabilities of the last, and the evidence it had.
pub(crate) fn stages<T: Observed>(
    model: &Model,
    place: &Place<'_, '_, T>,
    count: usize,
) -> (Vec<f64>, Vec<Features>) {
    let own: Vec<Features> =
        place.candidates.iter().map(|c: &Candidate<'_, T>| place.index.lexical(c.hash)).collect();
    let mut probabilities: Vec<f64> =
        own.iter().map(|features| model.probability(0, features)).collect();
    let around = (count > 1).then(|| place.surroundings(own.clone()));
    let mut features = own;
    let mut versions = false;
    for stage in 1..count {
        let guesses: Vec<f64> =
            probabilities.iter().map(|p| if stage == 1 { sharpened(*p) } else { *p }).collect();
        let Some(around) = &around else { break };
        features = place.features(around, &guesses);
        probabilities = features
            .iter()
            .map(|features| model.probability(stage.min(STAGES - 1), features))
            .collect();
        for (probability, candidate) in probabilities.iter_mut().zip(place.candidates) {
            if place.is_remote_name(candidate) {
                *probability = probability.min(REMOTE);
            }
        }
        versions = versions || are_versions(place, &features);
        if versions {
            let numbers = probabilities.iter_mut().zip(&features);
            for (probability, _) in
                numbers.filter(|(_, features)| features.get(Feature::small_number) > 0.0)
            {
                *probability = VERSION;
            }
        }
    }
    (probabilities, features)
}

/// The evidence that a stage sees.
#[cfg(feature = "training")]
pub(crate) fn evidence<T: Observed>(
    model: &Model,
    place: &Place<'_, '_, T>,
    stage: usize,
) -> Vec<Features> {
    if stage == 0 {
        return stages(model, place, 1).1;
    }
    let own: Vec<Features> = place.candidates.iter().map(|c| place.index.lexical(c.hash)).collect();
    let (probabilities, _) = stages(model, place, stage);
    let guesses: Vec<f64> =
        probabilities.iter().map(|p| if stage == 1 { sharpened(*p) } else { *p }).collect();
    place.features(&place.surroundings(own), &guesses)
}

fn sharpened(p: f64) -> f64 {
    let (yes, no) = (p * p * p, (1.0 - p) * (1.0 - p) * (1.0 - p));
    yes / (yes + no)
}
