//! One file of the captures: how it changes, and from where it is to be read.

use crate::capture::location::Location;
use crate::capture::{Captures, Growth, InputFormat};
use crate::engine::live::rows::Known;
use crate::engine::live::stamp::{Mark, Stamp};
use crate::error::Error;
use std::ops::Range;

/// One file.
pub(super) struct Watched<S> {
    pub(super) location: Location,
    /// Did the operator name it, so that what is wrong with it must be said?
    pub(super) is_named: bool,
    pub(super) stamp: Option<Stamp>,
    /// Could it not be opened, so that it is tried again at every look?
    pub(super) is_unreadable: bool,
    pub(super) kind: Kind,
    /// What may still change: a record that is not whole yet, the newest rows of a database.
    pub(super) recent: Option<S>,
    /// Why it is not read, or not to its end.
    pub(super) problems: Vec<Error>,
}

/// How a file changes.
pub(super) enum Kind {
    /// Nothing is known of it.
    New,
    /// Its writer adds to its end.
    Grows(Mark),
    /// A database: rows are added, and the newest are changed in place.
    Rows(Known),
    /// It is written anew as a whole.
    Whole,
}

impl<S> Watched<S> {
    /// A file of which nothing is known.
    pub(super) fn new(location: Location, is_named: bool) -> Self {
        Self {
            location,
            is_named,
            stamp: None,
            is_unreadable: false,
            kind: Kind::New,
            recent: None,
            problems: Vec::new(),
        }
    }

    /// Is it still as it was looked at?
    pub(super) fn is_same(&self, now: Option<&Stamp>) -> bool {
        now.zip(self.stamp.as_ref()).is_some_and(|(now, before)| now.is_same(before))
    }

    /// What it is like now.
    pub(super) fn look(&self) -> Option<Stamp> {
        Stamp::of(&self.location, matches!(self.kind, Kind::Rows(_))).ok()
    }

    /// Was only added to what is known of it?
    pub(super) fn goes_on(&self, format: InputFormat) -> bool {
        match &self.kind {
            Kind::New => true,
            Kind::Grows(mark) => self.location.open().is_ok_and(|file| mark.goes_on(&file)),
            Kind::Rows(known) => known.goes_on(&self.location, format),
            Kind::Whole => false,
        }
    }

    pub(super) fn known_rows(&self) -> Option<&Known> {
        if let Kind::Rows(known) = &self.kind { Some(known) } else { None }
    }

    /// Opens it from where it is known to.
    pub(super) fn open(&mut self, captures: &mut Captures, format: InputFormat) -> Range<usize> {
        self.problems.clear();
        self.is_unreadable = false;
        let start = match &self.kind {
            Kind::Grows(mark) => mark.position,
            Kind::Rows(known) => known.next(),
            Kind::New | Kind::Whole => 0,
        };
        match captures.add_growing(&self.location, format, start) {
            Ok(sources) => {
                // A file of which nothing was read may have become anything.
                if start == 0 {
                    self.kind = match captures.growth(&sources) {
                        Growth::AtEnd => Kind::Grows(Mark::default()),
                        Growth::InRows => Kind::Rows(Known::default()),
                        Growth::AsWhole => Kind::Whole,
                    };
                    if matches!(self.kind, Kind::Rows(_)) {
                        self.stamp = Stamp::of(&self.location, true).ok();
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
