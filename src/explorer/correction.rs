//! A correction of a template: one rule of a rules file.

use crate::flow::text;
use crate::output::quoted;
use crate::report::OTHER_HOSTS;
use crate::report::masked::MASK;
use crate::template::user_rules::is_name;

/// The effect of a correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CorrectionKind {
    /// Keeps one segment, `[[literal]]`, or all segments at the place of a parameter, `[[forbid]]`.
    Keep,
    /// Makes the segments at a place a parameter with a name: `[[template]]`.
    Merge,
    /// Gives a parameter another name: `[[rename]]`.
    Rename,
    /// Keeps the literals of a path and its parameters as they are: `[[template]]`.
    Pin,
}

/// A rule for one place of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Correction {
    /// The table of the rules file: `literal`, `forbid`, `template` or `rename`.
    table: &'static str,
    host: String,
    path: String,
    /// The new name of a parameter.
    to: Option<String>,
}

impl Correction {
    /// The correction at a path of a host; `name` is the name of the parameter for those that need one.
    ///
    /// # Errors
    ///
    /// Fails with a sentence for people if it makes no sense at this path.
    pub(super) fn new(
        kind: CorrectionKind,
        host: &str,
        segments: &[&str],
        name: &str,
    ) -> Result<Self, String> {
        let Some((last, before)) = segments.split_last() else {
            return Err("choose a part of a path first".to_owned());
        };
        if host == OTHER_HOSTS {
            return Err(
                "these hosts were not told apart, so no rule can be about one of them".to_owned()
            );
        }
        if segments.iter().any(|segment| segment.contains(MASK)) {
            return Err("a part of this path is masked, and a rule cannot name it".to_owned());
        }
        if segments.contains(&"*") {
            return Err("a part of this path is *, which means any in a rule".to_owned());
        }
        let is_parameter = last.contains('{');
        let any_name =
            |segment: &&str| if segment.contains('{') { "*" } else { segment }.to_owned();
        let loose = |last: &str| joined(before.iter().map(any_name).chain([last.to_owned()]));
        let exact = |last: &str| {
            joined(before.iter().map(|segment| (*segment).to_owned()).chain([last.to_owned()]))
        };
        let (table, path, to) = match kind {
            CorrectionKind::Keep if is_parameter => ("forbid", loose("*"), None),
            CorrectionKind::Keep => ("literal", loose(last), None),
            CorrectionKind::Pin => ("template", exact(last), None),
            CorrectionKind::Merge | CorrectionKind::Rename if !is_name(name) => {
                return Err("a name has letters, digits and _, and 64 of them at most".to_owned());
            }
            CorrectionKind::Merge | CorrectionKind::Rename
                if segments.iter().any(|segment| segment.contains(&format!("{{{name}}}"))) =>
            {
                return Err(format!("this path has a parameter {{{name}}} already"));
            }
            CorrectionKind::Merge if is_parameter => {
                return Err("this is a parameter already; r gives it another name".to_owned());
            }
            CorrectionKind::Merge => ("template", exact(&format!("{{{name}}}")), None),
            CorrectionKind::Rename if !is_parameter => {
                return Err("this is not a parameter; m makes it one".to_owned());
            }
            CorrectionKind::Rename => ("rename", loose(last), Some(name.to_owned())),
        };
        Ok(Self { table, host: host.to_owned(), path, to })
    }

    /// The rule in a rules file.
    pub(super) fn toml(&self) -> String {
        let (host, path) = (quoted(&self.host), quoted(&self.path));
        let to = self.to.as_ref().map(|to| format!("to = \"{to}\"\n")).unwrap_or_default();
        format!("\n[[{}]]\nhost = {host}\npath = {path}\n{to}", self.table)
    }

    /// The rule as problems with rules name it.
    pub(super) fn in_words(&self) -> String {
        let words = format!("[[{}]] {} on {}", self.table, self.path, self.host);
        text::printable(words.as_bytes()).into_owned()
    }

    /// True if it is to keep the values of a parameter apart.
    pub(super) fn separates(&self) -> bool {
        self.table == "forbid"
    }

    /// True if this correction takes the place of an earlier one: both say something of the same segment.
    pub(super) fn replaces(&self, earlier: &Self) -> bool {
        let place = |correction: &Self| {
            let unnamed = correction.path.split('/').map(|segment| {
                if segment.contains('{') { "*".to_owned() } else { segment.to_owned() }
            });
            unnamed.collect::<Vec<_>>()
        };
        self.host == earlier.host && self.table == earlier.table && place(self) == place(earlier)
    }
}

fn joined(segments: impl Iterator<Item = String>) -> String {
    segments.flat_map(|segment| ["/".to_owned(), segment]).collect()
}
