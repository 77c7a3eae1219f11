//! The address of a server over HTTP.

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};

use crate::error::Error;
use crate::flow::text;

/// A server, with the headers that the operator adds to every request.
#[derive(Clone, Debug)]
pub(crate) struct RemoteServer {
    pub(super) url: Uri,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

impl RemoteServer {
    /// A server at a URL, with headers given as `NAME=VARIABLE`: their values are those of variables of the
    /// environment, so that no list of processes shows them.
    ///
    /// # Errors
    ///
    /// Fails if the URL is not one of HTTP or has a password, or if a header or variable cannot be used.
    pub(crate) fn parse(url: &str, headers: &[String]) -> Result<Self, Error> {
        let refused = |why: String| Error::usage(format!("--upstream: {why}"));
        let parsed: Uri = url.parse().map_err(|_| {
            refused("this is not a URL; give one as in https://mcp.example.com/mcp".to_owned())
        })?;
        if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.host().is_none() {
            return Err(refused("give a URL of http or https with a host".to_owned()));
        }
        if parsed.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            let why = "other processes can see a URL with a password; use --header-env Authorization=VARIABLE";
            return Err(refused(why.to_owned()));
        }
        let read = |given: &String| -> Result<(HeaderName, HeaderValue), String> {
            let (name, variable) =
                given.split_once('=').ok_or("give it as NAME=VARIABLE".to_owned())?;
            let header =
                name.parse::<HeaderName>().map_err(|_| format!("{name} is not a header"))?;
            if ["host", "content-length", "transfer-encoding", "connection"]
                .contains(&header.as_str())
                || header.as_str().starts_with("mcp-")
            {
                return Err(format!("{name} is set by the gateway"));
            }
            let value = std::env::var(variable)
                .map_err(|_| format!("there is no variable {variable} in the environment"))?;
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_| format!("the value of {variable} cannot be sent in a header"))?;
            value.set_sensitive(true);
            Ok((header, value))
        };
        let headers = headers.iter().map(|given| {
            read(given).map_err(|why| {
                Error::usage(format!("--header-env {}: {why}", text::printable(given.as_bytes())))
            })
        });
        Ok(Self { url: parsed, headers: headers.collect::<Result<_, _>>()? })
    }

    /// The URL without its query, which may have a secret.
    pub(in crate::gateway) fn shown(&self) -> String {
        let host = self.url.authority().map(ToString::to_string).unwrap_or_default();
        format!("{}://{host}{}", self.url.scheme_str().unwrap_or_default(), self.url.path())
    }
}
