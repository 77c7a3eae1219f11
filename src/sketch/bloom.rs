//! A mergeable Bloom filter of hashes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sketch::{HeapSize, Merge, fmix64};

/// Binary logarithm of the number of bits.
const LOG_BITS: u32 = 22;

/// Number of words of a set in memory.
const WORDS: usize = 1 << (LOG_BITS - 6);

/// Number of bits that one hash sets.
const PROBES: u32 = 3;

/// Number of set bits up to which they are stored one by one.
const MAX_LISTED_BITS: usize = WORDS * 2;

/// A Bloom filter of 512 KiB. It has no false negatives; the rate of false positives rises as it
/// fills, and is 1 minus [`certainty`](Self::certainty). Its bits depend on the set of the hashes
/// only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BloomFilter {
    /// Empty, or [`WORDS`] words.
    words: Vec<u64>,
    /// Number of set bits.
    bits: u32,
}

impl BloomFilter {
    pub(crate) fn observe(&mut self, hash: u64) {
        if self.words.is_empty() {
            self.words.resize(WORDS, 0);
        }
        for bit in bits_of(hash) {
            let (word, mask) = (&mut self.words[bit as usize / 64], 1 << (bit % 64));
            self.bits += u32::from(*word & mask == 0);
            *word |= mask;
        }
    }

    /// Returns `true` if the hash may be in the set, and `false` if it is not.
    pub(crate) fn may_contain(&self, hash: u64) -> bool {
        !self.words.is_empty()
            && bits_of(hash).all(|bit| self.words[bit as usize / 64] & (1 << (bit % 64)) != 0)
    }

    /// One minus the rate of false positives: 0 to 1.
    pub(crate) fn certainty(&self) -> f64 {
        let share = f64::from(self.bits) / f64::from(1_u32 << LOG_BITS);
        1.0 - share * share * share
    }

    fn set_bits(&self) -> impl Iterator<Item = u32> {
        (0_u32..).zip(&self.words).flat_map(|(at, word)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros();
                word &= word.wrapping_sub(1);
                (bit < 64).then_some(at * 64 + bit)
            })
        })
    }
}

/// The bits of a hash.
#[inline]
fn bits_of(hash: u64) -> impl Iterator<Item = u32> {
    let hash = fmix64(hash);
    (0..PROBES).map(move |probe| {
        // Truncation picks the bits: 3 * 21 of 64 do not overlap by more than one.
        #[expect(clippy::cast_possible_truncation, reason = "the mask leaves 22 bits")]
        let bit = (hash >> (probe * (LOG_BITS - 1))) as u32 & ((1 << LOG_BITS) - 1);
        bit
    })
}

impl Merge for BloomFilter {
    fn merge(&mut self, other: Self) {
        if self.words.is_empty() {
            *self = other;
            return;
        }
        self.bits = 0;
        let others = other.words.iter().chain(std::iter::repeat(&0));
        for (word, other) in self.words.iter_mut().zip(others) {
            *word |= other;
            self.bits += word.count_ones();
        }
    }
}

impl HeapSize for BloomFilter {
    fn heap_bytes(&self) -> usize {
        crate::sketch::vec_bytes(&self.words)
    }
}

/// The stored form: the distances between set bits while there are few, and all words otherwise.
#[derive(Serialize, Deserialize)]
enum StoredFilter {
    Few(Vec<u32>),
    /// Eight bytes a word, little-endian.
    Many(Vec<u8>),
}

impl Serialize for BloomFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = if self.bits as usize <= MAX_LISTED_BITS {
            let mut last = 0;
            StoredFilter::Few(
                self.set_bits().map(|bit| bit - std::mem::replace(&mut last, bit)).collect(),
            )
        } else {
            StoredFilter::Many(self.words.iter().flat_map(|word| word.to_le_bytes()).collect())
        };
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for BloomFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || serde::de::Error::custom("a set of hashes that no traffic gives");
        let mut filter = Self::default();
        match StoredFilter::deserialize(deserializer)? {
            StoredFilter::Few(distances) if distances.is_empty() => {}
            StoredFilter::Few(distances) => {
                filter.words.resize(WORDS, 0);
                let mut bit = 0_u32;
                for (number, distance) in distances.into_iter().enumerate() {
                    bit = bit.checked_add(distance).ok_or_else(wrong)?;
                    if bit >= 1 << LOG_BITS || (number > 0 && distance == 0) {
                        return Err(wrong());
                    }
                    filter.words[bit as usize / 64] |= 1 << (bit % 64);
                    filter.bits += 1;
                }
            }
            StoredFilter::Many(bytes) => {
                let (words, rest) = bytes.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(wrong());
                }
                let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
                filter.bits = words.iter().map(|word| word.count_ones()).sum();
                filter.words = words;
            }
        }
        let is_few = filter.bits as usize <= MAX_LISTED_BITS;
        if !(filter.words.is_empty() || filter.words.len() == WORDS) {
            return Err(wrong());
        }
        if is_few && filter.bits == 0 {
            filter.words = Vec::new();
        }
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filter_of(hashes: &[u64]) -> BloomFilter {
        let mut filter = BloomFilter::default();
        hashes.iter().for_each(|hash| filter.observe(*hash));
        filter
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn order_and_split_do_not_show(hashes in prop::collection::vec(any::<u64>(), 0..60), cut in 0_usize..60, others in prop::collection::vec(any::<u64>(), 0..20)) {
            let whole = filter_of(&hashes);
            let (left, right) = hashes.split_at(cut.min(hashes.len()));
            let mut merged = filter_of(right);
            merged.merge(filter_of(left));
            prop_assert_eq!(&merged, &whole);
            let bytes = postcard::to_stdvec(&whole).unwrap();
            prop_assert_eq!(&postcard::from_bytes::<BloomFilter>(&bytes).unwrap(), &whole);
            prop_assert!(hashes.iter().all(|hash| whole.may_contain(*hash)));
            prop_assert!(others.iter().all(|hash| hashes.contains(hash) || !whole.may_contain(*hash)));
        }
    }

    #[test]
    fn a_full_filter_is_stored_as_words() {
        let hashes: Vec<u64> = (0..200_000_u64).map(fmix64).collect();
        let filter = filter_of(&hashes);
        assert!(filter.bits as usize > MAX_LISTED_BITS);
        let bytes = postcard::to_stdvec(&filter).unwrap();
        assert_eq!(postcard::from_bytes::<BloomFilter>(&bytes).unwrap(), filter);
        let wrong = (200_000..210_000_u64).filter(|hash| filter.may_contain(fmix64(*hash))).count();
        let expected = 10_000.0 * (1.0 - filter.certainty());
        #[expect(clippy::cast_precision_loss, reason = "a small count")]
        let off = (wrong as f64 - expected).abs();
        assert!(off < 60.0, "{wrong} of {expected}");
        assert!(filter.certainty() > 0.99);
    }
}
