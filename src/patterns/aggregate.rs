//! The trait of an endpoint's statistics, and the macro that makes one of several.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::flow::{Flow, Response};
use crate::sketch::{BottomKEntry, HeapSize, KeepsNames, LargestCount, Merge};

/// A statistic of an endpoint, from the first flow to the report.
///
/// 1. Flows are [observed](Self::observe), by each thread into an aggregate of its own.
/// 2. Aggregates are [merged](Merge::merge). Any order and any split of the flows give an equal
///    aggregate, so nothing may depend on the order of observation.
/// 3. Memory is bounded: the [size](HeapSize::heap_bytes) is reported, and tables of names are
///    [pruned](KeepsNames::keep_names).
/// 4. The aggregate is stored and read back with serde. The bytes need not be trusted, so its
///    [largest counter](LargestCount::largest_count) is checked.
/// 5. At the end it is [finished](Self::finish) into what the report shows.
///
/// Sketches ([`crate::sketch`]) have all of this but the first and the last step, and so has a
/// struct of sketches that [`summary!`](crate::sketch::summary) defines. An aggregate is such a
/// struct with `observe` and `finish`.
pub(crate) trait Aggregate:
    Clone
    + Debug
    + Default
    + PartialEq
    + Merge
    + HeapSize
    + KeepsNames
    + LargestCount
    + Serialize
    + DeserializeOwned
{
    /// The part of the report for the statistic. Captured words are in it as bytes, not masked.
    type Section;

    /// Adds one flow.
    fn observe(&mut self, seen: &mut Observation<'_>);

    /// The section of the report. It is made once, when all flows are merged.
    fn finish(self) -> Self::Section;
}

/// A flow that is observed, with what several aggregates need of it.
#[derive(Debug)]
pub(crate) struct Observation<'a> {
    pub(crate) flow: &'a Flow<'a>,
    /// The response; `None` if there was none, for which proxies write the status 0 or -1.
    pub(crate) response: Option<&'a Response<'a>>,
    /// The query of the target, without the question mark.
    pub(crate) query: &'a [u8],
    /// True if the path ends with a slash.
    pub(crate) trailing_slash: bool,
    /// True if the request has headers that only browsers send. The header names set it.
    pub(crate) is_from_browser: bool,
    /// A buffer for any use, reused between flows.
    pub(crate) scratch: &'a mut Vec<u8>,
}

impl<'a> Observation<'a> {
    #[inline]
    pub(crate) fn new(
        flow: &'a Flow<'a>,
        query: &'a [u8],
        trailing_slash: bool,
        scratch: &'a mut Vec<u8>,
    ) -> Self {
        let response = flow.response.as_ref().filter(|response| response.status > 0);
        Self { flow, response, query, trailing_slash, is_from_browser: false, scratch }
    }
}

/// A captured name, not masked, with the number of messages that had it.
#[derive(Debug)]
pub(crate) struct CountedName {
    pub(crate) name: Box<[u8]>,
    /// The stable hash of the name.
    pub(crate) hash: u64,
    pub(crate) count: u64,
}

impl CountedName {
    pub(crate) fn of(entry: BottomKEntry<u64>) -> Self {
        Self { name: entry.key, hash: entry.hash, count: entry.value }
    }
}

/// Defines a struct whose fields are aggregates, makes it an aggregate, and defines its section: a
/// struct with the section of each field. A section that nothing reads is an error.
macro_rules! aggregates {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident => $section:ident {
            $($(#[$field_attribute:meta])* $field:ident: $type:ty,)+
        }
    ) => {
        $crate::sketch::summary! {
            $(#[$attribute])*
            $visibility struct $name {
                $($(#[$field_attribute])* $visibility $field: $type,)+
            }
        }

        #[doc = concat!("What the report shows of an [`", stringify!($name), "`].")]
        #[derive(Debug)]
        #[deny(dead_code, reason = "a statistic that is not shown was forgotten")]
        $visibility struct $section {
            $(
                $(#[$field_attribute])*
                $visibility $field: <$type as $crate::patterns::aggregate::Aggregate>::Section,
            )+
        }

        impl $crate::patterns::aggregate::Aggregate for $name {
            type Section = $section;

            #[inline]
            fn observe(&mut self, seen: &mut $crate::patterns::aggregate::Observation<'_>) {
                $($crate::patterns::aggregate::Aggregate::observe(&mut self.$field, seen);)+
            }

            fn finish(self) -> $section {
                $section {
                    $($field: $crate::patterns::aggregate::Aggregate::finish(self.$field),)+
                }
            }
        }
    };
}

pub(crate) use aggregates;
