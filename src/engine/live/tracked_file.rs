//! One file of the captures: how it changes, and the position from which it is to be read.

use crate::capture::location::Location;
use crate::capture::{Captures, GrowthKind, InputFormat};
use crate::engine::live::fingerprint::{FileFingerprint, ReadPosition};
use crate::engine::live::rows::KnownRows;
use crate::error::Error;
use std::ops::Range;

/// One file.
pub(super) struct TrackedFile<S> {
    pub(super) location: Location,
    /// Whether the operator named the file, so that its errors must be reported.
    pub(super) is_named: bool,
    pub(super) stamp: Option<FileFingerprint>,
    /// Whether the file could not be opened, so that it is tried again at every look.
    pub(super) is_unreadable: bool,
    pub(super) kind: ChangeKind,
    /// State of the content that may still change: an incomplete record, or the newest rows of a
    /// database.
    pub(super) recent: Option<S>,
    /// Errors of the file: why it is not read, or not to its end.
    pub(super) problems: Vec<Error>,
}

/// The way in which a file changes.
pub(super) enum ChangeKind {
    /// The file was not read yet.
    New,
    /// Its writer adds to its end.
    Grows(ReadPosition),
    /// A database: rows are added, and the newest are changed in place.
    Rows(KnownRows),
    /// The file is written again as a whole.
    Whole,
}

impl<S> TrackedFile<S> {
    /// Creates the entry of a file that was not read yet.
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

    /// Returns `true` if the file has not changed since the last look.
    pub(super) fn is_same(&self, now: Option<&FileFingerprint>) -> bool {
        now.zip(self.stamp.as_ref()).is_some_and(|(now, before)| now.is_same(before))
    }

    /// Reads the current properties of the file. `None` if it cannot be read.
    pub(super) fn current_fingerprint(&self) -> Option<FileFingerprint> {
        FileFingerprint::of(&self.location, matches!(self.kind, ChangeKind::Rows(_))).ok()
    }

    /// Returns `true` if data was only added to the file.
    pub(super) fn has_only_grown(&self, format: InputFormat) -> bool {
        match &self.kind {
            ChangeKind::New => true,
            ChangeKind::Grows(mark) => {
                self.location.open().is_ok_and(|file| mark.has_only_grown(&file))
            }
            ChangeKind::Rows(known) => known.has_only_grown(&self.location, format),
            ChangeKind::Whole => false,
        }
    }

    pub(super) fn known_rows(&self) -> Option<&KnownRows> {
        if let ChangeKind::Rows(known) = &self.kind { Some(known) } else { None }
    }

    /// Opens the file at the position up to which it is known. Returns the indices of its captures.
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
                // A file that was empty may become a file of any format.
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
                // Files in a folder may be anything, so only errors of reading are reported.
                if self.is_named || error.is_io() {
                    self.problems.push(error);
                    self.is_unreadable = true;
                }
                0..0
            }
        }
    }
}
