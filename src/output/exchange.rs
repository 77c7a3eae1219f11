//! Formatters of single exchanges: one file per format, each an implementation of [`ExchangeOutput`].

mod curl;
mod dump;
mod har;
mod json;
mod text;

use std::io::{self, Write};

use crate::report::exchange::Exchange;

pub use curl::ExchangeCurl;
pub use dump::ExchangeDump;
pub use har::ExchangeHar;
pub use json::ExchangeJson;
pub use text::ExchangeText;

/// A format in which exchanges can be written.
///
/// ```
/// use api_patterns::output::{ExchangeCurl, ExchangeOutput};
/// use api_patterns::{Captures, ExchangeQuery, InputFormat, Options, Secrets, exchanges};
///
/// let line = br#"{"method": "GET", "url": "https://api.example.com/orders?page=2", "request_headers": {"cookie": "a=b"}}"#;
/// let captures = Captures::from_bytes("one line", line.to_vec(), InputFormat::Detect)?;
/// let query = ExchangeQuery::Endpoint { endpoint: "/orders".to_owned(), newest: 1 };
/// let found = exchanges(&captures, &Options::default(), &query, Secrets::Masked, &())?;
/// let mut out = Vec::new();
/// ExchangeCurl.write(&found, &mut out).unwrap();
/// let command = String::from_utf8(out).unwrap();
/// assert!(command.starts_with("curl 'https://api.example.com/orders?page=2'"));
/// assert!(command.contains("'cookie: a=[masked]'"));
/// # Ok::<(), api_patterns::Error>(())
/// ```
pub trait ExchangeOutput {
    /// Writes exchanges, and a final newline.
    ///
    /// # Errors
    ///
    /// Returns an error if `out` cannot be written to.
    fn write(&self, exchanges: &[Exchange], out: &mut dyn Write) -> io::Result<()>;
}

/// The value of a header, whose name is compared without case.
fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    let found = headers.iter().find(|header| header.0.eq_ignore_ascii_case(name));
    found.map(|header| &*header.1)
}
