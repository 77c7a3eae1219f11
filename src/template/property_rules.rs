//! User-defined rules for properties of bodies: which are maps, which are enumerations, and names of components.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use crate::error::Error;
use crate::flow::text;
use crate::sketch::Merge;
use crate::template::rule_lines::line_of;

/// A rule for the properties at a path.
#[derive(Clone, Debug)]
pub(crate) struct PropertyRule {
    host: Option<String>,
    endpoint: Option<String>,
    path: String,
    steps: Vec<RuleStep>,
    decision: PropertyDecision,
}

/// The decision of rules about one place. Where they say nothing, evidence decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PropertyDecision {
    /// Whether the keys of its objects are values.
    pub(crate) map: Option<bool>,
    /// Whether its strings are an enumeration.
    pub(crate) enumeration: Option<bool>,
    /// The name of the component that its objects are.
    pub(crate) name: Option<Box<str>>,
}

/// One step of the path of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RuleStep {
    /// A key, `[]` for the items of a list, or the kind of message.
    Key(String),
    /// `*`: any one step.
    Any,
    /// `**`: any number of steps.
    AnyNumber,
}

/// One `[[property]]` of a rules file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PropertyEntry {
    host: Option<String>,
    endpoint: Option<String>,
    path: Spanned<String>,
    map: Option<bool>,
    #[serde(rename = "enum")]
    enumeration: Option<bool>,
    name: Option<String>,
}

/// Splits a path such as `200.items[].id` into steps: the kind of message, and then keys and `[]`.
pub(crate) fn steps_of(path: &str) -> Vec<String> {
    let path = path.replace("[]", ".[]");
    path.split('.').filter(|step| !step.is_empty()).map(str::to_owned).collect()
}

/// Parses the path of a rule.
fn rule_steps(path: &str) -> Vec<RuleStep> {
    let step = |step: String| match &*step {
        "*" => RuleStep::Any,
        "**" => RuleStep::AnyNumber,
        _ => RuleStep::Key(step),
    };
    steps_of(path).into_iter().map(step).collect()
}

impl PropertyRule {
    /// Checks a rule of the file with this name and text.
    pub(super) fn parse(file: &str, toml: &str, entry: PropertyEntry) -> Result<Self, Error> {
        let PropertyEntry { host, endpoint, path, map, enumeration, name } = entry;
        let line = line_of(toml, path.span().start);
        let path = path.into_inner();
        let refuse = |why: &str| {
            let path = text::printable(path.as_bytes());
            let message =
                format!("line {line}: the rule for the property {path} cannot be applied: {why}");
            Err(Error::format(file, message))
        };
        let steps = rule_steps(&path);
        if steps.is_empty() {
            return refuse(
                "its path is request, query or a status, and then keys, as in 200.items[].labels; \
                 * is any one of them, and ** any number",
            );
        }
        let is_name = |name: &String| {
            name.len() <= 60
                && name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if !name.as_ref().is_none_or(is_name) {
            return refuse("`name` begins with a letter and has letters, digits and _ only");
        }
        if map.is_none() && enumeration.is_none() && name.is_none() {
            return refuse("it needs `map`, `enum` or `name`");
        }
        let decision = PropertyDecision { map, enumeration, name: name.map(Into::into) };
        let host = host.map(|host| host.to_ascii_lowercase());
        Ok(Self { host, endpoint, path, steps, decision })
    }

    /// The rule in words for users.
    pub(crate) fn in_words(&self) -> String {
        let host = self.host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
        let endpoint = self.endpoint.as_ref().map(|of| format!(" of {of}")).unwrap_or_default();
        let words = format!("[[property]] {}{endpoint}{host}", self.path);
        text::printable(words.as_bytes()).into_owned()
    }
}

/// The rules for the properties of the messages of a set of captures, with those that matched something.
#[derive(Debug, Default)]
pub(crate) struct PropertyRules<'r> {
    rules: &'r [PropertyRule],
    matched: RefCell<BTreeSet<usize>>,
}

impl<'r> PropertyRules<'r> {
    pub(crate) fn new(rules: &'r [PropertyRule]) -> Self {
        Self { rules, matched: RefCell::default() }
    }

    /// The decision for a place: `message` is `request`, `query` or a status, and `path` the keys below it.
    pub(crate) fn decision(
        &self,
        host: &str,
        endpoint: &str,
        message: &str,
        path: &[&str],
    ) -> PropertyDecision {
        let mut decision = PropertyDecision::default();
        for (number, rule) in self.rules.iter().enumerate() {
            let is_about = rule.host.as_ref().is_none_or(|of| of == host)
                && rule.endpoint.as_ref().is_none_or(|of| of == endpoint)
                && matches(&rule.steps, &[&[message], path].concat());
            if is_about {
                self.matched.borrow_mut().insert(number);
                decision.merge(rule.decision.clone());
            }
        }
        decision
    }

    /// The rules that matched nothing, in words.
    pub(crate) fn unmatched(&self) -> Vec<String> {
        let matched = self.matched.borrow();
        let rules = self.rules.iter().enumerate().filter(|(number, _)| !matched.contains(number));
        rules.map(|(_, rule)| rule.in_words()).collect()
    }
}

/// True if a path has the steps of a rule. The time is the product of their lengths.
fn matches(steps: &[RuleStep], path: &[&str]) -> bool {
    // `reached[n]`: the steps so far match the first `n` parts of the path.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for step in steps {
        let before = reached.clone();
        for at in 0..=path.len() {
            let after_one = at > 0 && before[at - 1];
            reached[at] = match step {
                RuleStep::AnyNumber => before[at] || (at > 0 && reached[at - 1]),
                RuleStep::Any => after_one,
                RuleStep::Key(key) => after_one && path[at - 1] == key,
            };
        }
    }
    reached[path.len()]
}

impl Merge for PropertyDecision {
    /// Combines the decisions of two rules for one place: `true` and the first name in order win.
    fn merge(&mut self, other: Self) {
        self.map = self.map.max(other.map);
        self.enumeration = self.enumeration.max(other.enumeration);
        self.name = match (self.name.take(), other.name) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_steps() {
        let is = |rule: &str, path: &str| {
            let steps = rule_steps(rule);
            let path = steps_of(path);
            matches(&steps, &path.iter().map(String::as_str).collect::<Vec<_>>())
        };
        assert!(is("200.items[].labels", "200.items[].labels"));
        assert!(is("*.items[].*", "200.items[].labels") && !is("*.labels", "200.items[].labels"));
        assert!(is("**.labels", "200.items[].labels") && is("**.labels", "200.labels"));
        assert!(!is("200.**", "request.labels") && is("200.**", "200"));
    }
}
