//! Features shared between sibling segments: keys of their subtrees, query parameters and media
//! types.

use crate::math::ln;
use crate::template::context::{
    Candidate, Keys, LeafStats, MAX_SIGNATURE_KEYS, SiblingSet, SiblingTotals, StaticContext,
};
use crate::template::features::{Feature as F, Features};
use crate::template::trie::Node;

impl<T: LeafStats> SiblingSet<'_, '_, T> {
    /// Sets the features of shared keys. Segments that share a rare subtree with values are likely
    /// values.
    pub(super) fn sharing(
        &self,
        around: &StaticContext,
        guesses: &[f64],
        all: &mut [Features],
        totals: &SiblingTotals,
    ) {
        let base = (totals.values / totals.children.max(1.0)).clamp(0.01, 0.99);
        let sums = self.shared(&around.below, guesses, base);
        for ((features, sum), i) in all.iter_mut().zip(&sums).zip(0..) {
            let unknown = features.get(F::segment_unknown);
            let (values, names) = (sum.values(), sum.names());
            features.set(F::shared_with_values, values);
            features.set(F::shared_with_names, names);
            features.set(F::shared_with_values_much, (sum.with_values / 4.0).min(6.0));
            features.set(F::shared_with_names_much, (sum.with_names / 4.0).min(6.0));
            features.set(F::shared_with_values_unknown, values * unknown);
            features.set(F::shared_with_names_unknown, names * unknown);
            let like_names = totals.like_names(&self.candidates[i], guesses[i]);
            features.set(F::shared_named, values * ln(1.0 + like_names));
            features.set(F::shared_relative, sum.relative / sum.whole.max(0.1));
        }
        if !around.names.is_empty() {
            // The subtree of a version is its own, while ids have their subtrees in common.
            for (features, sum) in all.iter_mut().zip(self.shared(&around.names, guesses, base)) {
                if features.get(F::small_number) > 0.0 {
                    let apart = sum.alone / sum.whole.max(1.0);
                    features.set(F::small_number_apart, apart);
                    let singular = 1.0 - features.get(F::parent_plural);
                    features.set(F::small_number_apart_singular, apart * singular);
                }
            }
        }
        // Requests for values of one parameter have the same query parameters, and their responses
        // the same media types.
        for (features, sum) in all.iter_mut().zip(self.shared(&around.query, guesses, base)) {
            features.flag(F::query_any, sum.whole > 0.0);
            features.set(F::query_with_values, sum.values());
            features.set(F::query_with_names, sum.names());
            features.set(F::query_alone, sum.alone / sum.whole.max(1.0));
        }
        for (features, sum) in all.iter_mut().zip(self.shared(&around.media, guesses, base)) {
            features.set(F::media_with_values, sum.values());
            features.set(F::media_with_names, sum.names());
            features.set(F::media_alone, sum.alone / sum.whole.max(1.0));
        }
    }

    /// Collects the keys of all candidates. The values below the prefix count together as one more
    /// sibling. Returns (key, sibling, weight), sorted.
    pub(super) fn keys(&self, keys_of: impl Fn(&Node<T>) -> Vec<(u64, f64)>) -> Keys {
        let mut keys = Keys::new();
        let siblings = self.candidates.iter().map(Candidate::nodes).enumerate();
        for (i, nodes) in siblings {
            let i = self.subtree_index(i);
            let start = keys.len();
            for node in nodes {
                keys.extend(keys_of(node).into_iter().map(|(key, weight)| (key, i, weight)));
                if keys.len() - start > 8 * MAX_SIGNATURE_KEYS {
                    break;
                }
            }
        }
        for values in self.values {
            let below = keys_of(&values.node);
            keys.extend(
                below.into_iter().map(|(key, weight)| (key, self.candidates.len(), weight)),
            );
        }
        keys.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)).then(b.2.total_cmp(&a.2)));
        keys.dedup_by_key(|key| (key.0, key.1));
        keys
    }

    /// Computes for each candidate how much of its keys it shares with likely values and with
    /// likely names. `base` is the share of values among the siblings.
    fn shared(&self, keys: &[(u64, usize, f64)], guesses: &[f64], base: f64) -> Vec<SharedWeights> {
        let count = self.candidates.len();
        let votes = |i: usize| self.candidates.get(i).is_none_or(|candidate| candidate.votes);
        let guess = |i: usize| guesses.get(i).copied().unwrap_or(1.0);
        let mut sums = vec![SharedWeights::default(); count];
        for holders in keys.chunk_by(|a, b| a.0 == b.0) {
            let voting = || holders.iter().filter(|holder| votes(holder.1));
            let as_values: f64 = voting().map(|holder| guess(holder.1)).sum();
            let as_names: f64 =
                voting().filter(|h| h.1 < count).map(|holder| 1.0 - guess(holder.1)).sum();
            for &(_, i, weight) in holders.iter().filter(|holder| holder.1 < count) {
                let own = if votes(i) { 1.0 } else { 0.0 };
                let values = (as_values - own * guess(i)).max(0.0);
                let names = (as_names - own * (1.0 - guess(i))).max(0.0);
                let relative = (values + base) / (values + names + 1.0);
                let sum = &mut sums[i];
                sum.whole += weight;
                sum.with_values += weight * values.min(1.0);
                sum.with_names += weight * names.min(1.0);
                sum.relative += weight * (relative - base);
                sum.alone += if holders.len() == 1 { weight } else { 0.0 };
            }
        }
        sums
    }
}

/// Sets the products of context features with the host's unknown share.
pub(super) fn set_host_products(features: &mut Features) {
    let unknown = features.get(F::host_unknown);
    for (with_host, feature) in [
        (F::host_value_share, F::value_share),
        (F::host_named_share, F::named_share),
        (F::host_named_values, F::named_values),
        (F::host_shared_with_values, F::shared_with_values),
        (F::host_shared_with_names, F::shared_with_names),
        (F::host_siblings, F::siblings),
        (F::host_children_per_request, F::children_per_request),
        (F::host_only_child, F::only_child),
        (F::host_singletons, F::singletons),
        (F::host_get, F::get),
        (F::host_post, F::post),
        (F::host_leaf, F::leaf),
    ] {
        features.set(with_host, unknown * features.get(feature));
    }
}

/// Weight of the keys of a candidate, and of those that its siblings have as well.
#[derive(Clone, Copy, Debug, Default)]
struct SharedWeights {
    /// Weight of all keys.
    whole: f64,
    /// Weight of the keys that values have as well, by probability.
    with_values: f64,
    /// Weight of the keys that names have as well, by probability.
    with_names: f64,
    /// Excess of values among the holders of the keys, compared with their share among the
    /// siblings.
    relative: f64,
    /// Weight of the keys that no sibling has.
    alone: f64,
}

impl SharedWeights {
    fn values(&self) -> f64 {
        self.with_values / self.whole.max(0.1)
    }

    fn names(&self) -> f64 {
        self.with_names / self.whole.max(0.1)
    }
}
