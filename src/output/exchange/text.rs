//! Exchanges as people read them.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::Value;

use crate::flow::text::is_unsafe;
use crate::output::exchange::ExchangeOutput;
use crate::report::exchange::{BodyContent, Exchange, MessageBody};

/// Exchanges as text: request line, headers and body, and then those of the response. JSON is indented.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExchangeText;

/// Bytes of a body that are shown.
const MAX_BODY_BYTES: usize = 64 << 10;

impl ExchangeOutput for ExchangeText {
    fn write(&self, exchanges: &[Exchange], out: &mut dyn Write) -> io::Result<()> {
        for (at, exchange) in exchanges.iter().enumerate() {
            if at > 0 {
                out.write_all(b"\n----\n\n")?;
            }
            write_one(exchange, out)?;
        }
        Ok(())
    }
}

fn write_one(exchange: &Exchange, out: &mut dyn Write) -> io::Result<()> {
    // Each fact has its line, which a narrow terminal does not break.
    if let Some(endpoint) = &exchange.endpoint {
        writeln!(out, "# endpoint {endpoint}")?;
    }
    writeln!(out, "# id {} · {} at {}", exchange.id, exchange.source, exchange.offset)?;
    let mut time: Vec<String> = exchange.started.iter().cloned().collect();
    time.extend(exchange.duration_ms.map(|time| format!("{time} ms")));
    if !time.is_empty() {
        writeln!(out, "# {}", time.join(" · "))?;
    }
    let request = &exchange.request;
    writeln!(out, "{} {}", request.method, request.url)?;
    write_message(&request.headers, &request.body, out)?;
    match &exchange.response {
        Some(response) => {
            writeln!(out, "\n{}", response.status)?;
            write_message(&response.headers, &response.body, out)?;
        }
        None => writeln!(out, "\n(no response was recorded)")?,
    }
    if exchange.failed {
        writeln!(out, "(the exchange failed before it was complete)")?;
    }
    Ok(())
}

fn write_message(
    headers: &[(String, String)],
    body: &MessageBody,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (name, value) in headers {
        writeln!(out, "{name}: {value}")?;
    }
    let text = match &body.content {
        BodyContent::Empty => return Ok(()),
        BodyContent::Json { json } => escaped(json),
        BodyContent::Text { text } => text.clone(),
        BodyContent::Bytes { base64 } => {
            format!("({} bytes that are not text)", base64.len() / 4 * 3)
        }
        BodyContent::Hidden { bytes, why } => format!("({bytes} bytes are not shown: {why})"),
    };
    let mut end = text.len().min(MAX_BODY_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    writeln!(out, "\n{}", &text[..end])?;
    if end < text.len() {
        writeln!(out, "({} more bytes; --json writes all)", text.len() - end)?;
    }
    Ok(())
}

/// Indented JSON in which every character that could control a terminal is written as `\u`.
fn escaped(json: &Value) -> String {
    let text = serde_json::to_string_pretty(json).unwrap_or_default();
    if !text.chars().any(|c| c != '\n' && is_unsafe(c)) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !is_unsafe(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").unwrap_or_default();
            }
        }
    }
    out
}
