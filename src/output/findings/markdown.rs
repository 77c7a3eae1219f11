use std::io::{self, Write};

use crate::finding::{Finding, FindingReport, Severity};
use crate::output::findings::{
    FindingsOutput, by_cause, counts, frequency, further, parts_of, share,
};

/// Findings of one severity that are written to a comment. The comments of most services end at 65,536 characters.
const MAX_ROWS: usize = 100;

/// Writes findings as a comment for a pull request: a sentence, a table, and notes folded away.
#[derive(Clone, Copy, Debug, Default)]
pub struct FindingsMarkdown {
    /// Whether the coverage of the description is written too.
    pub coverage: bool,
}

impl FindingsOutput for FindingsMarkdown {
    fn write(&self, report: &FindingReport, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "### API {}\n", escaped(&report.comparison))?;
        writeln!(out, "{}: **{}**", escaped(&report.summary), counts(report))?;
        let new = by_cause(report.findings.iter().filter(|finding| !finding.known));
        let (bad, notes): (Vec<_>, Vec<_>) =
            new.into_iter().partition(|(finding, _)| finding.severity > Severity::Info);
        if !bad.is_empty() {
            writeln!(out)?;
            table(&bad, out)?;
        }
        if !notes.is_empty() {
            writeln!(out, "\n<details><summary>{} notes</summary>\n", notes.len())?;
            table(&notes, out)?;
            writeln!(out, "\n</details>")?;
        }
        if self.coverage
            && let Some(coverage) = &report.coverage
        {
            writeln!(out, "\n| seen in traffic | |\n|---|---|")?;
            for (name, covered) in parts_of(coverage) {
                writeln!(out, "| {name} | {} |", share(covered))?;
            }
        }
        Ok(())
    }
}

fn table(findings: &[(&Finding, usize)], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| | operation | place | what | seen |\n|---|---|---|---|---|")?;
    for (finding, places) in findings.iter().take(MAX_ROWS) {
        let confidence = finding.confidence.map(|number| format!("confidence {number:.2}"));
        let seen: Vec<String> =
            frequency(finding).into_iter().chain(further(*places)).chain(confidence).collect();
        writeln!(
            out,
            "| {} `{}` | {} | {} | {} | {} |",
            finding.severity.name(),
            finding.rule,
            escaped(&finding.operation),
            escaped(&finding.place),
            escaped(&finding.message),
            seen.join(", "),
        )?;
    }
    if findings.len() > MAX_ROWS {
        writeln!(out, "\n{} more are not shown here.", findings.len() - MAX_ROWS)?;
    }
    Ok(())
}

/// Text that neither ends a cell nor is taken for markup, a link or a mention.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' => {
                out.push('\\');
                out.push(letter);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("@\u{2060}"),
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escaped("a|b<i>@team"), "a\\|b&lt;i&gt;@\u{2060}team");
    }
}
