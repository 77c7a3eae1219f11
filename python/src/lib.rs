//! Python bindings: a thin wrapper of the library. Python objects are converted to flows, and reports are returned as
//! JSON, from which `api_patterns/*.py` builds Python objects.

#![allow(clippy::doc_markdown, reason = "the documentation is Python's, which has no backticks")]
#![allow(clippy::needless_pass_by_value, reason = "what Python calls is given owned values")]

mod comparisons;
mod errors;
mod flows;
mod patterns;
mod run;
mod source;
mod splits;
mod values;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("ApiPatternsError", py.get_type::<errors::ApiPatternsError>())?;
    module.add("CaptureError", py.get_type::<errors::CaptureError>())?;
    module.add("UsageError", py.get_type::<errors::UsageError>())?;
    module.add("FlowError", py.get_type::<errors::FlowError>())?;
    module.add_class::<patterns::PyPatterns>()?;
    module.add_function(wrap_pyfunction!(run::get_api_patterns, module)?)?;
    module.add_function(wrap_pyfunction!(run::analyze, module)?)?;
    module.add_class::<comparisons::Descriptions>()?;
    module.add_function(wrap_pyfunction!(comparisons::drift, module)?)?;
    module.add_function(wrap_pyfunction!(comparisons::diff, module)?)?;
    module.add_function(wrap_pyfunction!(splits::split, module)?)?;
    module.add_function(wrap_pyfunction!(splits::observe_split, module)?)?;
    Ok(())
}
