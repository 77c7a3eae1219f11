//! Where the requests of an endpoint come from: scripts, navigations or pages, and which sites.

use serde::{Deserialize, Serialize};

use crate::flow::Flow;
use crate::flow::request_context::{Destination, RequestContext, SiteRelation};
use crate::limits;
use crate::patterns::aggregate::{Aggregate, Observation};
use crate::sketch::{HeapSize, KeepsNames, LargestCount, Merge, fmix64, stable_hash, vec_bytes};

/// The [`RequestContext`]s of a sample of the requests that browsers sent: of those with the smallest hashes, so that it does not
/// depend on the order. Reading the headers of every request would take a fifth of the time of a run, and a few requests say it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<SampledContext>", into = "Vec<SampledContext>")]
pub(crate) struct RequestContexts {
    /// Sorted, without duplicates but for the counts, at most [`limits::MAX_SAMPLED_CONTEXTS`].
    sample: Vec<SampledContext>,
}

/// The context of the requests with one hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct SampledContext {
    hash: u64,
    destination: Destination,
    relation: Option<SiteRelation>,
    /// The host of the page that sent the request, in lower case; empty if it is not known.
    initiator: Box<str>,
    count: u64,
}

impl SampledContext {
    fn is_alike(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.destination == other.destination
            && self.relation == other.relation
            && self.initiator == other.initiator
    }
}

impl Aggregate for RequestContexts {
    type Section = Self;

    #[inline]
    fn observe(&mut self, seen: &mut Observation<'_>) {
        if seen.is_from_browser {
            self.sample(seen.flow);
        }
    }

    fn finish(self) -> Self {
        self
    }
}

impl RequestContexts {
    fn sample(&mut self, flow: &Flow<'_>) {
        let hash = sample_hash(flow);
        if self.sample.len() >= limits::MAX_SAMPLED_CONTEXTS
            && self.sample.last().is_some_and(|last| hash > last.hash)
        {
            return;
        }
        let context = RequestContext::of(flow.request_headers);
        // The end of a long host has its registrable domain.
        let host = context.initiator.unwrap_or_default();
        let host = &host[host.len().saturating_sub(limits::MAX_INITIATOR_BYTES)..];
        self.add(SampledContext {
            hash,
            destination: context.destination,
            relation: context.relation,
            initiator: String::from_utf8_lossy(host).to_ascii_lowercase().into(),
            count: 1,
        });
    }

    fn add(&mut self, mut context: SampledContext) {
        // The count comes last in the order, so that a known context stands where one without requests would.
        let count = std::mem::take(&mut context.count);
        let at = self.sample.partition_point(|known| *known < context);
        match self.sample.get_mut(at) {
            Some(known) if known.is_alike(&context) => known.count += count,
            _ => {
                self.sample.insert(at, SampledContext { count, ..context });
                self.sample.truncate(limits::MAX_SAMPLED_CONTEXTS);
            }
        }
    }

    /// The number of sampled requests for a destination.
    pub(crate) fn requests_for(&self, destination: Destination) -> u64 {
        self.count(|context| context.destination == destination)
    }

    /// The number of sampled requests that the browser said to be sent by such a site.
    pub(crate) fn requests_from(&self, relation: SiteRelation) -> u64 {
        self.count(|context| context.relation == Some(relation))
    }

    /// The hosts of the pages that sent the sampled requests, each with the number of its requests.
    pub(crate) fn initiators(&self) -> impl Iterator<Item = (&str, u64)> {
        let known = self.sample.iter().filter(|context| !context.initiator.is_empty());
        known.map(|context| (&*context.initiator, context.count))
    }

    fn count(&self, is_counted: impl Fn(&SampledContext) -> bool) -> u64 {
        self.sample.iter().filter(|context| is_counted(context)).map(|context| context.count).sum()
    }
}

/// A hash of a request that differs between most requests of an endpoint and costs little: of its time, or of its target where the
/// time is not known.
fn sample_hash(flow: &Flow<'_>) -> u64 {
    flow.started.map_or_else(|| stable_hash(&flow.target), |time| fmix64(time.cast_unsigned()))
}

impl From<Vec<SampledContext>> for RequestContexts {
    fn from(contexts: Vec<SampledContext>) -> Self {
        let mut sample = Self::default();
        contexts.into_iter().for_each(|context| sample.add(context));
        sample
    }
}

impl From<RequestContexts> for Vec<SampledContext> {
    fn from(contexts: RequestContexts) -> Self {
        contexts.sample
    }
}

impl Merge for RequestContexts {
    fn merge(&mut self, other: Self) {
        other.sample.into_iter().for_each(|context| self.add(context));
    }
}

impl HeapSize for RequestContexts {
    fn heap_bytes(&self) -> usize {
        let hosts: usize = self.sample.iter().map(|context| context.initiator.len()).sum();
        vec_bytes(&self.sample) + hosts
    }
}

impl LargestCount for RequestContexts {
    fn largest_count(&self) -> u64 {
        self.sample.iter().map(|context| context.count).max().unwrap_or(0)
    }
}

impl KeepsNames for RequestContexts {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Headers;
    use proptest::prelude::*;

    /// The sample that is made of all contexts at once.
    fn plain(all: &[(i64, u8)]) -> Vec<SampledContext> {
        let mut contexts: Vec<SampledContext> = Vec::new();
        for (time, site) in all {
            let context = SampledContext {
                hash: fmix64(time.cast_unsigned()),
                destination: Destination::Unknown,
                relation: None,
                initiator: format!("{site}.example").into(),
                count: 1,
            };
            match contexts.iter_mut().find(|known| known.is_alike(&context)) {
                Some(known) => known.count += 1,
                None => contexts.push(context),
            }
        }
        contexts.sort();
        contexts.truncate(limits::MAX_SAMPLED_CONTEXTS);
        contexts
    }

    proptest! {
        #[test]
        fn any_order_and_split_give_the_sample_of_all(
            all in prop::collection::vec((0_i64..60, 0_u8..3), 0..200), split in 0_usize..200,
        ) {
            let mut halves = [RequestContexts::default(), RequestContexts::default()];
            for (number, (time, site)) in all.iter().enumerate() {
                let origin = format!("https://{site}.EXAMPLE");
                let headers = [(&b"origin"[..], Some(origin.as_bytes()))];
                let mut flow = Flow::new("GET", "https://h.example/x").unwrap();
                flow.started = Some(*time);
                flow.request_headers = Headers::new(&headers);
                halves[usize::from(number < split)].sample(&flow);
            }
            let [mut first, second] = halves;
            first.merge(second);
            prop_assert_eq!(&first.sample, &plain(&all));
            let stored = postcard::to_stdvec(&first).unwrap();
            prop_assert_eq!(postcard::from_bytes::<RequestContexts>(&stored).unwrap(), first);
        }
    }
}
