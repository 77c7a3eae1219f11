//! Conversion of the library's errors to Python exceptions.

use api_patterns::Error;
use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyKeyboardInterrupt};

create_exception!(
    api_patterns,
    ApiPatternsError,
    PyException,
    "An error of this package. Its text is one sentence that says what failed."
);
create_exception!(
    api_patterns,
    CaptureError,
    ApiPatternsError,
    "A capture cannot be opened or read, or the file is not a capture."
);
create_exception!(api_patterns, UsageError, ApiPatternsError, "An argument is invalid.");
create_exception!(
    api_patterns,
    FlowError,
    ApiPatternsError,
    "A flow for which the original tool raises an exception (compat)."
);

pub(crate) fn python_error(error: &Error) -> PyErr {
    let sentence = error.to_string();
    if error.is_canceled() {
        PyKeyboardInterrupt::new_err(sentence)
    } else if error.is_usage() {
        UsageError::new_err(sentence)
    } else if error.is_flow() {
        FlowError::new_err(sentence)
    } else {
        CaptureError::new_err(sentence)
    }
}
