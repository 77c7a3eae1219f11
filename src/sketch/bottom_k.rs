//! The bottom-k sketch: a map that is bounded to the keys with the smallest hashes.

use crate::limits;
use crate::simd::is_same;
use crate::sketch::{HeapSize, KeepsNames, LargestCount, Merge, stable_hash, vec_bytes};

/// One key of a [`BottomK`], its hash and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BottomKEntry<V> {
    pub(crate) hash: u64,
    pub(crate) key: Box<[u8]>,
    pub(crate) value: V,
}

/// Bottom-k sketch: a map bounded to the `K` keys with the smallest hashes. Values of all other
/// keys are merged into `rest`. Values of kept keys are exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BottomK<V, const K: usize> {
    /// Sorted by (hash, key).
    pub(super) entries: Vec<BottomKEntry<V>>,
    pub(crate) rest: V,
}

impl<V: Default, const K: usize> Default for BottomK<V, K> {
    fn default() -> Self {
        Self { entries: Vec::new(), rest: V::default() }
    }
}

impl<V: Merge + Default, const K: usize> BottomK<V, K> {
    /// The value to update for `key`: its own, or `rest` if the key is not in the sample.
    pub(crate) fn entry(&mut self, key: &[u8]) -> &mut V {
        if let Some(at) = self.place_among_few(key) {
            return &mut self.entries[at].value;
        }
        let hash = stable_hash(key);
        match self.position(hash, key) {
            Ok(at) => &mut self.entries[at].value,
            Err(at) if at >= K => &mut self.rest,
            Err(at) => {
                let entry = BottomKEntry { hash, key: key.into(), value: V::default() };
                self.entries.insert(at, entry);
                self.trim();
                &mut self.entries[at].value
            }
        }
    }

    /// The value of a kept key if the sample is so small that a linear search costs less than
    /// hashing the key; `None` otherwise.
    pub(crate) fn among_few(&mut self, key: &[u8]) -> Option<&mut V> {
        self.place_among_few(key).map(|at| &mut self.entries[at].value)
    }

    /// Index of a key in a sample of at most four keys.
    #[inline]
    fn place_among_few(&self, key: &[u8]) -> Option<usize> {
        const MAX_LINEAR_KEYS: usize = 4;
        let few = Some(&self.entries).filter(|entries| entries.len() <= MAX_LINEAR_KEYS)?;
        few.iter().position(|entry| is_same(&entry.key, key))
    }

    fn position(&self, hash: u64, key: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|e| e.hash.cmp(&hash).then_with(|| (*e.key).cmp(key)))
    }

    fn trim(&mut self) {
        self.keep(K);
    }

    /// Prunes the sample to the `most` keys with the smallest hashes; the others are merged into
    /// `rest`.
    pub(crate) fn keep(&mut self, most: usize) {
        while self.entries.len() > most {
            if let Some(last) = self.entries.pop() {
                self.rest.merge(last.value);
            }
        }
    }

    /// The key at an index in the order of hashes; `None` beyond the kept ones.
    #[inline]
    pub(crate) fn key_at(&self, index: usize) -> Option<&[u8]> {
        self.entries.get(index).map(|entry| &*entry.key)
    }

    /// The index of a kept key.
    pub(crate) fn index_of(&self, key: &[u8]) -> Option<usize> {
        self.place_among_few(key).or_else(|| self.position(stable_hash(key), key).ok())
    }

    /// True if a kept key has this hash.
    pub(crate) fn has_hash(&self, hash: u64) -> bool {
        self.entries.binary_search_by_key(&hash, |entry| entry.hash).is_ok()
    }

    /// The value of the kept key with this hash.
    pub(crate) fn get_hash(&self, hash: u64) -> Option<&V> {
        let at = self.entries.binary_search_by_key(&hash, |entry| entry.hash).ok()?;
        self.entries.get(at).map(|entry| &entry.value)
    }

    /// The value of the kept key with this hash, to be changed.
    pub(crate) fn value_of_hash(&mut self, hash: u64) -> Option<&mut V> {
        let at = self.entries.binary_search_by_key(&hash, |entry| entry.hash).ok()?;
        self.entries.get_mut(at).map(|entry| &mut entry.value)
    }

    /// Removes the kept key with this hash, and gives its value.
    pub(crate) fn remove_hash(&mut self, hash: u64) -> Option<V> {
        let at = self.entries.binary_search_by_key(&hash, |entry| entry.hash).ok()?;
        Some(self.entries.remove(at).value)
    }

    /// The hash of the key at an index; 0 beyond the kept ones.
    pub(crate) fn hash_at(&self, index: usize) -> u64 {
        self.entries.get(index).map_or(0, |entry| entry.hash)
    }

    /// Adds a key that is not kept yet; `None` if it has no place among the kept ones.
    pub(crate) fn insert(&mut self, key: &[u8]) -> Option<usize> {
        let hash = stable_hash(key);
        let at = self.position(hash, key).unwrap_or_else(|at| at);
        if at >= K {
            return None;
        }
        self.entries.insert(at, BottomKEntry { hash, key: key.into(), value: V::default() });
        self.trim();
        Some(at)
    }

    /// The value at an index, or the rest for an index beyond the kept ones.
    #[inline]
    pub(crate) fn value_at(&mut self, index: usize) -> &mut V {
        match self.entries.get_mut(index) {
            Some(entry) => &mut entry.value,
            None => &mut self.rest,
        }
    }

    /// The values of the kept keys.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|entry| &mut entry.value)
    }

    /// The kept keys in the order of their hashes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &BottomKEntry<V>> {
        self.entries.iter()
    }

    /// The kept keys in the order of their hashes, moved out.
    pub(crate) fn into_entries(self) -> Vec<BottomKEntry<V>> {
        self.entries
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<V, const K: usize> HeapSize for BottomK<V, K> {
    fn heap_bytes(&self) -> usize {
        vec_bytes(&self.entries) + self.entries.iter().map(|entry| entry.key.len()).sum::<usize>()
    }
}

impl<V: Merge + Default, const K: usize> Merge for BottomK<V, K> {
    fn merge(&mut self, other: Self) {
        for entry in other.entries {
            match self.position(entry.hash, &entry.key) {
                Ok(at) => self.entries[at].value.merge(entry.value),
                Err(at) => self.entries.insert(at, entry),
            }
        }
        self.trim();
        self.rest.merge(other.rest);
    }
}

impl<V: LargestCount, const K: usize> LargestCount for BottomK<V, K> {
    fn largest_count(&self) -> u64 {
        let kept = self.entries.iter().map(|entry| entry.value.largest_count());
        kept.fold(self.rest.largest_count(), u64::max)
    }
}

impl<V: Merge + Default, const K: usize> KeepsNames for BottomK<V, K> {
    #[inline]
    fn extra_names_at_most(&self) -> usize {
        self.extra_names()
    }

    #[inline]
    fn extra_names(&self) -> usize {
        self.entries.len().saturating_sub(limits::MAX_FREE_NAMES)
    }

    fn keep_names(&mut self, most: usize) {
        self.keep(most);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bottom(keys: &[u16]) -> BottomK<u64, 8> {
        let mut sketch = BottomK::default();
        for key in keys {
            *sketch.entry(&key.to_le_bytes()) += 1;
        }
        sketch
    }

    proptest! {
        #[test]
        fn bottom_k_is_free_of_order_and_split(keys in prop::collection::vec(0_u16..40, 0..200), cut in 0_usize..200) {
            let whole = bottom(&keys);
            let cut = cut.min(keys.len());
            let mut reversed: Vec<u16> = keys[..cut].to_vec();
            reversed.reverse();
            let mut merged = bottom(&keys[cut..]);
            merged.merge(bottom(&reversed));
            prop_assert_eq!(&merged, &whole);
            prop_assert!(whole.len() <= 8);
            // Counts of kept keys are exact, and no count is lost.
            for entry in whole.iter() {
                let truth = keys.iter().filter(|key| key.to_le_bytes()[..] == entry.key[..]).count();
                prop_assert_eq!(entry.value, truth as u64);
            }
            prop_assert_eq!(whole.iter().map(|e| e.value).sum::<u64>() + whole.rest, keys.len() as u64);
        }
    }
}
