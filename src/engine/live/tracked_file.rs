//! One file of the captures: how it changes, and from where it is to be read.

use crate::capture::location::Location;
use crate::capture::{Captures, GrowthKind, InputFormat};
use crate::engine::live::fingerprint::{FileFingerprint, ReadPosition};
use crate::engine::live::rows::KnownRows;
use crate::error::Error;
use std::ops::Range;

/// One file.
pub(super) struct TrackedFile<S> {
    pub(super) location: Location,
    /// Did the operator name it, so that what is wrong with it must be said?
    pub(super) is_named: bool,
    pub(super) stamp: Option<FileFingerprint>,
    /// Could it not be opened, so that it is tried again at every look?
    pub(super) is_unreadable: bool,
    pub(super) kind: ChangeKind,
    /// What may still change: a record that is not whole yet, the newest rows of a database.
    pub(super) recent: Option<S>,
    /// Why it is not read, or not to its end.
    pub(super) problems: Vec<Error>,
}

/// How a file changes.
pub(super) enum ChangeKind {
    /// Nothing is known of it.
    New,
    /// Its writer adds to its end.
    Grows(ReadPosition),
    /// A database: rows are added, and the newest are changed in place.
    Rows(KnownRows),
    /// It is written anew as a whole.
    Whole,
}

impl<S> TrackedFile<S> {
    /// A file of which nothing is known.
    pub(super) fn new(location: Location, is_named: bool) -> Self {
        Self {
            location,
            is_named,
            stamp: None,
            is_unreadable: false,
            kind: ChangeKind::New,
            recent: None,
            problems: Vec::new(),
        }
    }

    /// Is it still as it was looked at?
    pub(super) fn is_same(&self, now: Option<&FileFingerprint>) -> bool {
        now.zip(self.stamp.as_ref()).is_some_and(|(now, before)| now.is_same(before))
    }

    /// What it is like now.
    pub(super) fn look(&self) -> Option<FileFingerprint> {
        FileFingerprint::of(&self.location, matches!(self.kind, ChangeKind::Rows(_))).ok()
    }

    /// Was only added to what is known of it?
    pub(super) fn goes_on(&self, format: InputFormat) -> bool {
        match &self.kind {
            ChangeKind::New => true,
            ChangeKind::Grows(mark) => self.location.open().is_ok_and(|file| mark.goes_on(&file)),
            ChangeKind::Rows(known) => known.goes_on(&self.location, format),
            ChangeKind::Whole => false,
        }
    }

    pub(super) fn known_rows(&self) -> Option<&KnownRows> {
        if let ChangeKind::Rows(known) = &self.kind { Some(known) } else { None }
    }

    /// Opens it from where it is known to.
    pub(super) fn open(&mut self, captures: &mut Captures, format: InputFormat) -> Range<usize> {
        self.problems.clear();
        self.is_unreadable = false;
        let start = match &self.kind {
            ChangeKind::Grows(mark) => mark.position,
            ChangeKind::Rows(known) => known.next(),
            ChangeKind::New | ChangeKind::Whole => 0,
        };
        match captures.add_growing(&self.location, format, start) {
            Ok(sources) => {
                // A file of which nothing was read may have become anything.
                if start == 0 {
                    self.kind = match captures.growth(&sources) {
                        GrowthKind::AtEnd => ChangeKind::Grows(ReadPosition::default()),
                        GrowthKind::InRows => ChangeKind::Rows(KnownRows::default()),
                        GrowthKind::AsWhole => ChangeKind::Whole,
                    };
                    if matches!(self.kind, ChangeKind::Rows(_)) {
                        self.stamp = FileFingerprint::of(&self.location, true).ok();
                    }
                }
                sources
            }
            Err(error) => {
                // In a folder lies much that nobody meant.
                if self.is_named || error.is_io() {
                    self.problems.push(error);
                    self.is_unreadable = true;
                }
                0..0
            }
        }
    }
}
