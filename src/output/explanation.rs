//! Formatters of explanations: why the segments of an endpoint are literals or parameters.

use std::io::{self, Write};

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
/// ExplanationText.write(&patterns.decide(&options).explanations, &mut out).unwrap();
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
pub struct ExplanationText;

impl ExplanationOutput for ExplanationText {
    fn write(&self, explanations: &[Explanation], out: &mut dyn Write) -> io::Result<()> {
        for (i, Explanation { pattern, near_misses }) in explanations.iter().enumerate() {
            if i > 0 {
                writeln!(out)?;
            }
            writeln!(
                out,
                "{}  on {}, {} request{}",
                pattern.endpoint,
                pattern.host,
                pattern.request_count,
                if pattern.request_count == 1 { "" } else { "s" }
            )?;
            for parameter in
                pattern.parameters.iter().filter(|parameter| parameter.location == "path")
            {
                let segment = parameter.segment.unwrap_or_default();
                let distinct = parameter.distinct.unwrap_or_default();
                let confidence = parameter.confidence.unwrap_or_default();
                writeln!(
                    out,
                    "  {{{}}}  segment {segment}, {}, {distinct} different value{}, confidence {confidence:.2}",
                    parameter.name,
                    parameter.kind,
                    if distinct == 1 { "" } else { "s" },
                )?;
                if let Some(source) = &parameter.source {
                    writeln!(out, "    {}", source.in_words())?;
                }
                for reason in &parameter.reasons {
                    writeln!(out, "    {reason}")?;
                }
            }
            if near_misses.is_empty() {
                writeln!(out, "  no decision about its path was close")?;
            } else {
                writeln!(out, "  close decisions:")?;
            }
            for miss in near_misses {
                writeln!(out, "    {}", miss.in_words())?;
            }
        }
        Ok(())
    }
}
