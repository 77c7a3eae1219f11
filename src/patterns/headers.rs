//! Names of request headers at one endpoint, counted by the lists in which they come.
//!
//! Most requests to an endpoint have the same headers in the same order: comparing the whole list costs less than looking
//! its names up. A list is taken apart when its place is needed, and when somebody asks; what comes out is the same.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bits::same_ends;
use crate::flow::Headers;
use crate::limits;
use crate::patterns::names::{self, NamesOfMessage};
use crate::sketch::{BottomK, HeapSize, Merge, stable_hash, vec_bytes};

/// Lists that are kept whole.
const LISTS: usize = 4;

/// A longer list is taken apart at once.
const LIST_BYTES: usize = 2048;

type Names = BottomK<u64, { limits::NAMES }>;

#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderNames {
    names: Names,
    lists: Vec<List>,
}

#[derive(Clone, Debug)]
struct List {
    /// Each name with its length in one byte before it.
    bytes: Box<[u8]>,
    count: u64,
}

impl HeaderNames {
    /// Counts the names of one request; `scratch` is memory to work in.
    pub(crate) fn observe(&mut self, headers: Headers<'_>, scratch: &mut Vec<u8>) {
        // Mostly it is the list that came last. The names may have to be decoded, so they are gone through once.
        let last = self.lists.first().map_or(&b""[..], |list| &list.bytes);
        scratch.clear();
        let mut compared = Compared { last, rest: last, list: scratch };
        headers.split_names(&mut compared, Compared::goes_on_with, Compared::add_other);
        if compared.is_the_last() {
            if let Some(last) = self.lists.first_mut() {
                last.count += 1;
            }
        } else {
            compared.begin();
            if !scratch.is_empty() {
                self.add(scratch, 1);
            }
        }
    }

    fn add(&mut self, list: &[u8], count: u64) {
        if let Some(at) = self.lists.iter().position(|known| *known.bytes == *list) {
            self.lists[at].count += count;
            self.lists.swap(0, at);
            return;
        }
        if list.len() > LIST_BYTES {
            take_apart(list, count, &mut self.names);
            return;
        }
        if self.lists.len() >= LISTS {
            for list in self.lists.drain(..) {
                take_apart(&list.bytes, list.count, &mut self.names);
            }
        }
        self.lists.push(List { bytes: list.into(), count });
    }

    /// How many requests had each name.
    pub(crate) fn names(&self) -> Cow<'_, Names> {
        let mut names = Cow::Borrowed(&self.names);
        for list in &self.lists {
            take_apart(&list.bytes, list.count, names.to_mut());
        }
        names
    }
}

/// The names of a request beside the list that came last.
struct Compared<'l, 's> {
    last: &'l [u8],
    /// What of it was not met yet.
    rest: &'l [u8],
    /// All names, where they are not those of the last list.
    list: &'s mut Vec<u8>,
}

impl Compared<'_, '_> {
    /// Is this name the next of the last list?
    #[inline]
    fn goes_on_with(&mut self, name: &[u8]) -> bool {
        let rest = after(self.rest, name);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    #[cold]
    #[inline(never)]
    fn add_other(&mut self, name: &[u8]) {
        self.begin();
        let name = shortened(name);
        self.list.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        self.list.extend_from_slice(name);
    }

    fn is_the_last(&self) -> bool {
        self.list.is_empty() && self.rest.is_empty()
    }

    /// Begins a list of its own with what was the same so far.
    fn begin(&mut self) {
        if self.list.is_empty() {
            self.list.extend_from_slice(&self.last[..self.last.len() - self.rest.len()]);
        }
    }
}

fn shortened(name: &[u8]) -> &[u8] {
    &name[..name.len().min(limits::NAME_BYTES)]
}

/// What comes after a name at the front of a list; `None` where that is another one.
#[inline]
fn after<'a>(list: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match name.len() {
        4..=7 => after_if(list, name, same_ends::<4>),
        8..=16 => after_if(list, name, same_ends::<8>),
        _ => after_if(list, shortened(name), |known, name| known == name),
    }
}

#[inline]
fn after_if<'a>(
    list: &'a [u8],
    name: &[u8],
    is_same: impl Fn(&[u8], &[u8]) -> bool,
) -> Option<&'a [u8]> {
    let (known, rest) = list.split_at_checked(name.len() + 1)?;
    let (length, known) = known.split_first()?;
    (usize::from(*length) == name.len() && is_same(known, name)).then_some(rest)
}

fn take_apart(mut list: &[u8], count: u64, names: &mut Names) {
    let mut seen = NamesOfMessage::default();
    while let Some((length, rest)) = list.split_first() {
        let (name, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        list = rest;
        let Some(name) = names::header_name(name) else { continue };
        if seen.is_new(stable_hash(&name)) {
            *names.entry(&name) += count;
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
        Ok(Self { names: Names::deserialize(deserializer)?, lists: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Lists kept whole come to the same as names counted one by one, in any order and any split.
        #[test]
        fn lists_equal_names(
            requests in prop::collection::vec(prop::collection::vec("[A-Ca-c]{0,2}|x{1,200}", 0..6), 0..40), split in 0usize..40,
        ) {
            let mut plain = Names::default();
            let mut halves = [HeaderNames::default(), HeaderNames::default()];
            let mut scratch = Vec::new();
            for (i, request) in requests.iter().enumerate() {
                let pairs: Vec<_> = request.iter().map(|name| (name.as_bytes(), None)).collect();
                halves[usize::from(i < split)].observe(Headers::new(&pairs), &mut scratch);
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
        }
    }
}
