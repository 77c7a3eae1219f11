//! A histogram of non-negative integers with a bounded relative error.

use crate::sketch::{HeapSize, KeepsNames, LargestCount, Merge, vec_bytes};

/// Histogram of non-negative integers with 16 buckets per power of two. The relative error of a
/// value read from it is at most 1/32. Values below 32 are exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    /// (bucket, count), sorted by bucket; only buckets that are not empty.
    pub(super) buckets: Vec<(u16, u64)>,
}

/// Binary logarithm of the number of buckets per power of two.
const SUB_BITS: u32 = 4;

impl Histogram {
    pub(crate) fn observe(&mut self, value: u64) {
        self.add(bucket_of(value), 1);
    }

    fn add(&mut self, bucket: u16, count: u64) {
        // Most histograms have no gaps between their buckets. The index that the bucket then has,
        // counted from the front or from the back, is tried before the binary search.
        if let (Some(first), Some(last)) = (self.buckets.first(), self.buckets.last()) {
            let from_front = usize::from(bucket.wrapping_sub(first.0));
            let from_back = usize::from(last.0.wrapping_sub(bucket)) + 1;
            for at in [from_front, self.buckets.len().wrapping_sub(from_back)] {
                if let Some(known) = self.buckets.get_mut(at).filter(|known| known.0 == bucket) {
                    known.1 += count;
                    return;
                }
            }
        }
        match self.buckets.binary_search_by_key(&bucket, |b| b.0) {
            Ok(at) => self.buckets[at].1 += count,
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The percentile by nearest rank: the midpoint of the bucket that contains the value of rank
    /// `ceil(percent / 100 * n)`. 0 if the histogram is empty.
    pub(crate) fn percentile(&self, percent: u64) -> u64 {
        let total: u64 = self.buckets.iter().map(|b| b.1).sum();
        let rank = (total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for &(bucket, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return middle_of(bucket);
            }
        }
        0
    }
}

impl HeapSize for Histogram {
    fn heap_bytes(&self) -> usize {
        vec_bytes(&self.buckets)
    }
}

impl LargestCount for Histogram {
    fn largest_count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.1).max().unwrap_or_default()
    }
}

impl KeepsNames for Histogram {}

impl Merge for Histogram {
    fn merge(&mut self, other: Self) {
        if self.buckets.is_empty() {
            *self = other;
            return;
        }
        for (bucket, count) in other.buckets {
            self.add(bucket, count);
        }
    }
}

/// The bucket of a value: the value itself below 32, otherwise its exponent and its four bits below
/// the leading one.
pub(super) fn bucket_of(value: u64) -> u16 {
    let bits = 64 - value.leading_zeros();
    if bits <= SUB_BITS + 1 {
        return u16::try_from(value).unwrap_or(0);
    }
    let shift = bits - SUB_BITS - 1;
    let mantissa = value >> shift;
    u16::try_from((u64::from(shift) << SUB_BITS) + mantissa).unwrap_or(u16::MAX)
}

/// The midpoint of a bucket.
fn middle_of(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    let one = 1_u64 << SUB_BITS;
    if bucket < 2 * one {
        return bucket;
    }
    let shift = (bucket >> SUB_BITS) - 1;
    let mantissa = (bucket & (one - 1)) + one;
    (mantissa << shift) + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn histogram_buckets_hold_their_values() {
        for value in (0..5000).chain([1 << 20, (1 << 40) + 12345, u64::MAX]) {
            let middle = middle_of(bucket_of(value));
            assert!(middle.abs_diff(value) <= value / 32, "{value} came back as {middle}");
        }
    }

    proptest! {
        /// The shortcut for histograms without gaps finds the same bucket as a search, with gaps
        /// and without.
        #[test]
        fn histograms_count_as_a_map_does(values in prop::collection::vec(0_u64..400, 0..200), wide in prop::collection::vec(any::<u64>(), 0..9)) {
            let mut histogram = Histogram::default();
            let mut plain = std::collections::BTreeMap::new();
            for value in values.into_iter().chain(wide) {
                histogram.observe(value);
                *plain.entry(bucket_of(value)).or_insert(0) += 1;
            }
            prop_assert_eq!(histogram.buckets, plain.into_iter().collect::<Vec<(u16, u64)>>());
        }
    }
}
