//! Captures that grow. Each look reads the changes since the last one, and the state always equals
//! that of a run over all current files.

mod files;
mod fingerprint;
mod rows;
mod tracked_file;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::capture::location::{FileIdentity, Location, identity_of};
use crate::capture::{CaptureItem, Captures, InputFormat};
use crate::engine::filter::Filter;
use crate::engine::fold::FlowCollector;
use crate::engine::live::files::{Listing, NamedPath};
pub(super) use crate::engine::live::fingerprint::ReadPosition;
use crate::engine::live::rows::SettledBoundary;
use crate::engine::live::tracked_file::{ChangeKind, TrackedFile};
use crate::engine::options::Options;
use crate::engine::progress::Monitor;
use crate::engine::run::{RunResult, run};
use crate::error::Error;
use crate::limits;
use crate::skip::Skips;

/// Number of changes of all [`Live`] states.
static GENERATIONS: AtomicU64 = AtomicU64::new(0);

/// Captures, and a state of their content.
pub(super) struct Live<S> {
    paths: Vec<NamedPath>,
    format: InputFormat,
    options: Options,
    filter: Filter,
    new: Box<dyn Fn() -> S + Send + Sync>,
    /// All current files, by real path. Indices are stable; the entry of a removed file is `None`.
    files: Vec<Option<TrackedFile<S>>>,
    /// States, which files share so that their number is bounded. File `n` belongs to group `n %
    /// MAX_LIVE_STATES`.
    groups: Vec<FileGroup<S>>,
    /// Errors of paths that could not be listed.
    problems: Vec<Error>,
    generation: u64,
}

/// The state of the content of some files that no longer changes.
struct FileGroup<S> {
    settled: S,
    /// Whether some content was replaced, so that all files of the group must be read again.
    is_stale: bool,
}

/// The state that one thread fills.
struct ThreadState<S> {
    settled: S,
    /// By capture, the state of content that may still change.
    recent: Vec<Option<S>>,
    boundaries: Vec<SettledBoundary>,
}

impl<S: FlowCollector + Clone + Sync> Live<S> {
    /// Creates a state without reading anything.
    pub(super) fn new(
        paths: Vec<PathBuf>,
        format: InputFormat,
        options: Options,
        new: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self {
        Self {
            paths: paths.into_iter().map(NamedPath::new).collect(),
            format,
            filter: Filter::new(&options),
            options,
            new: Box::new(new),
            files: Vec::new(),
            groups: Vec::new(),
            problems: Vec::new(),
            generation: 0,
        }
    }

    /// Number of the last change. Different for every change of every `Live`.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Errors of content that could not be read.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Error> {
        self.problems.iter().chain(self.files.iter().flatten().flat_map(|file| &file.problems))
    }

    /// Number of files that are read.
    pub(super) fn readable(&self) -> usize {
        self.files.iter().flatten().filter(|file| !matches!(file.kind, ChangeKind::New)).count()
    }

    /// The state of all content.
    pub(super) fn total(&self) -> S {
        let mut total = (self.new)();
        self.groups.iter().for_each(|group| total.merge(group.settled.clone()));
        let recent = self.files.iter().flatten().filter_map(|file| file.recent.as_ref());
        recent.for_each(|recent| total.merge(recent.clone()));
        total
    }

    /// Returns `true` if the file is one of the current files.
    pub(super) fn has_file(&self, identity: FileIdentity) -> bool {
        let listing = Listing::of(&self.paths);
        let is_it = |location: &Location| {
            location.metadata().is_ok_and(|metadata| identity_of(&metadata) == identity)
        };
        listing.files.iter().any(is_it)
    }

    /// Reads the changes.
    ///
    /// # Errors
    ///
    /// Fails if a thread cannot be started and if the monitor stopped the run. All files are then
    /// read again the next time.
    pub(super) fn refresh(&mut self, monitor: &dyn Monitor) -> Result<(), Error> {
        let looked = self.refresh_once(monitor);
        if looked.is_err() {
            self.files.clear();
            self.groups.clear();
        }
        looked
    }

    /// Returns `true` if the state describes the current files, and `false` if this is not known,
    /// as for a large number of files. Compares the times of files and reads nothing.
    pub(super) fn is_current(&self) -> bool {
        let files: Vec<&TrackedFile<S>> = self.files.iter().flatten().collect();
        if files.is_empty() || files.len() > limits::MAX_FILES_CHECKED_INLINE {
            return false;
        }
        let listing = Listing::of(&self.paths);
        let is_same = |file: &&TrackedFile<S>| {
            !file.is_unreadable
                && file.is_same(file.current_fingerprint().as_ref())
                && listing.files.contains(&file.location)
        };
        listing.files.len() == files.len()
            && in_words(&listing.problems).eq(in_words(&self.problems))
            && files.iter().all(is_same)
    }

    fn refresh_once(&mut self, monitor: &dyn Monitor) -> Result<(), Error> {
        let listing = Listing::of(&self.paths);
        let before = self.problems_in_words();
        let is_other = self.update_files(&listing);
        self.problems = listing.problems;
        let (mut changed, has_changed) = self.changed();
        self.forget_stale(&mut changed);
        for group in 0..self.groups.len() {
            let in_group = |number: &&usize| **number % limits::MAX_LIVE_STATES == group;
            let numbers: Vec<usize> = changed.iter().filter(in_group).copied().collect();
            if !numbers.is_empty() {
                self.read(group, &numbers, monitor)?;
            }
        }
        if is_other || has_changed || before != self.problems_in_words() {
            self.generation = GENERATIONS.fetch_add(1, Ordering::Relaxed) + 1;
        }
        Ok(())
    }

    /// Updates the list of files. If a file was removed, its group becomes stale. Returns `true` if
    /// a file was added or removed.
    fn update_files(&mut self, listing: &Listing) -> bool {
        let listed: BTreeSet<&Location> = listing.files.iter().collect();
        let mut is_other = false;
        for (number, place) in self.files.iter_mut().enumerate() {
            if place.as_ref().is_some_and(|file| !listed.contains(&file.location)) {
                *place = None;
                self.groups[number % limits::MAX_LIVE_STATES].is_stale = true;
                is_other = true;
            }
        }
        let known: BTreeSet<Location> =
            self.files.iter().flatten().map(|file| file.location.clone()).collect();
        for location in listing.files.iter().filter(|location| !known.contains(*location)) {
            let is_named = listing.named.contains(location);
            self.files.push(Some(TrackedFile::new(location.clone(), is_named)));
            if self.groups.len() < self.files.len().min(limits::MAX_LIVE_STATES) {
                self.groups.push(FileGroup { settled: (self.new)(), is_stale: false });
            }
            is_other = true;
        }
        is_other
    }

    fn problems_in_words(&self) -> Vec<String> {
        in_words(self.problems()).collect()
    }

    /// Returns the files to read, and whether one of them changed: files that changed, and files
    /// that could not be read before. If a file changed in another way than by growing, its group
    /// becomes stale.
    fn changed(&mut self) -> (Vec<usize>, bool) {
        let (mut changed, mut has_changed) = (Vec::new(), false);
        for (number, file) in self.files.iter_mut().enumerate() {
            let Some(file) = file else { continue };
            let now = file.current_fingerprint();
            let is_same = file.is_same(now.as_ref());
            file.stamp = now;
            if !is_same || file.is_unreadable {
                has_changed |= !is_same;
                self.groups[number % limits::MAX_LIVE_STATES].is_stale |=
                    !file.has_only_grown(self.format);
                changed.push(number);
            }
        }
        (changed, has_changed)
    }

    /// Resets the state of stale groups. All of their files must be read again.
    fn forget_stale(&mut self, changed: &mut Vec<usize>) {
        for (number, file) in self.files.iter_mut().enumerate() {
            let Some(file) = file else { continue };
            if self.groups[number % limits::MAX_LIVE_STATES].is_stale {
                file.kind = ChangeKind::New;
                file.recent = None;
                changed.push(number);
            }
        }
        changed.sort_unstable();
        changed.dedup();
        for group in self.groups.iter_mut().filter(|group| group.is_stale) {
            *group = FileGroup { settled: (self.new)(), is_stale: false };
        }
    }

    /// Reads the changes of some files of one group.
    fn read(
        &mut self,
        group: usize,
        numbers: &[usize],
        monitor: &dyn Monitor,
    ) -> Result<(), Error> {
        let mut captures = Captures::only_read();
        // For each capture, the index of its file, and the boundary of its settled content.
        let mut plan: Vec<(usize, SettledBoundary)> = Vec::new();
        for &number in numbers {
            let Some(file) = &mut self.files[number] else { continue };
            let sources = file.open(&mut captures, self.format);
            plan.extend(
                sources.map(|source| {
                    (number, SettledBoundary::of(&captures, source, file.known_rows()))
                }),
            );
        }
        let new_taken = || ThreadState {
            settled: (self.new)(),
            recent: plan.iter().map(|_| None).collect(),
            boundaries: plan.iter().map(|(_, boundary)| boundary.clone()).collect(),
        };
        let visit =
            |taken: &mut ThreadState<S>, source: usize, offset: u64, found: CaptureItem<'_>| {
                let place = (plan[source].0, offset);
                let is_settled = taken.boundaries[source].settle(offset, &found);
                let state = if is_settled {
                    &mut taken.settled
                } else {
                    taken.recent[source].get_or_insert_with(|| (self.new)())
                };
                state.take(&self.filter, place, found);
            };
        let mut outcome = run(&captures, &self.options, monitor, new_taken, visit)?;
        if outcome.stopped {
            return Err(Error::canceled());
        }
        let mut taken = new_taken();
        for state in std::mem::take(&mut outcome.states) {
            taken.merge(state);
        }
        let files: Vec<usize> = plan.iter().map(|(number, _)| *number).collect();
        taken.settled.skips().merge(in_files(&outcome.skips, &files));
        self.finish(group, &captures, &files, taken, &outcome.without_states());
        self.read_rests(numbers, monitor)
    }

    /// Adds the result of a run to the state.
    fn finish(
        &mut self,
        group: usize,
        captures: &Captures,
        files: &[usize],
        taken: ThreadState<S>,
        outcome: &RunResult<()>,
    ) {
        let mut settled = taken.settled;
        for (source, (recent, boundary)) in
            taken.recent.into_iter().zip(taken.boundaries).enumerate()
        {
            let Some(file) = &mut self.files[files[source]] else { continue };
            file.recent = recent;
            let failures = outcome
                .failures
                .iter()
                .filter(|error| error.source_name() == captures.name(source));
            file.problems.extend(failures.cloned());
            match &mut file.kind {
                ChangeKind::Grows(mark) => {
                    let position = outcome.ends.get(source).copied().unwrap_or(mark.position);
                    *mark = file.location.open().map_or_else(
                        |_| ReadPosition::lost(),
                        |file| ReadPosition::at(&file, position),
                    );
                }
                ChangeKind::Rows(known) => {
                    let before = std::mem::take(known);
                    let number = files[source];
                    let mut again = |row: u64, is_settled: bool, found: CaptureItem<'_>| {
                        let state = if is_settled {
                            &mut settled
                        } else {
                            file.recent.get_or_insert_with(|| (self.new)())
                        };
                        state.take(&self.filter, (number, row), found);
                    };
                    *known = boundary.known(captures, source, before, &mut again);
                }
                ChangeKind::New | ChangeKind::Whole => {}
            }
        }
        self.groups[group].settled.merge(settled);
    }

    /// Reads the incomplete record at the end of files that grow, as damage.
    fn read_rests(&mut self, numbers: &[usize], monitor: &dyn Monitor) -> Result<(), Error> {
        for &number in numbers {
            let Some(file) = &self.files[number] else { continue };
            let ChangeKind::Grows(mark) = &file.kind else { continue };
            let has_rest =
                file.location.metadata().is_ok_and(|metadata| metadata.len() > mark.position);
            let rest = || Captures::rest_of(&file.location, self.format, mark.position);
            let Some(captures) = has_rest.then(rest).flatten() else { continue };
            let options = Options { threads: 1, ..self.options.clone() };
            let visit = |state: &mut S, _: usize, offset: u64, found: CaptureItem<'_>| {
                state.take(&self.filter, (number, offset), found);
            };
            let mut outcome = run(&captures, &options, monitor, || (self.new)(), visit)?;
            let mut recent = outcome.states.pop().unwrap_or_else(|| (self.new)());
            recent.skips().merge(in_files(&outcome.skips, &[number]));
            if let Some(file) = &mut self.files[number] {
                file.recent = Some(recent);
            }
        }
        Ok(())
    }
}

impl<S: FlowCollector> ThreadState<S> {
    fn merge(&mut self, other: Self) {
        self.settled.merge(other.settled);
        for (mine, theirs) in self.recent.iter_mut().zip(other.recent) {
            match (mine, theirs) {
                (Some(mine), Some(theirs)) => mine.merge(theirs),
                (mine @ None, theirs) => *mine = theirs,
                (Some(_), None) => {}
            }
        }
        for (mine, theirs) in self.boundaries.iter_mut().zip(other.boundaries) {
            mine.merge(theirs);
        }
    }
}

fn in_words<'a>(problems: impl IntoIterator<Item = &'a Error>) -> impl Iterator<Item = String> {
    problems.into_iter().map(ToString::to_string)
}

/// The skips with the indices of captures replaced by those of files.
fn in_files(skips: &Skips, files: &[usize]) -> Skips {
    skips.with_sources(|source| files.get(source).copied().unwrap_or(source))
}

#[cfg(test)]
mod tests;
