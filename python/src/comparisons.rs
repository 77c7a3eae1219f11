//! Descriptions, and comparisons with them and between captures.

use std::path::PathBuf;

use api_patterns::{
    ApiDescription, Baseline, Captures, DiffOptions, FindingReport, InputFormat, OpenApiOptions,
    OpenApiVersion, OwnedDiffSide, Patterns, Report, Schemas, openapi_descriptions,
};
use pyo3::prelude::*;

use crate::errors::UsageError;
use crate::patterns::PyPatterns;
use crate::run::{CallOptions, run_watched};

/// Inputs from which descriptions of a report are built.
#[pyclass(frozen)]
pub(crate) struct Descriptions {
    pub(crate) report: Report,
    pub(crate) schemas: Schemas,
}

#[pymethods]
impl Descriptions {
    /// Hosts and their descriptions as JSON.
    fn openapi(
        &self,
        py: Python<'_>,
        version: &str,
        evidence: bool,
    ) -> PyResult<Vec<(String, String)>> {
        let mut options = OpenApiOptions::default();
        options.version = match version {
            "3.1" => OpenApiVersion::V3_1,
            "3.0" => OpenApiVersion::V3_0,
            _ => return Err(UsageError::new_err("version must be 3.1 or 3.0")),
        };
        options.evidence = evidence;
        Ok(py.detach(|| {
            let described = openapi_descriptions(&self.report, &self.schemas, &options);
            described.into_iter().map(|(host, api)| (host, api.to_string())).collect()
        }))
    }
}

fn json_of(
    mut report: FindingReport,
    baseline: Option<&(String, String)>,
) -> Result<String, api_patterns::Error> {
    if let Some((name, json)) = baseline {
        Baseline::parse(name, json)?.mark(&mut report);
    }
    // Plain data in memory is always serialized.
    Ok(serde_json::to_string(&report).unwrap_or_default())
}

/// Return the findings of a comparison with a description as JSON, and sentences about problems.
#[pyfunction]
pub(crate) fn drift(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    api: PathBuf,
    server: Option<String>,
    baseline: Option<(String, String)>,
    wanted: CallOptions,
    progress: Option<Py<PyAny>>,
) -> PyResult<(String, Vec<String>)> {
    let options = wanted.options()?;
    run_watched(py, progress.as_ref(), move |monitor| {
        let mut api = ApiDescription::open(api)?;
        if let Some(server) = server {
            api.set_server(&server)?;
        }
        let captures = Captures::open(&paths, InputFormat::Detect)?;
        let comparison = api_patterns::drift(&captures, &api, &options, &monitor)?;
        let problems = comparison.problems(&captures);
        Ok((json_of(comparison.report, baseline.as_ref())?, problems))
    })
}

/// One side of `diff`: a state, or paths of captures, states or one description.
#[derive(FromPyObject)]
pub(crate) enum PySide<'py> {
    State(PyRef<'py, PyPatterns>),
    Paths(Vec<PathBuf>),
}

/// A side that is to be read: a copy of a state, or paths.
enum GivenSide {
    State(Box<Patterns>),
    Paths(Vec<PathBuf>),
}

/// Return the changes from one side to another as JSON, and sentences about problems.
#[pyfunction]
pub(crate) fn diff(
    py: Python<'_>,
    before: PySide<'_>,
    after: PySide<'_>,
    min_confidence: f64,
    wanted: CallOptions,
    progress: Option<Py<PyAny>>,
) -> PyResult<(String, Vec<String>)> {
    if !(0.0..=1.0).contains(&min_confidence) {
        return Err(UsageError::new_err("min_confidence must be from 0 to 1"));
    }
    let mut options = wanted.options()?;
    options.bodies = true;
    let mut diff_options = DiffOptions::default();
    diff_options.min_confidence = min_confidence;
    diff_options.report = options.report.clone();
    let given = |side: PySide<'_>| match side {
        PySide::State(state) => GivenSide::State(Box::new(state.copied(py))),
        PySide::Paths(paths) => GivenSide::Paths(paths),
    };
    let (before, after) = (given(before), given(after));
    run_watched(py, progress.as_ref(), move |monitor| {
        let mut problems = Vec::new();
        let mut read = |side: GivenSide| match side {
            GivenSide::State(patterns) => Ok(OwnedDiffSide::Observed(patterns)),
            GivenSide::Paths(paths) => match &paths[..] {
                [path] if ApiDescription::is_at(path) => {
                    ApiDescription::open(path).map(|api| OwnedDiffSide::Described(Box::new(api)))
                }
                paths => {
                    let captures = Captures::open(paths, InputFormat::Detect)?;
                    let observed = api_patterns::observe(&captures, &options, &monitor)?;
                    problems.extend(observed.problems(&captures));
                    Ok(OwnedDiffSide::Observed(Box::new(observed.patterns)))
                }
            },
        };
        let (before, after) = (read(before)?, read(after)?);
        let report = api_patterns::diff(before.side(), after.side(), &diff_options);
        Ok((json_of(report, None)?, problems))
    })
}
