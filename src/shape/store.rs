//! The shapes of all endpoints, in bounded memory: endpoints share one budget of nodes fairly.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::shape::messages::EndpointMessages;
use crate::sketch::{Merge, fair_share};

/// The messages of endpoints by their ids.
///
/// Merging is associative and commutative, and what is kept depends on the set of the messages alone: an endpoint whose
/// shapes need more nodes than its share is brought to the lowest level at which they fit (see [`Caps::at`](crate::shape::Caps::at)), and the share
/// falls as endpoints and messages come in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShapeStore {
    endpoints: BTreeMap<u64, EndpointMessages>,
    /// Flows since the nodes were last counted.
    #[serde(skip)]
    uncounted: u64,
    /// Bytes of their bodies, as recorded.
    #[serde(skip)]
    uncounted_bytes: u64,
}

impl ShapeStore {
    /// The messages of an endpoint to which a flow belongs, whose bodies have so many bytes.
    pub(crate) fn endpoint(&mut self, id: u64, bytes: u64) -> &mut EndpointMessages {
        self.uncounted += 1;
        if self.uncounted >= limits::FLOWS_PER_COUNT.max(self.endpoints.len() as u64 * 8)
            || self.uncounted_bytes >= limits::BYTES_A_COUNT
        {
            self.fit();
        }
        self.uncounted_bytes = self.uncounted_bytes.saturating_add(bytes);
        self.endpoints.entry(id).or_default()
    }

    /// Takes the messages of an endpoint out.
    pub(crate) fn take(&mut self, id: u64) -> Option<EndpointMessages> {
        self.endpoints.remove(&id)
    }

    /// All endpoints, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &EndpointMessages)> {
        self.endpoints.iter().map(|(id, messages)| (*id, messages))
    }

    /// Brings every endpoint down to its share.
    pub(crate) fn fit(&mut self) {
        self.uncounted = 0;
        self.uncounted_bytes = 0;
        // What came since an endpoint was cut is still to be cut.
        self.endpoints.values_mut().for_each(|messages| messages.raise(0));
        let nodes: Vec<usize> = self.endpoints.values().map(EndpointMessages::nodes).collect();
        let levels = self.endpoints.values().map(|messages| messages.level);
        let share = fair_share(limits::MAX_SHAPE_NODES, &nodes, levels);
        let share = share.min(limits::MAX_ENDPOINT_SHAPE_NODES);
        let too_large = self.endpoints.values_mut().zip(nodes).filter(|(_, nodes)| *nodes > share);
        too_large.for_each(|(messages, _)| messages.fit(share));
    }
}

impl Merge for ShapeStore {
    fn merge(&mut self, other: Self) {
        for (id, messages) in other.endpoints {
            match self.endpoints.entry(id) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(messages);
                }
                std::collections::btree_map::Entry::Occupied(entry) => {
                    entry.into_mut().merge(messages);
                }
            }
        }
        self.fit();
    }
}
