//! Ranges of the rows of a database, which threads read on their own.

use std::io;

use crate::capture::batch::Batch;
use crate::capture::chunk::Chunk;
use crate::capture::database::{Database, in_words, place_of};

/// Row numbers in a range. One statement reads a range.
const ROWS: i64 = 1024;

/// Span of row numbers above which rows may be sparse, so that the next existing row is queried
/// before each range.
const MAX_DENSE_SPAN: i64 = 1 << 22;

/// Iterator over the ranges of rows, by row number.
pub(crate) struct RowRanges<'a> {
    database: &'a Database,
    next: i64,
    last: Option<i64>,
    is_dense: bool,
    failure: Option<io::Error>,
}

impl<'a> RowRanges<'a> {
    pub(super) fn new(database: &'a Database, start: i64) -> Self {
        let mut rows = Self { database, next: start, last: None, is_dense: false, failure: None };
        rows.find_range();
        rows
    }

    /// Queries the first and the last row number.
    fn find_range(&mut self) {
        let first = self.database.row("SELECT min(rowid) FROM flows", []);
        let last = self.database.row("SELECT max(rowid) FROM flows", []);
        match (first, last) {
            (Ok(first), Ok(last)) => {
                self.next = first.unwrap_or_default().max(self.next);
                self.last = last;
                let span = last.and_then(|last| last.checked_sub(self.next));
                self.is_dense = span.is_some_and(|span| span < MAX_DENSE_SPAN);
            }
            (Err(error), _) | (_, Err(error)) => {
                self.failure = Some(io::Error::other(in_words(&error)));
            }
        }
    }

    pub(crate) fn next(&mut self, batch: &mut Batch) -> Chunk {
        let Some(last) = self.last.filter(|last| self.next <= *last) else { return Chunk::End };
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
            return Chunk::End;
        }
        let end = first.saturating_add(ROWS - 1).min(last);
        match end.checked_add(1) {
            Some(next) => self.next = next,
            None => self.last = None,
        }
        batch.put_rows(first, end, place_of(first));
        Chunk::Batch
    }

    /// Estimate of the bytes of the file that were read: the length times the share of the row
    /// numbers.
    pub(crate) fn position(&self) -> u64 {
        let length = self.database.length();
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
