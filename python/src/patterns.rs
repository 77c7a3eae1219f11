//! The state that merges, as a Python class.

use api_patterns::{Patterns, ReportOptions, SkipReason};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{UsageError, python_error};
use crate::flows::with_flow;
use crate::run::Wanted;

/// What was seen of any number of flows.
#[pyclass(name = "Patterns", module = "api_patterns", subclass)]
#[derive(Clone, Default)]
pub(crate) struct PyPatterns {
    inner: Patterns,
}

#[pymethods]
impl PyPatterns {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes in one flow.
    fn observe(&mut self, flow: &Bound<'_, PyAny>) -> PyResult<()> {
        with_flow(flow, false, |flow| match flow {
            Some(flow) => self.inner.observe(flow),
            None => self.inner.skip(SkipReason::NotHttp),
        })
    }

    /// Takes in flows from an iterable, those that are wanted; gives their number.
    #[pyo3(signature = (flows, wanted=None))]
    fn observe_many(&mut self, flows: &Bound<'_, PyAny>, wanted: Option<Wanted>) -> PyResult<u64> {
        let options = wanted.map(|wanted| wanted.options()).transpose()?;
        let mut count = 0;
        for flow in flows.try_iter()? {
            with_flow(&flow?, false, |flow| {
                let left_out = |flow| options.as_ref().and_then(|options| options.leaves_out(flow));
                match flow.map(|flow| (flow, left_out(flow))) {
                    None => self.inner.skip(SkipReason::NotHttp),
                    Some((_, Some(reason))) => self.inner.skip(reason),
                    Some((flow, None)) => self.inner.observe(flow),
                }
            })?;
            count += 1;
            if count % 4096 == 0 {
                flows.py().check_signals()?;
            }
        }
        Ok(count)
    }

    /// Takes in all that another state has seen.
    fn merge(&mut self, py: Python<'_>, other: &Bound<'_, Self>) -> PyResult<()> {
        let other = other
            .try_borrow()
            .map_err(|_| UsageError::new_err("a state cannot be merged with itself"))?
            .inner
            .clone();
        py.detach(|| self.inner.merge(other));
        Ok(())
    }

    /// The state in its binary form.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let bytes = py.detach(|| self.inner.to_bytes());
        PyBytes::new(py, &bytes)
    }

    /// Becomes the state of a binary form.
    fn load(&mut self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        self.inner =
            py.detach(|| Patterns::from_bytes(data)).map_err(|error| python_error(&error))?;
        Ok(())
    }

    /// How many flows were taken in.
    #[getter]
    fn used(&self) -> u64 {
        self.inner.used()
    }

    /// The report as JSON.
    fn report_json(&self, py: Python<'_>, wanted: Option<Wanted>) -> PyResult<String> {
        let options = match wanted {
            Some(wanted) => wanted.options()?.report,
            None => ReportOptions::default(),
        };
        py.detach(|| serde_json::to_string(&self.inner.decide(&options).report))
            .map_err(|error| UsageError::new_err(error.to_string()))
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let bytes = slf.borrow().to_bytes(slf.py());
        Ok((slf.get_type().getattr("from_bytes")?, (bytes,)))
    }
}
