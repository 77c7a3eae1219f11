//! The pane of details: what is known of the endpoint or of the node that is chosen.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::explorer::app::{Explorer, Pane};
use crate::explorer::styles::{status_style, styled};
use crate::explorer::tree_rows::{NodeKey, TreeRow};

use crate::math::format_thousands;
use crate::output::endpoint_details::EndpointDetails;
use crate::output::{format_count, status_classes};
use crate::report::Pattern;
use crate::report::timeline::TimelineInterval;

/// The most fields of messages that are listed.
const MAX_LISTED_FIELDS: usize = 60;

/// Columns of the bar of statuses.
const BAR_COLUMNS: u64 = 30;

/// The lines of the pane, in the width that they have.
pub(super) fn detail_lines(explorer: &Explorer, width: u16) -> Vec<Line<'static>> {
    let row = explorer.rows.get(explorer.row());
    let lines = match (explorer.pane, explorer.chosen(), row) {
        (Pane::Table | Pane::Detail, Some(pattern), _) => endpoint_lines(explorer, pattern),
        // A node with a single endpoint is that endpoint.
        (_, Some(pattern), Some(row)) if explorer.table.len() == 1 => {
            let mut lines = node_lines(explorer, row);
            lines.push(Line::default());
            lines.extend(endpoint_lines(explorer, pattern));
            lines
        }
        (_, _, Some(row)) => node_lines(explorer, row),
        _ => Vec::new(),
    };
    lines.into_iter().flat_map(|line| wrapped(line, usize::from(width))).collect()
}

/// The lines about a node of the tree: its endpoints, requests and errors.
fn node_lines(explorer: &Explorer, row: &TreeRow) -> Vec<Line<'static>> {
    let mut lines = vec![titled(explorer, row.label.clone())];
    lines.push(Line::from(format!(
        "{}, {}, {} % errors",
        format_count(row.requests, "request"),
        format_count(row.endpoints, "endpoint"),
        (row.errors * 100).div_ceil(row.requests.max(1))
    )));
    if row.key == NodeKey::All {
        let intervals = &explorer.session.analysis.timeline.intervals;
        if intervals.len() > 1 {
            lines.push(Line::default());
            lines.push(named(explorer, "requests over time", sparkline(intervals)));
        }
        let skipped = &explorer.session.analysis.report.totals.skipped;
        if !skipped.is_empty() {
            lines.push(Line::default());
        }
        for (reason, count) in skipped {
            lines.push(named(
                explorer,
                "left out",
                format!("{} × {}", reason.replace('_', " "), format_thousands(*count)),
            ));
        }
        for problem in explorer.problems() {
            lines.push(Line::from(problem));
        }
    }
    if let (NodeKey::Path(..), true) = (&row.key, row.depth > 0) {
        lines.push(Line::default());
        let advice = if row.label.contains('{') {
            "l keeps the segments here apart, r renames the parameter, p pins the path"
        } else {
            "m makes these segments a parameter, l keeps this one literal, p pins the path"
        };
        lines.push(Line::from(styled(explorer, advice, Style::new().add_modifier(Modifier::DIM))));
    }
    lines
}

/// Requests of the intervals as eighths of a line.
fn sparkline(intervals: &[TimelineInterval]) -> String {
    let most = intervals.iter().map(TimelineInterval::requests).max().unwrap_or(1).max(1);
    let bars = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bar = |interval: &TimelineInterval| {
        let eighths = (interval.requests() * 8).div_ceil(most);
        bars[usize::try_from(eighths).unwrap_or(8).min(8)]
    };
    intervals.iter().map(bar).collect()
}

/// All that is known of an endpoint.
fn endpoint_lines(explorer: &Explorer, pattern: &Pattern) -> Vec<Line<'static>> {
    let analysis = &explorer.session.analysis;
    let (fields, more_fields) = match &analysis.schemas {
        Some(schemas) => schemas.fields(&pattern.id, MAX_LISTED_FIELDS),
        None => (Vec::new(), 0),
    };
    let near_misses = analysis.near_misses.get(&pattern.id).map_or(&[][..], |near| near);
    let details = EndpointDetails::new(pattern, near_misses, &fields);
    let mut lines = vec![
        titled(explorer, format!("{} {}", pattern.shown_method(), details.path)),
        Line::from(format!(
            "{}  {}, {}  {}",
            pattern.host,
            pattern.class.name(),
            format_count(pattern.request_count, "request"),
            pattern.id
        )),
        status_bar(explorer, pattern),
    ];
    let mut add = |name: &'static str, text: &str| {
        if !text.is_empty() {
            lines.push(named(explorer, name, text.to_owned()));
        }
    };
    let failed = match pattern.failed_count {
        0 => String::new(),
        count => format!(", failed × {}", format_thousands(count)),
    };
    add("statuses", &format!("{}{failed}", details.statuses));
    add("p50/p95/p99", &details.latency);
    add("answer", &details.size);
    add("sensitive", &details.sensitive);
    add("sent as", &details.request_media_types);
    add("media types", &details.media_types);
    add("headers", &details.headers);
    let seen = [pattern.first_seen.as_deref(), pattern.last_seen.as_deref()];
    add("seen", &seen.into_iter().flatten().collect::<Vec<_>>().join(" to "));
    for it in &details.parameters {
        let parameter = it.parameter;
        lines.push(Line::default());
        let said = format!("in {}, {}; {}", parameter.location, parameter.kind, it.evidence);
        lines.push(named(explorer, "parameter", format!("{} {said}", parameter.name)));
        if !it.reasons.is_empty() {
            lines.push(Line::from(format!("  {}", it.reasons)));
        }
    }
    if details.more_parameters() > 0 {
        lines.push(Line::from(format!("and {} more", details.more_parameters())));
    }
    let groups: [(&'static str, Vec<String>); 3] = [
        ("near misses", details.near_misses.clone()),
        ("messages", messages(&details, more_fields)),
        ("samples", pattern.sample_flow_ids.clone()),
    ];
    if explorer.session.is_deciding() && details.fields.is_empty() {
        lines.push(named(explorer, "messages", "are being decided".to_owned()));
    }
    for (name, texts) in groups.into_iter().filter(|(_, texts)| !texts.is_empty()) {
        lines.push(Line::default());
        lines.push(Line::from(styled(explorer, name, name_style())));
        lines.extend(texts.into_iter().map(|text| Line::from(format!("  {text}"))));
    }
    lines.push(Line::default());
    lines.push(Line::from(details.curl));
    lines
}

fn messages(details: &EndpointDetails<'_>, more_fields: usize) -> Vec<String> {
    let fields = details.fields.iter();
    let mut lines: Vec<String> =
        fields.map(|field| format!("{}  {}", field.path, field.in_words())).collect();
    if more_fields > 0 {
        lines.push(format!("and {more_fields} more"));
    }
    lines
}

/// A bar of the shares of the classes of statuses, whose parts differ in their characters as well as in their colours.
fn status_bar(explorer: &Explorer, pattern: &Pattern) -> Line<'static> {
    let classes = status_classes(pattern);
    let none = pattern.request_count.saturating_sub(classes.iter().sum());
    let whole = pattern.request_count.max(1);
    let mut spans = Vec::new();
    for (class, count) in classes.into_iter().chain([none]).enumerate() {
        let columns = usize::try_from((count * BAR_COLUMNS).div_ceil(whole)).unwrap_or(0);
        let character = ['·', '█', '▒', '▓', '▚', '░'][class];
        let style = if explorer.is_colored { status_style(class) } else { Style::new() };
        spans.push(Span::styled(character.to_string().repeat(columns), style));
    }
    Line::from(spans)
}

fn name_style() -> Style {
    Style::new().fg(Color::Cyan)
}

fn titled(explorer: &Explorer, text: String) -> Line<'static> {
    Line::from(styled(explorer, text, Style::new().add_modifier(Modifier::BOLD)))
}

fn named(explorer: &Explorer, name: &'static str, text: String) -> Line<'static> {
    Line::from(vec![styled(explorer, format!("{name}  "), name_style()), Span::raw(text)])
}

/// A line cut into lines of a width, between words where that can be, the rest indented below.
fn wrapped(line: Line<'static>, width: usize) -> Vec<Line<'static>> {
    if line.width() <= width || width < 10 {
        return vec![line];
    }
    let mut wrapper = LineWrapper { width, room: width, lines: vec![Vec::new()] };
    for span in line.spans {
        for word in span.content.split_inclusive(' ') {
            wrapper.add(word, span.style);
        }
    }
    wrapper.lines.into_iter().map(Line::from).collect()
}

/// Columns by which what goes on is indented.
const INDENT: usize = 4;

struct LineWrapper {
    width: usize,
    /// Columns that are left in the last line.
    room: usize,
    lines: Vec<Vec<Span<'static>>>,
}

impl LineWrapper {
    fn add(&mut self, word: &str, style: Style) {
        let columns = Span::raw(word.trim_end()).width();
        if columns > self.room && columns <= self.width - INDENT {
            self.break_line();
        }
        if columns <= self.room {
            self.push(word.to_owned(), style);
            return;
        }
        for grapheme in Span::raw(word).styled_graphemes(style) {
            if Span::raw(grapheme.symbol).width() > self.room {
                self.break_line();
            }
            self.push(grapheme.symbol.to_owned(), style);
        }
    }

    fn push(&mut self, text: String, style: Style) {
        self.room = self.room.saturating_sub(Span::raw(&*text).width());
        if let Some(line) = self.lines.last_mut() {
            line.push(Span::styled(text, style));
        }
    }

    fn break_line(&mut self) {
        self.lines.push(vec![Span::raw(" ".repeat(INDENT))]);
        self.room = self.width - INDENT;
    }
}
