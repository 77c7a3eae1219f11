//! The headers of a message, in whatever form the capture has them.

use std::borrow::Cow;
use std::fmt;

use crate::flow::text;
use crate::limits;
use crate::simd::{is_same, same_ends};

/// Header names and values in wire order. A value may be missing where the capture is damaged.
#[derive(Clone, Copy)]
pub struct Headers<'a> {
    source: HeaderSource<'a>,
}

/// One header: its name, and its value where it has one.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// A header that may have been decoded.
pub(crate) type OwnedHeader<'a> = (Cow<'a, [u8]>, Option<Cow<'a, [u8]>>);

/// How headers stand in a capture.
pub(crate) struct HeaderEncoding {
    /// Takes the next header off the front of a list: `(header, rest)`.
    pub(crate) next: for<'b> fn(&'b [u8]) -> Option<(Header<'b>, &'b [u8])>,
    /// Takes headers off the front of a list as long as they have the names that are known ([`beside`]).
    pub(crate) beside: for<'b, 'l> fn(&'b [u8], &'l [u8]) -> HeaderMatch<'b, 'l>,
}

/// What is left of headers and of known names where they are no longer the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeaderMatch<'b, 'l> {
    pub(crate) headers: &'b [u8],
    pub(crate) names: &'l [u8],
    /// How many were the same.
    pub(crate) same: usize,
}

#[derive(Clone, Copy)]
enum HeaderSource<'a> {
    Pairs(&'a [Header<'a>]),
    Owned(&'a [OwnedHeader<'a>]),
    /// Still in the format of the capture: decoded only where somebody looks.
    Encoded(&'a [u8], &'static HeaderEncoding),
}

impl<'a> Headers<'a> {
    /// Headers from pairs.
    pub fn new(pairs: &'a [Header<'a>]) -> Self {
        Self { source: HeaderSource::Pairs(pairs) }
    }

    pub(crate) fn owned(pairs: &'a [OwnedHeader<'a>]) -> Self {
        Self { source: HeaderSource::Owned(pairs) }
    }

    pub(crate) fn encoded(bytes: &'a [u8], encoding: &'static HeaderEncoding) -> Self {
        Self { source: HeaderSource::Encoded(bytes, encoding) }
    }

    /// The headers in wire order, at most 4096 of them.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let mut source = self.source;
        std::iter::from_fn(move || match &mut source {
            HeaderSource::Pairs(pairs) => {
                let (first, rest) = pairs.split_first()?;
                *pairs = rest;
                Some(*first)
            }
            HeaderSource::Owned(pairs) => {
                let (first, rest) = pairs.split_first()?;
                *pairs = rest;
                Some((&*first.0, first.1.as_deref()))
            }
            HeaderSource::Encoded(bytes, encoding) => {
                let (header, rest) = (encoding.next)(bytes)?;
                *bytes = rest;
                Some(header)
            }
        })
        .take(limits::MAX_HEADERS)
    }

    /// Compares the names with known ones ([`push_name`]), none with a quote in it. Gives what is left of those, and the names
    /// from the first on that is another.
    pub(crate) fn names_beside<'l>(
        &self,
        known: &'l [u8],
    ) -> (&'l [u8], impl Iterator<Item = &'a [u8]> + use<'a>) {
        const MOST: usize = limits::MAX_HEADERS;
        let (source, names, same) = match self.source {
            HeaderSource::Pairs(pairs) => {
                let names = pairs[..pairs.len().min(MOST)].iter().map(|header| header.0);
                let (names, same) = same_names(names, known);
                (HeaderSource::Pairs(&pairs[same..]), names, same)
            }
            HeaderSource::Owned(pairs) => {
                let names = pairs[..pairs.len().min(MOST)].iter().map(|header| &*header.0);
                let (names, same) = same_names(names, known);
                (HeaderSource::Owned(&pairs[same..]), names, same)
            }
            HeaderSource::Encoded(bytes, encoding) => {
                let left = (encoding.beside)(bytes, known);
                (HeaderSource::Encoded(left.headers, encoding), left.names, left.same)
            }
        };
        let rest = Self { source }.iter().take(MOST - same);
        (names, rest.map(|header| header.0))
    }

    /// The value of the first header of that name, in any case. (It is found soonest in lower case.)
    pub fn get(&self, name: &[u8]) -> Option<&'a [u8]> {
        let is_it =
            |header: &Header<'_>| is_same(header.0, name) || header.0.eq_ignore_ascii_case(name);
        self.iter().find(is_it).and_then(|header| header.1)
    }
}

/// A name as it is counted, which is not longer than a byte can say.
fn counted_name(name: &[u8]) -> &[u8] {
    &name[..name.len().min(limits::MAX_NAME_BYTES)]
}

/// Puts a name behind known ones: each has its length in a byte before it.
pub(crate) fn push_name(known: &mut Vec<u8>, name: &[u8]) {
    let name = counted_name(name);
    known.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    known.extend_from_slice(name);
}

/// Takes a name off the front of known ones.
#[inline]
pub(crate) fn split_name(known: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = known.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// The known names behind those that are the same, and how many these are.
#[inline]
fn same_names<'a, 'l>(
    names: impl Iterator<Item = &'a [u8]>,
    mut known: &'l [u8],
) -> (&'l [u8], usize) {
    let mut same = 0;
    for name in names {
        let Some(rest) = after(known, name) else { break };
        known = rest;
        same += 1;
    }
    (known, same)
}

/// What comes after a name at the front of known ones; `None` where that is another one. (Its length is asked once, for where
/// the known one ends and for how it is compared: a third of what asking twice costs.)
#[inline]
fn after<'l>(known: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    match name.len() {
        4..=7 => after_if(known, name, same_ends::<4>),
        8..=16 => after_if(known, name, same_ends::<8>),
        _ => after_if(known, counted_name(name), |known, name| known == name),
    }
}

#[inline]
fn after_if<'l>(
    known: &'l [u8],
    name: &[u8],
    is_same: impl Fn(&[u8], &[u8]) -> bool,
) -> Option<&'l [u8]> {
    let (first, rest) = known.split_at_checked(name.len() + 1)?;
    let (length, first) = first.split_first()?;
    (usize::from(*length) == name.len() && is_same(first, name)).then_some(rest)
}

/// Takes headers off the front of a list as long as they have the known names; `after` takes one with such a name off.
#[inline]
pub(crate) fn beside<'b, 'l>(
    mut headers: &'b [u8],
    mut names: &'l [u8],
    after: impl Fn(&'b [u8], &'l [u8]) -> Option<&'b [u8]>,
) -> HeaderMatch<'b, 'l> {
    let mut same = 0;
    while let Some((name, rest)) = split_name(names)
        // What is cut off may be the beginning of several names.
        && name.len() < limits::MAX_NAME_BYTES
        && same < limits::MAX_HEADERS
        && let Some(after) = after(headers, name)
    {
        (headers, names) = (after, rest);
        same += 1;
    }
    HeaderMatch { headers, names, same }
}

impl Default for Headers<'_> {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl fmt::Debug for Headers<'_> {
    /// Names only: a header's value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|header| text::printable(header.0))).finish()
    }
}

#[cfg(test)]
pub(crate) mod laws {
    use super::{Cow, Headers, counted_name, push_name, split_name};
    use proptest::prelude::*;

    /// Names beside known ones are the names one by one.
    pub(crate) fn names_beside(headers: Headers<'_>, known: &[&[u8]]) {
        let mut list = Vec::new();
        for name in known.iter().filter(|name| !name.contains(&b'"')) {
            push_name(&mut list, name);
        }
        let (left, others) = headers.names_beside(&list);
        let mut same = &list[..list.len() - left.len()];
        let mut names = Vec::new();
        while let Some((name, rest)) = split_name(same) {
            names.push(name);
            same = rest;
        }
        names.extend(others.map(counted_name));
        let plain: Vec<_> = headers.iter().map(|header| counted_name(header.0)).collect();
        assert_eq!(names, plain, "beside {known:?}");
    }

    /// Names and values that formats may stumble over, and known names that are mostly the same.
    pub(crate) fn headers() -> impl Strategy<Value = (Vec<(String, String)>, Vec<bool>)> {
        let name = "[a-b\",\\[\\] ]{0,4}|[a-z-]{4,20}|x{120,140}";
        let header = (name, "[a-b\",\\[\\] ]{0,6}|[ -~]{0,70}");
        (prop::collection::vec(header, 0..8), prop::collection::vec(prop::bool::weighted(0.9), 8))
    }

    proptest! {
        #[test]
        fn of_pairs((headers, keep) in headers()) {
            let pairs: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_bytes()))).collect();
            let known: Vec<_> = pairs.iter().zip(keep).filter(|(_, keep)| *keep).map(|(pair, _)| pair.0).collect();
            names_beside(Headers::new(&pairs), &known);
            let owned: Vec<_> = pairs.iter().map(|(name, _)| (Cow::Borrowed(*name), None)).collect();
            names_beside(Headers::owned(&owned), &known);
        }
    }
}
