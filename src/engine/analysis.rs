//! One run from captures to a report.

use crate::capture::Captures;
use crate::engine::fold::collect;
use crate::engine::options::Options;
use crate::engine::progress::Monitor;
use crate::engine::run::RunResult;
use crate::engine::schemas::observe_shapes;
use crate::engine::top_flows::NewestFlows;
use crate::error::Error;
use crate::patterns::Patterns;
use crate::report::Report;
use crate::report::decision::{Decision, Explanation};
use crate::schema::Schemas;
use crate::skip::{SkipReason, Skips};

/// A report, and what happened on the way to it.
#[derive(Debug)]
pub struct Analysis {
    /// The endpoints.
    pub report: Report,
    /// The schemas of the endpoints, with [`Options::bodies`].
    pub schemas: Option<Schemas>,
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
    if options.bodies {
        if options.limit.is_some() {
            return Err(Error::usage(
                "schemas are decided from all flows; leave the limit out, or leave the bodies out",
            ));
        }
        captures.spool()?;
    }
    let (patterns, outcome) = observe(captures, options, monitor)?;
    let decision = options.decide(&patterns);
    let schemas = if options.bodies && !outcome.stopped {
        Some(observe_shapes(captures, options, monitor, (&decision.report, &decision.routes))?)
    } else {
        None
    };
    let mut analysis = Analysis::new(decision, patterns.skips, outcome);
    if let Some(schemas) = &schemas {
        schemas.summarize(&mut analysis.report);
    }
    Ok(Analysis { schemas, ..analysis })
}

impl Analysis {
    pub(super) fn new(decision: Decision, mut skips: Skips, outcome: RunResult<()>) -> Self {
        skips.add_many(SkipReason::ErrorsOnly404, decision.errors_only_404);
        Self {
            report: decision.report,
            schemas: None,
            explanations: decision.explanations,
            unmatched_rules: decision.unmatched_rules,
            skips,
            failures: outcome.failures,
            bytes: outcome.bytes,
            stopped: outcome.stopped,
        }
    }
}

/// Everything of the captures that the options leave, in one state.
pub(super) fn observe(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<(Patterns, RunResult<()>), Error> {
    if let Some(limit) = options.limit {
        let (newest, outcome) = collect(captures, options, monitor, || NewestFlows::new(limit))?;
        return Ok((newest.patterns(), outcome));
    }
    collect(captures, options, monitor, Patterns::new)
}
