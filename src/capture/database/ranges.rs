//! The rows of a database in ranges that threads read on their own.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::capture::Cut;
use crate::capture::batch::Batch;
use crate::capture::database::pages::{Leaf, Pages};
use crate::capture::database::{Database, in_words, place_of};

/// Rows that one statement reads.
const ROWS: i64 = 1024;

/// Where row numbers span more than this, rows may be few and far between: the next one is asked for.
const SPAN: i64 = 1 << 22;

/// Leaves of one batch.
const LEAVES: usize = 128;

/// Some rows, as a batch carries them.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Range {
    pub(super) first: i64,
    pub(super) last: i64,
    /// The leaves that have them, and the change counter of the file when they were listed.
    pub(super) leaves: Vec<Leaf>,
    pub(super) counter: Option<u32>,
}

impl Range {
    /// The range that a batch carries.
    pub(super) fn of(batch: &Batch) -> Option<Self> {
        postcard::from_bytes(batch.bytes()).ok()
    }

    fn put(&self, batch: &mut Batch) -> Cut {
        batch.offset = place_of(self.first);
        // Plain numbers in memory: there is nothing that could fail.
        batch.replace(postcard::to_stdvec(self).unwrap_or_default());
        Cut::Batch
    }
}

/// Hands out ranges of rows: by leaves where these were listed, else by row numbers.
pub(crate) struct Rows<'a> {
    database: &'a Database,
    pages: Option<Arc<Pages>>,
    /// The next leaf of these.
    leaf: usize,
    next: i64,
    last: Option<i64>,
    is_dense: bool,
    failure: Option<io::Error>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(database: &'a Database, pages: Option<Arc<Pages>>, start: i64) -> Self {
        let before = |pages: &Arc<Pages>| pages.leaves.partition_point(|leaf| leaf.last < start);
        let leaf = pages.as_ref().map_or(0, before);
        let mut rows =
            Self { database, pages, leaf, next: start, last: None, is_dense: false, failure: None };
        if rows.pages.is_none() {
            rows.find_range();
        }
        rows
    }

    /// The first and the last row number.
    fn find_range(&mut self) {
        let first = self.database.row("SELECT min(rowid) FROM flows", []);
        let last = self.database.row("SELECT max(rowid) FROM flows", []);
        match (first, last) {
            (Ok(first), Ok(last)) => {
                self.next = first.unwrap_or_default().max(self.next);
                self.last = last;
                let span = last.and_then(|last| last.checked_sub(self.next));
                self.is_dense = span.is_some_and(|span| span < SPAN);
            }
            (Err(error), _) | (_, Err(error)) => {
                self.failure = Some(io::Error::other(in_words(&error)));
            }
        }
    }

    pub(crate) fn next(&mut self, batch: &mut Batch) -> Cut {
        match self.pages.clone() {
            Some(pages) => self.next_leaves(&pages, batch),
            None => self.next_numbers(batch),
        }
    }

    fn next_leaves(&mut self, pages: &Pages, batch: &mut Batch) -> Cut {
        let end = (self.leaf + LEAVES).min(pages.leaves.len());
        let leaves = pages.leaves[self.leaf..end].to_vec();
        let Some(last) = leaves.last().map(|leaf| leaf.last) else { return Cut::End };
        let range = Range { first: self.next, last, leaves, counter: Some(pages.counter) };
        self.next = last.saturating_add(1);
        self.leaf = end;
        range.put(batch)
    }

    fn next_numbers(&mut self, batch: &mut Batch) -> Cut {
        let Some(last) = self.last.filter(|last| self.next <= *last) else { return Cut::End };
        let first = if self.is_dense {
            self.next
        } else {
            match self.database.row("SELECT min(rowid) FROM flows WHERE rowid >= ?1", [self.next]) {
                Ok(first) => first.unwrap_or(i64::MAX),
                Err(error) => {
                    self.failure = Some(io::Error::other(in_words(&error)));
                    i64::MAX
                }
            }
        };
        if first > last || self.failure.is_some() {
            self.last = None;
            return Cut::End;
        }
        let end = first.saturating_add(ROWS - 1).min(last);
        match end.checked_add(1) {
            Some(next) => self.next = next,
            None => self.last = None,
        }
        Range { first, last: end, leaves: Vec::new(), counter: None }.put(batch)
    }

    /// About how many bytes of the file are behind it.
    pub(crate) fn position(&self) -> u64 {
        let length = self.database.length();
        if let Some(pages) = &self.pages {
            return length * self.leaf as u64 / (pages.leaves.len() as u64).max(1);
        }
        match self.last {
            Some(last) if last > 0 && self.next > 0 => {
                let share = u128::from(length) * u128::from(self.next.unsigned_abs());
                u64::try_from(share / u128::from(last.unsigned_abs())).unwrap_or(length).min(length)
            }
            _ => length,
        }
    }

    pub(crate) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }
}
