//! Python class of the mergeable state.

use std::sync::{Mutex, MutexGuard, PoisonError};

use api_patterns::{Filter, Flow, Patterns, ReportOptions, SkipReason};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;

use crate::errors::{UsageError, python_error};
use crate::flows::{Bodies, ObserveError, Strictness, for_each, with_flow};
use crate::run::{CallOptions, DecidedJson, decided_json};

/// Mergeable state of any number of flows.
///
/// May be used from several threads: each flow is observed under a lock, and no Python code runs while it is held.
#[pyclass(name = "Patterns", module = "api_patterns", subclass, frozen)]
#[derive(Default)]
pub(crate) struct PyPatterns {
    inner: Mutex<Patterns>,
}

impl PyPatterns {
    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, Patterns> {
        self.inner.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the state, with which other threads can work meanwhile.
    pub(crate) fn copied(&self, py: Python<'_>) -> Patterns {
        self.lock(py).clone()
    }

    fn bodies(&self, py: Python<'_>) -> Bodies {
        Bodies::from_flag(self.lock(py).has_bodies())
    }

    fn observe_one(
        &self,
        py: Python<'_>,
        flow: Result<&Flow<'_>, SkipReason>,
        filter: Option<&Filter>,
    ) {
        let mut patterns = self.lock(py);
        let left_out = |flow| filter.and_then(|filter| filter.skip_reason(flow));
        match flow.and_then(|flow| left_out(flow).map_or(Ok(flow), Err)) {
            Err(reason) => patterns.skip(reason),
            Ok(flow) => patterns.observe(flow),
        }
    }
}

#[pymethods]
impl PyPatterns {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Observe one flow, a dict as `get_api_patterns` takes it.
    ///
    /// Args:
    ///     flow: The flow. If its URL is not an HTTP URL, it is counted as skipped.
    ///
    /// Raises:
    ///     TypeError, ValueError: If it is not a dict, or has no URL or method.
    fn observe(&self, flow: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = flow.py();
        let observe = |found: Result<&Flow<'_>, SkipReason>| self.observe_one(py, found, None);
        Ok(with_flow(flow, Strictness::Strict, self.bodies(py), observe)?)
    }

    /// Observe the flows of an iterable and return their number.
    ///
    /// Args:
    ///     flows: The flows. Each is observed as soon as the iterable yields it.
    ///
    /// Raises:
    ///     TypeError, ValueError: As for `observe`. Earlier flows stay observed.
    ///     KeyboardInterrupt: On Ctrl-C. Earlier flows stay observed.
    fn observe_many(&self, flows: &Bound<'_, PyAny>) -> PyResult<u64> {
        for_each(flows, self.bodies(flows.py()), |flow| self.observe(flow))
    }

    /// Observe the rows of a table that pass the filter. A row that is not a flow is counted as skipped.
    fn observe_rows(&self, rows: &Bound<'_, PyAny>, wanted: CallOptions) -> PyResult<u64> {
        let filter = Filter::new(&wanted.options()?);
        let bodies = self.bodies(rows.py());
        for_each(rows, bodies, |row| {
            let py = row.py();
            match with_flow(row, Strictness::Lenient, bodies, |flow| {
                self.observe_one(py, flow, Some(&filter))
            }) {
                Err(ObserveError::NoFlow(_)) => self.lock(py).skip(SkipReason::BadRecord),
                other => other?,
            }
            Ok(())
        })
    }

    /// Merge the flows of another state into this one.
    ///
    /// Args:
    ///     other: Another state. It is not changed.
    ///
    /// Raises:
    ///     UsageError: If `other` is this state.
    fn merge(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) -> PyResult<()> {
        if slf.is(other) {
            return Err(UsageError::new_err(
                "a state cannot be merged with itself; give another state",
            ));
        }
        let (py, own) = (slf.py(), slf.get());
        let other = other.get().lock(py).clone();
        py.detach(|| own.inner.lock().unwrap_or_else(PoisonError::into_inner).merge(other));
        Ok(())
    }

    /// Serialize the state to a versioned binary format with a checksum. Equal states give equal bytes.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let state = self.lock(py).clone();
        let bytes = py.detach(|| state.to_bytes());
        PyBytes::new(py, &bytes)
    }

    /// Replace the state by a serialized one.
    fn _load(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        let state =
            py.detach(|| Patterns::from_bytes(data)).map_err(|error| python_error(&error))?;
        *self.lock(py) = state;
        Ok(())
    }

    /// Observe bodies from now on.
    fn _observe_bodies(&self, py: Python<'_>) {
        let mut patterns = self.lock(py);
        if !patterns.has_bodies() {
            patterns.merge(Patterns::with_bodies());
        }
    }

    /// Count a flow of another protocol, given by mitmproxy's name for it: `tcp`, `udp`, or `dns`.
    fn _skip(&self, py: Python<'_>, protocol: &str) {
        self.lock(py).skip(match protocol {
            "tcp" => SkipReason::Tcp,
            "udp" => SkipReason::Udp,
            _ => SkipReason::Dns,
        });
    }

    /// Number of flows observed.
    #[getter]
    fn used(&self, py: Python<'_>) -> u64 {
        self.lock(py).used()
    }

    /// Whether bodies are observed: the state was created with `bodies=True`, or one that was is merged into it.
    #[getter(bodies)]
    fn has_bodies(&self, py: Python<'_>) -> bool {
        self.lock(py).has_bodies()
    }

    /// Return the report as JSON, the schemas as JSON if bodies are observed, and a sentence for each rule that matched
    /// nothing.
    fn report_json(&self, py: Python<'_>, wanted: Option<CallOptions>) -> PyResult<DecidedJson> {
        let options = match wanted {
            Some(wanted) => wanted.options()?.report,
            None => ReportOptions::default(),
        };
        // Work on a copy, so that other threads can observe flows meanwhile.
        let state = self.lock(py).clone();
        py.detach(|| {
            let (decision, schemas) = state.decide_with_schemas(&options);
            let problems = decision.problems();
            decided_json(decision.report, schemas, problems)
        })
    }
}
