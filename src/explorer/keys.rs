//! What keys and the mouse do.

use std::path::Path;

use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Position;

use crate::explorer::app::{Explorer, Pane, Prompt, Question};
use crate::explorer::correction::{Correction, CorrectionKind};
use crate::explorer::tree_rows::NodeKey;
use crate::flow::text;
use crate::output::counted;
use crate::report::endpoint_class::EndpointClass;
use crate::report::selection::EndpointOrder;

/// The keys and what they do, as the help shows them.
pub(super) const KEYS: [(&str, &str); 19] = [
    ("up, down", "move; PgUp, PgDn, Home, End too"),
    ("right, left", "open and close what is below a node; left again goes up"),
    ("Enter", "open or close a node; from the table to the details"),
    ("Tab", "to the next pane: tree, table, details"),
    ("/", "search in methods, hosts and paths; Esc ends it"),
    ("s", "sort the table: requests, path, errors, latency, size, recent"),
    ("c", "only calls of an API, pages, assets, others; all"),
    ("", ""),
    ("", "Corrections, of the last segment of what is chosen:"),
    ("l", "keep literal: this segment is a name; nothing at a parameter's place is merged"),
    ("m", "merge: these segments are one parameter"),
    ("r", "rename the parameter"),
    ("p", "pin the path as it is"),
    ("u", "undo"),
    ("w", "write the rules file, which every command takes with --rules"),
    ("", ""),
    ("?", "this help"),
    ("q", "quit"),
    ("mouse", "click to choose, again to open; the wheel scrolls"),
];

/// Rows that a turn of the wheel moves.
const WHEEL: isize = 3;

impl Explorer {
    /// Does what an event asks for. False if it ends the exploration.
    pub(crate) fn handle(&mut self, event: &Event) -> bool {
        match event {
            // On Windows keys are said when they are released, too.
            Event::Key(key) if key.kind != KeyEventKind::Release => self.press(*key),
            Event::Mouse(mouse) => {
                self.point(*mouse);
                true
            }
            _ => true,
        }
    }

    fn press(&mut self, key: KeyEvent) -> bool {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            // What asks for a confirmation with q takes Ctrl-C for one.
            return self.prompt.is_none() && self.quit();
        }
        if let Some(prompt) = self.prompt.take() {
            return self.answer(prompt, key);
        }
        if std::mem::take(&mut self.is_help_shown) {
            return true;
        }
        self.note = super::app::Note::default();
        let page = self.page();
        match key.code {
            KeyCode::Char('q') => return self.quit(),
            KeyCode::Char('?') | KeyCode::F(1) => self.is_help_shown = true,
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::PageUp => self.step(-page),
            KeyCode::PageDown | KeyCode::Char(' ') => self.step(page),
            KeyCode::Home | KeyCode::Char('g') => self.step(isize::MIN / 2),
            KeyCode::End | KeyCode::Char('G') => self.step(isize::MAX / 2),
            KeyCode::Right => self.go_right(),
            KeyCode::Left => self.go_left(),
            KeyCode::Enter => self.enter(),
            KeyCode::Tab => self.pane = next_pane(self.pane),
            KeyCode::BackTab => self.pane = next_pane(next_pane(self.pane)),
            KeyCode::Char('/') => self.ask(Question::Search, self.search.clone()),
            KeyCode::Esc => self.set_search(String::new()),
            KeyCode::Char('s') => self.sort_otherwise(),
            KeyCode::Char('c') => self.choose_class(),
            KeyCode::Char('l') => self.correct(CorrectionKind::Keep, ""),
            KeyCode::Char('p') => self.correct(CorrectionKind::Pin, ""),
            KeyCode::Char('m') => self.ask(Question::MergeName, self.likely_name()),
            KeyCode::Char('r') => self.ask(Question::NewName, String::new()),
            KeyCode::Char('u') => self.undo(),
            KeyCode::Char('w') => self.ask_for_file(),
            _ => {}
        }
        true
    }

    fn ask(&mut self, question: Question, answer: String) {
        self.prompt = Some(Prompt { question, answer });
    }

    /// A key while a question is open.
    fn answer(&mut self, mut prompt: Prompt, key: KeyEvent) -> bool {
        if prompt.question == Question::Quit {
            match key.code {
                KeyCode::Char('q' | 'y') => return false,
                KeyCode::Char('w') => self.ask_for_file(),
                _ => {}
            }
            return true;
        }
        match key.code {
            KeyCode::Esc => {
                if prompt.question == Question::Search {
                    self.set_search(String::new());
                }
                return true;
            }
            KeyCode::Enter => {
                let answer = prompt.answer.trim();
                match prompt.question {
                    Question::MergeName => self.correct(CorrectionKind::Merge, answer),
                    Question::NewName => self.correct(CorrectionKind::Rename, answer),
                    Question::RulesFile => self.write(answer),
                    Question::Search | Question::Quit => {}
                }
                return true;
            }
            KeyCode::Backspace => drop(prompt.answer.pop()),
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                prompt.answer.clear();
            }
            KeyCode::Char(letter) if !key.modifiers.contains(KeyModifiers::CONTROL) => {
                prompt.answer.push(letter);
            }
            KeyCode::Up | KeyCode::Down if prompt.question == Question::Search => {
                self.step(if key.code == KeyCode::Up { -1 } else { 1 });
            }
            _ => {}
        }
        if prompt.question == Question::Search && prompt.answer != self.search {
            self.set_search(prompt.answer.clone());
        }
        self.prompt = Some(prompt);
        true
    }

    /// True if the exploration goes on: corrections that are in no file are asked about first.
    fn quit(&mut self) -> bool {
        if self.session.unwritten() == 0 {
            return false;
        }
        self.ask(Question::Quit, String::new());
        true
    }

    fn set_search(&mut self, search: String) {
        self.search = search;
        self.refresh();
    }

    fn sort_otherwise(&mut self) {
        self.order = match self.order {
            EndpointOrder::Requests => EndpointOrder::Path,
            EndpointOrder::Path => EndpointOrder::Errors,
            EndpointOrder::Errors => EndpointOrder::Latency,
            EndpointOrder::Latency => EndpointOrder::Size,
            EndpointOrder::Size => EndpointOrder::Recent,
            EndpointOrder::Recent => EndpointOrder::Requests,
        };
        self.refresh();
        // The first of the new order is what is asked for.
        let first = self.table.first().map(|at| &self.session.analysis.report.patterns[*at].id);
        self.endpoint = first.cloned().unwrap_or_default();
    }

    fn choose_class(&mut self) {
        self.class = match self.class {
            None => Some(EndpointClass::Api),
            Some(EndpointClass::Api) => Some(EndpointClass::Page),
            Some(EndpointClass::Page) => Some(EndpointClass::Asset),
            Some(EndpointClass::Asset) => Some(EndpointClass::Other),
            Some(EndpointClass::Other) => None,
        };
        self.refresh();
    }

    /// Rows of the pane that keys go to.
    fn page(&self) -> isize {
        let area = match self.pane {
            Pane::Tree => self.areas.tree,
            Pane::Table => self.areas.table,
            Pane::Detail => self.areas.detail,
        };
        isize::try_from(area.height.saturating_sub(3).max(1)).unwrap_or(1)
    }

    /// Moves what is chosen in the pane that keys go to.
    fn step(&mut self, by: isize) {
        let pane = self.pane;
        self.step_in(pane, by);
    }

    fn step_in(&mut self, pane: Pane, by: isize) {
        let moved =
            |at: usize, count: usize| at.saturating_add_signed(by).min(count.saturating_sub(1));
        match pane {
            Pane::Tree => {
                let at = moved(self.row(), self.rows.len());
                if let Some(row) = self.rows.get(at) {
                    self.node = row.key.clone();
                }
                self.refresh();
            }
            Pane::Table => {
                let at = moved(self.table_row(), self.table.len());
                if let Some(pattern) = self.table.get(at) {
                    self.endpoint = self.session.analysis.report.patterns[*pattern].id.clone();
                }
                self.scroll = 0;
            }
            Pane::Detail => {
                let room = usize::from(self.areas.detail.height.saturating_sub(2));
                let most = self.areas.detail_lines.saturating_sub(room);
                self.scroll = self.scroll.saturating_add_signed(by).min(most);
            }
        }
    }

    fn go_right(&mut self) {
        match self.pane {
            Pane::Tree => {
                let row = self.rows.get(self.row());
                match row {
                    Some(row) if row.has_children && !row.is_open => {
                        self.open.insert(self.node.clone());
                        self.refresh();
                    }
                    Some(row) if row.has_children => self.step(1),
                    _ => self.pane = Pane::Table,
                }
            }
            Pane::Table => self.pane = Pane::Detail,
            Pane::Detail => {}
        }
    }

    fn go_left(&mut self) {
        match self.pane {
            Pane::Tree => {
                let is_open = self.rows.get(self.row()).is_some_and(|row| row.is_open);
                if is_open && self.open.remove(&self.node) {
                    self.refresh();
                } else if let Some(parent) = self.node.parent(&self.session.analysis.report) {
                    self.node = parent;
                    self.refresh();
                }
            }
            Pane::Table => self.pane = Pane::Tree,
            Pane::Detail => self.pane = Pane::Table,
        }
    }

    fn enter(&mut self) {
        match self.pane {
            Pane::Tree => self.toggle(),
            Pane::Table => self.pane = Pane::Detail,
            Pane::Detail => {}
        }
    }

    /// Opens or closes the node that is chosen.
    fn toggle(&mut self) {
        let has_children = self.rows.get(self.row()).is_some_and(|row| row.has_children);
        if self.node == NodeKey::All {
            return;
        }
        if !has_children {
            self.pane = Pane::Table;
        } else if !self.open.remove(&self.node) {
            self.open.insert(self.node.clone());
        }
        self.refresh();
    }

    fn point(&mut self, mouse: MouseEvent) {
        let at = Position { x: mouse.column, y: mouse.row };
        let areas = self.areas;
        let panes =
            [(Pane::Tree, areas.tree), (Pane::Table, areas.table), (Pane::Detail, areas.detail)];
        let Some((pane, area)) = panes.into_iter().find(|(_, area)| area.contains(at)) else {
            return;
        };
        match mouse.kind {
            MouseEventKind::ScrollUp => self.step_in(pane, -WHEEL),
            MouseEventKind::ScrollDown => self.step_in(pane, WHEEL),
            MouseEventKind::Down(MouseButton::Left) => {
                let was_there = self.pane == pane;
                self.pane = pane;
                // The first line is the border.
                let Some(line) = usize::from(at.y).checked_sub(usize::from(area.y) + 1) else {
                    return;
                };
                self.click(pane, line, was_there);
            }
            _ => {}
        }
    }

    fn click(&mut self, pane: Pane, line: usize, was_there: bool) {
        match pane {
            Pane::Tree => {
                let Some(row) = self.rows.get(self.areas.tree_start + line) else { return };
                let is_again = was_there && row.key == self.node;
                self.node = row.key.clone();
                self.refresh();
                if is_again {
                    self.toggle();
                }
            }
            Pane::Table => {
                // Below the border are the titles of the columns.
                let Some(line) = line.checked_sub(1) else { return };
                let Some(at) = self.table.get(self.areas.table_start + line) else { return };
                self.endpoint = self.session.analysis.report.patterns[*at].id.clone();
                self.scroll = 0;
            }
            Pane::Detail => {}
        }
    }

    /// A name that the parameter may have if the chosen segments become one: by what is before them.
    fn likely_name(&self) -> String {
        let place = self.place().unwrap_or_default();
        let before = place.1.iter().rev().skip(1).find(|segment| !segment.contains('{'));
        let noun = before.map(|segment| crate::template::singular::singular(segment));
        noun.filter(|noun| crate::template::user_rules::is_name(noun))
            .map_or_else(|| "id".to_owned(), |noun| format!("{noun}_id"))
    }

    fn correct(&mut self, kind: CorrectionKind, name: &str) {
        let Some((host, segments)) = self.place() else {
            self.complain("choose a path of a host first");
            return;
        };
        let segments: Vec<&str> = segments.iter().map(|segment| &**segment).collect();
        let before = self.session.analysis.report.totals.patterns;
        let done = Correction::new(kind, &host, &segments, name).and_then(|correction| {
            self.session.correct(&correction).map(|()| correction.in_words())
        });
        match done {
            Ok(words) => {
                if self.pane == Pane::Tree && !name.is_empty() {
                    self.follow_name(&host, &segments, name);
                }
                self.refresh();
                let after = self.session.analysis.report.totals.patterns;
                match self.session.analysis.rule_conflicts.first() {
                    Some(conflict) => self.complain(format!("{words}; but {conflict}")),
                    None if before == after => {
                        self.say(format!("{words}; u takes it back, w writes it"));
                    }
                    None => self.say(format!(
                        "{words}: {before} endpoints became {after}; u takes it back, w writes it"
                    )),
                }
            }
            Err(why) => self.complain(why),
        }
    }

    /// Chooses the node of a parameter that got this name in place of the one at a path, and opens what was open.
    fn follow_name(&mut self, host: &str, segments: &[&str], name: &str) {
        let old: Vec<String> = segments.iter().map(|segment| (*segment).to_owned()).collect();
        let mut new = old.clone();
        if let Some(last) = new.last_mut() {
            // What is around the parameter stays: `{id}.json`.
            let (before, rest) = last.split_once('{').unwrap_or(("", ""));
            let after = rest.split_once('}').map_or("", |(_, after)| after);
            *last = format!("{before}{{{name}}}{after}");
        }
        let moved = self.open.iter().filter_map(|key| match key {
            NodeKey::Path(of, path) if of == host && path.starts_with(&old) => {
                let path = new.iter().chain(&path[old.len()..]).cloned().collect();
                Some(NodeKey::Path(host.to_owned(), path))
            }
            _ => None,
        });
        let moved: Vec<NodeKey> = moved.collect();
        self.open.extend(moved);
        self.node = NodeKey::Path(host.to_owned(), new);
    }

    fn undo(&mut self) {
        match self.session.undo() {
            Some(left) => {
                self.refresh();
                self.say(format!("taken back; {} left", counted(left as u64, "correction")));
            }
            None => self.complain("there is no correction to take back"),
        }
    }

    fn ask_for_file(&mut self) {
        let own = self.session.rules_name();
        let name = if own.is_empty() { "rules.toml" } else { own }.to_owned();
        self.ask(Question::RulesFile, name);
    }

    fn write(&mut self, name: &str) {
        if name.is_empty() {
            self.complain("nothing was written: give a name for the file");
            return;
        }
        match self.session.write(Path::new(name)) {
            Ok(count) => {
                let count = counted(count as u64, "correction");
                let name = text::printable(name.as_bytes());
                self.say(format!("{count} written; every command takes --rules {name}"));
            }
            Err(error) => self.complain(error.to_string()),
        }
    }
}

fn next_pane(pane: Pane) -> Pane {
    match pane {
        Pane::Tree => Pane::Table,
        Pane::Table => Pane::Detail,
        Pane::Detail => Pane::Tree,
    }
}
