//! One run from captures to a report.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::capture::Captures;
use crate::engine::filter::Filter;
use crate::engine::fold::collect;
use crate::engine::options::Options;
use crate::engine::progress::Monitor;
use crate::engine::run::RunResult;
use crate::engine::schemas::observe_shapes;
use crate::engine::top_flows::NewestFlows;
use crate::error::Error;
use crate::patterns::Patterns;
use crate::report::Report;
use crate::report::decision::{Decision, Explanation, NearMiss};
use crate::report::timeline::RequestTimeline;
use crate::schema::Schemas;
use crate::skip::{SkipReason, Skips};

/// The result of a run: the report, and what could not be used.
#[derive(Debug)]
pub struct Analysis {
    /// The endpoints and the totals.
    pub report: Report,
    /// The schemas of the endpoints. `None` without [`Options::bodies`], and if the run was
    /// stopped.
    pub schemas: Option<Schemas>,
    /// Explanations of the endpoints that [`ReportOptions::explain`](crate::ReportOptions::explain)
    /// selects.
    pub explanations: Vec<Explanation>,
    /// The near misses of the endpoints by id, if [`ReportOptions::near_misses`](crate::ReportOptions::near_misses) asks for
    /// them.
    pub near_misses: BTreeMap<String, Vec<NearMiss>>,
    /// The requests over time.
    pub timeline: RequestTimeline,
    /// The rules that matched nothing, in words.
    pub unmatched_rules: Vec<String>,
    /// The rules that are for one place or cover others, one sentence each.
    pub rule_conflicts: Vec<String>,
    /// The items that were not used, counted by reason, with the first places.
    pub skips: Skips,
    /// Errors of captures that could not be read to their end. The report contains the flows before
    /// them.
    pub failures: Vec<Error>,
    /// Number of bytes that were read.
    pub bytes: u64,
    /// Whether the monitor stopped the run.
    pub stopped: bool,
}

/// Reads captures and reports the endpoints of the APIs behind them.
///
/// The report does not depend on the number of threads or the size of batches.
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
/// Fails if an option is invalid, if bodies are requested and a capture cannot be copied to a
/// temporary file, and if a thread cannot be started. Damage in a capture is not an error: see
/// [`Analysis::skips`] and [`Analysis::failures`].
pub fn analyze(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Analysis, Error> {
    if !captures.states().is_empty() {
        return analyze_with_states(captures, options, monitor);
    }
    if options.bodies {
        if options.limit.is_some() {
            return Err(Error::usage(
                "schemas are decided from all flows; leave the limit out, or leave the bodies out",
            ));
        }
        captures.spool()?;
    }
    // Templates first: in the first pass bodies are evidence for them alone.
    let (mut patterns, outcome) = observe_for_templates(captures, options, monitor)?;
    let decision = options.decide(&patterns);
    let schemas = if options.bodies && !outcome.stopped {
        let paths: Option<Arc<_>> = patterns.scalars.take().map(Arc::from);
        Some(observe_shapes(captures, options, monitor, &decision, paths.as_ref())?)
    } else {
        None
    };
    Ok(Analysis::new(decision, patterns.skips, outcome).with_schemas(schemas))
}

/// As [`analyze`], where saved states are among the captures: all of it is observed in one pass.
fn analyze_with_states(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Analysis, Error> {
    let (patterns, outcome) = observe_state(captures, options, monitor)?;
    let decision = options.decide(&patterns);
    let schemas = if options.bodies { Schemas::of(&patterns, &decision) } else { None };
    Ok(Analysis::new(decision, patterns.skips, outcome).with_schemas(schemas))
}

/// A state that was collected from captures, and what could not be used.
#[derive(Debug)]
#[non_exhaustive]
pub struct ObservedState {
    /// The state of all flows, and of the saved states among the captures.
    pub patterns: Patterns,
    /// Errors of captures that could not be read to their end.
    pub failures: Vec<Error>,
    /// Number of bytes that were read.
    pub bytes: u64,
    /// Whether the monitor stopped the run.
    pub stopped: bool,
}

/// Reads captures into one state, to save it, to merge it or to compare it. Saved states among the captures are merged.
///
/// ```
/// use api_patterns::{Captures, InputFormat, Options, observe};
///
/// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
/// let observed = observe(&captures, &Options::default(), &())?;
/// let saved = Captures::from_bytes("saved", observed.patterns.to_bytes(), InputFormat::Detect)?;
/// assert_eq!(observe(&saved, &Options::default(), &())?.patterns.used(), 65);
/// # Ok::<(), api_patterns::Error>(())
/// ```
///
/// # Errors
///
/// Fails as [`analyze`] does, and if a saved state is damaged.
pub fn observe(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<ObservedState, Error> {
    let (patterns, outcome) = observe_state(captures, options, monitor)?;
    Ok(ObservedState {
        patterns,
        failures: outcome.failures,
        bytes: outcome.bytes,
        stopped: outcome.stopped,
    })
}

impl ObservedState {
    /// The analysis of the state under these options, of which those that select flows have no effect any more. It can be made
    /// again under other rules: nothing is read. It has schemas if the options ask for bodies and the state has them.
    ///
    /// ```
    /// use api_patterns::{Captures, InputFormat, Options, Rules, observe};
    ///
    /// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
    /// let mut options = Options::default();
    /// let observed = observe(&captures, &options, &())?;
    /// options.report.rules = Rules::parse("rules", "[[template]]\npath = \"/v1/{noun}\"")?;
    /// assert_eq!(observed.analysis(&options).report.patterns[0].path_pattern, "/v1/{noun}/{id}");
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn analysis(&self, options: &Options) -> Analysis {
        self.decided(options, options.bodies)
    }

    /// As [`analysis`](Self::analysis), without schemas, which take longer than templates.
    #[cfg(feature = "tui")]
    pub(crate) fn analysis_without_schemas(&self, options: &Options) -> Analysis {
        self.decided(options, false)
    }

    fn decided(&self, options: &Options, has_schemas: bool) -> Analysis {
        let decision = options.decide(&self.patterns);
        let schemas = if has_schemas { Schemas::of(&self.patterns, &decision) } else { None };
        let outcome = RunResult {
            failures: self.failures.clone(),
            bytes: self.bytes,
            stopped: self.stopped,
            ..RunResult::default()
        };
        Analysis::new(decision, self.patterns.skips.clone(), outcome).with_schemas(schemas)
    }
}

/// Observes captures into one state, and merges the saved states among them.
fn observe_state(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<(Patterns, RunResult<()>), Error> {
    let selects = !Filter::new(options).is_empty();
    if let (Some((name, _)), true) = (captures.states().first(), selects || options.limit.is_some())
    {
        let why = "this is a saved state, from which flows cannot be selected; leave domains, methods, statuses, exclusions and limits \
                   out, or select when the state is made";
        return Err(Error::foreign(name, why));
    }
    let (mut patterns, outcome) = observe_flows(captures, options, monitor)?;
    for (name, bytes) in captures.states() {
        let state = Patterns::from_bytes(bytes).map_err(|error| error.of(name))?;
        patterns.merge(state);
    }
    Ok((patterns, outcome))
}

impl Analysis {
    pub(super) fn new(decision: Decision, mut skips: Skips, outcome: RunResult<()>) -> Self {
        skips.add_many(SkipReason::ErrorsOnly404, decision.errors_only_404);
        Self {
            report: decision.report,
            schemas: None,
            explanations: decision.explanations,
            near_misses: decision.near_misses,
            timeline: decision.timeline,
            unmatched_rules: decision.unmatched_rules,
            rule_conflicts: decision.rule_conflicts,
            skips,
            failures: outcome.failures,
            bytes: outcome.bytes,
            stopped: outcome.stopped,
        }
    }

    /// Adds schemas, and their summaries to the report.
    pub(super) fn with_schemas(mut self, schemas: Option<Schemas>) -> Self {
        if let Some(schemas) = &schemas {
            schemas.summarize(&mut self.report);
            let explained = self.explanations.iter_mut();
            explained.for_each(|explanation| schemas.link(&mut explanation.pattern));
            self.unmatched_rules.extend_from_slice(&schemas.unmatched_rules);
        }
        Self { schemas, ..self }
    }
}

/// Observes all flows that the options select into one state, with the shapes of their bodies if
/// the options ask for bodies.
pub(super) fn observe_flows(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<(Patterns, RunResult<()>), Error> {
    observe_into(captures, options, monitor, || options.new_patterns())
}

/// As [`observe_flows`], for the first of two passes: bodies are read as evidence for templates
/// alone.
pub(super) fn observe_for_templates(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<(Patterns, RunResult<()>), Error> {
    observe_into(captures, options, monitor, || options.new_first_pass())
}

fn observe_into(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
    new: impl Fn() -> Patterns + Sync,
) -> Result<(Patterns, RunResult<()>), Error> {
    if let Some(limit) = options.limit {
        let (newest, outcome) = collect(captures, options, monitor, || NewestFlows::new(limit))?;
        return Ok((newest.patterns(), outcome));
    }
    collect(captures, options, monitor, new)
}
