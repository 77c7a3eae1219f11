//! User-defined rules: pinned templates, kept segments, forbidden merges, renamed parameters,
//! grouped hosts.
//!
//! Rules apply when templates are decided, so they also affect flows that were observed before.

mod conflicts;
pub(crate) mod rule_classifier;

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use crate::error::Error;
use crate::flow::text;
use crate::template::property_rules::{PropertyEntry, PropertyRule};
use crate::template::rule_lines::line_of;

/// User-defined rules that override the classifier, from a TOML file. The default has no rules.
///
/// A path is matched from its beginning. In it, `*` matches any segment, `{name}` a parameter,
/// `{name+}` a parameter that spans all remaining segments, and anything else a literal.
///
/// ```
/// let rules = api_patterns::Rules::parse("rules.toml", r#"
///     [[template]]                    # these literals stay, these parameters vary, and are called so
///     host = "api.example.com"        # any host where it is left out
///     path = "/repos/{owner}/{repo}"
///
///     [[literal]]                     # this segment is never a parameter
///     path = "/repos/*/*/alerts"
///
///     [[forbid]]                      # nothing at this place is merged
///     path = "/auth/*"
///
///     [[rename]]                      # the parameter is called otherwise
///     path = "/users/{user_id}"
///     to = "login"
///
///     [[host]]                        # hosts that are one
///     template = "{tenant}.example.com"
///
///     [[property]]                    # in schemas: this is a map, an enumeration, or called so
///     endpoint = "GET /users/{user_id}"   # any endpoint where it is left out
///     path = "200.settings"           # query, request or a status, then keys; * and ** match any
///     map = true
///     name = "Settings"
/// "#).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rules {
    paths: Vec<PathRule>,
    hosts: Vec<HostRule>,
    pub(crate) properties: Vec<PropertyRule>,
}

/// One rule for paths.
#[derive(Clone, Debug)]
struct PathRule {
    kind: RuleKind,
    host: Option<String>,
    path: String,
    /// Line of the path in the file, from 1.
    line: usize,
    segments: Vec<RuleSegment>,
    to: Option<String>,
}

/// The effect of a rule for paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RuleKind {
    Template,
    Literal,
    Forbid,
    Rename,
}

/// One segment of a rule's path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RuleSegment {
    Literal(String),
    /// `*`: any segment.
    Any,
    Parameter {
        names: Vec<String>,
        /// The fixed text around the parameters, with a zero byte in place of each.
        frame: Vec<u8>,
        rest: bool,
    },
}

/// A rule that groups hosts.
#[derive(Clone, Debug)]
struct HostRule {
    template: String,
    /// Line of the template in the file, from 1.
    line: usize,
    /// Text before the variable label.
    before: String,
    /// Text after the variable label.
    after: String,
}

/// The TOML file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    #[serde(default)]
    template: Vec<PathEntry>,
    #[serde(default)]
    literal: Vec<PathEntry>,
    #[serde(default)]
    forbid: Vec<PathEntry>,
    #[serde(default)]
    rename: Vec<RenameEntry>,
    #[serde(default)]
    host: Vec<HostEntry>,
    #[serde(default)]
    property: Vec<PropertyEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathEntry {
    host: Option<String>,
    path: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RenameEntry {
    host: Option<String>,
    path: Spanned<String>,
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostEntry {
    template: Spanned<String>,
}

impl Rules {
    /// Parses rules from TOML. `name` is the name of the file, for error messages only.
    ///
    /// ```
    /// use api_patterns::Rules;
    ///
    /// assert!(Rules::parse("rules.toml", "[[literal]]\npath = \"/users/me\"").is_ok());
    /// let error = Rules::parse("rules.toml", "[[literal]]\npath = \"/users/{id}\"").unwrap_err();
    /// assert_eq!(error.source_name(), Some("rules.toml"));
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the text is not valid TOML, has an unknown key, or contains a rule that cannot be
    /// applied.
    pub fn parse(name: &str, toml: &str) -> Result<Self, Error> {
        let file: RulesFile = toml::from_str(toml).map_err(|error| {
            let line = line_of(toml, error.span().map_or(0, |span| span.start));
            let why = error.message();
            Error::format(
                name,
                format!("line {line}: {why}; the README shows what a rules file holds"),
            )
        })?;
        let mut rules = Self::default();
        let plain = |kind, entries: Vec<PathEntry>| {
            entries.into_iter().map(move |e| (kind, e.host, e.path, None))
        };
        let entries = plain(RuleKind::Template, file.template)
            .chain(plain(RuleKind::Literal, file.literal))
            .chain(plain(RuleKind::Forbid, file.forbid))
            .chain(file.rename.into_iter().map(|e| (RuleKind::Rename, e.host, e.path, Some(e.to))));
        for (kind, host, path, to) in entries {
            let line = line_of(toml, path.span().start);
            let path = path.into_inner();
            let segments = parse_path(name, line, &path)?;
            let fits = match (kind, segments.last()) {
                (RuleKind::Template, _) => !segments.contains(&RuleSegment::Any),
                (RuleKind::Literal, last) => matches!(last, Some(RuleSegment::Literal(_))),
                (RuleKind::Forbid, last) => matches!(last, Some(RuleSegment::Any)),
                (RuleKind::Rename, last) => matches!(last, Some(RuleSegment::Parameter { .. })),
            };
            if !fits || to.as_ref().is_some_and(|to| !is_name(to)) {
                let wanted = match kind {
                    RuleKind::Template => {
                        "the path of a template has literals and {parameters}, and no *"
                    }
                    RuleKind::Literal => "the path of a literal ends with the segment that is kept",
                    RuleKind::Forbid => "the path of a forbidden merge ends with *",
                    RuleKind::Rename => {
                        "the path of a rename ends with the {parameter}, and `to` has letters, digits and _ only"
                    }
                };
                return Err(Error::format(
                    name,
                    format!(
                        "line {line}: the rule for {} cannot be applied: {wanted}",
                        text::printable(path.as_bytes())
                    ),
                ));
            }
            rules.paths.push(PathRule {
                kind,
                host: host.map(|host| host.to_ascii_lowercase()),
                path,
                line,
                segments,
                to,
            });
        }
        for entry in file.host {
            let line = line_of(toml, entry.template.span().start);
            rules.hosts.push(parse_host(name, line, entry.template.into_inner())?);
        }
        for entry in file.property {
            rules.properties.push(PropertyRule::parse(name, toml, entry)?);
        }
        Ok(rules)
    }

    /// The host rule that matches a host: (index, template of the group).
    pub(crate) fn host_group(&self, host: &str) -> Option<(usize, &str)> {
        self.hosts.iter().enumerate().find_map(|(i, rule)| {
            let label = host.strip_prefix(&*rule.before)?.strip_suffix(&*rule.after)?;
            (!label.is_empty() && !label.contains('.')).then_some((i, &*rule.template))
        })
    }

    /// The rules that are not in `matched`, formatted for users.
    pub(crate) fn in_words(&self, matched: &MatchedRules) -> Vec<String> {
        let kinds = |kind| match kind {
            RuleKind::Template => "template",
            RuleKind::Literal => "literal",
            RuleKind::Forbid => "forbid",
            RuleKind::Rename => "rename",
        };
        let rules = self.paths.iter().enumerate().filter(|(i, _)| !matched.rules.contains(i)).map(
            |(_, rule)| {
                let host = rule.host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
                format!("[[{}]] {}{host}", kinds(rule.kind), rule.path)
            },
        );
        let hosts = self.hosts.iter().enumerate().filter(|(i, _)| !matched.hosts.contains(i));
        rules
            .chain(hosts.map(|(_, rule)| format!("[[host]] {}", rule.template)))
            .map(|words| text::printable(words.as_bytes()).into_owned())
            .collect()
    }

    /// Returns `true` if there are no rules.
    pub(crate) fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.hosts.is_empty()
    }
}

/// Indices of the rules that matched something.
#[derive(Debug, Default)]
pub(crate) struct MatchedRules {
    rules: BTreeSet<usize>,
    pub(crate) hosts: BTreeSet<usize>,
}

/// Returns `true` for a valid parameter name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Parses the path of a rule.
fn parse_path(name: &str, line: usize, path: &str) -> Result<Vec<RuleSegment>, Error> {
    let bad = || {
        let path = text::printable(path.as_bytes()).into_owned();
        Error::format(
            name,
            format!(
                "line {line}: {path} is not a path of a rule, which begins with / and has literals, {{names}} and *"
            ),
        )
    };
    if !path.starts_with('/') {
        return Err(bad());
    }
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| {
            if segment == "*" {
                return Ok(RuleSegment::Any);
            }
            if !segment.contains(['{', '}']) {
                return Ok(RuleSegment::Literal(segment.to_owned()));
            }
            parse_parameters(segment).ok_or_else(bad)
        })
        .collect()
}

/// Parses a segment with parameters: `{id}.json`, `@{user}`, `{lat},{lon}`, `{path+}`. Returns
/// `None` if it is malformed.
fn parse_parameters(segment: &str) -> Option<RuleSegment> {
    let (mut names, mut frame, mut rest) = (Vec::new(), Vec::new(), false);
    let mut text = segment;
    while let Some((before, after)) = text.split_once('{') {
        let (inside, after) = after.split_once('}')?;
        let name = inside.strip_suffix('+').unwrap_or(inside);
        // Adjacent parameters without text between them are ambiguous.
        if !is_name(name) || before.contains('}') || (!names.is_empty() && before.is_empty()) {
            return None;
        }
        rest |= name.len() < inside.len();
        names.push(name.to_owned());
        frame.extend_from_slice(before.as_bytes());
        frame.push(0);
        text = after;
    }
    let is_plain = !text.contains('}') && (!rest || names.len() == 1);
    frame.extend_from_slice(text.as_bytes());
    is_plain.then_some(RuleSegment::Parameter { names, frame, rest })
}

/// Returns `true` if a segment has the fixed text of a frame and a non-empty value in each place. A
/// frame matches itself.
pub(crate) fn fits_frame(frame: &[u8], segment: &[u8]) -> bool {
    let mut parts = frame.split(|byte| *byte == 0);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = segment.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.len() > part.len() && rest.ends_with(part);
        }
        let after = rest.get(1..).unwrap_or_default();
        match memchr::memmem::find(after, part) {
            Some(at) => rest = &after[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

/// Parses the template of a host rule.
fn parse_host(name: &str, line: usize, template: String) -> Result<HostRule, Error> {
    let parts =
        template.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    match parts {
        Some((before, (label, after)))
            if is_name(label) && !after.contains('{') && after.starts_with('.') =>
        {
            let (before, after) = (before.to_ascii_lowercase(), after.to_ascii_lowercase());
            Ok(HostRule { template, line, before, after })
        }
        _ => {
            let message = "a template of hosts has one {label} and the text after it, as in {tenant}.example.com";
            Err(Error::format(name, format!("line {line}: {message}")))
        }
    }
}
