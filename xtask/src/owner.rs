//! What only an owner can fill in: packaging/owner.toml.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::project;

/// A value that an owner decides.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Placeholder {
    pub(crate) value: String,
    /// Whether an owner has confirmed it.
    pub(crate) is_set: bool,
    pub(crate) what: String,
    /// Files that have the value.
    files: Vec<String>,
}

/// The placeholders by name.
pub(crate) fn placeholders() -> Result<Vec<(String, Placeholder)>> {
    let table: toml::Table = project::read("packaging/owner.toml")?.parse()?;
    let parse = |(name, value): (String, toml::Value)| {
        let placeholder =
            value.try_into().with_context(|| format!("packaging/owner.toml: {name}"))?;
        Ok((name, placeholder))
    };
    table.into_iter().map(parse).collect()
}

/// The value of a placeholder.
pub(crate) fn value(name: &str) -> Result<String> {
    let found = placeholders()?.into_iter().find(|(found, _)| found == name);
    let (_, placeholder) = found.with_context(|| format!("packaging/owner.toml has no {name}"))?;
    Ok(placeholder.value)
}

/// Checks that the files have the values, and returns what no owner has confirmed.
pub(crate) fn check() -> Result<Vec<String>> {
    let mut left = Vec::new();
    for (name, placeholder) in placeholders()? {
        for file in &placeholder.files {
            ensure!(
                project::read(file)?.contains(&placeholder.value),
                "{file} does not have {}, which packaging/owner.toml has as {name}",
                placeholder.value
            );
        }
        if !placeholder.is_set {
            left.push(format!("{name} ({}): {}", placeholder.value, placeholder.what));
        }
    }
    Ok(left)
}
