//! Formatters of explanations: why the segments of an endpoint are literals or parameters.

use std::io::{self, Write};

use crate::output::counted;
use crate::report::decision::Explanation;

/// A format in which explanations can be written.
///
/// ```
/// use api_patterns::output::{ExplanationOutput, ExplanationText};
/// use api_patterns::{Flow, Patterns, ReportOptions};
///
/// let mut patterns = Patterns::new();
/// patterns.observe(&Flow::new("GET", "https://api.example.com/users/42").unwrap());
/// let mut options = ReportOptions::default();
/// options.explain = Some("GET /users/{user_id}".to_owned());
/// let mut out = Vec::new();
/// ExplanationText::default().write(&patterns.decide(&options).explanations, &mut out).unwrap();
/// let text = String::from_utf8(out).unwrap();
/// assert!(text.starts_with("GET /users/{user_id}  on api.example.com"));
/// ```
pub trait ExplanationOutput {
    /// Writes all explanations, and a final newline.
    ///
    /// # Errors
    ///
    /// Returns an error if `out` cannot be written to.
    fn write(&self, explanations: &[Explanation], out: &mut dyn Write) -> io::Result<()>;
}

/// Writes explanations as an indented JSON array.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExplanationJson;

impl ExplanationOutput for ExplanationJson {
    fn write(&self, explanations: &[Explanation], out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, explanations)?;
        out.write_all(b"\n")
    }
}

/// Writes explanations as text for a terminal.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExplanationText {
    /// Width of a line in columns, at which sentences are broken between words; `None` for unlimited.
    pub width: Option<usize>,
}

impl ExplanationText {
    /// Writes a sentence that is indented by two spaces for each level.
    fn write_line(self, level: usize, line: &str, out: &mut dyn Write) -> io::Result<()> {
        let indent = "  ".repeat(level);
        let Some(width) = self.width else { return writeln!(out, "{indent}{line}") };
        let below = format!("{indent}  ");
        let options = textwrap::Options::new(width.max(indent.len() + MIN_TEXT_WIDTH))
            .initial_indent(&indent)
            .subsequent_indent(&below)
            .break_words(false);
        writeln!(out, "{}", textwrap::fill(line, options))
    }
}

/// Columns that a sentence has at least, however deep it stands.
const MIN_TEXT_WIDTH: usize = 20;

impl ExplanationOutput for ExplanationText {
    fn write(&self, explanations: &[Explanation], out: &mut dyn Write) -> io::Result<()> {
        for (i, Explanation { pattern, near_misses }) in explanations.iter().enumerate() {
            if i > 0 {
                writeln!(out)?;
            }
            let requests = counted(pattern.request_count, "request");
            let title = format!("{}  on {}, {requests}", pattern.endpoint, pattern.host);
            self.write_line(0, &title, out)?;
            for parameter in
                pattern.parameters.iter().filter(|parameter| parameter.location == "path")
            {
                let segment = parameter.segment.unwrap_or_default();
                let distinct = parameter.distinct.unwrap_or_default();
                let confidence = parameter.confidence.unwrap_or_default();
                let values = counted(distinct, "different value");
                let about = format!(
                    "{{{}}}  segment {segment}, {}, {values}, confidence {confidence:.2}",
                    parameter.name, parameter.kind,
                );
                self.write_line(1, &about, out)?;
                if let Some(source) = &parameter.source {
                    self.write_line(2, &source.in_words(), out)?;
                }
                for reason in &parameter.reasons {
                    self.write_line(2, reason, out)?;
                }
            }
            if near_misses.is_empty() {
                self.write_line(1, "no decision about its path was close", out)?;
            } else {
                self.write_line(1, "close decisions:", out)?;
            }
            for miss in near_misses {
                self.write_line(2, &miss.in_words(), out)?;
            }
        }
        Ok(())
    }
}
