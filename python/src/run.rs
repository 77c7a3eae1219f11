//! The calls that read captures: on threads of their own, without the interpreter's lock, while Ctrl-C and progress are seen to.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use api_patterns::compat::{self, CompatFlow};
use api_patterns::{
    Captures, Error, Filter, InputFormat, Noise, Options, Patterns, Progress, Report,
    ReportOptions, Rules, SkipReason,
};
use pyo3::intern;
use pyo3::prelude::*;

use crate::errors::{UsageError, python_error};
use crate::flows::{Care, for_each, with_flow};
use crate::source::Source;
use crate::values::Word;

/// The most threads that can be asked for, as on the command line.
const THREADS: usize = 1024;

/// Time between two looks at signals and progress.
const TICK: Duration = Duration::from_millis(50);

/// Runs something that can be stopped on another thread, and sees to Ctrl-C and the caller's progress meanwhile.
pub(crate) fn watched<T: Send>(
    py: Python<'_>,
    progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&(dyn Fn(&Progress) -> bool + Sync)) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let is_stopped = AtomicBool::new(false);
    let seen: Mutex<Option<Progress>> = Mutex::new(None);
    let monitor = |now: &Progress| {
        if let Ok(mut seen) = seen.lock() {
            *seen = Some(*now);
        }
        !is_stopped.load(Ordering::Relaxed)
    };
    let (done, answer) = channel();
    let (is_stopped, seen, monitor) = (&is_stopped, &seen, &monitor);
    let (raised, result) = py.detach(move || {
        std::thread::scope(|scope| {
            scope.spawn(move || done.send(work(monitor)));
            let mut raised = None;
            loop {
                match answer.recv_timeout(TICK) {
                    Ok(result) => break (raised, Some(result)),
                    Err(RecvTimeoutError::Disconnected) => break (raised, None),
                    Err(RecvTimeoutError::Timeout) if raised.is_some() => {}
                    Err(RecvTimeoutError::Timeout) => {
                        let now = seen.lock().ok().and_then(|mut seen| seen.take());
                        raised = Python::attach(|py| attend(py, progress, now)).err();
                        is_stopped.store(raised.is_some(), Ordering::Relaxed);
                    }
                }
            }
        })
    });
    match (raised, result) {
        (Some(error), _) => Err(error),
        (None, Some(result)) => {
            // The last word is what there was.
            let now = seen.lock().ok().and_then(|mut seen| seen.take());
            attend(py, progress, now)?;
            result.map_err(|error| python_error(&error))
        }
        (None, None) => Err(UsageError::new_err("the run failed inside of the library")),
    }
}

fn attend(py: Python<'_>, progress: Option<&Py<PyAny>>, now: Option<Progress>) -> PyResult<()> {
    py.check_signals()?;
    if let Some((progress, now)) = progress.zip(now) {
        progress.call1(py, (now.bytes, now.total_bytes, now.flows))?;
    }
    Ok(())
}

/// What a call asks for beside its source.
#[derive(FromPyObject)]
pub(crate) struct Wanted {
    #[pyo3(item)]
    domain: Vec<String>,
    #[pyo3(item)]
    method: Vec<String>,
    #[pyo3(item)]
    exclude: Vec<String>,
    #[pyo3(item)]
    limit: Option<i64>,
    #[pyo3(item)]
    rules: Option<String>,
    #[pyo3(item)]
    group_hosts: bool,
    #[pyo3(item)]
    threads: i64,
}

impl Wanted {
    pub(crate) fn options(&self) -> PyResult<Options> {
        let mut options = Options::default();
        options.domains.clone_from(&self.domain);
        options.methods.clone_from(&self.method);
        options.exclude = self.exclude.iter().map(|name| noise(name)).collect::<PyResult<_>>()?;
        options.limit = match self.limit.map(usize::try_from) {
            None => None,
            Some(Ok(limit)) => Some(limit),
            Some(Err(_)) => {
                return Err(UsageError::new_err("limit is 0 or more; leave it out for all flows"));
            }
        };
        options.threads = usize::try_from(self.threads)
            .ok()
            .filter(|threads| *threads <= THREADS)
            .ok_or_else(|| {
                UsageError::new_err("threads is from 0, for as many as there are cores, to 1024")
            })?;
        options.report = self.report_options()?;
        Ok(options)
    }

    fn report_options(&self) -> PyResult<ReportOptions> {
        let mut report = ReportOptions::default();
        report.group_hosts = self.group_hosts;
        if let Some(toml) = &self.rules {
            report.rules = Rules::parse("rules", toml).map_err(|error| python_error(&error))?;
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

/// Flows from dicts, newest first, as the options leave them.
fn observe_flows(flows: &Bound<'_, PyAny>, options: &Options) -> PyResult<Patterns> {
    let mut patterns = Patterns::new();
    let filter = Filter::new(options);
    let mut left = options.limit.unwrap_or(usize::MAX);
    for_each(flows, |flow| {
        with_flow(flow, Care::Strict, |flow| {
            let Some(flow) = flow else { return patterns.skip(SkipReason::NotHttp) };
            match filter.leaves_out(flow) {
                Some(reason) => patterns.skip(reason),
                None if left == 0 => patterns.skip(SkipReason::Older),
                None => {
                    left -= 1;
                    patterns.observe(flow);
                }
            }
        })?;
        Ok(())
    })?;
    Ok(patterns)
}

/// Flows from dicts as the original sees them, in the order given.
fn compat_flows(flows: &Bound<'_, PyAny>) -> PyResult<Vec<CompatFlow>> {
    let mut rows = Vec::new();
    for_each(flows, |flow| {
        let row = with_flow(flow, Care::AnyUrl, |flow| flow.map(CompatFlow::new))?;
        let id = flow
            .get_item(intern!(flow.py(), "id"))
            .ok()
            .filter(|id| Word::of_text(id.clone()).is_none());
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
    wanted: &Wanted,
    progress: Option<&Py<PyAny>>,
) -> PyResult<(Report, Vec<String>)> {
    let options = wanted.options()?;
    match Source::of(source)? {
        Source::Flows(flows) => {
            let patterns = observe_flows(&flows, &options)?;
            Ok((py.detach(|| patterns.decide(&options.report).report), Vec::new()))
        }
        Source::Paths(paths) => {
            let (analysis, said) = watched(py, progress, |monitor| {
                let captures = Captures::open(&paths, InputFormat::Detect)?;
                let said = captures.refused().iter().map(ToString::to_string).collect::<Vec<_>>();
                Ok((api_patterns::analyze(&captures, &options, &monitor)?, said))
            })?;
            let failures = analysis.failures.iter().map(ToString::to_string);
            let said = said.into_iter().chain(failures).collect();
            Ok((analysis.report, said))
        }
    }
}

/// The patterns as a JSON array; `compat` answers as the original tool does.
#[pyfunction]
pub(crate) fn get_api_patterns(
    py: Python<'_>,
    source: Bound<'_, PyAny>,
    wanted: Wanted,
    compat: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    if !compat {
        let (report, _) = report_of(py, source, &wanted, progress.as_ref())?;
        return py.detach(|| {
            serde_json::to_string_pretty(&report.patterns)
                .map_err(|error| UsageError::new_err(error.to_string()))
        });
    }
    let domain = wanted.domain.first().map(String::as_str);
    match Source::of(source)? {
        Source::Flows(flows) => {
            let rows = compat_flows(&flows)?;
            py.detach(|| compat::get_api_patterns(&rows, domain, wanted.limit))
                .map_err(|error| python_error(&error))
        }
        Source::Paths(paths) => watched(py, progress.as_ref(), |monitor| {
            let captures = Captures::open(&paths, InputFormat::Detect)?;
            let options = Options::default();
            Ok(api_patterns::compat_answer(&captures, domain, wanted.limit, &options, &monitor)?
                .text)
        }),
    }
}

/// The report as JSON, and what could not be read, in sentences.
#[pyfunction]
pub(crate) fn analyze(
    py: Python<'_>,
    source: Bound<'_, PyAny>,
    wanted: Wanted,
    progress: Option<Py<PyAny>>,
) -> PyResult<(String, Vec<String>)> {
    let (report, said) = report_of(py, source, &wanted, progress.as_ref())?;
    let json = py
        .detach(|| serde_json::to_string(&report))
        .map_err(|error| UsageError::new_err(error.to_string()))?;
    Ok((json, said))
}
