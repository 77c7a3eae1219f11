//! One walk over a body: which segments of the path it holds, under which keys.

use std::borrow::Cow;

use crate::flow::json_string::JsonString;
use crate::flow::json_walk::{JsonVisitor, MAX_WALK_DEPTH};
use crate::limits;
use crate::simd::ByteMask;
use crate::sketch::stable_hash;
use crate::template::body_evidence::key_class::KeyClass;
use crate::template::body_evidence::known_keys::{KeyClasses, KnownKey};
use crate::template::body_evidence::{ScalarRole, ScalarSet};
use crate::template::segment::{Segment, is_value};

/// What the bodies of one request say about one segment of its path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentEcho {
    /// One bit for each [`KeyClass`] of a key that holds the segment.
    pub(super) classes: u8,
    /// Whether it is a key.
    pub(crate) is_key: bool,
    /// Whether it is the last segment of the path.
    pub(crate) is_last: bool,
    /// Whether a key of an identifier or a name holds it near the top, and not in a list.
    pub(crate) is_own: bool,
    /// The first keys of identifiers and names that hold it at the least depth, with the key around
    /// them; at most [`limits::MAX_ECHO_KEYS`].
    pub(crate) keys: Vec<Box<[u8]>>,
    /// Number of objects and lists around these keys.
    pub(super) depth: usize,
}

impl SegmentEcho {
    /// Whether a key of this class holds the segment.
    pub(crate) fn holds(&self, class: KeyClass) -> bool {
        self.classes & 1 << class as u8 != 0
    }
}

/// The texts of the segments of a path as bodies have them.
pub(super) struct SegmentTexts<'s> {
    /// Decoded, with the number of the segment; a segment with an ending has a second text without.
    texts: Vec<(usize, Cow<'s, [u8]>)>,
    /// One bit for each length.
    lengths: u64,
    pub(super) count: usize,
}

impl<'s> SegmentTexts<'s> {
    pub(super) fn of(segments: impl Iterator<Item = &'s [u8]>) -> Self {
        let mut found = Self { texts: Vec::new(), lengths: 0, count: 0 };
        for (number, segment) in segments.enumerate() {
            found.count = number + 1;
            let core = Segment::parse(segment).core;
            found.add(number, percent_encoding::percent_decode(segment).into());
            if core.len() < segment.len() {
                found.add(number, percent_encoding::percent_decode(core).into());
            }
        }
        found
    }

    fn add(&mut self, number: usize, text: Cow<'s, [u8]>) {
        if (1..=MAX_SCALAR_BYTES).contains(&text.len()) {
            self.lengths |= 1 << (text.len() - 1);
            self.texts.push((number, text));
        }
    }

    /// Whether a segment may have this text, by its length.
    #[inline]
    fn may_have(&self, text: JsonString<'_>) -> bool {
        let length = text.bytes.len();
        // A text that is escaped is shorter than it is written.
        let longer = if text.is_escaped() { u64::MAX } else { 1 << (length.wrapping_sub(1) & 63) };
        self.lengths & longer != 0 && (1..=MAX_SCALAR_BYTES * MAX_ESCAPE_BYTES).contains(&length)
    }

    /// The numbers of the segments with this text.
    #[inline]
    fn with_text(&self, text: &[u8]) -> impl Iterator<Item = usize> {
        let may_be = text.len().wrapping_sub(1) < MAX_SCALAR_BYTES
            && self.lengths & 1 << (text.len() - 1) != 0;
        let texts = if may_be { &*self.texts } else { &[] };
        texts.iter().filter(move |(_, have)| **have == *text).map(|(number, _)| *number)
    }
}

/// The longest scalar that is looked at, in bytes.
pub(super) const MAX_SCALAR_BYTES: usize = 64;

/// The longest escape of one byte of a JSON string.
const MAX_ESCAPE_BYTES: usize = 6;

/// Key paths of a body that are remembered to skip those that repeat. A power of two.
const RECENT: usize = 256;

/// Maximum depth at which a key describes the body as a whole: in the top object, or in one inside it.
pub(super) const MAX_OWN_DEPTH: usize = 2;

/// Depth of the objects whose keys are part of the shape.
const MAX_SHAPE_DEPTH: u8 = 3;

/// An open object or list.
#[derive(Clone, Copy)]
struct OpenContainer<'t> {
    /// Hash of the path to the value that is read.
    path: u64,
    /// Number of objects around the value.
    objects: u8,
    class: KeyClass,
    /// The key of the value, or of the list that it is in.
    key: JsonString<'t>,
    /// Whether the key is a name that APIs use.
    is_known: bool,
    is_list: bool,
    /// Whether a list is around it.
    is_in_list: bool,
}

impl Default for OpenContainer<'_> {
    fn default() -> Self {
        Self {
            path: 0,
            objects: 0,
            class: KeyClass::Other,
            key: JsonString::new(b"", false),
            is_known: false,
            is_list: false,
            is_in_list: false,
        }
    }
}

/// One walk over a body.
pub(super) struct BodyScan<'t, 'f> {
    texts: &'f SegmentTexts<'f>,
    facts: &'f mut [SegmentEcho],
    classes: &'f mut KeyClasses,
    scalars: &'f mut ScalarSet,
    host: u64,
    open: [OpenContainer<'t>; MAX_WALK_DEPTH + 1],
    shape: Vec<u64>,
    /// Whether a list is at the top, or in an object near it.
    has_list: bool,
    /// Whether an object near the top has an identifier or a name.
    has_identity: bool,
    /// Recent key paths, by their lowest bits.
    keys: [u64; RECENT],
}

/// The outline of a body in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BodyOutline {
    /// Hashes of the paths of keys.
    pub(crate) keys: Vec<u64>,
    /// Whether it is a list, or an object that holds one near its top and has no identifier or name
    /// of its own.
    pub(crate) is_collection: bool,
}

impl<'f> BodyScan<'_, 'f> {
    /// A walk whose findings go to `facts`, one for each segment, and to `scalars`. `shape` is what the paths of keys begin with.
    pub(super) fn new(
        texts: &'f SegmentTexts<'f>,
        facts: &'f mut [SegmentEcho],
        classes: &'f mut KeyClasses,
        scalars: &'f mut ScalarSet,
        host: u64,
        shape: Option<u64>,
    ) -> Self {
        let mut open = [OpenContainer::default(); MAX_WALK_DEPTH + 1];
        open[0].path = shape.unwrap_or_default();
        Self {
            texts,
            facts,
            classes,
            scalars,
            host,
            open,
            shape: Vec::with_capacity(RECENT / 8),
            has_list: false,
            has_identity: false,
            keys: [0; RECENT],
        }
    }

    /// The outline of the body.
    pub(super) fn into_outline(self) -> BodyOutline {
        let is_collection = self.has_list && !self.has_identity;
        BodyOutline { keys: self.shape, is_collection }
    }
}

impl<'t> JsonVisitor<'t> for BodyScan<'t, '_> {
    #[inline]
    fn key(&mut self, depth: usize, key: JsonString<'t>) {
        let around = self.open[depth - 1];
        let KnownKey { hash, class, is_known } = self.classes.of(key.bytes);
        let path = mixed(around.path, hash);
        let objects = around.objects + 1;
        let is_in_list = around.is_in_list || around.is_list;
        self.open[depth] =
            OpenContainer { path, objects, class, key, is_known, is_list: false, is_in_list };
        for number in self.texts.with_text(key.bytes) {
            self.facts[number].is_key = true;
        }
        let recent = &mut self.keys[usize::from(path.to_le_bytes()[0])];
        if *recent != path {
            *recent = path;
            self.scalars.observe(self.host, ScalarRole::Key, hash);
            if objects <= MAX_SHAPE_DEPTH {
                self.shape.push(path);
            }
        }
    }

    #[inline]
    fn list(&mut self, depth: usize) {
        let around = self.open[depth - 1];
        let is_in_list = around.is_in_list || around.is_list;
        self.has_list |= !is_in_list && usize::from(around.objects) <= MAX_OWN_DEPTH;
        self.open[depth] =
            OpenContainer { path: mixed(around.path, LIST), is_list: true, is_in_list, ..around };
    }

    #[inline]
    fn scalar(&mut self, depth: usize, text: JsonString<'t>, is_string: bool) {
        let bytes = text.bytes;
        let own = self.open[depth];
        let class = own.class;
        let is_identity = matches!(class, KeyClass::Identifier | KeyClass::Name);
        self.has_identity |=
            is_identity && depth <= MAX_OWN_DEPTH && !own.is_list && !own.is_in_list;
        if self.texts.may_have(text) {
            let whole = text.unescaped();
            let around = self.open[depth.saturating_sub(1)];
            let is_own = is_identity && depth <= MAX_OWN_DEPTH && !own.is_list && !around.is_list;
            let mut name = None;
            for number in self.texts.with_text(&whole) {
                let facts = &mut self.facts[number];
                facts.classes |= 1 << class as u8;
                facts.is_own |= is_own;
                if !is_identity || (!facts.keys.is_empty() && depth > facts.depth) {
                    continue;
                }
                if depth < facts.depth {
                    facts.keys.clear();
                }
                facts.depth = depth;
                if facts.keys.len() == limits::MAX_ECHO_KEYS {
                    continue;
                }
                let name = name
                    .get_or_insert_with(|| key_name(own, (!own.is_list).then_some(around)))
                    .as_ref();
                if let Some(name) = name.filter(|name| !facts.keys.contains(name)) {
                    facts.keys.push(name.clone());
                }
            }
        }
        if class != KeyClass::Other && is_string && may_be_segment(bytes) {
            let role = match class {
                KeyClass::Identifier => ScalarRole::Identifier,
                KeyClass::Name => ScalarRole::Name,
                KeyClass::Kind | KeyClass::Other => ScalarRole::Kind,
            };
            self.scalars.observe(self.host, role, stable_hash(bytes));
        }
    }
}

/// Added to the path of a list's items.
const LIST: u64 = 0x5b5d;

#[inline]
fn mixed(path: u64, step: u64) -> u64 {
    (path.rotate_left(23) ^ step).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Whether a scalar may be a segment that the trie keeps as a literal.
#[inline]
pub(super) fn may_be_segment(text: &[u8]) -> bool {
    let Some(bytes) = ByteMask::of(text).filter(|_| !text.is_empty()) else { return false };
    let digits = bytes.between(b'0', b'9');
    let upper = bytes.between(b'A', b'Z');
    let lower = bytes.between(b'a', b'z');
    let separators = bytes.find(|lane| {
        lane.between(b'-', b'.')
            | lane.equal(b'_')
            | lane.equal(b'~')
            | lane.equal(b'@')
            | lane.equal(b':')
    });
    if digits | upper | lower | separators != bytes.all() {
        return false;
    }
    // What is certainly an id is told before its kind is asked for, which takes longer.
    let humps = (upper & (lower << 1)).count_ones();
    let is_id = digits.count_ones() > MAX_NAME_DIGITS || (digits != 0 && humps > 1);
    !is_id && !is_value(&Segment::parse(text))
}

/// Digits of a segment that is kept as a literal. Others are looked at as values are.
const MAX_NAME_DIGITS: u32 = 6;

/// The name of a key with that of the object around it: `login`, `owner.login`. `None` if it is not
/// one that may be kept: a key may be a value itself, so all of its words must be known.
fn key_name(own: OpenContainer<'_>, around: Option<OpenContainer<'_>>) -> Option<Box<[u8]>> {
    let holder = around.filter(|around| !around.is_list && !around.key.bytes.is_empty());
    if !own.is_known || holder.is_some_and(|around| !around.is_known) {
        return None;
    }
    Some(match holder {
        Some(around) => [around.key.bytes, b".", own.key.bytes].concat().into(),
        None => own.key.bytes.into(),
    })
}
