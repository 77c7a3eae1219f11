//! Parts of captures for tasks on other machines, and what was seen of them, as bytes.

use std::path::PathBuf;

use api_patterns::{InputFormat, Split};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::python_error;
use crate::run::{Wanted, watched};

/// The places of one part; `None` for all of a file.
type Part = Option<Vec<(u64, u64)>>;

/// What is given of a part: the bytes of a state, and sentences about what went wrong.
type Seen<'py> = (Bound<'py, PyBytes>, Vec<String>);

/// The parts of a capture file, and what is in none of them. `None` where a file that nobody named is no capture:
/// in a folder lies much that nobody meant.
#[pyfunction]
pub(crate) fn split<'py>(
    py: Python<'py>,
    path: PathBuf,
    bytes: u64,
    is_named: bool,
    wanted: Wanted,
) -> PyResult<Option<(Vec<Part>, Seen<'py>)>> {
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

/// What was seen of one part.
#[pyfunction]
pub(crate) fn observe_split<'py>(
    py: Python<'py>,
    path: PathBuf,
    part: Part,
    wanted: Wanted,
) -> PyResult<Seen<'py>> {
    let options = wanted.options()?;
    let part = Split { places: part };
    let (state, problems) = watched(py, None, move |monitor| {
        api_patterns::observe_split(&path, InputFormat::Detect, &part, &options, &monitor)
    })?;
    Ok((PyBytes::new(py, &py.detach(|| state.to_bytes())), problems))
}
