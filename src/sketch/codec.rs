//! Serialised form of the sketches.
//!
//! Derived fields are recomputed on load. A state that no sequence of `observe` calls can produce
//! is rejected, because bytes may come from an untrusted machine.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;
use crate::sketch::histogram::bucket_of;
use crate::sketch::{BottomK, BottomKEntry, DistinctCounter, Histogram, TopN, stable_hash};

impl<V: Serialize, const K: usize> Serialize for BottomK<V, K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries: Vec<(&[u8], &V)> =
            self.entries.iter().map(|entry| (&*entry.key, &entry.value)).collect();
        (entries, &self.rest).serialize(serializer)
    }
}

impl<'de, V: Deserialize<'de>, const K: usize> Deserialize<'de> for BottomK<V, K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (stored, rest) = <(Vec<(Box<[u8]>, V)>, V)>::deserialize(deserializer)?;
        let entries: Vec<BottomKEntry<V>> = stored
            .into_iter()
            .map(|(key, value)| BottomKEntry { hash: stable_hash(&key), key, value })
            .collect();
        let is_sorted = entries.is_sorted_by(|a, b| (a.hash, &a.key) < (b.hash, &b.key));
        if entries.len() > K || !is_sorted {
            return Err(D::Error::custom("keys that are too many or not in order"));
        }
        Ok(Self { entries, rest })
    }
}

impl<const K: usize> Serialize for DistinctCounter<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.hashes.serialize(serializer)
    }
}

impl<'de, const K: usize> Deserialize<'de> for DistinctCounter<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hashes = <Vec<u64>>::deserialize(deserializer)?;
        if hashes.len() > K || !hashes.is_sorted_by(|a, b| a < b) {
            return Err(D::Error::custom("hashes that are too many or not in order"));
        }
        Ok(Self { hashes })
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.buckets.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let buckets = <Vec<(u16, u64)>>::deserialize(deserializer)?;
        let last = bucket_of(u64::MAX);
        let are_fine = buckets.iter().all(|(bucket, n)| *bucket <= last && *n <= limits::MAX_COUNT);
        if !are_fine || !buckets.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(D::Error::custom("buckets that do not exist or are not in order"));
        }
        Ok(Self { buckets })
    }
}

impl<T: Serialize, const K: usize> Serialize for TopN<T, K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.items.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de> + Ord, const K: usize> Deserialize<'de> for TopN<T, K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = <Vec<T>>::deserialize(deserializer)?;
        if items.len() > K || !items.is_sorted_by(|a, b| a > b) {
            return Err(D::Error::custom("items that are too many or not in order"));
        }
        Ok(Self { items })
    }
}
