//! The lists at one place: their lengths, their items together, and the kinds at the first positions.

use serde::{Deserialize, Serialize};

use crate::shape::{Caps, Shape};
use crate::sketch::{HeapSize, Merge};

/// Positions whose kinds are kept: a longer list is not a tuple.
pub(crate) const MAX_POSITIONS: usize = 4;

/// A summary of lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Items {
    pub(crate) count: u64,
    pub(crate) empty: u64,
    /// The shortest and the longest list, in items.
    pub(crate) shortest: u64,
    pub(crate) longest: u64,
    /// All items.
    pub(crate) item: Shape,
    /// The kinds at the first positions: one bit for each of [`KindBit`].
    pub(crate) first: [u8; MAX_POSITIONS],
}

/// The kinds of JSON values, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum KindBit {
    Null = 1,
    Boolean = 2,
    Number = 4,
    String = 8,
    List = 16,
    Object = 32,
}

impl Default for Items {
    fn default() -> Self {
        Self {
            count: 0,
            empty: 0,
            shortest: u64::MAX,
            longest: 0,
            item: Shape::default(),
            first: [0; MAX_POSITIONS],
        }
    }
}

impl Items {
    /// Counts a list of that many items, which were observed before.
    pub(super) fn observe_length(&mut self, length: u64) {
        self.count += 1;
        self.empty += u64::from(length == 0);
        self.shortest = self.shortest.min(length);
        self.longest = self.longest.max(length);
    }

    pub(super) fn nodes(&self) -> usize {
        self.item.nodes()
    }

    pub(super) fn cut_at(&mut self, caps: Caps, depth: usize) {
        self.item.cut_at(caps, depth);
    }
}

impl Merge for Items {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.empty += other.empty;
        self.shortest = self.shortest.min(other.shortest);
        self.longest = self.longest.max(other.longest);
        self.item.merge(other.item);
        for (one, other) in self.first.iter_mut().zip(other.first) {
            *one |= other;
        }
    }
}

impl HeapSize for Items {
    fn heap_bytes(&self) -> usize {
        self.item.heap_bytes()
    }
}
