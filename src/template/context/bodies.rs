//! Features of a segment from the bodies of its requests and of those of its siblings.

use crate::math::ln;
use crate::sketch::stable_hash;
use crate::template::body_evidence::{NodeBodies, ScalarRole};
use crate::template::context::{Candidate, LeafStats, SiblingSet};
use crate::template::trie::Node;

macro_rules! body_features {
    ($($name:ident),+ $(,)?) => {
        /// A feature of the stages that correct the classification by bodies. The names are those of
        /// data/bodies.tsv.
        #[expect(non_camel_case_types, reason = "the names stand in the data file as they are")]
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum BodyFeature { $($name),+ }

        /// The names of all body features, in order.
        pub(crate) const BODY_NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

body_features! {
    // Its own bodies hold it.
    own_ended, own_passed, identified, named_so, kinded, held_otherwise, as_key,
    // Bodies of the host hold it.
    seen_identifier, seen_name, seen_kind, seen_key,
    // Whether the bodies of its likely values hold them.
    values_echo, names_echo, echo_gap,
    // The shape of its answers, compared with those of its siblings.
    answered, like_values, like_names, like_none, mean_like_values, mean_like_names,
    // Whether its answers are collections, and those of its siblings.
    collections, things, values_collections, names_collections,
}

/// Number of body features.
pub(crate) const BODY_COUNT: usize = BODY_NAMES.len();

/// Maximum number of siblings with which the answers of a segment are compared.
const MAX_COMPARED: usize = 24;

/// Evidence from bodies about the candidates of a place. It does not depend on probabilities.
pub(crate) struct BodyContext {
    /// Shares of the requests whose bodies hold the segment, by class; `None` without a body.
    echoes: Vec<Option<Echo>>,
    /// By candidate: whether bodies of the host hold it, by role.
    seen: Vec<[f64; 4]>,
    /// By candidate: (index of a compared sibling, similarity of the answers). The number of
    /// candidates is the index of the values of the place.
    similar: Vec<Vec<(usize, f64)>>,
    has_shape: Vec<bool>,
    /// By candidate: the share of its answers that are collections; `None` without answers.
    collections: Vec<Option<f64>>,
    /// By candidate: how much of what bodies say counts, 0 to 1: the square root of the share of its requests whose bodies were
    /// read, or of that of the place if it is larger, so that one body does not decide about all segments.
    pub(crate) weights: Vec<f64>,
}

/// Shares of requests, 0 to 1.
#[derive(Clone, Copy, Debug)]
struct Echo {
    own_ended: f64,
    own_passed: f64,
    identified: f64,
    named: f64,
    kinded: f64,
    other: f64,
    as_key: f64,
    /// Under a key of an identifier or a name.
    held: f64,
}

impl Echo {
    fn of(nodes: &[&NodeBodies]) -> Option<Self> {
        let sum = |count: fn(&NodeBodies) -> u64| nodes.iter().map(|node| count(node)).sum::<u64>();
        let read = sum(|node| node.echoes.read);
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
        let share = |count: fn(&NodeBodies) -> u64| sum(count) as f64 / read as f64;
        let ended = sum(|node| node.echoes.ended);
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
        let own = |count: fn(&NodeBodies) -> u64, of: u64| sum(count) as f64 / of.max(1) as f64;
        (read > 0).then(|| Self {
            own_ended: own(|node| node.echoes.own_ended, ended),
            own_passed: own(|node| node.echoes.own_passed, read - ended.min(read)),
            identified: share(|node| node.echoes.identifiers),
            named: share(|node| node.echoes.names),
            kinded: share(|node| node.echoes.kinds),
            other: share(|node| node.echoes.others),
            as_key: share(|node| node.echoes.as_key),
            held: share(|node| node.echoes.held),
        })
    }
}

/// The requests whose bodies were read.
fn requests_read(nodes: &[&NodeBodies]) -> u64 {
    nodes.iter().map(|node| node.echoes.read).sum()
}

impl<T: LeafStats> SiblingSet<'_, '_, T> {
    /// What bodies say about the candidates; `None` if none was read at this place.
    pub(crate) fn body_context(&self) -> Option<BodyContext> {
        if !self.index.reads_bodies() {
            return None;
        }
        let has_bodies = |node: &&Node<T>| node.bodies.is_some();
        let below_values = || self.values.iter().map(|values| &*values.node);
        if !self.candidates.iter().any(|candidate| candidate.nodes().iter().any(has_bodies)) {
            return None;
        }
        let echoes: Vec<Option<Echo>> =
            self.candidates.iter().map(|c| Echo::of(&bodies_of(c))).collect();
        let roles = [ScalarRole::Identifier, ScalarRole::Name, ScalarRole::Kind, ScalarRole::Key];
        let seen: Vec<[f64; 4]> = self
            .candidates
            .iter()
            .map(|candidate| {
                let core = stable_hash(candidate.segment.core);
                roles.map(|role| {
                    let own = self.index.held(role, candidate.hash);
                    own.max(self.index.held(role, core))
                })
            })
            .collect();
        let mut shapes: Vec<AnswerShape> =
            self.candidates.iter().map(|c| AnswerShape::of(&bodies_of(c))).collect();
        let of_values: Vec<&NodeBodies> =
            below_values().filter_map(|node| node.bodies.as_deref()).collect();
        shapes.push(AnswerShape::of(&of_values));
        let has_shape: Vec<bool> = shapes.iter().map(|shape| !shape.hashes.is_empty()).collect();
        let collections: Vec<Option<f64>> =
            self.candidates.iter().map(|c| share_of_collections(&bodies_of(c))).collect();
        let share = |read: u64, requests: u64| {
            #[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
            let share = read as f64 / requests.max(1) as f64;
            share.min(1.0)
        };
        let reads: Vec<(u64, u64)> =
            self.candidates.iter().map(|c| (requests_read(&bodies_of(c)), c.requests())).collect();
        let (read, requests) = reads.iter().fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1));
        let of_place = share(read, requests);
        let weight = |own: &(u64, u64)| share(own.0, own.1).max(of_place).sqrt();
        let weights = reads.iter().map(weight).collect();
        Some(BodyContext {
            echoes,
            seen,
            similar: similarities(&shapes),
            has_shape,
            collections,
            weights,
        })
    }

    /// The body features of each candidate, given the probabilities of the stage before.
    pub(crate) fn body_features(
        &self,
        context: &BodyContext,
        guesses: &[f64],
    ) -> Vec<[f64; BODY_COUNT]> {
        use BodyFeature as B;

        let held = |echo: &Option<Echo>| echo.map(|echo| echo.held);
        let echoes = SidedShares::of(context.echoes.iter().map(held), guesses);
        let collections = SidedShares::of(context.collections.iter().copied(), guesses);
        let guess_of = |at: usize| guesses.get(at).copied().unwrap_or(1.0);
        let all = (0..self.candidates.len()).map(|i| {
            let mut row = [0.0; BODY_COUNT];
            let mut set = |feature: BodyFeature, value: f64| row[feature as usize] = value;
            let [identifier, name, kind, key] = context.seen[i];
            set(B::seen_identifier, identifier);
            set(B::seen_name, name);
            set(B::seen_kind, kind);
            set(B::seen_key, key);
            let own_echo = context.echoes[i];
            if let Some(echo) = own_echo {
                set(B::own_ended, echo.own_ended);
                set(B::own_passed, echo.own_passed);
                set(B::identified, echo.identified);
                set(B::named_so, echo.named);
                set(B::kinded, echo.kinded);
                set(B::held_otherwise, echo.other);
                set(B::as_key, echo.as_key);
            }
            let [as_value, as_name] = [guesses[i], 1.0 - guesses[i]];
            let own_held = held(&own_echo);
            let values_echo = echoes.others(VALUES, own_held, as_value).unwrap_or(0.0);
            set(B::values_echo, values_echo);
            set(B::names_echo, echoes.others(NAMES, own_held, as_name).unwrap_or(0.0));
            if let Some(echo) = own_echo {
                set(B::echo_gap, values_echo - echo.held);
            }
            let own_share = context.collections[i];
            if let Some(share) = own_share {
                // Both are 0 where nothing was answered.
                set(B::collections, share);
                set(B::things, 1.0 - share);
            }
            let of_others =
                |side, weight| collections.others(side, own_share, weight).unwrap_or(0.5);
            set(B::values_collections, of_others(VALUES, as_value));
            set(B::names_collections, of_others(NAMES, as_name));
            if context.has_shape[i] {
                set(B::answered, 1.0);
                let similar = &context.similar[i];
                let most = |weight: &dyn Fn(usize) -> f64| {
                    similar.iter().map(|(at, alike)| alike * weight(*at)).fold(0.0, f64::max)
                };
                let mean = |weight: &dyn Fn(usize) -> f64| {
                    let sum: f64 = similar.iter().map(|(at, alike)| alike * weight(*at)).sum();
                    let all: f64 = similar.iter().map(|(at, _)| weight(*at)).sum();
                    if all > 0.3 { sum / all } else { 0.0 }
                };
                set(B::like_values, most(&guess_of));
                set(B::like_names, most(&|at| 1.0 - guess_of(at)));
                if !similar.is_empty() {
                    set(B::like_none, 1.0 - most(&|_| 1.0));
                }
                set(B::mean_like_values, mean(&guess_of));
                set(B::mean_like_names, mean(&|at| 1.0 - guess_of(at)));
            }
            row
        });
        all.collect()
    }
}

/// Indexes of the sides of [`SidedShares`].
const VALUES: usize = 0;
const NAMES: usize = 1;

/// Sums of a share over the candidates of a place, as (weighted sum, weight): weighted by the probability of a value, and by
/// that of a name.
struct SidedShares([(f64, f64); 2]);

impl SidedShares {
    /// Candidates that share nothing, because nothing was read, have no weight.
    fn of(shares: impl Iterator<Item = Option<f64>>, guesses: &[f64]) -> Self {
        let mut sums = [(0.0, 0.0); 2];
        for (share, guess) in shares.zip(guesses) {
            let Some(share) = share else { continue };
            for (sum, weight) in sums.iter_mut().zip([*guess, 1.0 - guess]) {
                sum.0 += weight * share;
                sum.1 += weight;
            }
        }
        Self(sums)
    }

    /// The mean on one side without a candidate of this share and weight; `None` if too little is left.
    fn others(&self, side: usize, own: Option<f64>, weight: f64) -> Option<f64> {
        /// The weight that makes a mean telling.
        const MIN_WEIGHT: f64 = 0.3;

        let (sum, all) = self.0[side];
        let (own_sum, own_all) = own.map_or((0.0, 0.0), |share| (weight * share, weight));
        let all: f64 = all - own_all;
        (all > MIN_WEIGHT).then(|| (sum - own_sum) / all)
    }
}

/// The share of the answers at nodes that are collections; `None` without answers.
fn share_of_collections(nodes: &[&NodeBodies]) -> Option<f64> {
    let sum = |count: fn(&NodeBodies) -> u64| nodes.iter().map(|node| count(node)).sum::<u64>();
    let (answers, collections) = (sum(|node| node.answers), sum(|node| node.collections));
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
    let share = || collections as f64 / answers as f64;
    (answers > 0).then(share)
}

/// What bodies say at the nodes of a candidate.
fn bodies_of<'t, T>(candidate: &Candidate<'t, T>) -> Vec<&'t NodeBodies> {
    candidate.nodes().iter().filter_map(|node| node.bodies.as_deref()).collect()
}

/// The log odds of a probability, bounded.
pub(crate) fn log_odds(probability: f64) -> f64 {
    let p = probability.clamp(0.002, 0.998);
    ln(p / (1.0 - p))
}

/// The sampled key paths of the answers of one segment.
struct AnswerShape {
    /// Sorted.
    hashes: Vec<u64>,
    /// Hashes up to this one are all there.
    up_to: u64,
}

impl AnswerShape {
    fn of(nodes: &[&NodeBodies]) -> Self {
        let mut up_to = u64::MAX;
        let mut hashes = Vec::new();
        for node in nodes {
            let own = node.shape.hashes();
            if own.len() >= crate::limits::MAX_ANSWER_KEYS
                && let Some(last) = own.last()
            {
                up_to = up_to.min(*last);
            }
            hashes.extend_from_slice(own);
            if hashes.len() > 64 * crate::limits::MAX_ANSWER_KEYS {
                break;
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        hashes.retain(|hash| *hash <= up_to);
        Self { hashes, up_to }
    }

    /// The Jaccard similarity of two sets of key paths, as far as both samples are whole.
    fn similarity(&self, other: &Self) -> f64 {
        let up_to = self.up_to.min(other.up_to);
        let one = &self.hashes[..self.hashes.partition_point(|hash| *hash <= up_to)];
        let two = &other.hashes[..other.hashes.partition_point(|hash| *hash <= up_to)];
        let (mut at, mut both) = (0, 0_usize);
        for hash in one {
            while two.get(at).is_some_and(|other| other < hash) {
                at += 1;
            }
            both += usize::from(two.get(at) == Some(hash));
        }
        let all = one.len() + two.len() - both;
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let similarity = if all == 0 { 0.0 } else { both as f64 / all as f64 };
        similarity
    }
}

/// Compares the answers of each candidate with those of its siblings. `shapes` has one shape for
/// each candidate, and last that of the values. Returns, for each candidate, (index, similarity)
/// pairs.
fn similarities(shapes: &[AnswerShape]) -> Vec<Vec<(usize, f64)>> {
    let (values, own) = match shapes.split_last() {
        Some((last, own)) => ((!last.hashes.is_empty()).then_some(own.len()), own),
        None => (None, shapes),
    };
    let with_shape: Vec<usize> = (0..own.len()).filter(|at| !own[*at].hashes.is_empty()).collect();
    // An even sample, the same for any order of the traffic, because candidates are sorted.
    let step = with_shape.len().div_ceil(MAX_COMPARED).max(1);
    let sample: Vec<usize> = with_shape.iter().copied().step_by(step).chain(values).collect();
    own.iter()
        .enumerate()
        .map(|(i, shape)| {
            let others = sample.iter().filter(|at| **at != i && !shape.hashes.is_empty());
            others.map(|at| (*at, shape.similarity(&shapes[*at]))).collect()
        })
        .collect()
}
