//! Handling of keys and mouse events.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::explorer::app::{Explorer, Note, Pane, Prompt, Question};
use crate::explorer::correction::CorrectionKind;
use crate::report::endpoint_class::EndpointClass;
use crate::report::selection::EndpointOrder;

/// The keys and what they do, as the help shows them.
pub(super) const KEYS: [(&str, &str); 19] = [
    ("up, down", "move, here too; PgUp, PgDn, Home, End too"),
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

impl Explorer {
    /// Handles an event of the terminal. Returns false if it ends the exploration.
    pub(crate) fn handle(&mut self, event: &Event) -> bool {
        match event {
            // On Windows keys are said when they are released, too.
            Event::Key(key) if key.kind != KeyEventKind::Release => self.press(*key),
            // What a question or the help is about stays as it is.
            Event::Mouse(mouse) if self.prompt.is_none() && self.help.is_none() => {
                self.handle_mouse(*mouse);
                true
            }
            _ => true,
        }
    }

    fn press(&mut self, key: KeyEvent) -> bool {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            // Where q would be the confirmation, so is Ctrl-C.
            let is_confirmed = self.prompt.take().is_some_and(|it| it.question == Question::Quit);
            return !is_confirmed && self.quit_or_ask();
        }
        if let Some(prompt) = self.prompt.take() {
            return self.answer(prompt, key);
        }
        if let Some(above) = self.help.take() {
            match key.code {
                KeyCode::Down | KeyCode::PageDown => self.help = Some(above + 1),
                KeyCode::Up | KeyCode::PageUp => self.help = Some(above.saturating_sub(1)),
                _ => {}
            }
            return true;
        }
        if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
            return true;
        }
        self.note = Note::default();
        let page = self.page();
        match key.code {
            KeyCode::Char('q') => return self.quit_or_ask(),
            KeyCode::Char('?') | KeyCode::F(1) => self.help = Some(0),
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
            KeyCode::Char('s') => self.use_next_order(),
            KeyCode::Char('c') => self.choose_class(),
            KeyCode::Char('l') => self.correct(CorrectionKind::Keep, self.place(), ""),
            KeyCode::Char('p') => self.correct(CorrectionKind::Pin, self.place(), ""),
            KeyCode::Char('m') => self.ask_for_name(),
            KeyCode::Char('r') => self.ask(Question::NewName, String::new()),
            KeyCode::Char('u') => self.undo(),
            KeyCode::Char('w') => self.ask_for_file(),
            _ => {}
        }
        true
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
                let place = prompt.place;
                match prompt.question {
                    Question::MergeName => self.correct(CorrectionKind::Merge, place, answer),
                    Question::NewName => self.correct(CorrectionKind::Rename, place, answer),
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

    /// Quits, or asks first if corrections were not written to a file. Returns `true` if the exploration goes on.
    fn quit_or_ask(&mut self) -> bool {
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

    fn use_next_order(&mut self) {
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
        self.scroll = 0;
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
}

fn next_pane(pane: Pane) -> Pane {
    match pane {
        Pane::Tree => Pane::Table,
        Pane::Table => Pane::Detail,
        Pane::Detail => Pane::Tree,
    }
}
