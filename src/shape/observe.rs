//! Observing JSON text: a value is added to a shape while it is parsed, and no tree of it is built.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::shape::fields::{FieldIndex, Fields};
use crate::shape::items::{Items, KindBit, MAX_POSITIONS};
use crate::shape::tags::TAG_NAMES;
use crate::shape::{MAX_DEPTH, MAX_VALUE_BYTES, Shape};

/// The reason why a text is not observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum JsonProblem {
    /// It ends in the middle of a value.
    Truncated,
    /// It is not JSON as RFC 8259 has it.
    Invalid,
}

/// Adds one JSON value to a shape. A text that is not JSON leaves the shape as it was.
///
/// Half a surrogate pair and a number beyond the range of a double are syntax that the grammar allows and that no type
/// holds: what comes before one is observed, and the whole value is counted as opaque, so that a schema accepts it.
///
/// # Errors
///
/// Where the text is not one JSON value.
pub(crate) fn observe_json(shape: &mut Shape, text: &[u8]) -> Result<(), JsonProblem> {
    // A text is parsed twice, because what was observed of one that ends in the middle could not be taken back. The first
    // time takes a fifth of the second.
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(text) {
        return Err(if error.is_eof() { JsonProblem::Truncated } else { JsonProblem::Invalid });
    }
    if std::str::from_utf8(text).is_err() {
        return Err(JsonProblem::Invalid);
    }
    let mut keys = Vec::new();
    let mut parser = serde_json::Deserializer::from_slice(text);
    let place = Place { shape: &mut *shape, depth: 0, keys: &mut keys };
    if place.deserialize(&mut parser).is_err() {
        shape.opaque += 1;
    }
    Ok(())
}

/// A place in a shape to which the next value is added; gives the kind of the value.
struct Place<'s> {
    shape: &'s mut Shape,
    depth: usize,
    /// Hashes of the keys of all objects that are open, for their tags.
    keys: &'s mut Vec<u64>,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = KindBit;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<KindBit, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
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
    fn visit_u64<E: Error>(self, number: u64) -> Result<KindBit, E> {
        self.visit_f64(number as f64)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the range of numbers need not be exact beyond 53 bits"
    )]
    fn visit_i64<E: Error>(self, number: i64) -> Result<KindBit, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<KindBit, E> {
        self.shape.numbers.get_or_insert_default().observe(number);
        Ok(KindBit::Number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<KindBit, E> {
        self.shape.strings.get_or_insert_default().observe(text);
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
        let read = loop {
            let item = Place { shape: &mut list.item, depth: self.depth + 1, keys: self.keys };
            match items.next_element_seed(item) {
                Ok(Some(kind)) => {
                    if length < MAX_POSITIONS {
                        list.first[length] |= kind as u8;
                    }
                    length += 1;
                }
                Ok(None) => break Ok(KindBit::List),
                Err(error) => break Err(error),
            }
        };
        list.observe_length(length as u64);
        read
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<KindBit, A::Error> {
        if self.depth >= MAX_DEPTH {
            self.shape.opaque += 1;
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(KindBit::Object);
        }
        let fields: &mut Fields = self.shape.fields.get_or_insert_default();
        fields.begin();
        let start = self.keys.len();
        let mut tags: Vec<(u8, String)> = Vec::new();
        let mut previous = None;
        let mut count = 0;
        let mut read_member = |fields: &mut Fields, keys: &mut Vec<u64>| {
            let seed = Key { fields: &mut *fields, previous };
            let Some((index, tag)) = members.next_key_seed(seed)? else { return Ok(false) };
            if let FieldIndex::Kept(kept) = index {
                keys.push(fields.keys.hash_at(kept));
                previous = Some(kept);
            }
            let value = Place { shape: fields.shape_at(&index), depth: self.depth + 1, keys };
            match tag {
                Some(name) => {
                    if let Some(text) = members.next_value_seed(TagValue(value))? {
                        tags.push((name, text));
                    }
                }
                None => {
                    members.next_value_seed(value)?;
                }
            }
            count += 1;
            Ok(true)
        };
        let read = loop {
            match read_member(fields, self.keys) {
                Ok(true) => {}
                Ok(false) => break Ok(KindBit::Object),
                Err(error) => break Err(error),
            }
        };
        fields.end(count);
        for (name, value) in tags {
            let keys = &mut self.keys[start..];
            keys.sort_unstable();
            let mut distinct = keys.to_vec();
            distinct.dedup();
            distinct.retain(|hash| fields.keys.has_hash(*hash));
            fields.tag(name).observe(&value, &distinct);
        }
        self.keys.truncate(start);
        read
    }
}

/// The next key of an object: gives its field, and its index among [`TAG_NAMES`] if it is one.
struct Key<'f> {
    fields: &'f mut Fields,
    previous: Option<usize>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = (FieldIndex, Option<u8>);

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = (FieldIndex, Option<u8>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    #[inline]
    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        let index = self.fields.index(key, self.previous);
        Ok((index, tag_index(key)))
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

/// The value of a tag: added to its place, and given if it is a short string.
struct TagValue<'s>(Place<'s>);

impl<'de> DeserializeSeed<'de> for TagValue<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TagValue<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        self.0.visit_unit().map(|_| None)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        self.0.visit_bool(value).map(|_| None)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        self.0.visit_u64(number).map(|_| None)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        self.0.visit_i64(number).map(|_| None)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        self.0.visit_f64(number).map(|_| None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let tag = (text.len() <= MAX_VALUE_BYTES).then(|| text.to_owned());
        self.0.visit_str(text).map(|_| tag)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        self.0.visit_seq(items).map(|_| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        self.0.visit_map(members).map(|_| None)
    }
}
