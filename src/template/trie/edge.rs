//! The edge of a segment: the child of a node that it belongs to.

use std::borrow::Cow;

use crate::sketch::{fmix64, stable_hash};
use crate::template::segment::{PLAIN_FRAME, Segment, SegmentKind, is_value, is_value_at};
use crate::template::trie::bounds::{LEVEL_ALL_LITERALS, LEVEL_ONE_KIND, depth_at};
use crate::template::vocabulary::Vocabulary;

/// The edge that a segment follows.
pub(super) enum Edge {
    Literal(u64),
    Values(ValuesKey),
    /// All remaining segments are one value.
    Rest(u64),
}

/// The values child to which a segment belongs.
pub(super) struct ValuesKey {
    pub(super) kind: SegmentKind,
    pub(super) frame: Cow<'static, [u8]>,
    pub(super) hash: u64,
    /// True if the segment may be a name.
    pub(super) folded: bool,
}

impl ValuesKey {
    pub(super) fn new(segment: &Segment<'_>, hash: u64, level: u8) -> Self {
        let kind = if level >= LEVEL_ONE_KIND { SegmentKind::Symbol } else { segment.kind };
        let frame = segment.frame();
        let all_stay = level <= LEVEL_ALL_LITERALS;
        let frame = if all_stay || stays(stable_hash(&frame), level) { frame } else { PLAIN_FRAME };
        Self { kind, frame, hash, folded: !is_value(segment) }
    }
}

/// The edge of one segment: a pure function of the segment, its depth and the level.
pub(super) fn edge_of(segment: &[u8], depth: usize, level: u8) -> Edge {
    let parsed = Segment::parse(segment);
    let hash = stable_hash(segment);
    if depth + 1 >= depth_at(level) {
        return Edge::Rest(if is_value(&parsed) { hash } else { fmix64(hash) });
    }
    if is_value_at(&parsed, depth) {
        return Edge::Values(ValuesKey::new(&parsed, hash, level));
    }
    if stays(hash, level) || (stays(hash, level.saturating_sub(KNOWN_BITS)) && is_known(segment)) {
        Edge::Literal(hash)
    } else {
        Edge::Values(ValuesKey::new(&parsed, hash, level))
    }
}

/// Returns `true` if the segment is in the vocabulary. Such literals are kept first, because
/// endpoints consist of them.
pub(super) fn is_known(segment: &[u8]) -> bool {
    Vocabulary::shipped().knows(Segment::parse(segment).core)
}

/// Number of levels by which known literals outlive unknown ones.
pub(super) const KNOWN_BITS: u8 = 8;

/// Returns `true` if a literal or frame with this hash is kept at a level.
pub(super) fn stays(hash: u64, level: u8) -> bool {
    hash.leading_zeros() >= u32::from(level.saturating_sub(LEVEL_ALL_LITERALS))
}
