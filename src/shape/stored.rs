//! Checks of shapes that were read from bytes, which may come from an untrusted source.

use std::cell::Cell;

use serde::{Deserialize, Deserializer, de::Error};

use crate::limits;
use crate::shape::fields::Fields;
use crate::shape::items::Items;
use crate::shape::messages::{BodyStats, EndpointMessages};
use crate::shape::numbers::Numbers;
use crate::shape::samples::ValueSample;
use crate::shape::separated::Separated;
use crate::shape::strings::Strings;
use crate::shape::{Caps, MAX_DEPTH, Shape};

/// The fields of a [`Shape`] as they are stored.
#[derive(Deserialize)]
struct StoredShape {
    nulls: u64,
    trues: u64,
    falses: u64,
    numbers: Option<Box<Numbers>>,
    strings: Option<Box<Strings>>,
    items: Option<Box<Items>>,
    fields: Option<Box<Fields>>,
    opaque: u64,
    separated: Option<Box<Separated>>,
    sample: Option<Box<ValueSample>>,
}

thread_local! {
    /// Shapes that are being read on this thread, each in the one before it.
    static OPEN_SHAPES: Cell<usize> = const { Cell::new(0) };
}

/// Counts a shape that is being read, as long as it is.
struct OpenShape;

impl OpenShape {
    /// Counts one more level of nesting; `None` if it is deeper than any observation, which would exhaust the stack.
    fn enter() -> Option<Self> {
        let depth = OPEN_SHAPES.get();
        // The rest of the objects at the last depth is one deeper.
        if depth > MAX_DEPTH + 1 {
            return None;
        }
        OPEN_SHAPES.set(depth + 1);
        Some(Self)
    }
}

impl Drop for OpenShape {
    fn drop(&mut self) {
        OPEN_SHAPES.set(OPEN_SHAPES.get() - 1);
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(_open) = OpenShape::enter() else {
            return Err(D::Error::custom("shapes that are nested too deeply"));
        };
        let stored = StoredShape::deserialize(deserializer)?;
        let shape = Self {
            nulls: stored.nulls,
            trues: stored.trues,
            falses: stored.falses,
            numbers: stored.numbers,
            strings: stored.strings,
            items: stored.items,
            fields: stored.fields,
            opaque: stored.opaque,
            separated: stored.separated,
            sample: stored.sample,
        };
        if shape.largest_count() > limits::MAX_COUNT {
            return Err(D::Error::custom("counts that are too large"));
        }
        Ok(shape)
    }
}

impl Shape {
    /// The largest counter of this shape, without those of the shapes in it.
    fn largest_count(&self) -> u64 {
        let own = [self.nulls, self.trues, self.falses, self.opaque];
        let numbers = self.numbers.iter().map(|numbers| numbers.largest_count());
        let strings = self.strings.iter().map(|strings| strings.largest_count());
        let items = self.items.iter().map(|items| items.count.max(items.empty));
        let fields = self.fields.iter().map(|fields| fields.largest_count());
        let separated = self.separated.iter().map(|separated| {
            let strings = separated.strings().map(Strings::largest_count);
            strings.chain([separated.text]).max().unwrap_or_default()
        });
        let parts = numbers.chain(strings).chain(items).chain(fields).chain(separated);
        own.into_iter().chain(parts).max().unwrap_or_default()
    }
}

impl Strings {
    fn largest_count(&self) -> u64 {
        let own = [self.count, self.empty, self.long, self.values.rest];
        let values = self.values.iter().map(|value| value.count);
        let all = own.into_iter().chain(self.formats).chain(self.sensitive).chain(values);
        all.max().unwrap_or_default()
    }
}

impl Fields {
    fn largest_count(&self) -> u64 {
        let keys = self.iter().map(|(_, _, field)| field.present);
        let tags = self.tags.iter().map(|tag| {
            let values = tag.values.iter().map(|entry| entry.value.largest_count());
            values.max().unwrap_or_default().max(tag.untagged).max(tag.values.rest.largest_count())
        });
        keys.chain(tags).chain([self.count]).max().unwrap_or_default()
    }
}

impl BodyStats {
    fn is_sound(&self) -> bool {
        let counts = [self.observed, self.json, self.other, self.absent, self.bytes];
        counts.into_iter().chain(self.unreadable).all(|count| count <= limits::MAX_COUNT)
    }
}

impl EndpointMessages {
    /// True if no counter is so large that sums overflow, and the level is one.
    pub(crate) fn is_sound(&self) -> bool {
        let bodies = self.bodies.iter().map(|entry| &entry.value).chain([&self.bodies.rest]);
        let counts = [self.requests, self.unencrypted, self.credentials.largest_count()];
        counts.into_iter().all(|count| count <= limits::MAX_COUNT)
            && self.level <= Caps::MAX_LEVEL
            && bodies.into_iter().all(BodyStats::is_sound)
    }
}
