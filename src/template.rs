//! Templates: where the paths of an API vary, and how the varying parts are called.

pub(crate) mod context;
pub(crate) mod decide;
pub(crate) mod evidence;
pub(crate) mod features;
pub(crate) mod host;
pub(crate) mod judge;
pub(crate) mod model;
mod name;
mod operations;
pub(crate) mod rules;
pub(crate) mod secret;
pub(crate) mod segment;
mod trees;
pub(crate) mod vocabulary;

use std::fmt;

use crate::flow::text;
use crate::template::secret::{Seen, looks_secret};

/// One part of a path template, between two slashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Literal {
        text: Box<[u8]>,
        /// Where it looks like a secret, only its place is shown, and which of the masked ones there it is, from 1.
        mask: Option<usize>,
    },
    Parameter {
        /// One name for each zero byte of the frame.
        names: Vec<String>,
        /// The segment with a zero byte in the place of each part that varies: `\0.json`, `@\0`, `\0,\0`.
        frame: Box<[u8]>,
        /// True if the value goes on over all segments that follow.
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
    /// A literal, after so many others of its place that are masked.
    pub(crate) fn literal(text: &[u8], seen: Seen, masked_before: usize) -> Self {
        let mask = looks_secret(text, seen).then_some(masked_before + 1);
        Self::Literal { text: text.into(), mask }
    }

    pub(crate) fn is_masked(&self) -> bool {
        matches!(self, Self::Literal { mask: Some(_), .. })
    }
}

impl Template {
    /// The template without names: equal for equal templates in every run, whatever their parameters are called.
    pub(crate) fn structure(&self) -> Vec<u8> {
        let mut structure = Vec::new();
        for part in &self.parts {
            structure.push(b'/');
            match part {
                // A zero byte cannot be part of a literal, so a literal `{}` is told apart.
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
    /// `/users/{user_id}/files/{file_id}.json`, with everything unsafe in captured text percent-encoded. A literal that
    /// looks like a secret is shown by its position alone.
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
                        if looks_secret(text, Seen::Often) {
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

/// A literal must not look like a parameter.
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
