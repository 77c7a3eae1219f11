//! CSV output (RFC 4180, but with line feeds): one pattern per line.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::output::{Output, status_classes};
use crate::report::Report;

/// Writes a line of column names, then one line per pattern. Lists within a cell are separated by spaces.
///
/// A cell that a spreadsheet would evaluate as a formula is prefixed with an apostrophe.
#[derive(Clone, Copy, Debug, Default)]
pub struct Csv;

const COLUMNS: &str = "id,host,method,path_pattern,request_count,failed_count,1xx,2xx,3xx,4xx,5xx,path_params,query_params,\
                       media_types,p50_ms,p95_ms,p99_ms,first_seen,last_seen,operation";

impl Output for Csv {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{COLUMNS}")?;
        for pattern in &report.patterns {
            let mut cells: Vec<Cow<'_, str>> = vec![
                (&*pattern.id).into(),
                (&*pattern.host).into(),
                (&*pattern.method).into(),
                (&*pattern.path_pattern).into(),
            ];
            cells.push(pattern.request_count.to_string().into());
            cells.push(pattern.failed_count.to_string().into());
            cells.extend(status_classes(pattern).map(|count| Cow::Owned(count.to_string())));
            cells.push(pattern.path_params.join(" ").into());
            cells.push(pattern.query_params.join(" ").into());
            cells.push(pattern.media_types.keys().cloned().collect::<Vec<_>>().join(" ").into());
            let latency =
                pattern.latency_ms.as_ref().map(|latency| [latency.p50, latency.p95, latency.p99]);
            cells.extend(
                (0..3).map(|i| {
                    latency.map_or(Cow::Borrowed(""), |values| values[i].to_string().into())
                }),
            );
            cells.push(pattern.first_seen.as_deref().unwrap_or_default().into());
            cells.push(pattern.last_seen.as_deref().unwrap_or_default().into());
            cells.push(pattern.operation.as_deref().unwrap_or_default().into());
            let cells: Vec<Cow<'_, str>> = cells.into_iter().map(cell).collect();
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
