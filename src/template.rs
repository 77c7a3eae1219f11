//! Inference of path templates: which segments of an API's paths vary, and how the parameters are
//! named.
//!
//! The stages are [`segment`] (lexical kind of one segment), [`trie`] (the mergeable evidence),
//! [`features`] and [`context`] (features of a segment), [`classifier`] with [`model`]
//! (classification as literal or value), and [`decide`] (the decided tree of templates).

pub(crate) mod body_evidence;
pub(crate) mod classifier;
pub(crate) mod codes;
pub(crate) mod context;
pub(crate) mod decide;
pub(crate) mod decided;
pub(crate) mod features;
pub(crate) mod host;
pub(crate) mod model;
pub(crate) mod model_rules;
pub(crate) mod naming;
pub(crate) mod node_group;
pub(crate) mod nouns;
mod operations;
pub(crate) mod path_step;
pub(crate) mod property_rules;
mod rule_lines;
mod second_pass;
pub(crate) mod secret;
pub(crate) mod segment;
mod sibling_rules;
pub(crate) mod singular;
mod trees;
pub(crate) mod trie;
pub(crate) mod user_rules;
pub(crate) mod variable;
pub(crate) mod vocabulary;

use std::fmt;

use crate::flow::text;
use crate::template::secret::{Frequency, looks_secret};

/// One segment of a path template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Literal {
        text: Box<[u8]>,
        /// Set if the text looks like a secret and is shown masked: its number among the masked
        /// literals of the parent, from 1.
        mask: Option<usize>,
    },
    Parameter {
        /// Parameter names, one for each zero byte of the frame.
        names: Vec<String>,
        /// The segment with a zero byte in place of each varying part: `\0.json`, `@\0`, `\0,\0`.
        frame: Box<[u8]>,
        /// True if the value spans all remaining segments.
        rest: bool,
    },
}

/// A path template: literal segments and named parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Template {
    pub(crate) parts: Vec<Part>,
    pub(crate) trailing_slash: bool,
}

impl Part {
    /// A literal segment. `masked_before` is the number of masked literals among its preceding
    /// siblings.
    pub(crate) fn literal(text: &[u8], seen: Frequency, masked_before: usize) -> Self {
        let mask = looks_secret(text, seen).then_some(masked_before + 1);
        Self::Literal { text: text.into(), mask }
    }

    /// Returns `true` if the segment is a masked literal.
    pub(crate) fn is_masked(&self) -> bool {
        matches!(self, Self::Literal { mask: Some(_), .. })
    }
}

impl Template {
    /// The template without parameter names. Templates that differ only in names have equal
    /// structures, in every run.
    pub(crate) fn structure(&self) -> Vec<u8> {
        let mut structure = Vec::new();
        for part in &self.parts {
            structure.push(b'/');
            match part {
                // A zero byte cannot occur in a literal, so a literal `{}` cannot be confused with
                // a parameter.
                Part::Literal { text, .. } => structure.extend_from_slice(text),
                Part::Parameter { frame, rest, .. } => {
                    structure.extend_from_slice(frame);
                    if *rest {
                        structure.push(b'+');
                    }
                }
            }
        }
        structure
    }

    /// The parameters in order: (index of the segment, name).
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (usize, &str)> {
        self.parts.iter().enumerate().flat_map(|(i, part)| {
            let names: &[String] = match part {
                Part::Parameter { names, .. } => names,
                Part::Literal { .. } => &[],
            };
            names.iter().map(move |name| (i, &**name))
        })
    }
}

impl fmt::Display for Template {
    /// Formats the template as `/users/{user_id}/files/{file_id}.json`. Unsafe characters of
    /// captured text are percent-encoded. A literal that looks like a secret is shown as its
    /// position only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.parts.is_empty() {
            return f.write_str("/");
        }
        for (i, part) in self.parts.iter().enumerate() {
            f.write_str("/")?;
            match part {
                Part::Literal { mask: Some(1), .. } => write!(f, "[masked:{}]", i + 1)?,
                Part::Literal { mask: Some(number), .. } => {
                    write!(f, "[masked:{}.{number}]", i + 1)?;
                }
                Part::Literal { text, .. } => write_literal(f, text)?,
                Part::Parameter { names, frame, rest } => {
                    let mut names = names.iter();
                    for (n, text) in frame.split(|byte| *byte == 0).enumerate() {
                        if n > 0 {
                            let name = names.next().map_or("value", |name| &**name);
                            write!(f, "{{{name}{}}}", if *rest { "+" } else { "" })?;
                        }
                        if looks_secret(text, Frequency::Often) {
                            f.write_str("[masked]")?;
                        } else {
                            write_literal(f, text)?;
                        }
                    }
                }
            }
        }
        if self.trailing_slash { f.write_str("/") } else { Ok(()) }
    }
}

/// Writes a literal with braces percent-encoded, so that it cannot look like a parameter.
fn write_literal(f: &mut fmt::Formatter<'_>, literal: &[u8]) -> fmt::Result {
    for c in text::printable(literal).chars() {
        match c {
            '{' => f.write_str("%7B")?,
            '}' => f.write_str("%7D")?,
            c => write!(f, "{c}")?,
        }
    }
    Ok(())
}
