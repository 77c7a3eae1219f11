//! Query parameters by name.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::patterns::aggregate::{Aggregate, CountedName, Observation};
use crate::patterns::names::{self, MessageNames};
use crate::sketch::{BottomK, BottomKEntry, LargestCount, Merge, stable_hash, summary};

summary! {
    /// Query parameters of an endpoint, by name.
    pub(crate) struct QueryParameters {
        uses: BottomK<ParameterUse, { limits::MAX_NAMES }>,
    }
}

/// Use of one query parameter: number of requests, and the set of value kinds as a bit set (see
/// [`names::value_kind`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ParameterUse {
    count: u64,
    kinds: u32,
}

impl Merge for ParameterUse {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.kinds |= other.kinds;
    }
}

impl LargestCount for ParameterUse {
    fn largest_count(&self) -> u64 {
        self.count
    }
}

/// The part of the report for one query parameter.
#[derive(Debug)]
pub(crate) struct QueryParameter {
    pub(crate) name: CountedName,
    /// The common kind of its values.
    pub(crate) kind: &'static str,
}

impl QueryParameters {
    /// The hash of each name with the number of requests that had it.
    pub(crate) fn requests_by_hash(&self) -> impl Iterator<Item = (u64, u64)> {
        self.uses.iter().map(|entry| (entry.hash, entry.value.count))
    }
}

impl Aggregate for QueryParameters {
    type Section = Vec<QueryParameter>;

    #[inline]
    fn observe(&mut self, seen: &mut Observation<'_>) {
        if seen.query.is_empty() {
            return;
        }
        let mut names = MessageNames::default();
        for pair in seen.query.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = memchr::memchr(b'=', pair)
                .map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
            let name = names::query_name(name);
            let is_new = names.is_new(stable_hash(&name));
            let parameter = self.uses.entry(&name);
            parameter.count += u64::from(is_new);
            parameter.kinds |= names::value_kind(value);
        }
    }

    fn finish(self) -> Vec<QueryParameter> {
        let entries = self.uses.into_entries().into_iter();
        let shown = entries.map(|BottomKEntry { hash, key: name, value }| QueryParameter {
            name: CountedName { name, hash, count: value.count },
            kind: names::kind_name(value.kinds),
        });
        shown.collect()
    }
}
