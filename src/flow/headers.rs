//! The headers of a message, in the form in which the capture stores them.

use std::borrow::Cow;
use std::fmt;

use crate::flow::text;
use crate::limits;
use crate::simd::{is_same, same_ends};

/// Header names and values in wire order. A value may be missing if the capture is damaged.
#[derive(Clone, Copy)]
pub struct Headers<'a> {
    source: HeaderSource<'a>,
}

/// One header: its name, and its value, which is `None` if it is missing.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// A header whose name and value may have been decoded.
pub(crate) type OwnedHeader<'a> = (Cow<'a, [u8]>, Option<Cow<'a, [u8]>>);

/// The encoding of headers in a capture format.
pub(crate) struct HeaderEncoding {
    /// Splits the next header off the front of a list: `(header, rest)`.
    pub(crate) next: for<'b> fn(&'b [u8]) -> Option<(Header<'b>, &'b [u8])>,
    /// Splits headers off the front of a list as long as their names equal the known names
    /// ([`match_known_names`]).
    pub(crate) beside: for<'b, 'l> fn(&'b [u8], &'l [u8]) -> HeaderMatch<'b, 'l>,
}

/// The rests of headers and known names after the names that are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeaderMatch<'b, 'l> {
    pub(crate) headers: &'b [u8],
    pub(crate) names: &'l [u8],
    /// Number of names that are equal.
    pub(crate) same: usize,
}

#[derive(Clone, Copy)]
enum HeaderSource<'a> {
    Pairs(&'a [Header<'a>]),
    Owned(&'a [OwnedHeader<'a>]),
    /// Encoded as in the capture, and decoded on demand.
    Encoded(&'a [u8], &'static HeaderEncoding),
}

impl<'a> Headers<'a> {
    /// Creates headers from pairs of name and value.
    ///
    /// ```
    /// use api_patterns::{Header, Headers};
    ///
    /// let pairs: [Header<'_>; 1] = [(b"Accept", Some(b"*/*"))];
    /// assert_eq!(Headers::new(&pairs).iter().count(), 1);
    /// ```
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
    ///
    /// ```
    /// use api_patterns::{Header, Headers};
    ///
    /// let pairs: [Header<'_>; 1] = [(b"Accept", Some(b"*/*"))];
    /// let (name, value) = Headers::new(&pairs).iter().next().unwrap();
    /// assert_eq!(name, b"Accept");
    /// assert_eq!(value, Some(&b"*/*"[..]));
    /// ```
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

    /// Compares the names with known names (see [`push_name`]), none of which contains a quote.
    /// Returns the rest of the known names, and the names from the first difference on.
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

    /// The value of the first header with this name, in any case. The search is fastest if both are
    /// in the same case. `None` if there is no such header, or if it has no value.
    ///
    /// ```
    /// use api_patterns::{Header, Headers};
    ///
    /// let pairs: [Header<'_>; 1] = [(b"Accept", Some(b"*/*"))];
    /// assert_eq!(Headers::new(&pairs).get(b"accept"), Some(&b"*/*"[..]));
    /// assert_eq!(Headers::new(&pairs).get(b"host"), None);
    /// ```
    pub fn get(&self, name: &[u8]) -> Option<&'a [u8]> {
        let is_it =
            |header: &Header<'_>| is_same(header.0, name) || header.0.eq_ignore_ascii_case(name);
        self.iter().find(is_it).and_then(|header| header.1)
    }
}

/// A name as it is counted, which is cut to a length that fits in a byte.
fn counted_name(name: &[u8]) -> &[u8] {
    &name[..name.len().min(limits::MAX_NAME_BYTES)]
}

/// Appends a name to known names. Each has its length in a byte before it.
pub(crate) fn push_name(known: &mut Vec<u8>, name: &[u8]) {
    let name = counted_name(name);
    known.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    known.extend_from_slice(name);
}

/// Splits the first of the known names off.
#[inline]
pub(crate) fn split_name(known: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = known.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// The known names after those that equal `names`, and the number of equal names.
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

/// The rest after the name at the front of the known names; `None` if that is another name. The
/// function branches on the length only once, which takes a third of the time of two branches.
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

/// Splits headers off the front of a list as long as their names equal the known names. `after`
/// splits off one header with a given name.
#[inline]
pub(crate) fn match_known_names<'b, 'l>(
    mut headers: &'b [u8],
    mut names: &'l [u8],
    after: impl Fn(&'b [u8], &'l [u8]) -> Option<&'b [u8]>,
) -> HeaderMatch<'b, 'l> {
    let mut same = 0;
    while let Some((name, rest)) = split_name(names)
        // A name that was cut may be the beginning of several names.
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
    /// Formats only the names, because a value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|header| text::printable(header.0))).finish()
    }
}

#[cfg(test)]
pub(crate) mod laws {
    use super::{Cow, Headers, counted_name, push_name, split_name};
    use proptest::prelude::*;

    /// Checks that comparing names with known names gives the names one by one.
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

    /// Names and values that are difficult for formats, and known names that are mostly equal.
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
