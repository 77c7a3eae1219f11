//! Table output for terminals: aligned, fitted to the width of the terminal, grouped by host.

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::math::format_thousands;
use crate::output::{CLASS_NAMES, Output, OverviewOptions, status_classes};
use crate::report::overview::{Overview, ThirdParty};
use crate::report::{Pattern, Report};

/// Writes a table per host: those of first parties before others, calls of an API before pages and assets, and those with the
/// most requests first.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Maximum width of a line in columns; `None` for unlimited. Very narrow widths may be exceeded.
    pub width: Option<usize>,
    /// True if the output contains colour sequences.
    pub color: bool,
    /// Order of hosts and endpoints, and whether third parties are summed up.
    pub overview: OverviewOptions,
}

/// Number of spaces between two columns.
pub(super) const GAP: usize = 2;
/// Minimum width of the path column.
const MIN_PATH_WIDTH: usize = 24;
/// Maximum number of lines for third parties, so that what stands above them stays on the screen.
const MAX_THIRD_PARTIES: usize = 10;
/// Minimum width of the query column, below which it is dropped.
const MIN_QUERY_WIDTH: usize = 12;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
/// Title of the number of requests where there is no room for a long one.
const SHORT_TITLE: &str = "n";
/// Class of the statuses 200 to 299.
const SUCCESS: usize = 1;
/// Classes of status in the order in which they are dropped: 1xx, 3xx, none, 2xx.
const LEAST_CLASSES: [usize; 4] = [0, 2, 5, SUCCESS];

impl Output for Table {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        let overview = Overview::of(report, self.overview);
        for (number, host) in overview.hosts.iter().enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            self.write_host(host.host, &host.patterns, out)?;
        }
        write_third_parties(&overview.third_parties, !overview.hosts.is_empty(), out)
    }
}

/// Writes a line for each of the third parties with most requests, below a line with the sums of all. `has_above` says that a table stands above.
pub(super) fn write_third_parties(
    parties: &[ThirdParty],
    has_above: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    if parties.is_empty() {
        return Ok(());
    }
    let endpoints: u64 = parties.iter().map(|third| third.endpoints).sum();
    let requests: u64 = parties.iter().map(|third| third.requests).sum();
    if has_above {
        writeln!(out)?;
    }
    writeln!(
        out,
        "third parties: {}, {}, {}",
        format_count(parties.len() as u64, "domain"),
        format_count(endpoints, "endpoint"),
        format_count(requests, "request"),
    )?;
    writeln!(out, "{:>9}  {:>9}  domain (--all lists their endpoints)", "requests", "endpoints")?;
    // The last line sums up the others, if there are too many.
    let shown =
        if parties.len() > MAX_THIRD_PARTIES { MAX_THIRD_PARTIES - 1 } else { parties.len() };
    let (shown, others) = parties.split_at(shown);
    let mut write = |requests: u64, endpoints: u64, domain: &str| {
        writeln!(
            out,
            "{:>9}  {:>9}  {domain}",
            format_thousands(requests),
            format_thousands(endpoints)
        )
    };
    for third in shown {
        write(third.requests, third.endpoints, &third.domain)?;
    }
    if others.is_empty() {
        return Ok(());
    }
    let requests = others.iter().map(|third| third.requests).sum();
    let endpoints = others.iter().map(|third| third.endpoints).sum();
    write(requests, endpoints, &format!("{} more domains", format_thousands(others.len() as u64)))
}

/// Cells of one line.
struct TableRow<'a> {
    requests: String,
    method: &'a str,
    path: &'a str,
    classes: [u64; 6],
    times: [String; 2],
    query: String,
    bodies: String,
}

impl<'a> TableRow<'a> {
    fn new(pattern: &'a Pattern) -> Self {
        let with_status = status_classes(pattern);
        let mut classes = [0; 6];
        classes[..5].copy_from_slice(&with_status);
        classes[5] = pattern.request_count.saturating_sub(with_status.iter().sum());
        let time = |value: Option<f64>| value.map_or_else(String::new, milliseconds);
        let latency = pattern.latency_ms.as_ref();
        Self {
            requests: format_thousands(pattern.request_count),
            method: pattern.shown_method(),
            path: pattern.endpoint.strip_prefix(&*pattern.method).map_or("", str::trim_start),
            classes,
            times: [
                time(latency.map(|latency| latency.p50)),
                time(latency.map(|latency| latency.p95)),
            ],
            query: pattern.query_params.join(" "),
            bodies: bodies(pattern),
        }
    }
}

/// The directions in which an endpoint has schemas: `in`, `out`, with a mark where content is secret or personal.
fn bodies(pattern: &Pattern) -> String {
    let is_read = |summary: &crate::report::bodies::BodySummary| summary.bodies > 0;
    let request = pattern.request_body.values().any(is_read);
    let responses = || pattern.responses.values().flat_map(|summaries| summaries.values());
    let all = pattern.request_body.values().chain(responses());
    let is_sensitive = all.into_iter().any(|summary| !summary.sensitive.is_empty());
    let mut parts = Vec::new();
    if request {
        parts.push("in");
    }
    if responses().any(is_read) {
        parts.push("out");
    }
    if is_sensitive {
        parts.push("sensitive");
    }
    parts.join(" ")
}

/// Widths of the columns. A width of 0 drops an optional column.
struct ColumnWidths {
    requests: usize,
    /// Width of the largest number of requests.
    most_digits: usize,
    method: usize,
    path: usize,
    classes: Vec<(usize, usize)>,
    times: [usize; 2],
    query: usize,
    bodies: usize,
}

impl ColumnWidths {
    fn new(rows: &[TableRow<'_>], width: Option<usize>) -> Self {
        let widest = |cell: &dyn Fn(&TableRow<'_>) -> usize, title: &str| {
            rows.iter().map(cell).max().unwrap_or(0).max(title.len())
        };
        let used = |class: &usize| rows.iter().any(|row| row.classes[*class] > 0);
        let class_width = |class| {
            widest(
                &|row: &TableRow<'_>| format_thousands(row.classes[class]).len(),
                CLASS_NAMES[class],
            )
        };
        let time_width = |i: usize, title| {
            if rows.iter().all(|row| row.times[i].is_empty()) {
                0
            } else {
                widest(&|row| row.times[i].len(), title)
            }
        };
        let mut columns = Self {
            requests: widest(&|row| row.requests.len(), "requests"),
            most_digits: widest(&|row| row.requests.len(), ""),
            method: widest(&|row| row.method.width(), "method"),
            path: widest(&|row| row.path.width(), "path"),
            classes: (0..6).filter(used).map(|class| (class, class_width(class))).collect(),
            times: [time_width(0, "p50"), time_width(1, "p95")],
            query: if rows.iter().all(|row| row.query.is_empty()) {
                0
            } else {
                widest(&|row| row.query.width(), "query")
            },
            bodies: if rows.iter().all(|row| row.bodies.is_empty()) {
                0
            } else {
                widest(&|row| row.bodies.width(), "bodies")
            },
        };
        if let Some(width) = width {
            columns.shrink(width);
        }
        columns
    }

    fn total(&self) -> usize {
        let optional = self
            .classes
            .iter()
            .map(|class| class.1)
            .chain(self.times)
            .chain([self.query, self.bodies]);
        self.requests
            + GAP
            + self.method
            + GAP
            + self.path
            + optional.map(|width| if width > 0 { width + GAP } else { 0 }).sum::<usize>()
    }

    /// Fits the table into `width` by dropping the least important parts: first the query column (its names move to a
    /// line of their own), then p95 and p50, then the middle of long paths, then the classes of status that say least.
    fn shrink(&mut self, width: usize) {
        let over = |columns: &Self| columns.total().saturating_sub(width);
        if over(self) > 0 && self.query > 0 {
            let left = self.query.saturating_sub(over(self));
            self.query = if left >= MIN_QUERY_WIDTH { left } else { 0 };
        }
        for time in [1, 0] {
            if over(self) > 0 {
                self.times[time] = 0;
            }
        }
        if over(self) > 0 {
            self.requests = self.most_digits.max(SHORT_TITLE.len());
        }
        let comfortable = (self.path * 3 / 4).max(MIN_PATH_WIDTH).min(self.path);
        for class in LEAST_CLASSES {
            // Successes are what most rows have, so they stay as long as a path can be told from others.
            let least = if class == SUCCESS { MIN_PATH_WIDTH.min(self.path) } else { comfortable };
            if self.path < least + over(self) {
                self.classes.retain(|kept| kept.0 != class);
            }
        }
        self.path = self.path.saturating_sub(over(self)).max(MIN_PATH_WIDTH.min(self.path));
    }
}

impl Table {
    fn write_host(&self, host: &str, patterns: &[&Pattern], out: &mut dyn Write) -> io::Result<()> {
        let rows: Vec<TableRow<'_>> = patterns.iter().copied().map(TableRow::new).collect();
        let columns = ColumnWidths::new(&rows, self.width);
        let requests: u64 = patterns.iter().map(|pattern| pattern.request_count).sum();
        let summary = format!(
            "{}, {}",
            format_count(patterns.len() as u64, "endpoint"),
            format_count(requests, "request")
        );
        let host = cut(
            host,
            self.width
                .unwrap_or(usize::MAX)
                .saturating_sub(summary.len() + GAP)
                .max(MIN_PATH_WIDTH),
        );
        writeln!(out, "{}  {}", self.styled(&host, BOLD), self.styled(&summary, DIM))?;
        self.write_titles(&columns, out)?;
        rows.iter().try_for_each(|row| self.write_row(row, &columns, out))
    }

    fn write_titles(&self, columns: &ColumnWidths, out: &mut dyn Write) -> io::Result<()> {
        let is_short = columns.requests < "requests".len();
        let title = if is_short { SHORT_TITLE } else { "requests" };
        let mut line = format!("{title:>0$}", columns.requests);
        push_left(&mut line, "method", columns.method);
        push_left(&mut line, "path", columns.path);
        for (class, width) in &columns.classes {
            push_right(&mut line, CLASS_NAMES[*class], *width);
        }
        for (title, width) in ["p50", "p95"].iter().zip(columns.times) {
            push_right(&mut line, title, width);
        }
        if columns.bodies > 0 {
            push_left(&mut line, "bodies", columns.bodies);
        }
        if columns.query > 0 {
            push_left(&mut line, "query", columns.query);
        }
        writeln!(out, "{}", self.styled(line.trim_end(), DIM))
    }

    fn write_row(
        &self,
        row: &TableRow<'_>,
        columns: &ColumnWidths,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut line = format!("{:>1$}", row.requests, columns.requests);
        self.push_styled(&mut line, row.method, columns.method, method_style(row.method));
        let path = cut(row.path, columns.path);
        line.push_str("  ");
        line.push_str(&self.with_parameters(&path));
        line.extend(std::iter::repeat_n(' ', columns.path.saturating_sub(path.width())));
        for (class, width) in &columns.classes {
            let count = row.classes[*class];
            let text = if count == 0 { String::new() } else { format_thousands(count) };
            line.extend(std::iter::repeat_n(' ', GAP + width.saturating_sub(text.len())));
            line.push_str(&self.styled(&text, class_style(*class)));
        }
        for (time, width) in row.times.iter().zip(columns.times) {
            push_right(&mut line, time, width);
        }
        if columns.bodies > 0 {
            push_left(&mut line, &row.bodies, columns.bodies);
        }
        if columns.query > 0 {
            push_left(&mut line, &cut(&row.query, columns.query), columns.query);
        }
        writeln!(out, "{}", line.trim_end())?;
        if columns.query == 0 && !row.query.is_empty() {
            let indent = columns.requests + GAP + columns.method + GAP;
            let room = self.width.unwrap_or(usize::MAX).saturating_sub(indent).max(MIN_PATH_WIDTH);
            let names = cut(&format!("?{}", row.query.replace(' ', " ?")), room);
            writeln!(out, "{:indent$}{}", "", self.styled(&names, DIM))?;
        }
        Ok(())
    }

    fn styled(&self, text: &str, style: Style) -> String {
        styled(text, style, self.color)
    }

    fn push_styled(&self, line: &mut String, text: &str, width: usize, style: Style) {
        line.push_str("  ");
        line.push_str(&self.styled(text, style));
        line.extend(std::iter::repeat_n(' ', width.saturating_sub(text.width())));
    }

    /// Colours the parameters of a path.
    fn with_parameters(&self, path: &str) -> String {
        if !self.color {
            return path.to_owned();
        }
        let style = AnsiColor::Cyan.on_default();
        path.replace('{', &format!("{style}{{")).replace('}', &format!("}}{style:#}"))
            + &format!("{style:#}")
    }
}

/// Text in a style, if the output has colours.
pub(super) fn styled(text: &str, style: Style, color: bool) -> String {
    if color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

fn method_style(method: &str) -> Style {
    match method {
        "GET" | "HEAD" | "OPTIONS" => AnsiColor::Green.on_default(),
        "DELETE" => AnsiColor::Red.on_default(),
        _ => AnsiColor::Yellow.on_default(),
    }
}

fn class_style(class: usize) -> Style {
    match class {
        3 => AnsiColor::Yellow.on_default(),
        4 => AnsiColor::Red.on_default(),
        5 => DIM,
        _ => Style::new(),
    }
}

fn push_left(line: &mut String, text: &str, width: usize) {
    line.push_str("  ");
    line.push_str(text);
    line.extend(std::iter::repeat_n(' ', width.saturating_sub(text.width())));
}

fn push_right(line: &mut String, text: &str, width: usize) {
    if width > 0 {
        write!(line, "  {text:>width$}").unwrap_or_default();
    }
}

/// Shortens text to `width` columns by cutting its middle, since the end distinguishes endpoints.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let keep = width.saturating_sub(1);
    let (head, tail) = (keep - keep / 2, keep / 2);
    let take = |chars: &mut dyn Iterator<Item = char>, limit: usize| {
        let mut used = 0;
        let taken: Vec<char> = chars
            .take_while(|c| {
                used += c.width().unwrap_or(0);
                used <= limit
            })
            .collect();
        taken
    };
    let start: String = take(&mut text.chars(), head).into_iter().collect();
    let end: String = take(&mut text.chars().rev(), tail).into_iter().rev().collect();
    format!("{start}…{end}")
}

/// Formats a number with its noun, for example `1 flow` or `2,000 flows`.
pub(crate) fn format_count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", format_thousands(number), if number == 1 { "" } else { "s" })
}

fn milliseconds(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.1} ms")
    } else if value < 10_000.0 {
        format!("{value:.0} ms")
    } else {
        format!("{:.1} s", value / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_in_the_middle() {
        assert_eq!(cut("/organizations/{organization_id}/members", 21), "/organizat…d}/members");
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("漢字漢字", 5).width(), 5);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(format_count(1_234_567, "flow"), "1,234,567 flows");
        assert_eq!(format_count(1, "flow"), "1 flow");
    }
}
