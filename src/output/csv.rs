//! CSV output (RFC 4180, but with line feeds): one pattern per line.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::output::{Output, status_classes};
use crate::report::{Latency, Pattern, Report};

/// Writes a line of column names, then one line per pattern. Lists within a cell are separated by spaces.
///
/// A cell that a spreadsheet would evaluate as a formula is prefixed with an apostrophe.
#[derive(Clone, Copy, Debug, Default)]
pub struct Csv;

/// A column: its name, and its cell for a pattern.
type Column = (&'static str, fn(&Pattern) -> Cow<'_, str>);

/// The columns. New ones are added at the end, so that the position of a column never changes.
const COLUMNS: &[Column] = &[
    ("id", |pattern| (&*pattern.id).into()),
    ("host", |pattern| (&*pattern.host).into()),
    ("method", |pattern| (&*pattern.method).into()),
    ("path_pattern", |pattern| (&*pattern.path_pattern).into()),
    ("request_count", |pattern| pattern.request_count.to_string().into()),
    ("failed_count", |pattern| pattern.failed_count.to_string().into()),
    ("1xx", |pattern| status_class(pattern, 1)),
    ("2xx", |pattern| status_class(pattern, 2)),
    ("3xx", |pattern| status_class(pattern, 3)),
    ("4xx", |pattern| status_class(pattern, 4)),
    ("5xx", |pattern| status_class(pattern, 5)),
    ("path_params", |pattern| pattern.path_params.join(" ").into()),
    ("query_params", |pattern| pattern.query_params.join(" ").into()),
    ("media_types", |pattern| joined(pattern.media_types.keys())),
    ("p50_ms", |pattern| latency(pattern, |latency| latency.p50)),
    ("p95_ms", |pattern| latency(pattern, |latency| latency.p95)),
    ("p99_ms", |pattern| latency(pattern, |latency| latency.p99)),
    ("first_seen", |pattern| pattern.first_seen.as_deref().unwrap_or_default().into()),
    ("last_seen", |pattern| pattern.last_seen.as_deref().unwrap_or_default().into()),
    ("operation", |pattern| pattern.operation.as_deref().unwrap_or_default().into()),
    ("class", |pattern| pattern.class.name().into()),
    ("party", |pattern| pattern.party.name().into()),
    ("request_media_types", |pattern| joined(pattern.request_media_types.keys())),
    ("websocket_count", |pattern| pattern.websocket_count.to_string().into()),
];

/// The number of responses with a status of one class, from 1 to 5.
fn status_class(pattern: &Pattern, class: usize) -> Cow<'_, str> {
    status_classes(pattern)[class - 1].to_string().into()
}

fn joined<'p>(names: impl Iterator<Item = &'p String>) -> Cow<'p, str> {
    let names: Vec<&str> = names.map(String::as_str).collect();
    names.join(" ").into()
}

/// One percentile of the latency; empty if no duration is known.
fn latency(pattern: &Pattern, percentile: fn(&Latency) -> f64) -> Cow<'_, str> {
    let latency = pattern.latency_ms.as_ref();
    latency.map(|latency| percentile(latency).to_string()).unwrap_or_default().into()
}

impl Output for Csv {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
        writeln!(out, "{}", names.join(","))?;
        for pattern in &report.patterns {
            let cells: Vec<_> = COLUMNS.iter().map(|(_, text)| cell(text(pattern))).collect();
            writeln!(out, "{}", cells.join(","))?;
        }
        Ok(())
    }
}

fn cell(text: Cow<'_, str>) -> Cow<'_, str> {
    let text = if has_formula(&text) { Cow::Owned(without_formulas(&text)) } else { text };
    if text.contains([',', '"', '\n', '\r', ';', '\t']) {
        return Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")));
    }
    text
}

/// Returns `true` if a spreadsheet takes a cell that begins with this character for a formula. Includes the fullwidth
/// forms that East Asian keyboards produce.
fn begins_formula(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
}

/// Returns `true` if a formula begins at the start of the text, or after a `;` or tab, which spreadsheets of other
/// locales take for a separator.
fn has_formula(text: &str) -> bool {
    text.split([';', '\t']).any(|part| part.trim_start().starts_with(begins_formula))
}

fn without_formulas(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut is_start = true;
    for c in text.chars() {
        if is_start && begins_formula(c) {
            out.push('\'');
        }
        is_start = matches!(c, ';' | '\t') || (is_start && c == ' ');
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formula() {
        assert_eq!(cell("a,b".into()), "\"a,b\"");
        assert_eq!(cell("say \"x\"".into()), "\"say \"\"x\"\"\"");
        assert_eq!(cell("=1+2".into()), "'=1+2");
        assert_eq!(cell("/a".into()), "/a");
        assert_eq!(cell("a; =1+2".into()), "\"a; '=1+2\"");
        assert_eq!(cell("\u{ff1d}1".into()), "'\u{ff1d}1");
    }
}
