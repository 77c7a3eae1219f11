//! Request header names of one endpoint, counted by whole header lists.
//!
//! Most requests to an endpoint have identical header lists, and comparing a list costs less than
//! looking up each of its names. Lists are expanded into names when the cache is full and when the
//! counts are read. The result equals counting each name at once.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::flow::headers::{Headers, push_name, split_name};
use crate::flow::request_context::is_browser_header;
use crate::limits;
use crate::patterns::aggregate::{Aggregate, CountedName, Observation};
use crate::patterns::names::{self, MessageNames};
use crate::sketch::{
    BottomK, BottomKEntry, HeapSize, KeepsNames, LargestCount, Merge, stable_hash, vec_bytes,
};

/// Maximum number of distinct header lists in the cache.
const MAX_LISTS: usize = 4;

/// Maximum size of a cached list in bytes; a longer one is expanded at once.
const MAX_LIST_BYTES: usize = 2048;

type HeaderCounts = BottomK<u64, { limits::MAX_NAMES }>;

/// Counts of request header names, with a small cache of whole lists. Equality and serialised form
/// do not depend on the cache.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderNames {
    /// Expanded counts.
    names: HeaderCounts,
    /// Lists that are not expanded yet, the most recent first.
    lists: Vec<HeaderList>,
    /// Number of names in the lists, including duplicates and names that are not counted.
    listed: usize,
}

/// A header list and the number of requests that had it.
#[derive(Clone, Debug)]
struct HeaderList {
    /// The names, encoded by [`push_name`].
    bytes: Box<[u8]>,
    count: u64,
    /// True if it has headers that only browsers send.
    is_from_browser: bool,
}

impl HeaderNames {
    /// Counts the names of one request, and returns `true` if it has headers that only browsers send. `scratch` is a reusable
    /// buffer.
    fn count(&mut self, headers: Headers<'_>, scratch: &mut Vec<u8>) -> bool {
        // The list usually equals the most recent one. Names may have to be decoded, so the
        // iterator is consumed only once.
        let last = self.lists.first().map_or(&b""[..], |list| &list.bytes);
        let (left, mut others) = headers.names_beside(last);
        let other = others.next();
        if left.is_empty() && other.is_none() {
            return self.lists.first_mut().is_some_and(|last| {
                last.count += 1;
                last.is_from_browser
            });
        }
        scratch.clear();
        scratch.extend_from_slice(&last[..last.len() - left.len()]);
        for name in other.into_iter().chain(others) {
            push_name(scratch, name);
        }
        !scratch.is_empty() && self.add(scratch, 1)
    }

    /// Counts a list `count` times, and returns `true` if it has headers that only browsers send.
    fn add(&mut self, list: &[u8], count: u64) -> bool {
        if let Some(at) = self.lists.iter().position(|known| *known.bytes == *list) {
            self.lists[at].count += count;
            self.lists.swap(0, at);
            return self.lists[0].is_from_browser;
        }
        let is_from_browser = names_in(list).any(is_browser_header);
        // In a list encoded as JSON, a name with a quote is escaped and compares differently.
        if list.len() > MAX_LIST_BYTES || names_in(list).any(|name| name.contains(&b'"')) {
            expand_list(list, count, &mut self.names);
            return is_from_browser;
        }
        if self.lists.len() >= MAX_LISTS {
            for list in self.lists.drain(..) {
                expand_list(&list.bytes, list.count, &mut self.names);
            }
            self.listed = 0;
        }
        self.lists.push(HeaderList { bytes: list.into(), count, is_from_browser });
        self.listed += names_in(list).count();
        is_from_browser
    }

    /// The hash of each name with the number of requests that had it.
    pub(crate) fn requests_by_hash(&self) -> Vec<(u64, u64)> {
        self.names().iter().map(|entry| (entry.hash, entry.value)).collect()
    }

    /// The number of requests per header name.
    fn names(&self) -> Cow<'_, HeaderCounts> {
        let mut names = Cow::Borrowed(&self.names);
        for list in &self.lists {
            expand_list(&list.bytes, list.count, names.to_mut());
        }
        names
    }
}

/// The names in a list.
fn names_in(mut list: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (name, rest) = split_name(list)?;
        list = rest;
        Some(name)
    })
}

/// Expands a list into counts of its names. A name that occurs twice counts once.
fn expand_list(list: &[u8], count: u64, names: &mut HeaderCounts) {
    let mut seen = MessageNames::default();
    for name in names_in(list) {
        let Some(name) = names::header_name(name) else { continue };
        if seen.is_new(stable_hash(&name)) {
            *names.entry(&name) += count;
        }
    }
}

impl Aggregate for HeaderNames {
    /// The names in the order of [`names::header_rank`], then the most frequent first. At most
    /// [`limits::MAX_COMMON_HEADERS`].
    type Section = Vec<CountedName>;

    #[inline]
    fn observe(&mut self, seen: &mut Observation<'_>) {
        seen.is_from_browser = self.count(seen.flow.request_headers, seen.scratch);
    }

    fn finish(self) -> Vec<CountedName> {
        let mut entries = self.names().into_owned().into_entries();
        let rank = |entry: &BottomKEntry<u64>| names::header_rank(&entry.key);
        entries.sort_by(|a, b| {
            let by_count = b.value.cmp(&a.value);
            rank(a).cmp(&rank(b)).then(by_count).then_with(|| a.key.cmp(&b.key))
        });
        entries.truncate(limits::MAX_COMMON_HEADERS);
        entries.into_iter().map(CountedName::of).collect()
    }
}

impl LargestCount for HeaderNames {
    fn largest_count(&self) -> u64 {
        self.names().largest_count()
    }
}

impl KeepsNames for HeaderNames {
    #[inline]
    fn extra_names_at_most(&self) -> usize {
        (self.names.len() + self.listed).saturating_sub(limits::MAX_FREE_NAMES)
    }

    fn extra_names(&self) -> usize {
        if self.extra_names_at_most() == 0 { 0 } else { self.names().extra_names() }
    }

    fn keep_names(&mut self, most: usize) {
        if self.names.len() + self.listed > most {
            *self = Self { names: self.names().into_owned(), ..Self::default() };
            self.names.keep(most);
        }
    }
}

impl Merge for HeaderNames {
    fn merge(&mut self, other: Self) {
        self.names.merge(other.names);
        for list in other.lists {
            self.add(&list.bytes, list.count);
        }
    }
}

impl HeapSize for HeaderNames {
    fn heap_bytes(&self) -> usize {
        let lists: usize = self.lists.iter().map(|list| list.bytes.len()).sum();
        self.names.heap_bytes() + vec_bytes(&self.lists) + lists
    }
}

impl PartialEq for HeaderNames {
    fn eq(&self, other: &Self) -> bool {
        self.names() == other.names()
    }
}

impl Eq for HeaderNames {}

impl Serialize for HeaderNames {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.names().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HeaderNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { names: HeaderCounts::deserialize(deserializer)?, ..Self::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Counting by lists equals counting by names, in any order and any split.
        #[test]
        fn lists_equal_names(
            requests in prop::collection::vec(prop::collection::vec("[A-Ca-c\"]{0,2}|x{1,200}", 0..6), 0..40), split in 0usize..40,
        ) {
            let mut plain = HeaderCounts::default();
            let mut halves = [HeaderNames::default(), HeaderNames::default()];
            let mut scratch = Vec::new();
            for (i, request) in requests.iter().enumerate() {
                let pairs: Vec<_> = request.iter().map(|name| (name.as_bytes(), None)).collect();
                halves[usize::from(i < split)].count(Headers::new(&pairs), &mut scratch);
                let mut seen = std::collections::BTreeSet::new();
                for name in request.iter().filter_map(|name| names::header_name(name.as_bytes())) {
                    if seen.insert(name.to_vec()) {
                        *plain.entry(&name) += 1;
                    }
                }
            }
            let [mut first, second] = halves;
            first.merge(second);
            prop_assert_eq!(&*first.names(), &plain);
            let listed = first.lists.iter().map(|list| names_in(&list.bytes).count());
            prop_assert_eq!(first.listed, listed.sum::<usize>());
        }
    }
}
