//! Captures -> batches -> threads -> one state -> report; with progress, and a way to stop.

mod collect;
mod feed;
mod filter;
mod follow;
mod label;
mod live;
mod newest;
mod original;
mod problems;
mod run;
mod sequence;
mod split;
mod views;

use std::io::Write;

use crate::capture::batch::Batch;
use crate::capture::{Captures, Found, decode};
use crate::engine::collect::collect;
use crate::engine::feed::Feed;
pub use crate::engine::filter::Filter;
pub use crate::engine::follow::{Change, Follower};
use crate::engine::newest::Newest;
pub use crate::engine::original::{CompatAnswer, compat_answer};
use crate::engine::run::Outcome;
pub use crate::engine::split::{Split, observe_split, split};
pub use crate::engine::views::{LiveCaptures, Scope, View};
use crate::error::Error;
use crate::flow::Flow;
use crate::flow::noise::Noise;
use crate::limits;
use crate::patterns::Patterns;
use crate::report::Report;
use crate::report::decision::{Decision, Explanation, ReportOptions};
use crate::skip::{SkipPlace, SkipReason, Skips};

/// What to use of the captures, and how.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Only flows of these hosts and their subdomains; all where empty.
    pub domains: Vec<String>,
    /// Only flows with these methods, in any case; all where empty.
    pub methods: Vec<String>,
    /// Noise that is left out; none where empty.
    pub exclude: Vec<Noise>,
    /// Only this many of the newest flows that the other options leave. They are held in memory.
    pub limit: Option<usize>,
    /// How many threads; 0 for as many as there are cores.
    pub threads: usize,
    /// How many bytes a thread reads at once; 0 for the default. Answers don't depend on it.
    pub batch_bytes: usize,
    /// How the templates are decided.
    pub report: ReportOptions,
}

impl Options {
    fn decide(&self, patterns: &Patterns) -> Decision {
        let mut report = self.report.clone();
        report.exclude_errors_only_404 |= self.exclude.contains(&Noise::ErrorsOnly404);
        patterns.decide(&report)
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes read.
    pub bytes: u64,
    /// Bytes there are to read, where that is known.
    pub total_bytes: Option<u64>,
    /// Flows found.
    pub flows: u64,
}

/// Watches a run, and may stop it. `()` watches nothing.
pub trait Monitor: Sync {
    /// Called now and then, from any thread. The run ends early where it returns `false`, with what was read so far.
    fn progress(&self, _progress: &Progress) -> bool {
        true
    }
}

impl Monitor for () {}

impl<F: Fn(&Progress) -> bool + Sync> Monitor for F {
    fn progress(&self, progress: &Progress) -> bool {
        self(progress)
    }
}

/// A report, and what happened on the way to it.
#[derive(Debug)]
pub struct Analysis {
    /// The endpoints.
    pub report: Report,
    /// The endpoints that were asked to be explained.
    pub explanations: Vec<Explanation>,
    /// Rules that matched nothing, in words.
    pub unmatched_rules: Vec<String>,
    /// What was not used, with the first places.
    pub skips: Skips,
    /// Captures that could not be read to their end; what came before is in the report.
    pub failures: Vec<Error>,
    /// Bytes read.
    pub bytes: u64,
    /// Did the monitor stop it?
    pub stopped: bool,
}

/// Reads captures and reports the endpoints of the APIs behind them.
///
/// The report is the same for any number of threads and any size of batches.
///
/// ```
/// use api_patterns::{Captures, InputFormat, Options, Progress, analyze};
///
/// let lines = br#"{"method": "GET", "url": "https://api.example.com/users/1001", "status": 200}
/// {"method": "GET", "url": "https://api.example.com/users/1002", "status": 404}"#;
/// let captures = Captures::from_bytes("two lines", lines.to_vec(), InputFormat::Detect)?;
/// let analysis = analyze(&captures, &Options::default(), &|progress: &Progress| progress.flows < 1_000_000)?;
/// assert_eq!(analysis.report.patterns[0].endpoint, "GET /users/{user_id}");
/// assert_eq!(analysis.report.patterns[0].status_codes["404"], 1);
/// # Ok::<(), api_patterns::Error>(())
/// ```
///
/// # Errors
///
/// Where an option does not fit, or no thread can be started. Damage in a capture is no error: see
/// [`Analysis::skips`] and [`Analysis::failures`].
pub fn analyze(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Analysis, Error> {
    let (patterns, outcome) = observe(captures, options, monitor)?;
    let decision = options.decide(&patterns);
    Ok(Analysis::new(decision, patterns.skips, outcome))
}

impl Analysis {
    fn new(decision: Decision, mut skips: Skips, outcome: Outcome<()>) -> Self {
        skips.add_many(SkipReason::ErrorsOnly404, decision.errors_only_404);
        Self {
            report: decision.report,
            explanations: decision.explanations,
            unmatched_rules: decision.unmatched_rules,
            skips,
            failures: outcome.failures,
            bytes: outcome.bytes,
            stopped: outcome.stopped,
        }
    }
}

/// Reads captures and writes one JSON object a line for every flow that was used, in input order: its `id`, `method`,
/// `host`, `endpoint` and `path_pattern`. The report and all else is given back as from [`analyze`].
///
/// Captures are read twice; what comes through a pipe is put into a temporary file first.
///
/// # Errors
///
/// As [`analyze`], and where `out` cannot be written to.
pub fn label(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
    out: &mut (dyn Write + Send),
) -> Result<Analysis, Error> {
    label::label(captures, options, monitor, out)
}

/// Calls `visit` for every flow of the captures, in input order, on the calling thread.
///
/// # Errors
///
/// The first capture that cannot be read to its end.
pub fn for_each_flow(
    captures: &Captures,
    mut visit: impl FnMut(&Flow<'_>),
) -> Result<Skips, Error> {
    let mut feed = Feed::new(captures, limits::BATCH_BYTES, &|| true);
    let mut skips = Skips::default();
    let mut batch = Batch::default();
    while feed.next(&mut batch) {
        decode(
            &captures.sources[batch.source],
            &batch,
            &|| true,
            &mut |offset, found| match found {
                Found::Flow(flow) => visit(flow),
                Found::NotHttp(_) => skips.add(SkipReason::NotHttp),
                Found::Skipped(reason, message) => {
                    if reason.is_damage() {
                        skips.add_at(reason, SkipPlace { source: batch.source, offset, message });
                    } else {
                        skips.add(reason);
                    }
                }
            },
        );
    }
    skips.merge(feed.skips);
    match feed.failures.into_iter().next() {
        Some(failure) => Err(failure),
        None => Ok(skips),
    }
}

/// Everything of the captures that the options leave, in one state.
fn observe(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<(Patterns, Outcome<()>), Error> {
    if let Some(limit) = options.limit {
        let (newest, outcome) = collect(captures, options, monitor, || Newest::new(limit))?;
        return Ok((newest.patterns(), outcome));
    }
    collect(captures, options, monitor, Patterns::new)
}
