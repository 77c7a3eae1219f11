//! Shapes: what the JSON bodies at one place look like, as a bounded and mergeable summary. Nothing is decided here.
//!
//! A shape counts the kinds of the values at one place, and for each kind keeps what schemas are decided from: ranges of
//! numbers, formats and a few short values of strings, lengths and items of lists, fields of objects. All of it is a
//! commutative monoid: any order, split or number of threads gives the same shape.
//!
//! Two bounds hold whatever the traffic is. Each object keeps the fields with the smallest hashes (bottom-k), and a
//! [level](Caps::at) that rises with the number of nodes lowers how many these are, and how deep shapes go. The level is the
//! lowest at which a shape fits, which depends on the set of the values alone; what is cut away is merged into the *rest* of
//! its object, so that a schema still accepts it. No value is kept that is longer than [`MAX_VALUE_BYTES`], or that looks
//! like a secret or like something personal.

pub(crate) mod credentials;
pub(crate) mod fields;
pub(crate) mod form;
pub(crate) mod formats;
pub(crate) mod items;
pub(crate) mod messages;
pub(crate) mod numbers;
pub(crate) mod observe;
pub(crate) mod path_shapes;
pub(crate) mod samples;
pub(crate) mod sensitive;
pub(crate) mod separated;
pub(crate) mod store;
mod stored;
pub(crate) mod strings;
pub(crate) mod tags;

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::limits;
use crate::shape::fields::Fields;
use crate::shape::items::Items;
use crate::shape::numbers::Numbers;
use crate::shape::samples::ValueSample;
use crate::shape::separated::Separated;
use crate::shape::strings::Strings;
use crate::sketch::{HeapSize, Merge, merge_option};

/// The longest string value that is kept, in bytes.
pub(crate) const MAX_VALUE_BYTES: usize = 48;

/// The nesting up to which values are told apart; deeper ones are counted as opaque.
pub(crate) const MAX_DEPTH: usize = 24;

/// A summary of the JSON values at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Shape {
    pub(crate) nulls: u64,
    pub(crate) trues: u64,
    pub(crate) falses: u64,
    pub(crate) numbers: Option<Box<Numbers>>,
    pub(crate) strings: Option<Box<Strings>>,
    pub(crate) items: Option<Box<Items>>,
    pub(crate) fields: Option<Box<Fields>>,
    /// Values of any kind that are not looked into, because they are nested too deeply.
    pub(crate) opaque: u64,
    /// Values of a parameter that are lists in one string, and not among the [`strings`](Self::strings).
    pub(crate) separated: Option<Box<Separated>>,
    /// Hashes of the values here, if the name of their key says that they identify something.
    pub(crate) sample: Option<Box<ValueSample>>,
}

/// The bounds of a shape at a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caps {
    /// Fields of one object.
    pub(crate) fields: usize,
    /// Nested objects and lists.
    pub(crate) depth: usize,
}

impl Caps {
    /// The last level, at which a shape is a single node.
    pub(crate) const MAX_LEVEL: u8 = 13;

    /// The caps at a level. They fall by turns, so that deep shapes and wide ones are cut where they are large.
    pub(crate) fn at(level: u8) -> Self {
        const LEVELS: [(usize, usize); 14] = [
            (128, MAX_DEPTH),
            (64, MAX_DEPTH),
            (64, 12),
            (32, 12),
            (32, 8),
            (16, 8),
            (16, 6),
            (8, 6),
            (8, 4),
            (4, 4),
            (4, 3),
            (2, 2),
            (1, 1),
            (0, 0),
        ];
        let (fields, depth) = LEVELS[usize::from(level.min(Self::MAX_LEVEL))];
        Self { fields, depth }
    }
}

impl Shape {
    /// The number of values at this place.
    pub(crate) fn seen(&self) -> u64 {
        self.nulls + self.not_null()
    }

    /// The number of values other than null at this place.
    pub(crate) fn not_null(&self) -> u64 {
        let kinds = [
            self.trues + self.falses,
            self.numbers.as_ref().map_or(0, |numbers| numbers.count()),
            self.strings.as_ref().map_or(0, |strings| strings.count),
            self.items.as_ref().map_or(0, |items| items.count),
            self.fields.as_ref().map_or(0, |fields| fields.count),
            self.opaque,
            self.separated.as_ref().map_or(0, |separated| separated.lists()),
        ];
        kinds.iter().sum()
    }

    /// Nodes of the tree below, with this one. A value that is kept counts as a fraction of a node.
    pub(crate) fn nodes(&self) -> usize {
        let items = self.items.as_ref().map_or(0, |items| items.nodes());
        let fields = self.fields.as_ref().map_or(0, |fields| fields.nodes());
        let separated = self.separated.as_ref().map_or(0, |separated| separated.nodes());
        let sampled = self.sample.as_ref().map_or(0, |sample| sample.len());
        1 + items + fields + separated + sampled / limits::SAMPLED_VALUES_A_NODE
    }

    /// Drops the sample of the values here and of the items of lists here. Those of fields stay.
    pub(super) fn forget_sample(&mut self) {
        let mut shape = self;
        loop {
            shape.sample = None;
            let Some(items) = &mut shape.items else { return };
            shape = &mut items.item;
        }
    }

    /// Cuts away what is beyond the caps of a level.
    pub(crate) fn cut(&mut self, caps: Caps) {
        self.cut_at(caps, 0);
    }

    pub(super) fn cut_at(&mut self, caps: Caps, depth: usize) {
        if depth >= caps.depth {
            let fields = self.fields.take().map_or(0, |fields| fields.count);
            let items = self.items.take().map_or(0, |items| items.count);
            self.opaque += fields + items;
            return;
        }
        if let Some(items) = &mut self.items {
            items.cut_at(caps, depth + 1);
        }
        if let Some(fields) = &mut self.fields {
            fields.cut_at(caps, depth + 1);
        }
    }

    /// Raises the level until the shape has at most so many nodes, and cuts what came since it was raised.
    pub(crate) fn fit(&mut self, most: usize, level: &mut u8) {
        if *level > 0 {
            self.cut(Caps::at(*level));
        }
        while self.nodes() > most && *level < Caps::MAX_LEVEL {
            *level += 1;
            self.cut(Caps::at(*level));
        }
    }
}

impl Merge for Shape {
    fn merge(&mut self, other: Self) {
        self.nulls += other.nulls;
        self.trues += other.trues;
        self.falses += other.falses;
        self.opaque += other.opaque;
        merge_option(&mut self.numbers, other.numbers);
        merge_option(&mut self.strings, other.strings);
        merge_option(&mut self.items, other.items);
        merge_option(&mut self.fields, other.fields);
        merge_option(&mut self.separated, other.separated);
        merge_option(&mut self.sample, other.sample);
    }
}

/// Heap memory of a boxed part, with the part itself.
fn boxed_bytes<T: HeapSize>(part: Option<&T>) -> usize {
    part.map_or(0, |part| size_of::<T>() + part.heap_bytes())
}

impl HeapSize for Shape {
    fn heap_bytes(&self) -> usize {
        boxed_bytes(self.numbers.as_deref())
            + boxed_bytes(self.strings.as_deref())
            + boxed_bytes(self.items.as_deref())
            + boxed_bytes(self.fields.as_deref())
            + boxed_bytes(self.separated.as_deref())
            + boxed_bytes(self.sample.as_deref())
    }
}
