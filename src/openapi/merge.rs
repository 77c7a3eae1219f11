//! Adds what a capture shows to a description that people have edited, and keeps every word of theirs.
//!
//! The text is not written anew: each addition is inserted at the end of the mapping or list that it belongs to, the result is
//! read again, and it must be what was there before and the additions. This is repeated until nothing more is added, so that a
//! second merge of one capture changes no byte.

mod additions;
mod addresses;
mod components;
mod credentials;
mod insert;
mod insert_json;
mod json;
mod merger;
mod operations;
mod schemas;
#[cfg(test)]
mod tests;
mod tree;
mod view;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::error::Error;
use crate::flow::text::printable;
use crate::limits::MAX_DESCRIPTION_BYTES;
use crate::openapi::OpenApiVersion;
use crate::openapi::merge::additions::{Additions, SourceFormat, new_nodes};
use crate::openapi::merge::addresses::{addresses, is_host_of};
use crate::openapi::merge::merger::{Findings, MergeInput, Merger};
use crate::openapi::merge::tree::{SourceId, SourceTree, SourceValue};

/// Rounds after which a merge ends in any case.
const MAX_ROUNDS: usize = 12;

/// Places where insertion may fail before a merge is given up.
const MAX_BLOCKED: usize = 16;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A description that people have edited.
#[derive(Debug)]
pub(crate) struct EditedDescription {
    name: String,
    /// The text without its byte order mark.
    text: String,
    has_mark: bool,
    format: SourceFormat,
    tree: SourceTree,
    /// The version of OpenAPI that it is written in.
    pub(crate) version: OpenApiVersion,
}

/// A description with what a capture adds.
#[derive(Debug)]
pub(crate) struct MergedDescription {
    /// The text of the file, with additions.
    pub(crate) text: String,
    /// The number of additions of each kind.
    pub(crate) additions: BTreeMap<&'static str, u64>,
    /// Sentences about differences between description and traffic, and about additions that could not be made.
    pub(crate) conflicts: Vec<String>,
}

impl MergedDescription {
    /// A sentence about the additions.
    pub(crate) fn summary(&self) -> String {
        let conflicts = match self.conflicts.len() {
            0 => "no conflicts".to_owned(),
            1 => "1 conflict".to_owned(),
            several => format!("{several} conflicts"),
        };
        let kinds: Vec<String> =
            self.additions.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let added: u64 = self.additions.values().sum();
        match added {
            0 => format!("merged: nothing to add, {conflicts}"),
            added => format!("merged: {added} added ({}), {conflicts}", kinds.join(", ")),
        }
    }
}

impl EditedDescription {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let file = std::fs::File::open(path).map_err(|error| Error::io(&name, "open", error))?;
        let mut bytes = Vec::new();
        let most = MAX_DESCRIPTION_BYTES as u64;
        file.take(most + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::io(&name, "read", error))?;
        Self::parse(&name, bytes)
    }

    /// Reads the bytes of a file of this name.
    pub(crate) fn parse(name: &str, bytes: Vec<u8>) -> Result<Self, Error> {
        let fault = |what: &str| Error::format(name, printable(what.as_bytes()));
        if bytes.len() > MAX_DESCRIPTION_BYTES {
            return Err(fault(&format!(
                "a description of more than {} MB is not merged; split it into several",
                MAX_DESCRIPTION_BYTES >> 20
            )));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let line = memchr::memchr_iter(b'\n', &error.as_bytes()[..at]).count() + 1;
            fault(&format!("line {line}: this is not UTF-8; save the file as UTF-8"))
        })?;
        let (text, has_mark) = match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => (rest.to_owned(), true),
            None => (text, false),
        };
        let format = if text.trim_start().starts_with('{') {
            SourceFormat::Json
        } else {
            SourceFormat::Yaml
        };
        let tree = parse_source(&text, format)
            .map_err(|(line, what)| fault(&format!("line {line}: {what}")))?;
        let version = version_of(&tree).map_err(|(line, what)| match line {
            0 => fault(&what),
            line => fault(&format!("line {line}: {what}")),
        })?;
        Ok(Self { name: name.to_owned(), text, has_mark, format, tree, version })
    }

    /// Chooses the description of the host that this one is about; `is_chosen` if users chose it.
    pub(crate) fn host_of<'d>(
        &self,
        described: &'d [(String, Value)],
        is_chosen: bool,
    ) -> Result<&'d (String, Value), Error> {
        let servers = addresses(&self.tree);
        let named: Vec<&str> = servers.iter().filter_map(|server| server.host.as_deref()).collect();
        let own: Vec<&(String, Value)> = described
            .iter()
            .filter(|(host, _)| servers.iter().any(|server| is_host_of(server, host)))
            .collect();
        let list = |hosts: &[&str]| {
            let shown = hosts.iter().take(5).copied().collect::<Vec<_>>().join(", ");
            if hosts.len() > 5 { format!("{shown}, ...") } else { shown }
        };
        let hosts: Vec<&str> = described.iter().map(|(host, _)| &**host).collect();
        let what = match (&own[..], described) {
            ([only], _) => return Ok(only),
            ([], [only]) if is_chosen || named.is_empty() => return Ok(only),
            ([], _) if named.is_empty() => format!(
                "its `servers` name no host, and the captures have {} ({}); choose one with --domain",
                hosts.len(),
                list(&hosts)
            ),
            ([], _) => format!(
                "its `servers` name {}, and the captures have other hosts ({}); choose one of these with --domain",
                list(&named),
                list(&hosts)
            ),
            (several, _) => {
                let several: Vec<&str> = several.iter().map(|(host, _)| &**host).collect();
                format!(
                    "its `servers` name {} hosts of the captures ({}); choose one with --domain",
                    several.len(),
                    list(&several)
                )
            }
        };
        Err(Error::format(&self.name, printable(what.as_bytes())))
    }

    /// Adds what the description of a host shows, which must be in [`version`](Self::version).
    pub(crate) fn merged_with(self, host: &str, api: &Value) -> Result<MergedDescription, Error> {
        let Self { name, mut text, has_mark, format, mut tree, version: _ } = self;
        let mut counts = BTreeMap::new();
        let mut conflicts;
        let mut blocked = BTreeSet::new();
        // The line in the file of each node that was there from the beginning.
        let mut lines: BTreeMap<SourceId, usize> =
            tree.ids().map(|id| (id, tree.line(id))).collect();
        let mut rounds = 0;
        loop {
            let input =
                MergeInput { tree: &tree, text: &text, format, api, host, blocked: &blocked };
            let found = find_differences(input);
            conflicts = found.conflicts;
            rounds += 1;
            if found.additions.is_empty() || rounds > MAX_ROUNDS {
                break;
            }
            if let Some(extension) = try_extend(&text, &tree, format, &found.additions) {
                (text, tree) = (extension.text, extension.tree);
                let moved = |id: &SourceId| extension.nodes.get(id).copied();
                lines = lines.iter().filter_map(|(id, line)| Some((moved(id)?, *line))).collect();
                blocked = blocked.iter().filter_map(moved).collect();
                for (kind, count) in found.counts {
                    *counts.entry(kind).or_default() += count;
                }
            } else if blocked.len() < MAX_BLOCKED {
                rounds -= 1;
                blocked.insert(find_failing_node(&text, &tree, format, &found.additions));
            } else {
                let what = "lines cannot be inserted safely into this file; format it, for example with prettier, and merge again";
                return Err(Error::format(&name, what));
            }
        }
        let sentence = |(id, what): (SourceId, String)| {
            // What was added a moment ago is told by the line that it is below.
            let line = lines.range(..=id).next_back().map_or(1, |(_, line)| *line);
            let said = format!("{name}: line {line}: {what}");
            printable(said.as_bytes()).into_owned()
        };
        if has_mark {
            text.insert(0, BYTE_ORDER_MARK);
        }
        Ok(MergedDescription {
            text,
            additions: counts,
            conflicts: conflicts.into_iter().map(sentence).collect(),
        })
    }
}

fn parse_source(text: &str, format: SourceFormat) -> Result<SourceTree, yaml::Fault> {
    let tree = match format {
        SourceFormat::Json => json::read_json(text)?,
        SourceFormat::Yaml => yaml::read_yaml(text)?,
    };
    if tree.len() == 0 || !matches!(tree.value(SourceId::ROOT), SourceValue::Mapping(_)) {
        let what = "this is not an OpenAPI description, which begins with the key `openapi`; name another file";
        return Err((1, what.to_owned()));
    }
    Ok(tree)
}

fn version_of(tree: &SourceTree) -> Result<OpenApiVersion, yaml::Fault> {
    if let Some(older) = tree.get(SourceId::ROOT, "swagger") {
        let what = "this is Swagger 2.0; convert it to OpenAPI 3.0 or 3.1 (for example with swagger2openapi), and merge again";
        return Err((tree.line(older), what.to_owned()));
    }
    let Some(id) = tree.get(SourceId::ROOT, "openapi") else {
        let what =
            "the key `openapi` with a version is missing; name an OpenAPI description, or add it";
        return Err((0, what.to_owned()));
    };
    let version = tree.scalar_text(id).unwrap_or_default();
    match version.split('.').take(2).collect::<Vec<_>>()[..] {
        ["3", "0"] => Ok(OpenApiVersion::V3_0),
        ["3", "1"] => Ok(OpenApiVersion::V3_1),
        _ => {
            let what = format!(
                "`openapi` is `{version}`, and 3.0 and 3.1 can be merged; convert it to one of them"
            );
            Err((tree.line(id), what))
        }
    }
}

fn find_differences(input: MergeInput<'_>) -> Findings {
    let mut merger = Merger::new(input);
    merger.compare_paths();
    merger.begin_adding();
    merger.compare_paths();
    merger.into_findings()
}

/// A text with additions.
struct Extension {
    text: String,
    tree: SourceTree,
    /// The new node of each old one.
    nodes: BTreeMap<SourceId, SourceId>,
}

/// Inserts additions into a text; `None` if the result, when parsed, is not the old content plus the additions.
fn try_extend(
    text: &str,
    tree: &SourceTree,
    format: SourceFormat,
    additions: &Additions,
) -> Option<Extension> {
    let new_text = match format {
        SourceFormat::Json => insert_json::with_members(text, tree, additions),
        SourceFormat::Yaml => insert::with_lines(text, tree, additions),
    };
    let new_tree = parse_source(&new_text, format).ok()?;
    let nodes = new_nodes(tree, &new_tree, additions)?;
    Some(Extension { text: new_text, tree: new_tree, nodes })
}

/// Finds a node whose additions cannot be inserted, by bisection.
fn find_failing_node(
    text: &str,
    tree: &SourceTree,
    format: SourceFormat,
    additions: &Additions,
) -> SourceId {
    let mut suspects: Vec<SourceId> = additions.keys().copied().collect();
    while suspects.len() > 1 {
        let rest = suspects.split_off(suspects.len() / 2);
        let half: Additions =
            suspects.iter().filter_map(|id| Some((*id, additions.get(id)?.clone()))).collect();
        if try_extend(text, tree, format, &half).is_some() {
            suspects = rest;
        }
    }
    suspects.first().copied().unwrap_or(SourceId::ROOT)
}
