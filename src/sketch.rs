//! Mergeable sketches. Each is a commutative monoid: any order and any split of the input give an
//! equal state.
//!
//! Sets are bounded by a *bottom-k* sample: of all keys ever observed, the k with the smallest
//! hashes are kept. The sample depends only on the set of keys. Since the threshold never rises, a
//! key that is in the sample has been in it since its first observation, so its count is exact.

mod bloom;
mod bottom_k;
mod codec;
mod distinct;
mod histogram;
mod summary;
mod top_n;

pub(crate) use bloom::BloomFilter;
pub(crate) use bottom_k::{BottomK, BottomKEntry};
pub(crate) use distinct::DistinctCounter;
pub(crate) use histogram::Histogram;
pub(crate) use summary::{
    HeapSize, KeepsNames, LargestCount, Merge, merge_option, summary, vec_bytes,
};
pub(crate) use top_n::TopN;

/// The hash used for sampling and ids: XXH3, equal on every machine and in every version.
pub(crate) fn stable_hash(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// A bijective scrambling of a hash (the finalizer of `MurmurHash3`). Distinct-count estimates
/// assume uniformly distributed hashes. Hashes rejected by a bottom-k sample are all large, so they
/// are rescrambled before they are counted.
pub(crate) fn fmix64(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// The largest weight per host with which all hosts fit (max-min fairness). A folded host has
/// needed more than every earlier share, which was at least this one, so it is granted the full
/// share.
pub(crate) fn fair_share(
    weight: usize,
    sizes: &[usize],
    levels: impl Iterator<Item = u8>,
) -> usize {
    let needs = sizes.iter().zip(levels);
    let mut needs: Vec<usize> =
        needs.map(|(size, level)| if level > 0 { usize::MAX } else { *size }).collect();
    needs.sort_unstable();
    let mut left = weight;
    for (at, need) in needs.iter().enumerate() {
        let share = left / (needs.len() - at);
        if *need > share {
            return share;
        }
        left -= need;
    }
    usize::MAX
}
