//! Runs several threads over all captures. Each thread decodes batches into a state of its own.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::capture::batch::{Batch, KeepGoing};
use crate::capture::{CaptureItem, Captures, decode};
use crate::engine::batch_queue::{BatchQueue, locked};
use crate::engine::options::Options;
use crate::engine::progress::{Monitor, Progress};
use crate::error::Error;
use crate::flow::Flow;
use crate::limits;
use crate::skip::Skips;

/// The result of a run over all captures.
#[derive(Clone, Debug)]
pub(super) struct RunResult<S> {
    /// One state per thread.
    pub(super) states: Vec<S>,
    pub(super) skips: Skips,
    pub(super) failures: Vec<Error>,
    pub(super) bytes: u64,
    /// The position at which the reading of each capture ended.
    pub(super) ends: Vec<u64>,
    pub(super) stopped: bool,
}

impl<S> Default for RunResult<S> {
    fn default() -> Self {
        Self {
            states: Vec::new(),
            skips: Skips::default(),
            failures: Vec::new(),
            bytes: 0,
            ends: Vec::new(),
            stopped: false,
        }
    }
}

impl<S> RunResult<S> {
    pub(super) fn without_states(self) -> RunResult<()> {
        RunResult {
            failures: self.failures,
            bytes: self.bytes,
            ends: self.ends,
            stopped: self.stopped,
            ..RunResult::default()
        }
    }
}

/// Reads all captures with several threads. Each thread takes the next batch under a lock, which is
/// held for reading the batch and finding the end of its last record, and decodes it into a state
/// of its own.
pub(super) fn run<S: Send>(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
    new_state: impl Fn() -> S + Sync,
    visit: impl Fn(&mut S, usize, u64, CaptureItem<'_>) + Sync,
) -> Result<RunResult<S>, Error> {
    let bodies = options.read_bodies();
    run_batches(captures, options, monitor, new_state, |state, batch, goes_on, counted| {
        decode(&captures.sources[batch.source], batch, bodies, goes_on, &mut |offset, found| {
            *counted += u64::from(found.flow().is_some_and(Flow::is_http));
            visit(state, batch.source, offset, found);
        });
    })
}

/// As [`run`], with a function that decodes whole batches.
pub(super) fn run_batches<S: Send>(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
    new_state: impl Fn() -> S + Sync,
    visit: impl Fn(&mut S, &Batch, KeepGoing<'_>, &mut u64) + Sync,
) -> Result<RunResult<S>, Error> {
    let batch_bytes =
        if options.batch_bytes == 0 { limits::DEFAULT_BATCH_BYTES } else { options.batch_bytes };
    let total_bytes = captures.bytes();
    let (bytes, flows) = (AtomicU64::new(0), AtomicU64::new(0));
    let stopped = AtomicBool::new(false);
    // Called within a batch, and by readers that find no record for a long time.
    let goes_on = || {
        let (bytes, flows) = (bytes.load(Ordering::Relaxed), flows.load(Ordering::Relaxed));
        if !stopped.load(Ordering::Relaxed)
            && !monitor.progress(&Progress { bytes, total_bytes, flows })
        {
            stopped.store(true, Ordering::Relaxed);
        }
        !stopped.load(Ordering::Relaxed)
    };
    let feed = Mutex::new(BatchQueue::new(captures, batch_bytes, &goes_on));
    let worker = || {
        let mut state = new_state();
        let mut batch = Batch::default();
        while !stopped.load(Ordering::Relaxed) && locked(&feed).next(&mut batch) {
            let mut counted = 0;
            visit(&mut state, &batch, &goes_on, &mut counted);
            bytes.fetch_max(locked(&feed).bytes_behind(&batch), Ordering::Relaxed);
            flows.fetch_add(counted, Ordering::Relaxed);
            goes_on();
        }
        state
    };
    let states = on_threads(options.threads, worker)?;
    let mut feed = feed.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(RunResult {
        states,
        bytes: feed.bytes(),
        ends: feed.ends(),
        skips: feed.skips,
        failures: feed.failures,
        stopped: stopped.load(Ordering::Relaxed),
    })
}

/// Runs `worker` on this thread and on further threads at the same time, `threads` in total; 0 for
/// one per core.
fn on_threads<S: Send>(threads: usize, worker: impl Fn() -> S + Sync) -> Result<Vec<S>, Error> {
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let others = if threads == 0 { cores() } else { threads } - 1;
    if others == 0 {
        return Ok(vec![worker()]);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(others).build();
    let pool =
        pool.map_err(|error| Error::usage(format!("cannot start {others} more threads: {error}")))?;
    let states = Mutex::new(Vec::new());
    let work = || {
        let state = worker();
        locked(&states).push(state);
    };
    // This thread starts at once and does not wait for the others.
    pool.in_place_scope(|scope| {
        scope.spawn_broadcast(|_, _| work());
        work();
    });
    Ok(states.into_inner().unwrap_or_else(PoisonError::into_inner))
}
