//! Correcting: from what is chosen to a rule, back again, and to a file.

use std::path::Path;

use crate::explorer::app::{Explorer, Pane, Question};
use crate::explorer::correction::{Correction, CorrectionKind};
use crate::explorer::tree_rows::NodeKey;
use crate::flow::text;
use crate::output::counted;
use crate::template::singular::singular;
use crate::template::user_rules::is_name;

impl Explorer {
    /// A name that the parameter may have if the chosen segments become one: by what is before them.
    pub(super) fn likely_name(&self) -> String {
        let place = self.place().unwrap_or_default();
        let before = place.1.iter().rev().skip(1).find(|segment| !segment.contains('{'));
        let noun = before.map(|segment| singular(segment));
        noun.filter(|noun| is_name(noun))
            .map_or_else(|| "id".to_owned(), |noun| format!("{noun}_id"))
    }

    pub(super) fn correct(&mut self, kind: CorrectionKind, name: &str) {
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

    pub(super) fn undo(&mut self) {
        match self.session.undo() {
            Some(left) => {
                self.refresh();
                self.say(format!("taken back; {} left", counted(left as u64, "correction")));
            }
            None => self.complain("there is no correction to take back"),
        }
    }

    pub(super) fn ask_for_file(&mut self) {
        let own = self.session.rules_name();
        let name = if own.is_empty() { "rules.toml" } else { own }.to_owned();
        self.ask(Question::RulesFile, name);
    }

    pub(super) fn write(&mut self, name: &str) {
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
