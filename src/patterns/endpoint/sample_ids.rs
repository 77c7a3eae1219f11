//! Ids of the newest flows, those that were not answered with 404 first.

use crate::flow::RecordIdText;
use crate::limits;
use crate::patterns::aggregate::{Aggregate, Observation};
use crate::patterns::is_not_found;
use crate::sketch::{HeapSize, TopN, summary};

summary! {
    /// The ids of the newest flows of an endpoint, those that were not answered with 404 first: a scan of words is newer than
    /// the requests whose values it resembles.
    pub(crate) struct SampleIds {
        newest: TopN<SampleId, { limits::MAX_SAMPLE_IDS }>,
    }
}

/// A flow as (whether it was answered otherwise than with 404, start in nanoseconds since the Unix epoch, id).
type SampleId = (bool, i64, Box<[u8]>);

impl HeapSize for SampleId {
    fn heap_bytes(&self) -> usize {
        self.2.len()
    }
}

impl Aggregate for SampleIds {
    /// The ids as captured, those that were found and the newest first.
    type Section = Vec<Box<[u8]>>;

    #[inline]
    fn observe(&mut self, seen: &mut Observation<'_>) {
        let flow = seen.flow;
        let mut record = RecordIdText::default();
        let id = flow.shown_id(&mut record);
        let started = flow.started.unwrap_or(i64::MIN);
        let is_found = !is_not_found(flow);
        let id = &id[..id.len().min(limits::MAX_FLOW_ID_BYTES)];
        self.newest.observe_with(
            |have| (is_found, started, id).cmp(&(have.0, have.1, &*have.2)),
            // Ids of one capture usually have equal lengths, so the memory of the displaced id is
            // reused.
            |displaced| match displaced {
                Some((_, _, mut kept)) if kept.len() == id.len() => {
                    kept.copy_from_slice(id);
                    (is_found, started, kept)
                }
                _ => (is_found, started, id.into()),
            },
        );
    }

    fn finish(self) -> Vec<Box<[u8]>> {
        self.newest.into_items().into_iter().map(|(_, _, id)| id).collect()
    }
}
