//! Ids of the newest flows.

use crate::flow::RecordIdText;
use crate::limits;
use crate::patterns::aggregate::{Aggregate, Observation};
use crate::sketch::{HeapSize, TopN, summary};

summary! {
    /// The ids of the newest flows of an endpoint.
    pub(crate) struct SampleIds {
        newest: TopN<SampleId, { limits::MAX_SAMPLE_IDS }>,
    }
}

/// A flow as (start in nanoseconds since the Unix epoch, id).
type SampleId = (i64, Box<[u8]>);

impl HeapSize for SampleId {
    fn heap_bytes(&self) -> usize {
        self.1.len()
    }
}

impl Aggregate for SampleIds {
    /// The ids as captured, the newest first.
    type Section = Vec<Box<[u8]>>;

    #[inline]
    fn observe(&mut self, seen: &mut Observation<'_>) {
        let flow = seen.flow;
        let mut record = RecordIdText::default();
        let id = flow.shown_id(&mut record);
        let started = flow.started.unwrap_or(i64::MIN);
        let id = &id[..id.len().min(limits::MAX_FLOW_ID_BYTES)];
        self.newest.observe_with(
            |have| (started, id).cmp(&(have.0, &*have.1)),
            // Ids of one capture usually have equal lengths, so the memory of the displaced id is
            // reused.
            |displaced| match displaced {
                Some((_, mut kept)) if kept.len() == id.len() => {
                    kept.copy_from_slice(id);
                    (started, kept)
                }
                _ => (started, id.into()),
            },
        );
    }

    fn finish(self) -> Vec<Box<[u8]>> {
        self.newest.into_items().into_iter().map(|(_, id)| id).collect()
    }
}
