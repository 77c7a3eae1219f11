//! Classifies the sibling segments below one trie node as literals or parameter values.

use crate::math::ln1;
use crate::template::Template;
#[cfg(feature = "training")]
use crate::template::context::bodies::BODY_COUNT;
use crate::template::context::bodies::{BodyContext, log_odds};
use crate::template::context::{Candidate, LeafStats, SiblingSet};
use crate::template::features::{Feature, Features};
use crate::template::model::{BODY_STAGES, Model, STAGES};
use crate::template::model_rules::ModelRule;
use crate::template::sibling_rules;

/// Classification of one segment.
#[derive(Clone, Debug)]
pub(crate) struct Classification {
    pub(crate) is_value: bool,
    /// The probability that the segment is a value, 0 to 1.
    pub(crate) probability: f64,
    /// The topic that contributed most, as a user-facing phrase; empty for clear names.
    pub(crate) reason: &'static str,
}

/// Maximum distance of a near miss from probability one half.
const MAX_NEAR_DISTANCE: f64 = 0.35;

impl Classification {
    /// Returns `true` if the classification was close.
    pub(crate) fn is_near(&self) -> bool {
        (self.probability - 0.5).abs() < MAX_NEAR_DISTANCE
    }

    /// Overrides the classification by a user-defined rule.
    pub(crate) fn decide(&mut self, is_value: bool) {
        self.is_value = is_value;
        self.probability = if is_value { 1.0 } else { 0.0 };
        self.reason = "a rule says so";
    }
}

/// A binary classifier for sibling segments, with optional overrides.
pub(crate) trait Classifier<T> {
    /// Classifies the candidates of a node, in order.
    fn judge(&self, place: &SiblingSet<'_, '_, T>) -> Vec<Classification>;

    /// Parameter names for a frame below a template, if a rule gives them.
    fn parameter_names(&self, _template: &Template, _frame: &[u8]) -> Option<Vec<String>> {
        None
    }

    /// The frame that a rule assigns to a segment below a template, or to the frame of a values
    /// child.
    fn pinned_frame(&self, _template: &Template, _segment: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// Returns `true` if a rule makes the remainder below a template a single value.
    fn takes_rest(&self, _template: &Template) -> bool {
        false
    }
}

/// Threshold for a single likely value. A lone name classified as a value hides an endpoint, while
/// a lone value classified as a name costs nothing, so the threshold is high.
const SINGLE_VALUE_THRESHOLD: f64 = 0.85;
/// Threshold for a word that is the only segment below its parent. Nothing shows that it varies,
/// and its spelling alone is weak evidence.
const ONLY_CHILD_THRESHOLD: f64 = 0.99;
/// Maximum size of a group of rare words that need the threshold [`SURE_OF_FEW`]. Without ids
/// beside them and without a subtree, their only evidence for each other is being unknown.
const MAX_FEW_WORDS: usize = 3;
const SURE_OF_FEW: f64 = 0.93;
/// Threshold for two likely values with names below them and no id beside them. Two names have as
/// many things in common by chance as two values have, and all endpoints below them are at stake.
const SURE_OF_TWO: f64 = 0.8;
/// Threshold where several segments are likely values. Below one half, because a value that is taken for a name is shown as an
/// endpoint of its own, and they are several. Chosen on APIs that the model never saw.
const LIKELY: f64 = 0.45;
/// Threshold where these segments are rare leaves without ids beside them, as the pages of a menu are.
const LIKELY_IF_RARE: f64 = 0.5;
/// Probability that a segment of an unmistakable kind is a value.
pub(crate) const UNMISTAKABLE: f64 = 0.99;
/// Probability assigned to versions.
const VERSION: f64 = 0.05;
/// Maximum probability of the services and methods of remote procedure calls.
const MAX_REMOTE: f64 = 0.05;
/// Maximum ratio of the frequency of a known word to the mean frequency of the folded segments at
/// which the word is classified like them.
const MAX_FOLDED_RATIO: u64 = 4;
/// Minimum probability of a segment that represents folded ones.
const MIN_FOLDED: f64 = 0.95;

/// The classifier that applies the fitted model.
#[derive(Debug)]
pub(crate) struct ModelClassifier<'m>(pub(crate) &'m Model);

impl<T: LeafStats> Classifier<T> for ModelClassifier<'_> {
    fn judge(&self, place: &SiblingSet<'_, '_, T>) -> Vec<Classification> {
        let StageResults { probabilities, features, by_bodies } = run_all_stages(self.0, place);
        // `/@alice` says nothing about `/about`.
        let thresholds = [false, true].map(|sigil| threshold(place, &probabilities, sigil));
        let own =
            place.candidates.iter().map(|found| thresholds[usize::from(found.segment.has_sigil())]);
        let mut verdicts = verdicts(&probabilities, own);
        for ((verdict, features), by_bodies) in verdicts.iter_mut().zip(&features).zip(by_bodies) {
            // What its own bodies say of a segment needs no siblings.
            verdict.is_value |=
                by_bodies >= MIN_BODY_EVIDENCE && verdict.probability > MIN_CONFIRMED;
            // Clear names need no reason.
            if verdict.is_value || verdict.is_near() {
                let in_favor = if verdict.is_value { by_bodies } else { -by_bodies };
                verdict.reason = if in_favor >= MIN_BODY_EVIDENCE {
                    BODIES
                } else {
                    self.0.reason(features, verdict.is_value)
                };
            }
        }
        verdicts
    }
}

/// The only hand-written rule: a few small numbers near the root are versions. They are if known
/// words follow each (`/1/boards`, `/rest/api/3/issue`), or if they follow the name of a service
/// and have names below them that no other number has (`/mobile/24/feed`). Too few APIs have such
/// versions to learn the rule.
fn are_versions<T: LeafStats>(place: &SiblingSet<'_, '_, T>, features: &[Features]) -> bool {
    let has_no_parameter = place.template.parameters().next().is_none();
    let near_root = place.template.parts.len() <= 3 && has_no_parameter;
    let numbers = || features.iter().filter(|features| features.get(Feature::small_number) > 0.0);
    if !near_root || !(1..=3).contains(&numbers().count()) {
        return false;
    }
    // At least three known words below the number, and a majority of known words.
    let is_rich = |features: &Features| {
        features.get(Feature::small_number_rich) >= ln1(3)
            && features.get(Feature::below_unknown) + features.get(Feature::below_ids) <= 0.5
    };
    // The parent is a word that takes no values. The names below occur below no other number, and
    // they are several or belong to several numbers.
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

/// The probability above which a segment with a sigil, or one without, is a value, derived from the cost of errors.
fn threshold<T>(place: &SiblingSet<'_, '_, T>, probabilities: &[f64], sigil: bool) -> f64 {
    let words = || {
        let all = place.candidates.iter().zip(probabilities);
        all.filter(|found| !found.0.is_date() && found.0.segment.has_sigil() == sigil)
    };
    let possible: Vec<&Candidate<'_, T>> = words()
        .filter_map(|(candidate, probability)| (*probability > 0.3).then_some(candidate))
        .collect();
    let has_ids =
        !place.values.is_empty() || place.candidates.iter().any(Candidate::is_number_or_date);
    let have_names_below = || possible.iter().all(|candidate| candidate.has_names_below());
    let are_rare = possible.iter().all(|candidate| candidate.is_rare_leaf());
    match (words().count(), possible.len()) {
        (1, _) if !has_ids && ModelRule::Alone.is_on() => ONLY_CHILD_THRESHOLD,
        (_, 0 | 1) if ModelRule::OnlyOne.is_on() => SINGLE_VALUE_THRESHOLD,
        (_, 2..=MAX_FEW_WORDS) if !has_ids && are_rare && ModelRule::FewWords.is_on() => {
            SURE_OF_FEW
        }
        (_, 2) if !has_ids && have_names_below() && ModelRule::OnlyTwo.is_on() => SURE_OF_TWO,
        _ if !has_ids && are_rare => LIKELY_IF_RARE,
        _ => LIKELY,
    }
}

fn verdicts(probabilities: &[f64], thresholds: impl Iterator<Item = f64>) -> Vec<Classification> {
    let verdict = |(probability, threshold): (&f64, f64)| Classification {
        is_value: *probability > threshold,
        probability: *probability,
        reason: "",
    };
    probabilities.iter().zip(thresholds).map(verdict).collect()
}

/// Runs all stages, then adjusts the probabilities by the evidence of folded segments.
fn run_all_stages<T: LeafStats>(model: &Model, place: &SiblingSet<'_, '_, T>) -> StageResults {
    let (guesses, features) = run_stages(model, place, STAGES);
    let (mut probabilities, _) = run_body_stages(model, place, &guesses, BODY_STAGES);
    let by_bodies = guesses.iter().zip(&probabilities);
    let by_bodies = by_bodies.map(|(guess, p)| log_odds(*p) - log_odds(*guess)).collect();
    let long_numbers = ModelRule::ShortNumbers.is_on()
        && place.values.iter().any(|values| values.kind.is_integer());
    let (mut folded_requests, mut folded_names) = (0, 0);
    for values in place.values.iter().filter(|values| values.folded.estimate() > 0) {
        folded_requests += values.node.count;
        folded_names += values.folded.estimate();
    }
    let is_unknown = |features: &Features| features.get(Feature::segment_unknown) > 0.5;
    let are_values = ModelRule::Folded.is_on()
        && folded_names > 0
        && sample_says_values(&probabilities, &features);
    for ((probability, features), candidate) in
        probabilities.iter_mut().zip(&features).zip(place.candidates)
    {
        // Short numbers beside longer ones are numbers as well. If the segments that the node had
        // to fold are values, then so are the unknown ones that it kept, and known words that are
        // no more frequent.
        let is_number = long_numbers && candidate.segment.kind.is_integer();
        let as_often =
            candidate.requests().saturating_mul(folded_names) <= folded_requests * MAX_FOLDED_RATIO;
        if is_number || (are_values && (is_unknown(features) || as_often)) {
            *probability = probability.max(MIN_FOLDED);
        }
    }
    sibling_rules::adjust(place, &mut probabilities);
    StageResults { probabilities, features, by_bodies }
}

/// The result of all stages at one place, by candidate.
struct StageResults {
    probabilities: Vec<f64>,
    features: Vec<Features>,
    /// What bodies added to the log odds.
    by_bodies: Vec<f64>,
}

/// What bodies must add to the log odds, in favor of the result, to be named as its reason.
const MIN_BODY_EVIDENCE: f64 = 0.7;
/// Probability threshold for a segment whose bodies add at least [`MIN_BODY_EVIDENCE`] to its log odds.
const MIN_CONFIRMED: f64 = 0.7;
/// The reported reason where the evidence of bodies is at least [`MIN_BODY_EVIDENCE`].
const BODIES: &str = "what the bodies of its requests hold";

/// Returns `true` if most unknown segments of a node are values. They are a bottom-k sample of the
/// segments that the node folded.
fn sample_says_values(probabilities: &[f64], features: &[Features]) -> bool {
    let unknown = probabilities
        .iter()
        .zip(features)
        .filter(|(_, features)| features.get(Feature::segment_unknown) > 0.5);
    let (count, sum) = unknown.fold((0.0, 0.0), |(count, sum), (p, _)| (count + 1.0, sum + p));
    sum > count * LIKELY
}

/// Runs the first `count` stages. Returns the probabilities of the last one and its input features.
pub(crate) fn run_stages<T: LeafStats>(
    model: &Model,
    place: &SiblingSet<'_, '_, T>,
    count: usize,
) -> (Vec<f64>, Vec<Features>) {
    let own: Vec<Features> =
        place.candidates.iter().map(|c: &Candidate<'_, T>| place.index.lexical(c.hash)).collect();
    let mut probabilities: Vec<f64> =
        own.iter().map(|features| model.probability(0, features)).collect();
    let around = (count > 1).then(|| place.static_context(own.clone()));
    let mut features = own;
    let mut versions = false;
    let dates = date_probability(place);
    set_dates(place, dates, &mut probabilities);
    for stage in 1..count {
        let guesses: Vec<f64> =
            probabilities.iter().map(|p| if stage == 1 { sharpen(*p) } else { *p }).collect();
        let Some(around) = &around else { break };
        features = place.features(around, &guesses);
        probabilities = features
            .iter()
            .map(|features| model.probability(stage.min(STAGES - 1), features))
            .collect();
        set_dates(place, dates, &mut probabilities);
        for (probability, candidate) in probabilities.iter_mut().zip(place.candidates) {
            if ModelRule::RemoteNames.is_on() && place.is_remote_name(candidate) {
                *probability = probability.min(MAX_REMOTE);
            }
        }
        versions = versions || (ModelRule::Versions.is_on() && are_versions(place, &features));
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

/// The probability of the dates of a place, which the model does not judge; `None` without any.
fn date_probability<T>(place: &SiblingSet<'_, '_, T>) -> Option<f64> {
    let has_dates = place.candidates.iter().any(Candidate::is_date);
    let are_versions =
        || ModelRule::DatedVersions.is_on() && sibling_rules::are_dated_versions(place);
    has_dates.then(|| if are_versions() { VERSION } else { UNMISTAKABLE })
}

fn set_dates<T>(place: &SiblingSet<'_, '_, T>, of_dates: Option<f64>, probabilities: &mut [f64]) {
    let Some(of_dates) = of_dates else { return };
    for (probability, candidate) in probabilities.iter_mut().zip(place.candidates) {
        if candidate.is_date() {
            *probability = of_dates;
        }
    }
}

/// Runs the first `count` stages that correct probabilities by bodies. Returns the probabilities, and
/// what bodies say at the place; `None` where none was read, and the probabilities are then the
/// guesses.
fn run_body_stages<T: LeafStats>(
    model: &Model,
    place: &SiblingSet<'_, '_, T>,
    guesses: &[f64],
    count: usize,
) -> (Vec<f64>, Option<BodyContext>) {
    let mut probabilities = guesses.to_vec();
    let context = place.body_context();
    if let Some(context) = &context {
        for stage in 0..count {
            let rows = place.body_features(context, &probabilities);
            let corrected =
                guesses.iter().zip(&rows).zip(&context.weights).map(|((guess, row), weight)| {
                    model.corrected_probability(stage, *guess, row, *weight)
                });
            probabilities = corrected.collect();
        }
    }
    (probabilities, context)
}

/// The body features of a stage of correction, each behind the log odds by paths alone; none where
/// no body was read at the place.
#[cfg(feature = "training")]
pub(crate) fn body_evidence<T: LeafStats>(
    model: &Model,
    place: &SiblingSet<'_, '_, T>,
    stage: usize,
) -> Vec<(f64, [f64; BODY_COUNT])> {
    let (guesses, _) = run_stages(model, place, STAGES);
    let (probabilities, context) = run_body_stages(model, place, &guesses, stage);
    let rows = context.map(|context| place.body_features(&context, &probabilities));
    let guesses = guesses.into_iter().map(log_odds);
    guesses.zip(rows.into_iter().flatten()).collect()
}

/// The input features of a stage.
#[cfg(feature = "training")]
pub(crate) fn evidence<T: LeafStats>(
    model: &Model,
    place: &SiblingSet<'_, '_, T>,
    stage: usize,
) -> Vec<Features> {
    if stage == 0 {
        return run_stages(model, place, 1).1;
    }
    let own: Vec<Features> = place.candidates.iter().map(|c| place.index.lexical(c.hash)).collect();
    let (probabilities, _) = run_stages(model, place, stage);
    let guesses: Vec<f64> =
        probabilities.iter().map(|p| if stage == 1 { sharpen(*p) } else { *p }).collect();
    place.features(&place.static_context(own), &guesses)
}

/// Moves a probability away from one half.
fn sharpen(p: f64) -> f64 {
    if !ModelRule::Sharpened.is_on() {
        return p;
    }
    let (yes, no) = (p * p * p, (1.0 - p) * (1.0 - p) * (1.0 - p));
    yes / (yes + no)
}
