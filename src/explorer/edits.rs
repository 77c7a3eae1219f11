//! Corrections: made from the chosen node, taken back, and written to a rules file.

use std::collections::BTreeSet;
use std::path::Path;

use crate::explorer::app::{Explorer, Pane, Prompt, Question};
use crate::explorer::correction::{Correction, CorrectionKind};
use crate::explorer::tree_rows::NodeKey;
use crate::flow::text;
use crate::output::format_count;
use crate::template::singular::singular;
use crate::template::user_rules::is_name;

impl Explorer {
    /// Asks for the name of the parameter that the segments at the chosen place become, and says which segments these are.
    pub(super) fn ask_for_name(&mut self) {
        let Some((host, segments)) = self.place() else {
            self.complain("choose a path of a host first");
            return;
        };
        let Some((last, before)) = segments.split_last() else {
            self.complain("choose a part of a path first");
            return;
        };
        if last.contains('{') {
            self.complain("this is a parameter already; r gives it another name");
            return;
        }
        let patterns = &self.session.analysis.report.patterns;
        let siblings =
            patterns.iter().filter(|pattern| pattern.host == host).filter_map(|pattern| {
                let mut path =
                    pattern.path_pattern.split('/').filter(|segment| !segment.is_empty());
                let is_here = before.iter().all(|wanted| path.next() == Some(wanted));
                path.next().filter(|segment| is_here && !segment.contains('{') && segment != last)
            });
        let siblings: BTreeSet<&str> = siblings.collect();
        let about = match siblings.len() {
            0 => last.clone(),
            1..=3 => {
                let names: Vec<&str> = siblings.into_iter().collect();
                format!("{last}, {}", names.join(", "))
            }
            more => format!("{last} and {more} others"),
        };
        let answer = likely_name(before);
        let place = Some((host.clone(), segments.clone()));
        self.prompt = Some(Prompt { question: Question::MergeName, answer, about, place });
    }

    /// Corrects what is at a place; `name` is that of the parameter, for those corrections that have one.
    pub(super) fn correct(
        &mut self,
        kind: CorrectionKind,
        place: Option<(String, Vec<String>)>,
        name: &str,
    ) {
        let Some((host, segments)) = place else {
            self.complain("choose a path of a host first");
            return;
        };
        let segments: Vec<&str> = segments.iter().map(|segment| &**segment).collect();
        let before = self.session.analysis.report.totals.patterns;
        let conflicts_before = self.session.analysis.rule_conflicts.clone();
        let done = Correction::new(kind, &host, &segments, name).and_then(|correction| {
            self.session.correct(&correction).map(|()| correction.in_words())
        });
        let words = match done {
            Ok(words) => words,
            Err(why) => return self.complain(why),
        };
        if self.pane == Pane::Tree && !name.is_empty() {
            self.follow_name(&host, &segments, name);
        }
        self.refresh();
        let after = self.session.analysis.report.totals.patterns;
        let conflicts = &self.session.analysis.rule_conflicts;
        let new = conflicts.iter().find(|conflict| !conflicts_before.contains(conflict)).cloned();
        match new {
            Some(conflict) => {
                self.complain(format!("{words}; but {conflict} (lines of what w writes)"))
            }
            None if before == after => self.say(format!("{words}; u takes it back, w writes it")),
            None => self.say(format!(
                "{words}: {before} endpoints became {after}; u takes it back, w writes it"
            )),
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
                self.say(format!("taken back; {} left", format_count(left as u64, "correction")));
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
                let count = format_count(count as u64, "correction");
                let name = text::printable(name.as_bytes());
                self.say(format!("{count} written; every command takes --rules {name}"));
            }
            Err(error) => self.complain(error.to_string()),
        }
    }
}

/// A name that a parameter may have after these segments: by the noun before it, and unlike the others of the path.
fn likely_name(before: &[String]) -> String {
    let noun = before.last().filter(|segment| !segment.contains('{'));
    let noun = noun.map(|segment| singular(segment)).filter(|noun| is_name(noun));
    let name = match noun {
        Some(noun) => format!("{noun}_id"),
        None if before.is_empty() => "id".to_owned(),
        None => "name".to_owned(),
    };
    let is_taken = |name: &str| before.iter().any(|it| it.contains(&format!("{{{name}}}")));
    if is_taken(&name) { format!("{name}_2") } else { name }
}
