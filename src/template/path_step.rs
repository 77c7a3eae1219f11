//! The path of a request before templates are decided: each segment is a literal or a slot.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::sketch::stable_hash;
use crate::template::segment::{Segment, is_value_at};
use crate::template::vocabulary::Vocabulary;

/// One segment of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PathStep {
    /// A segment that may be a name.
    Literal(Box<[u8]>),
    /// Any segment of a slot: see [`Segment::slot`]. The text is not kept.
    Value(Box<[u8]>),
}

/// The path of a request, in two degrees of detail.
#[derive(Clone, Debug, Default)]
pub(crate) struct PathSteps {
    /// With a literal for each segment that may be a name.
    pub(crate) all: Vec<PathStep>,
    /// The steps in which only segments of the vocabulary are literals.
    pub(crate) known: Vec<PathStep>,
    /// Whether [`all`](Self::all) and [`known`](Self::known) differ.
    pub(crate) has_unknown: bool,
}

impl PathSteps {
    /// The steps of the segments of a path.
    pub(crate) fn of<'s>(segments: impl Iterator<Item = &'s [u8]>) -> Self {
        let mut steps = Self::default();
        for (depth, text) in segments.take(limits::MAX_PATH_SEGMENTS).enumerate() {
            let segment = Segment::parse(text);
            let literal = || PathStep::Literal(text.into());
            let value = || PathStep::Value((*segment.slot()).into());
            let is_name = !is_value_at(&segment, depth);
            let is_known = is_name && Vocabulary::shipped().knows(segment.core);
            steps.all.push(if is_name { literal() } else { value() });
            steps.known.push(if is_known { literal() } else { value() });
            steps.has_unknown |= is_name != is_known;
        }
        steps
    }
}

/// The hash of the steps of a path, equal on every machine.
pub(crate) fn hash_of(steps: &[PathStep]) -> u64 {
    let mut bytes = Vec::new();
    for step in steps {
        let (kind, text) = match step {
            PathStep::Literal(text) => (b'l', text),
            PathStep::Value(slot) => (b'v', slot),
        };
        bytes.push(kind);
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text);
    }
    stable_hash(&bytes)
}
