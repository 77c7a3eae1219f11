//! Source of a call: captures, or flows.

use std::path::PathBuf;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

/// Paths of captures, or an iterable of flow dicts.
pub(crate) enum Source<'py> {
    Paths(Vec<PathBuf>),
    Flows(Bound<'py, PyAny>),
}

/// Returns the path if the value is a `str`, `bytes` or `os.PathLike`.
fn path_of(value: &Bound<'_, PyAny>) -> PyResult<Option<PathBuf>> {
    let py = value.py();
    let is_path = value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyBytes>()
        || value.hasattr(intern!(py, "__fspath__"))?;
    if !is_path {
        return Ok(None);
    }
    py.import("os")?.call_method1(intern!(py, "fsdecode"), (value,))?.extract().map(Some)
}

impl<'py> Source<'py> {
    /// Classifies a source: a path, an iterable of paths, or an iterable of flows. The first item decides between the
    /// latter two.
    pub(crate) fn of(value: Bound<'py, PyAny>) -> PyResult<Self> {
        if let Some(path) = path_of(&value)? {
            return Ok(Self::Paths(vec![path]));
        }
        let py = value.py();
        let refused = || {
            PyTypeError::new_err(
                "source must be the path of a capture, a list of paths, or an iterable of flow dicts",
            )
        };
        if value.is_instance_of::<PyDict>() {
            return Err(refused());
        }
        // Iterating over a data frame yields its column names, which look like paths.
        if value.hasattr(intern!(py, "columns"))? {
            return Err(PyTypeError::new_err(
                "source is a data frame; give its rows as dicts: to_dict(\"records\") in pandas, to_dicts() in Polars",
            ));
        }
        let mut items = match value.try_iter() {
            Ok(items) => items,
            Err(error) if error.is_instance_of::<PyTypeError>(py) => return Err(refused()),
            Err(error) => return Err(error),
        };
        let Some(first) = items.next().transpose()? else { return Ok(Self::Flows(value)) };
        let Some(path) = path_of(&first)? else {
            // The first flow was taken from an iterator, so put it back in front.
            let chain = py.import("itertools")?.call_method1("chain", ((first,), items))?;
            return Ok(Self::Flows(chain));
        };
        let mut paths = vec![path];
        for item in items {
            paths.push(path_of(&item?)?.ok_or_else(|| {
                PyTypeError::new_err("source has both paths and items that are not paths")
            })?);
        }
        Ok(Self::Paths(paths))
    }
}
