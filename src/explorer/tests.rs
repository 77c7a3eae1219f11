use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use crate::capture::{Captures, InputFormat};
use crate::engine::{Options, observe};
use crate::explorer::app::Explorer;
use crate::explorer::session::{ExplorerSession, Traffic};
use crate::template::user_rules::Rules;

/// An explorer on a terminal that is not there.
struct TestScreen {
    explorer: Explorer,
    terminal: Terminal<TestBackend>,
}

impl TestScreen {
    fn of(urls: &[&str], rules: &str, columns: u16, rows: u16) -> Self {
        let line =
            |url: &&str| format!("{{\"method\":\"GET\",\"url\":\"{url}\",\"status\":200}}\n");
        let lines: String = urls.iter().map(line).collect();
        let captures =
            Captures::from_bytes("lines", lines.into_bytes(), InputFormat::Detect).unwrap();
        let mut options = Options { bodies: true, ..Options::default() };
        options.report.rules = Rules::parse("rules.toml", rules).unwrap();
        let observed = observe(&captures, &options, &()).unwrap();
        let traffic = Traffic::Read(Arc::new(observed));
        let session = ExplorerSession::new(traffic, options, "rules.toml", rules.to_owned());
        let terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let mut screen =
            Self { explorer: Explorer::new(session, true, Box::new(|_| Vec::new())), terminal };
        screen.text();
        screen
    }

    fn shop() -> Self {
        let urls: Vec<String> =
            (1..9).map(|number| format!("https://shop.example/users/{}", 1000 + number)).collect();
        let mut urls: Vec<&str> = urls.iter().map(|url| &**url).collect();
        urls.extend(["https://shop.example/teams/red", "https://shop.example/teams/blue"]);
        urls.push("https://shop.example/users/me");
        Self::of(&urls, "", 100, 30)
    }

    /// Presses keys; a name between angle brackets is one key.
    fn press(&mut self, keys: &str) -> bool {
        let mut goes_on = true;
        let mut rest = keys;
        while !rest.is_empty() {
            let named = [
                ("<down>", KeyCode::Down),
                ("<up>", KeyCode::Up),
                ("<left>", KeyCode::Left),
                ("<right>", KeyCode::Right),
                ("<enter>", KeyCode::Enter),
                ("<esc>", KeyCode::Esc),
                ("<tab>", KeyCode::Tab),
                ("<end>", KeyCode::End),
                ("<home>", KeyCode::Home),
                ("<back>", KeyCode::Backspace),
            ];
            let found = named.iter().find(|(name, _)| rest.starts_with(name));
            let (code, length) = match found {
                Some((name, code)) => (*code, name.len()),
                None => (KeyCode::Char(rest.chars().next().unwrap()), 1),
            };
            rest = &rest[length..];
            goes_on = self.explorer.handle(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
            self.text();
        }
        goes_on
    }

    fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) {
        let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
        self.explorer.handle(&Event::Mouse(event));
        self.text();
    }

    fn text(&mut self) -> String {
        self.terminal.draw(|frame| self.explorer.draw(frame)).unwrap();
        let buffer = self.terminal.backend().buffer();
        let rows = buffer.content.chunks(usize::from(buffer.area.width));
        rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>() + "\n")
            .collect()
    }

    fn endpoints(&self) -> Vec<String> {
        let patterns = &self.explorer.session.analysis.report.patterns;
        patterns.iter().map(|pattern| pattern.path_pattern.clone()).collect()
    }
}

#[test]
fn corrections_change_the_answer_and_are_taken_back() {
    let mut screen = TestScreen::shop();
    assert_eq!(screen.endpoints(), ["/users/{user_id}", "/teams/blue", "/teams/red", "/users/me"]);
    // The tree: all hosts, the host, /users, /{user_id}, /me, /teams, /blue, /red.
    screen.press("<end>m");
    assert!(
        screen.text().contains("name of the parameter for red, blue: team_id"),
        "{}",
        screen.text()
    );
    screen.press("<enter>");
    assert_eq!(screen.endpoints(), ["/users/{user_id}", "/teams/{team_id}", "/users/me"]);
    assert!(screen.text().contains("4 endpoints became 3"), "{}", screen.text());
    screen.press("r<back>color<enter>");
    assert_eq!(screen.endpoints()[1], "/teams/{color}");
    let rules = screen.explorer.session.rules_text();
    let merge = "[[template]]\nhost = \"shop.example\"\npath = \"/teams/{team_id}\"\n";
    let name = "[[rename]]\nhost = \"shop.example\"\npath = \"/teams/{team_id}\"\nto = \"color\"\n";
    assert_eq!(rules, format!("\n{merge}\n{name}"));
    screen.press("u");
    assert_eq!(screen.endpoints()[1], "/teams/{team_id}");
    screen.press("uu");
    assert_eq!(screen.endpoints().len(), 4);
    assert!(screen.text().contains("there is no correction to take back"));
    assert!(!screen.press("q"), "there is nothing to lose");
}

#[test]
fn corrections_without_effect_are_said_and_not_kept() {
    let mut screen = TestScreen::shop();
    // Ids are kept by kind.
    screen.press("<home><down><down><down>l");
    assert!(screen.text().contains("this has no effect"), "{}", screen.text());
    assert_eq!(screen.explorer.session.unwritten(), 0);
    screen.press("m");
    assert!(screen.text().contains("this is a parameter already"), "{}", screen.text());
    screen.press("ruser_id<enter>");
    assert!(screen.text().contains("has a parameter {user_id} already"), "{}", screen.text());
    screen.press("<home>p");
    assert!(screen.text().contains("choose a path of a host first"));
    screen.press("<end>m<back><back><back><back><back><back><back>a b<enter>");
    assert!(screen.text().contains("a name has letters, digits and _"), "{}", screen.text());
}

#[test]
fn schemas_are_decided_beside_what_is_shown() {
    let mut screen = TestScreen::shop();
    screen.press("<end>m<enter>u");
    for _ in 0..1000 {
        if !screen.explorer.session.is_deciding() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
        screen.explorer.take_updates(false);
    }
    // What was decided for rules that changed since is not taken.
    assert!(!screen.explorer.session.is_deciding());
    assert!(screen.explorer.session.analysis.schemas.is_some());
    assert_eq!(screen.endpoints().len(), 4);
}

#[test]
fn earlier_corrections_that_a_later_one_makes_idle_are_dropped() {
    let mut screen = TestScreen::shop();
    // A name of /teams is kept, and then /teams is merged with /users.
    screen.press("<end>l");
    assert_eq!(screen.explorer.session.unwritten(), 1);
    screen.press("<left>mkind<enter>");
    let rules = screen.explorer.session.rules_text();
    assert!(!rules.contains("[[literal]]") && rules.contains("/{idkind}"), "{rules}");
    screen.press("u");
    assert!(screen.explorer.session.rules_text().contains("[[literal]]"));
}

#[test]
fn rules_are_written_once_and_over_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("notes.txt");
    std::fs::write(&other, "mine").unwrap();
    let mut screen = TestScreen::shop();
    screen.press("<end>p");
    assert!(screen.press("q"), "a correction is not written");
    assert!(screen.text().contains("the corrections are in no file"), "{}", screen.text());
    screen.press("<esc>");
    let error = screen.explorer.session.write(&other).unwrap_err();
    assert!(error.to_string().contains("there is a file of this name already"), "{error}");
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "mine");
    let rules = folder.path().join("new.toml");
    assert_eq!(screen.explorer.session.write(&rules).unwrap(), 1);
    let text = std::fs::read_to_string(&rules).unwrap();
    assert!(Rules::parse("new.toml", &text).is_ok() && text.contains("/teams/red"), "{text}");
    // It is the file of the exploration now.
    screen.press("u");
    assert!(screen.press("q"), "what is written is not what is decided");
    screen.press("<esc>");
    assert_eq!(screen.explorer.session.write(&rules).unwrap(), 0);
    assert!(!screen.press("q"));
}

#[test]
fn rules_of_a_file_stay_before_the_corrections() {
    let rules =
        "# mine\n[[rename]]\nhost = \"h.example\"\npath = \"/users/{user_id}\"\nto = \"login\"\n";
    let urls = ["https://h.example/users/1001", "https://h.example/users/1002"];
    let mut screen = TestScreen::of(&urls, rules, 80, 24);
    assert_eq!(screen.endpoints(), ["/users/{login}"]);
    screen.press("<end>rwho<enter>");
    assert_eq!(screen.endpoints(), ["/users/{who}"]);
    let text = screen.explorer.session.rules_text();
    assert!(text.starts_with(rules) && text.ends_with("to = \"who\"\n"), "{text}");
    // Two rules for one place are told.
    assert!(screen.text().contains("leave one of them out"), "{}", screen.text());
}

#[test]
fn search_sort_and_class_choose_what_is_shown() {
    let mut screen = TestScreen::shop();
    screen.press("/teams");
    let text = screen.text();
    assert!(text.contains("search: teams") && !text.contains("{user_id}"), "{text}");
    screen.press("<enter>");
    assert!(screen.text().contains("with \"teams\""));
    screen.press("<esc>s");
    assert!(screen.text().contains("endpoints by path"), "{}", screen.text());
    screen.press("ccc");
    assert!(screen.text().contains("only asset"), "{}", screen.text());
    assert!(screen.text().contains("no endpoint matches"), "{}", screen.text());
    screen.press("cc?");
    assert!(screen.text().contains("others close this"));
    screen.press("x");
    assert!(!screen.text().contains("others close this"));
}

#[test]
fn the_mouse_chooses_opens_and_scrolls() {
    let mut screen = TestScreen::shop();
    let click = MouseEventKind::Down(MouseButton::Left);
    // Rows: top, border, all hosts, the host, /users.
    screen.mouse(click, 5, 4);
    assert!(screen.text().contains("9 requests, 2 endpoints"), "{}", screen.text());
    screen.mouse(click, 5, 4);
    assert!(!screen.text().contains("   /me "), "closed: {}", screen.text());
    screen.mouse(click, 60, 3);
    assert!(screen.text().contains("GET /users/{user_id}"), "{}", screen.text());
    screen.mouse(MouseEventKind::ScrollDown, 60, 25);
    screen.mouse(MouseEventKind::Down(MouseButton::Right), 0, 0);
    screen.mouse(click, 99, 29);
}

#[test]
fn every_size_of_a_terminal_is_drawn() {
    let urls = ["https://h.example/a/b/c", "https://h.example/%E2%80%AE/\u{540d}\u{524d}/1234"];
    for columns in [1, 2, 5, 20, 40, 59, 60, 80, 200] {
        for rows in [1, 2, 3, 5, 10, 24, 60] {
            let mut screen = TestScreen::of(&urls, "", columns, rows);
            screen.press("<tab><down><tab><down><down><tab>?x/a<enter>m<esc><end><right><left>");
            let text = screen.text();
            assert!(!text.contains('\u{202e}'), "{text}");
        }
    }
}
