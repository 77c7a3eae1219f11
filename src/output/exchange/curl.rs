//! Exchanges as commands of curl.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::output::exchange::{ExchangeOutput, header};
use crate::report::exchange::{BodyContent, Exchange};

/// The requests of exchanges as commands for a POSIX shell with curl. What is masked stays `[masked]`, to be filled in.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExchangeCurl;

/// Headers that curl sets itself.
const SET_BY_CURL: [&str; 5] =
    ["connection", "content-length", "host", "proxy-connection", "transfer-encoding"];

impl ExchangeOutput for ExchangeCurl {
    fn write(&self, exchanges: &[Exchange], out: &mut dyn Write) -> io::Result<()> {
        for exchange in exchanges {
            writeln!(out, "{}", command(exchange))?;
        }
        Ok(())
    }
}

fn command(exchange: &Exchange) -> String {
    let request = &exchange.request;
    let mut command = format!("curl {}", quoted(&request.url));
    let mut option = |text: String| {
        write!(command, " \\\n  {text}").unwrap_or_default();
    };
    let data = match &request.body.content {
        BodyContent::Empty => None,
        BodyContent::Json { json } => Some(quoted(&json.to_string())),
        BodyContent::Text { text } => Some(quoted(text)),
        // A file stands for what a command line cannot hold or what is not shown.
        BodyContent::Bytes { .. } | BodyContent::Hidden { .. } => Some("@BODY".to_owned()),
    };
    let default = if data.is_some() { "POST" } else { "GET" };
    if request.method == "HEAD" {
        option("--head".to_owned());
    } else if request.method != default {
        option(format!("-X {}", quoted(&request.method)));
    }
    for (name, value) in &request.headers {
        let is_set = SET_BY_CURL.iter().any(|set| name.eq_ignore_ascii_case(set));
        if is_set || name.starts_with(':') {
            continue;
        }
        if name.eq_ignore_ascii_case("accept-encoding") {
            option("--compressed".to_owned());
        } else if value.is_empty() {
            // curl leaves a header without a value out, unless a semicolon ends its name.
            option(format!("-H {}", quoted(&format!("{name};"))));
        } else {
            option(format!("-H {}", quoted(&format!("{name}: {value}"))));
        }
    }
    if let Some(data) = data {
        if header(&request.headers, "content-type").is_none() {
            option("-H 'content-type;'".to_owned());
        }
        option(format!("--data-binary {data}"));
    }
    command
}

/// A word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("it's $HOME `x`"), "'it'\\''s $HOME `x`'");
    }
}
