//! Observing JSON text: a value is added to a shape while it is parsed, and no tree of it is built.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::limits;
use crate::math::TWO_TO_63;
use crate::shape::fields::{FieldIndex, FieldTraits, Fields};
use crate::shape::items::{Items, KindBit, MAX_POSITIONS};
use crate::shape::samples::value_hash;
use crate::shape::tags::TAG_NAMES;
use crate::shape::{Caps, MAX_DEPTH, MAX_VALUE_BYTES, Shape};
use crate::template::body_evidence::ScalarSet;

/// The reason why a text is not observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum JsonProblem {
    /// It ends in the middle of a value.
    Truncated,
    /// It is not JSON as RFC 8259 has it.
    Invalid,
}

/// Adds one JSON value to a shape whose level is `level`, and raises the level if the value is so wide that the shape of its
/// endpoint cannot be kept at it. The caller then cuts the shape.
///
/// Of a text that ends in the middle, or is not JSON from some place on, the values before that place are observed, and the
/// objects and lists that are open there are not counted: what is missing of them says nothing of other objects. A number
/// beyond the range of a double, which the grammar allows and no type holds, is such a place. Half a surrogate pair is read as
/// U+FFFD.
///
/// # Errors
///
/// Fails if the text is not one JSON value.
pub(crate) fn observe_json(
    shape: &mut Shape,
    text: &[u8],
    level: &mut u8,
    sampled: SampledValues<'_>,
) -> Result<(), JsonProblem> {
    let text = std::str::from_utf8(text).map_err(|_| JsonProblem::Invalid)?;
    let text = &*without_lone_surrogates(text);
    let mut open = OpenObjects { level: *level, sampled, ..OpenObjects::default() };
    let mut parser = serde_json::Deserializer::from_str(text);
    // A list of ids may be the whole body.
    let traits = FieldTraits { is_identifier: true, ..FieldTraits::default() };
    let place = ShapeSeed { shape, depth: 0, traits, open: &mut open };
    let read = place.deserialize(&mut parser).and_then(|_| parser.end());
    *level = open.level;
    read.map_err(|error| if error.is_eof() { JsonProblem::Truncated } else { JsonProblem::Invalid })
}

/// The text with escapes that are half a surrogate pair replaced by that of U+FFFD.
fn without_lone_surrogates(text: &str) -> Cow<'_, str> {
    let has = |escape: &[u8]| memchr::memmem::find(text.as_bytes(), escape).is_some();
    if !has(b"\\ud") && !has(b"\\uD") {
        return Cow::Borrowed(text);
    }
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let is_first = |unit: u32| (0xd800..0xdc00).contains(&unit);
    let is_second = |unit: u32| (0xdc00..0xe000).contains(&unit);
    let mut out = String::with_capacity(text.len());
    let (mut at, mut copied) = (0, 0);
    while let Some(found) = memchr::memchr(b'\\', &text.as_bytes()[at..]) {
        at += found;
        match unit(at) {
            Some(first) if is_first(first) && unit(at + 6).is_some_and(is_second) => at += 12,
            Some(alone) if is_first(alone) || is_second(alone) => {
                out.push_str(&text[copied..at]);
                out.push_str("\\ufffd");
                at += 6;
                copied = at;
            }
            // The byte behind a backslash is part of the escape.
            _ => at += 2,
        }
        if at >= text.len() {
            break;
        }
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// A place in a shape to which the next value is added; gives the kind of the value.
struct ShapeSeed<'s, 'v> {
    shape: &'s mut Shape,
    depth: usize,
    /// What the name of the field says about the strings here.
    traits: FieldTraits,
    open: &'s mut OpenObjects<'v>,
}

/// The choice of identifying values that are sampled.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum SampledValues<'v> {
    /// None of them.
    Nothing,
    /// All of them.
    #[default]
    All,
    /// Those that are segments of paths, which are the ones that parameters can come from.
    InPaths(&'v ScalarSet),
}

impl ShapeSeed<'_, '_> {
    /// Adds a value that identifies something to the sample.
    #[inline]
    fn sample(&mut self, text: &[u8]) {
        let FieldTraits { is_identifier, is_secret, is_rest } = self.traits;
        let may_identify = is_identifier || (!is_secret && !is_rest && is_written_as_id(text));
        if !may_identify || text.is_empty() || text.len() > MAX_SAMPLED_BYTES {
            return;
        }
        let is_sampled = match self.open.sampled {
            SampledValues::Nothing => false,
            SampledValues::All => true,
            SampledValues::InPaths(paths) => paths.holds_segment(text),
        };
        if is_sampled {
            self.shape.sample.get_or_insert_default().observe(value_hash(text));
        }
    }

    fn number(self, number: f64, is_written_whole: bool) -> KindBit {
        self.shape.numbers.get_or_insert_default().observe(number, is_written_whole);
        KindBit::Number
    }
}

/// True for a UUID, and for an id with a prefix such as `cus_9s6XKzkNRiz8i3`: what they stand for is an id under any key.
fn is_written_as_id(text: &[u8]) -> bool {
    const MIN_PREFIXED_BYTES: usize = 12;
    const MAX_PREFIX_BYTES: usize = 6;

    match text {
        [_, _, _, _, _, _, _, _, b'-', _, _, _, _, b'-', ..] => text.len() == 36,
        _ if text.len() >= MIN_PREFIXED_BYTES => {
            let gap = text[2..=MAX_PREFIX_BYTES].iter().position(|byte| *byte == b'_');
            gap.is_some_and(|at| {
                let (prefix, rest) = (&text[..at + 2], &text[at + 3..]);
                prefix.iter().all(u8::is_ascii_lowercase)
                    && rest.iter().all(u8::is_ascii_alphanumeric)
                    && rest.iter().any(u8::is_ascii_digit)
            })
        }
        _ => false,
    }
}

/// The longest value that is sampled, in bytes.
const MAX_SAMPLED_BYTES: usize = 64;

/// Memory of the objects that are not read to their end, for their tags.
#[derive(Default)]
struct OpenObjects<'v> {
    /// Hashes of their keys.
    keys: Vec<u64>,
    /// Their tags: the index of the name, and where the value begins in `text`.
    tags: Vec<(u8, usize)>,
    text: String,
    /// Values that were read.
    values: u64,
    /// The level of the shape: see [`Caps::at`].
    level: u8,
    sampled: SampledValues<'v>,
}

/// Values after which the nodes of an open list or object are counted, so that one body cannot take more memory than a share
/// of an endpoint and this many nodes.
const VALUES_A_COUNT: u64 = 1 << 16;

impl OpenObjects<'_> {
    /// Cuts a part of a shape that is too large, if enough was read since it was `counted`. What does not fit in a part at a
    /// level does not fit in the whole, so the level is one that the whole is brought to anyway.
    fn fit<P>(
        &mut self,
        counted: &mut u64,
        part: &mut P,
        nodes: fn(&P) -> usize,
        cut: impl Fn(&mut P, Caps),
    ) {
        if self.values - *counted < VALUES_A_COUNT {
            return;
        }
        *counted = self.values;
        loop {
            // What came since the level was raised is still to be cut.
            if self.level > 0 {
                cut(part, Caps::at(self.level));
            }
            if nodes(part) <= limits::MAX_ENDPOINT_SHAPE_NODES || self.level >= Caps::MAX_LEVEL {
                return;
            }
            self.level += 1;
        }
    }
}

impl<'de> DeserializeSeed<'de> for ShapeSeed<'_, '_> {
    type Value = KindBit;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<KindBit, D::Error> {
        self.open.values += 1;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ShapeSeed<'_, '_> {
    type Value = KindBit;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<KindBit, E> {
        self.shape.nulls += 1;
        Ok(KindBit::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<KindBit, E> {
        *if value { &mut self.shape.trues } else { &mut self.shape.falses } += 1;
        Ok(KindBit::Boolean)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the range of numbers need not be exact beyond 53 bits"
    )]
    fn visit_u64<E: Error>(mut self, number: u64) -> Result<KindBit, E> {
        if self.traits.is_identifier {
            self.sample(number.to_string().as_bytes());
        }
        Ok(self.number(number as f64, true))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the range of numbers need not be exact beyond 53 bits"
    )]
    fn visit_i64<E: Error>(self, number: i64) -> Result<KindBit, E> {
        Ok(self.number(number as f64, true))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<KindBit, E> {
        // Whole numbers beyond 64 bits come here too.
        Ok(self.number(number, number.abs() >= TWO_TO_63))
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<KindBit, E> {
        self.sample(text.as_bytes());
        let strings = self.shape.strings.get_or_insert_default();
        if self.traits.is_secret {
            strings.observe_secret(text);
        } else {
            strings.observe(text);
        }
        Ok(KindBit::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<KindBit, A::Error> {
        if self.depth >= MAX_DEPTH {
            self.shape.opaque += 1;
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(KindBit::List);
        }
        let list: &mut Items = self.shape.items.get_or_insert_default();
        let mut length = 0_usize;
        let mut counted = self.open.values;
        loop {
            let item = ShapeSeed {
                shape: &mut list.item,
                depth: self.depth + 1,
                traits: self.traits,
                open: self.open,
            };
            let Some(kind) = items.next_element_seed(item)? else { break };
            if length < MAX_POSITIONS {
                list.first[length] |= kind as u8;
            }
            length += 1;
            let cut = |item: &mut Shape, caps| item.cut_at(caps, self.depth + 1);
            self.open.fit(&mut counted, &mut list.item, Shape::nodes, cut);
        }
        list.observe_length(length as u64);
        Ok(KindBit::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<KindBit, A::Error> {
        if self.depth >= MAX_DEPTH {
            self.shape.opaque += 1;
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(KindBit::Object);
        }
        let fields: &mut Fields = self.shape.fields.get_or_insert_default();
        fields.begin();
        let starts = (self.open.keys.len(), self.open.tags.len(), self.open.text.len());
        let mut previous = None;
        let mut count = 0;
        let mut counted = self.open.values;
        let mut read_member = |fields: &mut Fields, open: &mut OpenObjects| {
            let seed = Key { fields: &mut *fields, previous };
            let Some((index, tag, traits)) = members.next_key_seed(seed)? else {
                return Ok(false);
            };
            if let FieldIndex::Kept(kept) = index {
                open.keys.push(fields.keys.hash_at(kept));
                previous = Some(kept);
            }
            let shape = fields.shape_at(&index);
            let value = ShapeSeed { shape, depth: self.depth + 1, traits, open };
            match tag {
                Some(name) => members.next_value_seed(TagValue(value, name))?,
                None => drop(members.next_value_seed(value)?),
            }
            count += 1;
            Ok(true)
        };
        let read = loop {
            match read_member(fields, self.open) {
                Ok(true) => {
                    let cut = |fields: &mut Fields, caps| fields.cut_at(caps, self.depth + 1);
                    self.open.fit(&mut counted, fields, Fields::nodes, cut);
                }
                Ok(false) => break Ok(KindBit::Object),
                Err(error) => break Err(error),
            }
        };
        if read.is_ok() {
            fields.end(count);
        } else {
            fields.roll_back(&self.open.keys[starts.0..]);
            return read;
        }
        let OpenObjects { keys, tags, text, .. } = self.open;
        if tags.len() > starts.1 {
            let own = &mut keys[starts.0..];
            own.sort_unstable();
            let mut distinct = own.to_vec();
            distinct.dedup();
            distinct.retain(|hash| fields.keys.has_hash(*hash));
            let mut end = text.len();
            for (name, start) in tags.drain(starts.1..).rev() {
                fields.tag(name).observe(&text[start..end], &distinct);
                end = start;
            }
        }
        keys.truncate(starts.0);
        text.truncate(starts.2);
        read
    }
}

/// The next key of an object: gives its field, its index among [`TAG_NAMES`] if it is one, and what it says about its values.
struct Key<'f> {
    fields: &'f mut Fields,
    previous: Option<usize>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = (FieldIndex, Option<u8>, FieldTraits);

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = (FieldIndex, Option<u8>, FieldTraits);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    #[inline]
    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        let index = self.fields.index(key, self.previous);
        let traits = self.fields.traits(&index, key);
        Ok((index, tag_index(key), traits))
    }
}

/// The index of a key among [`TAG_NAMES`].
#[inline]
fn tag_index(key: &str) -> Option<u8> {
    if !(4..=13).contains(&key.len())
        || !matches!(
            key.as_bytes()[0],
            b't' | b'k' | b'o' | b'e' | b'a' | b'_' | b'@' | b'r' | b's'
        )
    {
        return None;
    }
    let at = TAG_NAMES.iter().position(|name| *name == key)?;
    u8::try_from(at).ok()
}

/// The value of a tag: added to its place, and remembered if it is a short string.
struct TagValue<'s, 'v>(ShapeSeed<'s, 'v>, u8);

impl<'de> DeserializeSeed<'de> for TagValue<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TagValue<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.visit_unit().map(drop)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.visit_bool(value).map(drop)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.0.visit_u64(number).map(drop)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.0.visit_i64(number).map(drop)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.0.visit_f64(number).map(drop)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if text.len() <= MAX_VALUE_BYTES {
            let open = &mut *self.0.open;
            open.tags.push((self.1, open.text.len()));
            open.text.push_str(text);
        }
        self.0.visit_str(text).map(drop)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<(), A::Error> {
        self.0.visit_seq(items).map(drop)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<(), A::Error> {
        self.0.visit_map(members).map(drop)
    }
}
