//! Draws the explorer.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use crate::explorer::app::{Explorer, Pane, Question};
use crate::explorer::detail::detail_lines;
use crate::explorer::keys::KEYS;
use crate::explorer::styles::{method_style, status_style, styled};
use crate::explorer::tree_rows::NodeKey;
use crate::math::format_thousands;
use crate::output::format_count;
use crate::report::Pattern;
use crate::report::endpoint_class::EndpointClass;
use crate::report::selection::EndpointOrder;

/// Columns of the screen from which on all panes are side by side; below it one has the whole screen.
const MIN_COLUMNS: u16 = 60;

/// The columns of the table of endpoints. Where it is narrow, paths are worth more than numbers.
#[derive(Clone, Copy)]
struct TableColumns {
    /// Width of the path.
    path: usize,
    has_errors: bool,
    has_latency: bool,
}

impl TableColumns {
    /// Least width of a path beside the numbers.
    const MIN_PATH: usize = 32;

    fn new(width: usize) -> Self {
        /// Widths of requests and method, of errors, and of the latency, each with its gap.
        const WIDTHS: [usize; 3] = [17, 7, 9];

        let room = width.saturating_sub(WIDTHS[0]);
        let has_errors = room >= Self::MIN_PATH + WIDTHS[1];
        let has_latency = room >= Self::MIN_PATH + WIDTHS[1] + WIDTHS[2];
        let used = usize::from(has_errors) * WIDTHS[1] + usize::from(has_latency) * WIDTHS[2];
        Self { path: room - used, has_errors, has_latency }
    }
}

impl Explorer {
    /// Draws everything, and remembers where the panes are.
    pub(crate) fn draw(&mut self, frame: &mut Frame<'_>) {
        let [top, body, bottom] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Min(3),
            Constraint::Length(self.note_lines(frame.area().width)),
        ])
        .areas(frame.area());
        self.draw_top(frame, top);
        let [left, right] = if body.width >= MIN_COLUMNS {
            let left = (body.width / 3).clamp(24, 60);
            Layout::horizontal([Constraint::Length(left), Constraint::Min(20)]).areas(body)
        } else if self.pane == Pane::Tree {
            [body, Rect::default()]
        } else {
            [Rect::default(), body]
        };
        let [table, detail] =
            Layout::vertical([Constraint::Fill(2), Constraint::Fill(3)]).areas(right);
        self.areas.tree = left;
        self.areas.table = table;
        self.areas.detail = detail;
        self.draw_tree(frame, left);
        self.draw_table(frame, table);
        self.draw_detail(frame, detail);
        self.draw_bottom(frame, bottom);
        if let Some(above) = self.help {
            self.draw_help(frame, above);
        }
    }

    fn draw_top(&self, frame: &mut Frame<'_>, area: Rect) {
        let words: Vec<String> = [
            Some(self.totals()),
            self.session.is_followed().then(|| "followed".to_owned()),
            self.class.map(|class| format!("only {}", class.name())),
            (!self.search.is_empty()).then(|| format!("with \"{}\"", self.search)),
            (self.session.unwritten() > 0).then(|| "corrections not written".to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect();
        let style = Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD);
        let line = Line::from(format!(" api-patterns  {}", words.join("; ")));
        frame.render_widget(Paragraph::new(line).style(style), area);
    }

    fn block(&self, title: String, pane: Pane) -> Block<'static> {
        let block = Block::bordered().title(title);
        if self.pane != pane {
            return block.border_style(Style::new().add_modifier(Modifier::DIM));
        }
        let color = if self.is_colored { Style::new().fg(Color::Cyan) } else { Style::new() };
        block.border_style(color.add_modifier(Modifier::BOLD))
    }

    /// The style of the row that is chosen in a pane.
    fn choice(&self, pane: Pane) -> Style {
        if self.pane == pane {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            Style::new().add_modifier(Modifier::UNDERLINED)
        }
    }

    fn draw_tree(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let block = self.block(" hosts and paths ".to_owned(), Pane::Tree);
        let inner = block.inner(area);
        let room = usize::from(inner.height);
        let chosen = self.row();
        self.areas.tree_start = start_of(self.areas.tree_start, chosen, room, self.rows.len());
        let width = usize::from(inner.width);
        let mut lines = Vec::new();
        for (at, row) in self.rows.iter().enumerate().skip(self.areas.tree_start).take(room) {
            let marker = match (row.has_children, row.is_open) {
                (false, _) => "  ",
                (true, true) => "▾ ",
                (true, false) => "▸ ",
            };
            let label = format!("{}{marker}{}", " ".repeat(row.depth.min(12)), row.label);
            let count = format_thousands(row.requests);
            let label = cut(&label, width.saturating_sub(count.len() + 1));
            let gap = width.saturating_sub(Span::raw(&*label).width() + count.len());
            let style = if row.errors * 2 > row.requests { status_style(4) } else { Style::new() };
            let spans = vec![
                Span::raw(label),
                Span::raw(" ".repeat(gap)),
                styled(self, count, style.add_modifier(Modifier::DIM)),
            ];
            let line = Line::from(spans);
            lines.push(if at == chosen { line.style(self.choice(Pane::Tree)) } else { line });
        }
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }

    fn draw_table(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let order = match self.order {
            EndpointOrder::Requests => "class and requests",
            EndpointOrder::Path => "path",
            EndpointOrder::Errors => "errors",
            EndpointOrder::Latency => "latency",
            EndpointOrder::Size => "size",
            EndpointOrder::Recent => "recent",
        };
        let title = format!(" {} by {order} ", format_count(self.table.len() as u64, "endpoint"));
        let block = self.block(title, Pane::Table);
        let inner = block.inner(area);
        let room = usize::from(inner.height).saturating_sub(1);
        let chosen = self.table_row();
        self.areas.table_start = start_of(self.areas.table_start, chosen, room, self.table.len());
        let width = usize::from(inner.width);
        let has_host = matches!(self.node, NodeKey::All | NodeKey::ThirdParties);
        let columns = TableColumns::new(width);
        let numbers = [(columns.has_errors, "errors", 6), (columns.has_latency, "p50 ms", 8)];
        let numbers =
            numbers.map(
                |(is_shown, title, width)| {
                    if is_shown { format!(" {title:>width$}") } else { String::new() }
                },
            );
        let width = columns.path;
        let title =
            format!("{:>8} {:<7} {:width$}{}", "requests", "method", "path", numbers.concat());
        let dim = Style::new().add_modifier(Modifier::DIM);
        let mut lines = vec![Line::from(Span::styled(title, dim))];
        let patterns = &self.session.analysis.report.patterns;
        for (row, at) in self.table.iter().enumerate().skip(self.areas.table_start).take(room) {
            let line = self.endpoint_line(&patterns[*at], columns, has_host);
            lines.push(if row == chosen { line.style(self.choice(Pane::Table)) } else { line });
        }
        if self.table.is_empty() {
            let is_chosen = self.class.is_some() || !self.search.is_empty();
            let why = if is_chosen {
                "  no endpoint matches; Esc ends the search, c shows all classes"
            } else {
                "  no endpoint yet"
            };
            lines.push(Line::from(why));
        }
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }

    fn endpoint_line(
        &self,
        pattern: &Pattern,
        columns: TableColumns,
        has_host: bool,
    ) -> Line<'static> {
        let width = columns.path;
        let path = pattern.endpoint.strip_prefix(&*pattern.method).map_or("", str::trim_start);
        let path = if has_host { format!("{}{path}", pattern.host) } else { path.to_owned() };
        let class = if pattern.class == EndpointClass::Api { "" } else { pattern.class.name() };
        let path = if class.is_empty() { path } else { format!("{path} ({class})") };
        let path = cut(&path, width);
        let gap = " ".repeat(width.saturating_sub(Span::raw(&*path).width()));
        let errors = pattern.errors();
        let share = format!("{} %", (errors * 100).div_ceil(pattern.request_count.max(1)));
        let status =
            if pattern.status_codes.keys().any(|code| code.starts_with('5')) { 4 } else { 3 };
        let latency = pattern.latency_ms.as_ref();
        let latency = latency.map_or_else(String::new, |latency| format!("{:.0}", latency.p50));
        let method = format!("{:<7} ", cut(pattern.shown_method(), 7));
        let mut spans = vec![
            Span::raw(format!("{:>8} ", format_thousands(pattern.request_count))),
            styled(self, method, method_style(&pattern.method)),
            Span::raw(path + &gap),
        ];
        if columns.has_errors && errors > 0 {
            spans.push(styled(self, format!(" {share:>6}"), status_style(status)));
        } else if columns.has_errors {
            spans.push(Span::raw(" ".repeat(7)));
        }
        if columns.has_latency {
            spans.push(Span::raw(format!(" {latency:>8}")));
        }
        Line::from(spans)
    }

    fn draw_detail(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let block = self.block(" details ".to_owned(), Pane::Detail);
        let inner = block.inner(area);
        let lines = detail_lines(self, inner.width);
        self.areas.detail_lines = lines.len();
        let most = lines.len().saturating_sub(usize::from(inner.height));
        self.scroll = self.scroll.min(most);
        let shown: Vec<Line<'_>> = lines.into_iter().skip(self.scroll).collect();
        let block = if most > self.scroll {
            let more = format_count((most - self.scroll) as u64, "line");
            block.title_bottom(format!(" {more} more "))
        } else {
            block
        };
        frame.render_widget(Paragraph::new(shown).block(block), area);
    }

    fn draw_bottom(&self, frame: &mut Frame<'_>, area: Rect) {
        let line = if let Some(prompt) = &self.prompt {
            let question = match prompt.question {
                Question::Search => "search: ",
                Question::MergeName => "name of the parameter for ABOUT: ",
                Question::NewName => "new name: ",
                Question::RulesFile => "write the rules to: ",
                Question::Quit => {
                    "the corrections are in no file: w writes them, q quits without, Esc goes on "
                }
            };
            let question = question.replace("ABOUT", &cut(&prompt.about, 40));
            // The end of a long answer is what is typed.
            let width = usize::from(area.width).saturating_sub(Span::raw(&*question).width() + 2);
            let letters: Vec<char> = prompt.answer.chars().collect();
            let end: String = letters[letters.len().saturating_sub(width)..].iter().collect();
            let cursor = Style::new().add_modifier(Modifier::REVERSED);
            Line::from(vec![
                styled(self, question, Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD)),
                Span::raw(end),
                Span::styled(" ", cursor),
            ])
        } else if self.note.text.is_empty() {
            let hints = if area.width < MIN_COLUMNS {
                "? help  q quit  Tab next pane  w write  / search  u undo"
            } else {
                "? help  q quit  w write  / search  l literal  m merge  r rename  p pin  u undo  s sort  c class"
            };
            Line::from(Span::styled(hints, Style::new().add_modifier(Modifier::DIM)))
        } else {
            let color = if self.note.is_error { Color::Red } else { Color::Green };
            let style = Style::new().fg(color).add_modifier(Modifier::BOLD);
            Line::from(styled(self, &*self.note.text, style))
        };
        frame.render_widget(Paragraph::new(line).wrap(Wrap { trim: true }), area);
    }

    /// Lines that the sentence at the bottom takes.
    fn note_lines(&self, width: u16) -> u16 {
        let columns = Span::raw(&*self.note.text).width();
        // Words that do not fit at the end of a line take room.
        let lines = (columns + columns / 10).div_ceil(usize::from(width).max(1));
        if self.prompt.is_some() { 1 } else { u16::try_from(lines).unwrap_or(1).clamp(1, 4) }
    }

    fn draw_help(&mut self, frame: &mut Frame<'_>, above: usize) {
        let area = frame.area();
        let height = u16::try_from(KEYS.len() + 2).unwrap_or(u16::MAX).min(area.height);
        let width = 84.min(area.width);
        let place =
            Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
        let above = above.min(KEYS.len().saturating_sub(usize::from(height.saturating_sub(2))));
        self.help = Some(above);
        let lines: Vec<Line<'_>> = KEYS
            .iter()
            .skip(above)
            .map(|(key, what)| {
                let bold = Style::new().add_modifier(Modifier::BOLD);
                Line::from(vec![styled(self, format!(" {key:<12} "), bold), Span::raw(*what)])
            })
            .collect();
        frame.render_widget(Clear, place);
        let block = Block::bordered().title(" keys; arrows scroll, others close this ");
        frame.render_widget(Paragraph::new(lines).block(block), place);
    }
}

/// The first row to draw, so that the chosen one is visible and as few rows move as possible.
fn start_of(start: usize, chosen: usize, room: usize, count: usize) -> usize {
    let start = start.min(count.saturating_sub(room.max(1)));
    if chosen < start {
        return chosen;
    }
    start.max((chosen + 1).saturating_sub(room.max(1)))
}

/// A text cut to a number of columns, with an ellipsis for what is left out.
fn cut(text: &str, columns: usize) -> String {
    if Span::raw(text).width() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut room = columns.saturating_sub(1);
    for grapheme in Span::raw(text).styled_graphemes(Style::new()) {
        let width = Span::raw(grapheme.symbol).width();
        if width > room {
            break;
        }
        out.push_str(grapheme.symbol);
        room -= width;
    }
    if columns > 0 { out + "…" } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_give_way_to_paths() {
        let columns = |width| {
            let TableColumns { path, has_errors, has_latency } = TableColumns::new(width);
            (path, has_errors, has_latency)
        };
        assert_eq!(columns(90), (57, true, true));
        assert_eq!(columns(60), (36, true, false));
        assert_eq!(columns(50), (33, false, false));
        assert_eq!(columns(5), (0, false, false));
    }
}
