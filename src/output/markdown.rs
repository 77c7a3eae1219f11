//! Markdown output: a table per host.

use std::io::{self, Write};

use crate::output::{Output, OverviewOptions, status_classes};
use crate::report::overview::Overview;
use crate::report::{Pattern, Report};

/// Writes a heading and a table per host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Markdown {
    /// Order of hosts and endpoints, and whether third parties are summed up.
    pub overview: OverviewOptions,
}

impl Output for Markdown {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        let overview = Overview::of(report, self.overview);
        for (number, host) in overview.hosts.iter().enumerate() {
            let gap = if number > 0 { "\n" } else { "" };
            writeln!(out, "{gap}## {}\n", code(host.host))?;
            writeln!(out, "| Requests | Endpoint | Status | p50 ms | p95 ms | Query parameters |")?;
            writeln!(out, "|---:|---|---|---:|---:|---|")?;
            write_rows(&host.patterns, out)?;
        }
        if !overview.third_parties.is_empty() {
            let gap = if overview.hosts.is_empty() { "" } else { "\n" };
            writeln!(out, "{gap}## Third parties\n")?;
            writeln!(out, "| Requests | Endpoints | Hosts | Domain |\n|---:|---:|---:|---|")?;
        }
        for third in &overview.third_parties {
            let (requests, endpoints, hosts) = (third.requests, third.endpoints, third.hosts);
            writeln!(out, "| {requests} | {endpoints} | {hosts} | {} |", code(&third.domain))?;
        }
        Ok(())
    }
}

fn write_rows(patterns: &[&Pattern], out: &mut dyn Write) -> io::Result<()> {
    for pattern in patterns {
        let classes = status_classes(pattern).into_iter().zip(1..).filter(|(count, _)| *count > 0);
        let status: Vec<String> =
            classes.map(|(count, class)| format!("{class}xx: {count}")).collect();
        let latency = pattern.latency_ms.as_ref();
        let query: Vec<String> = pattern.query_params.iter().map(|name| code(name)).collect();
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            pattern.request_count,
            code(&pattern.shown_endpoint()),
            status.join(", "),
            latency.map(|latency| latency.p50.to_string()).unwrap_or_default(),
            latency.map(|latency| latency.p95.to_string()).unwrap_or_default(),
            query.join(" "),
        )?;
    }
    Ok(())
}

/// Formats captured text as a code span that can neither contain markup nor end its table cell. Characters that
/// Markdown implementations treat differently there are percent-encoded, as is valid in a path.
fn code(text: &str) -> String {
    let safe = |c| match c {
        '`' => "%60".to_owned(),
        '|' => "%7C".to_owned(),
        '\\' => "%5C".to_owned(),
        c => c.to_string(),
    };
    format!("`{}`", text.chars().map(safe).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_text_cannot_leave_its_cell() {
        assert_eq!(code("a`b|c<img>"), "`a%60b%7Cc<img>`");
        assert_eq!(code("a\\|b"), "`a%5C%7Cb`");
    }
}
