//! What a caller named: captures, or flows.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

/// Paths of captures, or an iterable of flow dicts.
pub(crate) enum Source<'py> {
    Paths(Vec<PathBuf>),
    Flows(Bound<'py, PyAny>),
}

fn path_of(value: &Bound<'_, PyAny>) -> Option<PathBuf> {
    let is_path = value.cast::<PyString>().is_ok()
        || value.cast::<PyBytes>().is_ok()
        || value.hasattr("__fspath__").unwrap_or(false);
    if is_path { value.extract().ok() } else { None }
}

impl<'py> Source<'py> {
    pub(crate) fn of(value: Bound<'py, PyAny>) -> Self {
        if let Some(path) = path_of(&value) {
            return Self::Paths(vec![path]);
        }
        let is_list = value.cast::<PyList>().is_ok() || value.cast::<PyTuple>().is_ok();
        if is_list && let Ok(items) = value.try_iter() {
            let paths: Option<Vec<PathBuf>> = items.map(|item| path_of(&item.ok()?)).collect();
            if let Some(paths) = paths.filter(|paths| !paths.is_empty()) {
                return Self::Paths(paths);
            }
        }
        Self::Flows(value)
    }
}
