//! The keys that come with each value of a tag: the evidence of tagged unions.

use serde::{Deserialize, Serialize};

use crate::flow::text;
use crate::shape::MAX_VALUE_BYTES;
use crate::shape::formats::StringFormat;
use crate::sketch::{BottomK, HeapSize, Merge, vec_bytes};
use crate::template::secret::{Frequency, looks_secret_again};

/// Names of fields whose value may tell what kind of object it is.
pub(crate) const TAG_NAMES: [&str; 14] = [
    "type",
    "kind",
    "object",
    "event",
    "event_type",
    "eventType",
    "action",
    "__typename",
    "@type",
    "_type",
    "resourceType",
    "resource_type",
    "objectType",
    "status",
];

/// Values of one tag that are told apart.
pub(crate) const MAX_TAG_VALUES: usize = 16;

/// The objects that have one tag, by its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tag {
    /// The index of its name in [`TAG_NAMES`].
    pub(crate) name: u8,
    /// Objects whose tag is not a short string that may be shown.
    pub(crate) untagged: u64,
    pub(crate) values: BottomK<TaggedObjects, MAX_TAG_VALUES>,
}

/// The objects with one value of a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TaggedObjects {
    pub(crate) count: u64,
    /// Hash of each kept key and the number of objects that have it; sorted.
    keys: Vec<(u64, u64)>,
}

impl Tag {
    /// Counts an object with these keys. A value that is long, looks like a secret or is absent is not a tag.
    pub(super) fn observe(&mut self, value: &str, keys: &[u64]) {
        let bytes = value.as_bytes();
        if let Some(index) = self.values.index_of(bytes) {
            self.values.value_at(index).observe(keys);
            return;
        }
        if bytes.is_empty()
            || bytes.len() > MAX_VALUE_BYTES
            || StringFormat::of(bytes).is_some()
            || !text::is_printable(bytes)
            || looks_secret_again(bytes, Frequency::Seldom)
        {
            self.untagged += 1;
            return;
        }
        self.values.entry(bytes).observe(keys);
    }
}

impl TaggedObjects {
    pub(crate) fn observe(&mut self, keys: &[u64]) {
        self.count += 1;
        for key in keys {
            self.add(*key, 1);
        }
    }

    fn add(&mut self, key: u64, count: u64) {
        match self.keys.binary_search_by_key(&key, |entry| entry.0) {
            Ok(at) => self.keys[at].1 += count,
            Err(at) => self.keys.insert(at, (key, count)),
        }
    }

    /// Forgets all keys but those with these hashes.
    pub(super) fn retain_keys(&mut self, is_kept: impl Fn(u64) -> bool) {
        self.keys.retain(|(key, _)| is_kept(*key));
    }

    /// The largest counter.
    pub(crate) fn largest_count(&self) -> u64 {
        self.keys.iter().map(|(_, count)| *count).chain([self.count]).max().unwrap_or_default()
    }

    /// The number of objects that have the key with this hash.
    pub(crate) fn present(&self, key: u64) -> u64 {
        self.keys.binary_search_by_key(&key, |entry| entry.0).map_or(0, |at| self.keys[at].1)
    }
}

impl Merge for TaggedObjects {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        for (key, count) in other.keys {
            self.add(key, count);
        }
    }
}

impl Merge for Tag {
    fn merge(&mut self, other: Self) {
        self.untagged += other.untagged;
        self.values.merge(other.values);
    }
}

impl HeapSize for Tag {
    fn heap_bytes(&self) -> usize {
        let keys: usize = self.values.iter().map(|entry| vec_bytes(&entry.value.keys)).sum();
        self.values.heap_bytes() + keys
    }
}
