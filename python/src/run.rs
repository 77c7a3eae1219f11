//! Calls that read captures. They run on another thread without the interpreter's lock, while the calling thread
//! handles Ctrl-C and reports progress.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use api_patterns::compat::{self, CompatFlow};
use api_patterns::{
    Captures, Error, Filter, InputFormat, Noise, Options, Patterns, Progress, Report,
    ReportOptions, Rules, Schemas, SkipReason,
};
use pyo3::intern;
use pyo3::prelude::*;

use crate::comparisons::Descriptions;
use crate::errors::{UsageError, python_error};
use crate::flows::{Bodies, Strictness, for_each, with_flow};
use crate::source::Source;
use crate::values::PyText;

/// Maximum number of threads that can be requested, as on the command line.
const MAX_THREADS: usize = 1024;

/// Time between two checks for signals and progress.
const TICK: Duration = Duration::from_millis(50);

/// Time for which a stopped run is waited for. A run that is blocked on an empty pipe does not notice the stop, and is
/// abandoned.
const MAX_STOP_TIME: Duration = Duration::from_secs(1);

/// State shared by a run and the thread that waits for it.
#[derive(Default)]
struct RunState {
    is_stopped: AtomicBool,
    seen: Mutex<Option<Progress>>,
}

impl RunState {
    fn note(&self, now: Progress) -> bool {
        if let Ok(mut seen) = self.seen.lock() {
            *seen = Some(now);
        }
        !self.is_stopped.load(Ordering::Relaxed)
    }

    fn seen(&self) -> Option<Progress> {
        self.seen.lock().ok().and_then(|mut seen| seen.take())
    }
}

/// Runs a stoppable function on another thread, while this thread handles Ctrl-C and calls `progress`.
pub(crate) fn run_watched<T: Send + 'static>(
    py: Python<'_>,
    progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&(dyn Fn(&Progress) -> bool + Sync)) -> Result<T, Error> + Send + 'static,
) -> PyResult<T> {
    let watch = Arc::new(RunState::default());
    let run_watched = Arc::clone(&watch);
    let (done, answer) = channel();
    std::thread::Builder::new()
        .spawn(move || done.send(work(&|now: &Progress| run_watched.note(*now))))
        .map_err(|error| UsageError::new_err(format!("cannot start a thread: {error}")))?;
    let watch = &*watch;
    let result = py.detach(move || {
        let mut raised: Option<(PyErr, Instant)> = None;
        loop {
            match (answer.recv_timeout(TICK), raised.take()) {
                (Ok(_) | Err(RecvTimeoutError::Disconnected), Some((error, _))) => {
                    break Err(error);
                }
                (Ok(result), None) => break Ok(Some(result)),
                (Err(RecvTimeoutError::Disconnected), None) => break Ok(None),
                (Err(RecvTimeoutError::Timeout), Some((error, at))) => {
                    if at.elapsed() > MAX_STOP_TIME {
                        break Err(error);
                    }
                    raised = Some((error, at));
                }
                (Err(RecvTimeoutError::Timeout), None) => {
                    let attended = Python::attach(|py| handle_signals(py, progress, watch.seen()));
                    raised = attended.err().map(|error| (error, Instant::now()));
                    watch.is_stopped.store(raised.is_some(), Ordering::Relaxed);
                }
            }
        }
    })?;
    // Report the final progress.
    handle_signals(py, progress, watch.seen())?;
    match result {
        Some(result) => result.map_err(|error| python_error(&error)),
        None => Err(UsageError::new_err(
            "the run failed inside the library (a panic); report it with the message on stderr and the capture",
        )),
    }
}

fn handle_signals(
    py: Python<'_>,
    progress: Option<&Py<PyAny>>,
    now: Option<Progress>,
) -> PyResult<()> {
    py.check_signals()?;
    if let Some((progress, now)) = progress.zip(now) {
        progress.call1(py, (now.bytes, now.total_bytes, now.flows))?;
    }
    Ok(())
}

/// Options of a call, beside its source.
#[derive(FromPyObject)]
pub(crate) struct CallOptions {
    #[pyo3(item)]
    domain: Vec<String>,
    #[pyo3(item)]
    method: Vec<String>,
    #[pyo3(item)]
    exclude: Vec<String>,
    #[pyo3(item)]
    limit: Option<i64>,
    #[pyo3(item)]
    rules: Option<(String, String)>,
    #[pyo3(item)]
    group_hosts: bool,
    #[pyo3(item)]
    threads: i64,
    #[pyo3(item)]
    bodies: bool,
}

impl CallOptions {
    pub(crate) fn options(&self) -> PyResult<Options> {
        let mut options = Options::default();
        options.domains.clone_from(&self.domain);
        options.methods.clone_from(&self.method);
        options.exclude = self.exclude.iter().map(|name| noise(name)).collect::<PyResult<_>>()?;
        options.limit = match self.limit.map(usize::try_from) {
            None => None,
            Some(Ok(limit)) => Some(limit),
            Some(Err(_)) => {
                return Err(UsageError::new_err(
                    "limit must be 0 or more; leave it out for all flows",
                ));
            }
        };
        options.threads = usize::try_from(self.threads)
            .ok()
            .filter(|threads| *threads <= MAX_THREADS)
            .ok_or_else(|| UsageError::new_err("threads must be from 0 (one per core) to 1024"))?;
        options.bodies = self.bodies;
        options.report = self.report_options()?;
        Ok(options)
    }

    fn report_options(&self) -> PyResult<ReportOptions> {
        let mut report = ReportOptions::default();
        report.group_hosts = self.group_hosts;
        if let Some((name, toml)) = &self.rules {
            let rules = Rules::parse(name, toml);
            report.rules = rules.map_err(|error| UsageError::new_err(error.to_string()))?;
        }
        report.exclude_errors_only_404 = self.exclude.iter().any(|name| name == "errors-only-404");
        Ok(report)
    }
}

fn noise(name: &str) -> PyResult<Noise> {
    match name {
        "static" => Ok(Noise::Static),
        "preflight" => Ok(Noise::Preflight),
        "telemetry" => Ok(Noise::Telemetry),
        "errors-only-404" => Ok(Noise::ErrorsOnly404),
        _ => Err(UsageError::new_err(
            "exclude takes static, preflight, telemetry and errors-only-404",
        )),
    }
}

/// Observes flows from dicts, given newest first, as filtered by the options.
fn observe_flows(flows: &Bound<'_, PyAny>, options: &Options) -> PyResult<Patterns> {
    let mut patterns = if options.bodies { Patterns::with_bodies() } else { Patterns::new() };
    let bodies = Bodies::from_flag(options.bodies);
    let filter = Filter::new(options);
    let mut left = options.limit.unwrap_or(usize::MAX);
    for_each(flows, bodies, |flow| {
        with_flow(flow, Strictness::Strict, bodies, |flow| {
            match flow.and_then(|flow| filter.skip_reason(flow).map_or(Ok(flow), Err)) {
                Err(reason) => patterns.skip(reason),
                Ok(_) if left == 0 => patterns.skip(SkipReason::Older),
                Ok(flow) => {
                    left -= 1;
                    patterns.observe(flow);
                }
            }
        })?;
        Ok(())
    })?;
    Ok(patterns)
}

/// Converts dicts to the flows of mitmproxy-mcp, in the given order.
fn compat_flows(flows: &Bound<'_, PyAny>) -> PyResult<Vec<CompatFlow>> {
    let mut rows = Vec::new();
    for_each(flows, Bodies::Left, |flow| {
        let row = with_flow(flow, Strictness::AnyUrl, Bodies::Left, |flow| {
            flow.ok().map(CompatFlow::new)
        })?;
        let id = flow
            .get_item(intern!(flow.py(), "id"))
            .ok()
            .filter(|id| PyText::of_text(id.clone()).is_none());
        let json = id.map(|id| flow.py().import("json")?.call_method1("dumps", (id,)));
        let json = json.transpose()?.map(|json| json.extract::<String>()).transpose()?;
        rows.extend(row.map(|row| match json {
            Some(json) => row.with_json_id(&json),
            None => row,
        }));
        Ok(())
    })?;
    Ok(rows)
}

fn report_of(
    py: Python<'_>,
    source: Bound<'_, PyAny>,
    wanted: &CallOptions,
    progress: Option<&Py<PyAny>>,
) -> PyResult<(Report, Option<Schemas>, Vec<String>)> {
    let options = wanted.options()?;
    match Source::of(source)? {
        Source::Flows(flows) => {
            let patterns = observe_flows(&flows, &options)?;
            let (decision, schemas) = py.detach(|| patterns.decide_with_schemas(&options.report));
            let problems = decision.problems();
            Ok((decision.report, schemas, problems))
        }
        Source::Paths(paths) => run_watched(py, progress, move |monitor| {
            let captures = Captures::open(&paths, InputFormat::Detect)?;
            let analysis = api_patterns::analyze(&captures, &options, &monitor)?;
            let problems = analysis.problems(&captures);
            Ok((analysis.report, analysis.schemas, problems))
        }),
    }
}

/// Return the patterns as a JSON array; with `compat` exactly as mitmproxy-mcp does.
#[pyfunction]
pub(crate) fn get_api_patterns(
    py: Python<'_>,
    source: Bound<'_, PyAny>,
    wanted: CallOptions,
    compat: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    if !compat {
        let (report, _, _) = report_of(py, source, &wanted, progress.as_ref())?;
        return py.detach(|| {
            serde_json::to_string_pretty(&report.patterns)
                .map_err(|error| UsageError::new_err(error.to_string()))
        });
    }
    let (domain, limit) = (wanted.domain.into_iter().next(), wanted.limit);
    match Source::of(source)? {
        Source::Flows(flows) => {
            let rows = compat_flows(&flows)?;
            py.detach(|| compat::get_api_patterns(&rows, domain.as_deref(), limit))
                .map_err(|error| python_error(&error))
        }
        Source::Paths(paths) => run_watched(py, progress.as_ref(), move |monitor| {
            let captures = Captures::open(&paths, InputFormat::Detect)?;
            let options = Options::default();
            let domain = domain.as_deref();
            Ok(api_patterns::compat_answer(&captures, domain, limit, &options, &monitor)?.text)
        }),
    }
}

/// A report as JSON, the schemas of its endpoints as JSON, sentences about problems, and what descriptions are made of.
pub(crate) type DecidedJson = (String, Option<String>, Vec<String>, Option<Descriptions>);

pub(crate) fn decided_json(
    report: Report,
    schemas: Option<Schemas>,
    problems: Vec<String>,
) -> PyResult<DecidedJson> {
    let text = schemas.as_ref().map(|schemas| schemas.all(&report).to_string());
    let json =
        serde_json::to_string(&report).map_err(|error| UsageError::new_err(error.to_string()))?;
    Ok((json, text, problems, schemas.map(|schemas| Descriptions { report, schemas })))
}

/// Return the report as JSON, the schemas as JSON if bodies are asked for, and a sentence for each input that could not be
/// read.
#[pyfunction]
pub(crate) fn analyze(
    py: Python<'_>,
    source: Bound<'_, PyAny>,
    wanted: CallOptions,
    progress: Option<Py<PyAny>>,
) -> PyResult<DecidedJson> {
    let (report, schemas, problems) = report_of(py, source, &wanted, progress.as_ref())?;
    py.detach(|| decided_json(report, schemas, problems))
}
