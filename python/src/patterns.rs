//! The state that merges, as a Python class.

use std::sync::{Mutex, MutexGuard, PoisonError};

use api_patterns::{Filter, Flow, Patterns, ReportOptions, SkipReason};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;

use crate::errors::{UsageError, python_error};
use crate::flows::{Care, Refused, for_each, with_flow};
use crate::run::Wanted;

/// What was seen of any number of flows.
///
/// It may be used from several threads: each flow is taken in under a lock, in which no Python code runs.
#[pyclass(name = "Patterns", module = "api_patterns", subclass, frozen)]
#[derive(Default)]
pub(crate) struct PyPatterns {
    inner: Mutex<Patterns>,
}

impl PyPatterns {
    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, Patterns> {
        self.inner.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    fn observe_one(&self, py: Python<'_>, flow: Option<&Flow<'_>>, filter: Option<&Filter>) {
        let mut patterns = self.lock(py);
        let Some(flow) = flow else { return patterns.skip(SkipReason::NotHttp) };
        match filter.and_then(|filter| filter.leaves_out(flow)) {
            Some(reason) => patterns.skip(reason),
            None => patterns.observe(flow),
        }
    }
}

#[pymethods]
impl PyPatterns {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes in one flow: a dict as `get_api_patterns` takes it.
    ///
    /// Args:
    ///     flow: The flow. One whose URL was not asked over HTTP is counted as skipped.
    ///
    /// Raises:
    ///     TypeError, ValueError: Where it is no dict, or has no URL or method.
    fn observe(&self, flow: &Bound<'_, PyAny>) -> PyResult<()> {
        Ok(with_flow(flow, Care::Strict, |found| self.observe_one(flow.py(), found, None))?)
    }

    /// Takes in flows from an iterable; gives their number.
    ///
    /// Args:
    ///     flows: The flows. Each is taken in as soon as the iterable gives it.
    ///
    /// Raises:
    ///     TypeError, ValueError: As `observe`; what came before is taken in.
    ///     KeyboardInterrupt: On Ctrl-C; what came before is taken in.
    fn observe_many(&self, flows: &Bound<'_, PyAny>) -> PyResult<u64> {
        for_each(flows, |flow| self.observe(flow))
    }

    /// Takes in the rows of a table, those that are wanted; a row that is no flow is counted as skipped.
    fn observe_rows(&self, rows: &Bound<'_, PyAny>, wanted: Wanted) -> PyResult<u64> {
        let filter = Filter::new(&wanted.options()?);
        for_each(rows, |row| {
            let py = row.py();
            match with_flow(row, Care::Lenient, |flow| self.observe_one(py, flow, Some(&filter))) {
                Err(Refused::NoFlow(_)) => self.lock(py).skip(SkipReason::BadRecord),
                other => other?,
            }
            Ok(())
        })
    }

    /// Takes in all that another state has seen.
    ///
    /// Args:
    ///     other: A state; it stays as it is.
    ///
    /// Raises:
    ///     UsageError: Where `other` is the state itself.
    fn merge(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) -> PyResult<()> {
        if slf.is(other) {
            return Err(UsageError::new_err("a state cannot be merged with itself"));
        }
        let (py, own) = (slf.py(), slf.get());
        let other = other.get().lock(py).clone();
        py.detach(|| own.inner.lock().unwrap_or_else(PoisonError::into_inner).merge(other));
        Ok(())
    }

    /// The state in its binary form, versioned and checked; equal states give equal bytes.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let state = self.lock(py).clone();
        let bytes = py.detach(|| state.to_bytes());
        PyBytes::new(py, &bytes)
    }

    /// Becomes the state of a binary form.
    fn _load(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        let state =
            py.detach(|| Patterns::from_bytes(data)).map_err(|error| python_error(&error))?;
        *self.lock(py) = state;
        Ok(())
    }

    /// Counts a flow of another protocol, by mitmproxy's name of it: `tcp`, `udp`, or `dns`.
    fn _skip(&self, py: Python<'_>, protocol: &str) {
        self.lock(py).skip(match protocol {
            "tcp" => SkipReason::Tcp,
            "udp" => SkipReason::Udp,
            _ => SkipReason::Dns,
        });
    }

    /// How many flows were taken in.
    #[getter]
    fn used(&self, py: Python<'_>) -> u64 {
        self.lock(py).used()
    }

    /// The report as JSON, and which rules matched nothing.
    fn report_json(
        &self,
        py: Python<'_>,
        wanted: Option<Wanted>,
    ) -> PyResult<(String, Vec<String>)> {
        let options = match wanted {
            Some(wanted) => wanted.options()?.report,
            None => ReportOptions::default(),
        };
        // Flows go on coming in while the decision is made.
        let state = self.lock(py).clone();
        let (json, problems) = py.detach(|| {
            let decision = state.decide(&options);
            (serde_json::to_string(&decision.report), decision.problems())
        });
        Ok((json.map_err(|error| UsageError::new_err(error.to_string()))?, problems))
    }
}
