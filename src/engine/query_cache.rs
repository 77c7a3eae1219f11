//! Captures for repeated queries: each query sees the current content, and known content is not
//! read again.

mod cache_state;
mod questions;
mod scope;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use crate::capture::InputFormat;
use crate::capture::location::identity_of;
use crate::engine::batch_queue::locked;
use crate::engine::live::Live;
use crate::engine::options::Options;
use crate::engine::progress::{Monitor, Progress};
use crate::engine::query_cache::cache_state::{BodyCache, CacheState, ScopedState, keep_last};
pub use crate::engine::query_cache::scope::{Scope, Snapshot};
use crate::engine::query_cache::scope::{intersect_domains, needs_own_flows};
use crate::engine::top_flows::NewestFlows;
use crate::error::Error;
use crate::limits;
use crate::patterns::Patterns;
use crate::schema::Schemas;
use crate::sketch::stable_hash;

/// Time that a call waits for another call that reads the captures. Clients wait longer for an
/// answer.
const MAX_READ_WAIT: Duration = Duration::from_secs(50);

/// Time between two checks whether the other call has ended.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Number of views that were decided.
static VIEWS_DECIDED: AtomicU64 = AtomicU64::new(0);

/// Captures for repeated queries by any number of threads, as a server needs them.
///
/// Each query sees the current files and reads only the changes: records that were added to dumps
/// and JSON lines, new and changed rows of databases, HAR files that were written again, and new
/// files in a folder. The answer equals that of [`analyze`](crate::analyze) for the same files.
/// Nothing is written, not even a temporary file. A link in a folder is followed only if it leads
/// to a file in that folder.
///
/// ```
/// use api_patterns::{InputFormat, LiveCaptures, Options, Scope};
///
/// let captures = LiveCaptures::new(vec!["fixtures/demo.mitm".into()], InputFormat::Detect, Options::default());
/// let view = captures.view(&Scope::default(), &())?;
/// assert_eq!(view.report.totals.used, 65);
/// let newest = captures.view(&Scope { domain: None, limit: Some(10) }, &())?;
/// assert_eq!(newest.report.totals.used, 10);
/// # Ok::<(), api_patterns::Error>(())
/// ```
pub struct LiveCaptures {
    options: Options,
    paths: Vec<PathBuf>,
    format: InputFormat,
    /// Only one query at a time reads the captures, and the next one uses its result.
    known: Mutex<CacheState>,
    bodies: Mutex<BodyCache>,
    patience: Duration,
}

impl std::fmt::Debug for LiveCaptures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveCaptures").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl LiveCaptures {
    /// Creates the captures without reading anything. `options` apply to all queries. Templates are
    /// decided by paths alone, so that the first answer need not wait for bodies and no later one
    /// differs from it.
    ///
    /// ```
    /// use api_patterns::{InputFormat, LiveCaptures, Options, Scope};
    ///
    /// let paths = vec!["fixtures/demo.mitm".into()];
    /// let captures = LiveCaptures::new(paths, InputFormat::Detect, Options::default());
    /// assert_eq!(captures.view(&Scope::default(), &())?.readable, 1);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn new(paths: Vec<PathBuf>, format: InputFormat, mut options: Options) -> Self {
        options.report.paths_alone = true;
        let all = Live::new(paths.clone(), format, options.clone(), Patterns::new);
        let known = CacheState {
            all,
            recent: None,
            narrow: Vec::new(),
            original: None,
            views: Vec::new(),
            answers: Vec::new(),
        };
        Self {
            options,
            paths,
            format,
            known: Mutex::new(known),
            bodies: Mutex::default(),
            patience: MAX_READ_WAIT,
        }
    }

    /// Returns the report about the current content of the captures. If the scope has a domain and
    /// no limit, the report may contain other hosts as well: see [`Snapshot::is_narrowed`].
    ///
    /// ```
    /// use api_patterns::{InputFormat, LiveCaptures, Options, Scope};
    ///
    /// let paths = vec!["fixtures/demo.mitm".into()];
    /// let captures = LiveCaptures::new(paths, InputFormat::Detect, Options::default());
    /// let newest = captures.view(&Scope { domain: None, limit: Some(5) }, &())?;
    /// assert_eq!(newest.report.totals.used, 5);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the monitor stopped the reading, if a thread cannot be started, if the limit is too
    /// high to hold the flows in memory, and if another call reads the captures for 50 seconds or
    /// longer.
    pub fn view(&self, scope: &Scope, monitor: &dyn Monitor) -> Result<Arc<Snapshot>, Error> {
        let known = &mut *self.wait(monitor)?;
        known.all.refresh(monitor)?;
        let everything = Scope::default();
        let generation = known.all.generation();
        let all = known.view(&everything, generation).unwrap_or_else(|| {
            let view = self.decide(known.all.total(), &known.all, false);
            known.keep(everything, generation, view)
        });
        if !needs_own_flows(scope, &all.report) {
            return Ok(all);
        }
        if let Some(view) = known.view(scope, generation) {
            return Ok(view);
        }
        if scope.limit.is_some_and(|limit| limit > limits::MAX_NEWEST_FLOWS) {
            let most = limits::MAX_NEWEST_FLOWS;
            return Err(Error::usage(format!(
                "limit is at most {most} where there are more flows, because they are held in memory; leave it out to use all"
            )));
        }
        let view = match self.recent_view(scope, known, monitor)? {
            Some(view) => view,
            None => self.narrow_view(scope, known, monitor)?,
        };
        Ok(known.keep(scope.clone(), generation, view))
    }

    fn wait(&self, monitor: &dyn Monitor) -> Result<MutexGuard<'_, CacheState>, Error> {
        wait_for(&self.known, self.patience, monitor)
    }

    /// A view of the newest flows. `None` if the flows that are always kept do not contain them.
    fn recent_view(
        &self,
        scope: &Scope,
        known: &mut CacheState,
        monitor: &dyn Monitor,
    ) -> Result<Option<Snapshot>, Error> {
        let limit = scope.limit.and_then(|limit| usize::try_from(limit).ok());
        let Some(limit) = limit.filter(|limit| *limit <= limits::MAX_RECENT_FLOWS) else {
            return Ok(None);
        };
        let recent = known.recent.get_or_insert_with(|| {
            let new = || NewestFlows::new(limits::MAX_RECENT_FLOWS);
            Live::new(self.paths.clone(), self.format, self.options.clone(), new)
        });
        recent.refresh(monitor)?;
        let patterns = recent.total().newest_of_domain(scope.domain.as_deref(), limit);
        Ok(patterns.map(|patterns| self.decide(patterns, recent, scope.domain.is_some())))
    }

    /// A view for which the captures are read separately.
    fn narrow_view(
        &self,
        scope: &Scope,
        known: &mut CacheState,
        monitor: &dyn Monitor,
    ) -> Result<Snapshot, Error> {
        let is_narrowed = scope.domain.is_some();
        let at = self.touch_scope(scope, &mut known.narrow);
        match &mut known.narrow[at].1 {
            ScopedState::Newest(live) => {
                live.refresh(monitor)?;
                Ok(self.decide(live.total().patterns(), live, is_narrowed))
            }
            ScopedState::Patterns(live) => {
                live.refresh(monitor)?;
                Ok(self.decide(live.total(), live, is_narrowed))
            }
        }
    }

    /// As [`view`](Self::view), without reading and without waiting. `None` if the captures have
    /// changed, are being read, or the view is not kept.
    ///
    /// ```
    /// use api_patterns::{InputFormat, LiveCaptures, Options, Scope};
    ///
    /// let paths = vec!["fixtures/demo.mitm".into()];
    /// let captures = LiveCaptures::new(paths, InputFormat::Detect, Options::default());
    /// assert!(captures.cached_view(&Scope::default()).is_none());
    /// captures.view(&Scope::default(), &())?;
    /// assert!(captures.cached_view(&Scope::default()).is_some());
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn cached_view(&self, scope: &Scope) -> Option<Arc<Snapshot>> {
        let known = self.known.try_lock().ok()?;
        if !known.all.is_current() {
            return None;
        }
        let all = known.view(&Scope::default(), known.all.generation())?;
        if !needs_own_flows(scope, &all.report) {
            return Some(all);
        }
        known.view(scope, known.all.generation())
    }

    /// Returns `true` if this file is one of the current captures, under any name. Writing to such
    /// a file would change the captures.
    ///
    /// ```
    /// use api_patterns::{InputFormat, LiveCaptures, Options};
    ///
    /// let paths = vec!["fixtures/demo.mitm".into()];
    /// let captures = LiveCaptures::new(paths, InputFormat::Detect, Options::default());
    /// assert!(captures.has_file(&std::fs::File::open("fixtures/demo.mitm").unwrap()));
    /// assert!(!captures.has_file(&std::fs::File::open("fixtures/demo.har").unwrap()));
    /// ```
    pub fn has_file(&self, file: &File) -> bool {
        let Ok(metadata) = file.metadata() else { return false };
        locked(&self.known).all.has_file(identity_of(&metadata))
    }

    /// Returns the schemas of all endpoints of the current captures, and the view that they belong
    /// to. Bodies are read from the first call on, in one pass beside that of the views; later calls
    /// read what was added.
    ///
    /// ```
    /// use api_patterns::{InputFormat, LiveCaptures, Options};
    ///
    /// let paths = vec!["fixtures/demo.mitm".into()];
    /// let captures = LiveCaptures::new(paths, InputFormat::Detect, Options::default());
    /// let (view, schemas) = captures.schemas(&())?;
    /// assert!(schemas.all(&view.report).is_object());
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails as [`view`](Self::view) does.
    pub fn schemas(&self, monitor: &dyn Monitor) -> Result<(Arc<Snapshot>, Arc<Schemas>), Error> {
        let view = self.view(&Scope::default(), monitor)?;
        // Other calls are answered while the bodies are read.
        let bodies = &mut *wait_for(&self.bodies, self.patience, monitor)?;
        let state = bodies.state.get_or_insert_with(|| {
            let options = Options { bodies: true, ..self.options.clone() };
            Live::new(self.paths.clone(), self.format, options, Patterns::with_bodies)
        });
        state.refresh(monitor)?;
        let generation = state.generation();
        if let Some((_, schemas)) = bodies.decided.as_ref().filter(|(of, _)| *of == generation) {
            return Ok((view, Arc::clone(schemas)));
        }
        let patterns = state.total();
        let schemas = Schemas::of(&patterns, &self.options.decide(&patterns)).unwrap_or_default();
        let schemas = Arc::new(schemas);
        bodies.decided = Some((generation, Arc::clone(&schemas)));
        Ok((view, schemas))
    }

    /// Returns a view by its fingerprint. `None` if it is no longer kept.
    ///
    /// ```
    /// use api_patterns::{InputFormat, LiveCaptures, Options, Scope};
    ///
    /// let paths = vec!["fixtures/demo.mitm".into()];
    /// let captures = LiveCaptures::new(paths, InputFormat::Detect, Options::default());
    /// let view = captures.view(&Scope::default(), &())?;
    /// let kept = captures.view_by_fingerprint(view.fingerprint).unwrap();
    /// assert_eq!(kept.sequence, view.sequence);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn view_by_fingerprint(&self, fingerprint: u64) -> Option<Arc<Snapshot>> {
        let known = self.wait(&()).ok()?;
        let kept = known.views.iter().find(|(_, _, view)| view.fingerprint == fingerprint);
        kept.map(|(_, _, view)| Arc::clone(view))
    }

    fn decide<S: crate::engine::fold::FlowCollector + Clone + Sync>(
        &self,
        state: Patterns,
        live: &Live<S>,
        is_narrowed: bool,
    ) -> Snapshot {
        let report = self.options.decide(&state).report;
        let (readable, problems): (_, Vec<Error>) =
            (live.readable(), live.problems().cloned().collect());
        // Serializing plain data in memory cannot fail.
        let bytes = serde_json::to_vec(&(&report, readable, problems.len()))
            .expect("plain data in memory is serialized");
        let fingerprint = stable_hash(&bytes);
        let sequence = VIEWS_DECIDED.fetch_add(1, Ordering::Relaxed) + 1;
        Snapshot { report, fingerprint, sequence, readable, problems, is_narrowed, state }
    }

    /// Returns the index of the state of a narrower scope, which is created if it is not kept.
    fn touch_scope(&self, scope: &Scope, narrow: &mut Vec<(Scope, ScopedState)>) -> usize {
        let new = || {
            let mut options = self.options.clone();
            if let Some(domain) = &scope.domain {
                options.domains = intersect_domains(&self.options.domains, domain);
            }
            let (paths, format) = (self.paths.clone(), self.format);
            match scope.limit {
                Some(limit) => {
                    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                    ScopedState::Newest(Live::new(paths, format, options, move || {
                        NewestFlows::new(limit)
                    }))
                }
                None => ScopedState::Patterns(Live::new(paths, format, options, Patterns::new)),
            }
        };
        let known = narrow.iter().position(|(asked, _)| asked == scope);
        let entry = known.map_or_else(|| (scope.clone(), new()), |at| narrow.remove(at));
        keep_last(narrow, entry, limits::MAX_CACHED_SCOPES);
        narrow.len() - 1
    }
}

/// Waits for the call that reads the captures now, up to a maximum time. A capture on a disk that
/// does not answer then blocks only one call.
fn wait_for<'m, T>(
    mutex: &'m Mutex<T>,
    patience: Duration,
    monitor: &dyn Monitor,
) -> Result<MutexGuard<'m, T>, Error> {
    let start = Instant::now();
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {}
        }
        if !monitor.progress(&Progress::default()) {
            return Err(Error::canceled());
        }
        if start.elapsed() > patience {
            return Err(Error::usage(
                "the captures are still being read for another call; ask again later, or for fewer of them",
            ));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_stuck_does_not_block_others_for_ever() {
        let mut captures = LiveCaptures::new(
            vec!["fixtures/demo.jsonl".into()],
            InputFormat::Detect,
            Options::default(),
        );
        captures.patience = Duration::from_millis(10);
        let stuck = captures.known.try_lock().unwrap();
        let error = captures.view(&Scope::default(), &()).unwrap_err();
        assert!(error.to_string().contains("ask again later"));
        let error = captures.view(&Scope::default(), &|_: &Progress| false).unwrap_err();
        assert!(error.is_canceled());
        drop(stuck);
        captures.view(&Scope::default(), &()).unwrap();
    }
}
