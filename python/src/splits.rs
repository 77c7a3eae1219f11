//! Splits of captures, which tasks on other machines observe; the resulting states are exchanged as bytes.

use std::path::PathBuf;

use api_patterns::{InputFormat, Split};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::python_error;
use crate::run::{CallOptions, run_watched};

/// Byte or row ranges of a split; `None` for the whole file.
type SplitRanges = Option<Vec<(u64, u64)>>;

/// Result of observing a split: the serialized state, and sentences about what went wrong.
type SplitState<'py> = (Bound<'py, PyBytes>, Vec<String>);

/// Divide a capture file into splits. Also return the state of the flows that are in none of them. Return `None` for a
/// file that is not a capture and was found in a folder rather than named, since folders often contain other files.
#[pyfunction]
pub(crate) fn split(
    py: Python<'_>,
    path: PathBuf,
    bytes: u64,
    is_named: bool,
    wanted: CallOptions,
) -> PyResult<Option<(Vec<SplitRanges>, SplitState<'_>)>> {
    let options = wanted.options()?;
    let cut = py.detach(|| api_patterns::split(&path, InputFormat::Detect, bytes, &options));
    let (parts, rest, problems) = match cut {
        Ok(cut) => cut,
        Err(error) if error.is_format() && !is_named => return Ok(None),
        Err(error) => return Err(python_error(&error)),
    };
    let parts = parts.into_iter().map(|part| part.places).collect();
    Ok(Some((parts, (PyBytes::new(py, &py.detach(|| rest.to_bytes())), problems))))
}

/// Observe the flows of one split, and return their state.
#[pyfunction]
pub(crate) fn observe_split(
    py: Python<'_>,
    path: PathBuf,
    part: SplitRanges,
    wanted: CallOptions,
) -> PyResult<SplitState<'_>> {
    let options = wanted.options()?;
    let part = Split { places: part };
    let (state, problems) = run_watched(py, None, move |monitor| {
        api_patterns::observe_split(&path, InputFormat::Detect, &part, &options, &monitor)
    })?;
    Ok((PyBytes::new(py, &py.detach(|| state.to_bytes())), problems))
}
