//! The command `audit`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Write};

use crate::audit::summary::AuditSummary;
use crate::cli::Failure;
use crate::cli::arguments::AuditArguments;
use crate::cli::exit::Exit;
use crate::cli::messages::complain;
use crate::error::Error;
use crate::flow::text::printable;
use crate::output::format_count;

/// The most names that a list shows.
const MAX_SHOWN: usize = 20;

/// Summarizes audit logs.
pub(super) fn audit(arguments: &AuditArguments) -> Result<Exit, Failure> {
    let mut summary = AuditSummary::default();
    for path in &arguments.logs {
        let name = path.display().to_string();
        let read = File::open(path).and_then(|file| summary.read(BufReader::new(file)));
        if !read.map_err(|error| Error::io(&name, "read", error))? {
            let why = "this is not an audit log; name the file that --audit-log of the server or the gateway wrote";
            return Err(Error::format(&name, why).into());
        }
    }
    if arguments.json {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &summary).map_err(io::Error::other)?;
        writeln!(out)?;
    } else {
        let shown = text_of(&summary);
        let lines = shown.lines().map(|line| printable(line.as_bytes()) + "\n");
        io::stdout().write_all(lines.collect::<String>().as_bytes())?;
    }
    if summary.unreadable_lines > 0 {
        complain(&format!(
            "{} not of an audit log",
            format_count(summary.unreadable_lines, "line")
        ));
    }
    Ok(if summary.calls + summary.invalid_messages.len() as u64 > 0 {
        Exit::Done
    } else {
        Exit::Nothing
    })
}

fn text_of(summary: &AuditSummary) -> String {
    let mut out = String::new();
    // Writing into memory cannot fail.
    write_summary(&mut out, summary).unwrap_or_default();
    out
}

fn write_summary(out: &mut String, summary: &AuditSummary) -> std::fmt::Result {
    write!(out, "{}, {} refused", format_count(summary.calls, "call"), summary.refused)?;
    if summary.first.is_empty() {
        writeln!(out)?;
    } else {
        writeln!(out, ", from {} to {}", summary.first, summary.last)?;
    }
    if summary.truncations > 0 {
        writeln!(
            out,
            "the log was cut {} by another program",
            format_count(summary.truncations, "time")
        )?;
    }
    writeln!(
        out,
        "\nTools                                     calls  refused   errors  mean s   slowest s"
    )?;
    let mut tools: Vec<_> = summary.tools.iter().collect();
    tools.sort_by_key(|(_, tool)| std::cmp::Reverse(tool.calls));
    for (name, tool) in tools.iter().take(MAX_SHOWN) {
        #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
        let mean = if tool.answers > 0 { tool.total_seconds / tool.answers as f64 } else { 0.0 };
        writeln!(
            out,
            "{name:<40} {:>6} {:>8} {:>8} {mean:>7.3} {:>11.3}",
            tool.calls, tool.refused, tool.errors, tool.slowest_seconds
        )?;
    }
    let slowest = summary.slowest();
    if let Some((name, tool)) = slowest.first() {
        writeln!(out, "slowest: {name}, {:.3} s", tool.slowest_seconds)?;
    }
    list(out, "Refused by rule", &AuditSummary::most_first(&summary.denials_by_rule))?;
    list(
        out,
        "Messages that were not passed on",
        &AuditSummary::most_first(&summary.invalid_messages),
    )?;
    writeln!(out, "\nClients                                   calls  refused")?;
    for (name, (calls, refused)) in
        AuditSummary::most_first(&summary.identities).iter().take(MAX_SHOWN)
    {
        writeln!(out, "{name:<40} {calls:>6} {refused:>8}")?;
    }
    Ok(())
}

fn list(out: &mut String, title: &str, counts: &[(&str, u64)]) -> std::fmt::Result {
    if counts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    for (name, count) in counts.iter().take(MAX_SHOWN) {
        writeln!(out, "{count:>7}  {name}")?;
    }
    if counts.len() > MAX_SHOWN {
        writeln!(out, "         and {} more (--json has all)", counts.len() - MAX_SHOWN)?;
    }
    Ok(())
}
