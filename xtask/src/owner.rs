//! What only an owner can fill in: packaging/owner.toml.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::project;

/// The name of the project.
const NAME: &str = "api-patterns";

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

/// Checks that exactly the listed files have the values, and returns what no owner has confirmed.
pub(crate) fn check() -> Result<Vec<String>> {
    let mut left = Vec::new();
    for (name, placeholder) in placeholders()? {
        let value = &placeholder.value;
        for file in &placeholder.files {
            ensure!(
                project::read(file)?.contains(value),
                "{file} does not have {value}, which packaging/owner.toml has as {name}"
            );
        }
        // The name of the project itself is everywhere.
        if value != NAME {
            let found = files_with(value)?;
            ensure!(
                found == placeholder.files,
                "packaging/owner.toml: {name} stands in {found:?}, not in {:?}",
                placeholder.files
            );
        }
        if !placeholder.is_set {
            left.push(format!("{name} ({value}): {}", placeholder.what));
        }
    }
    Ok(left)
}

/// Files of the repository that have a value, but for the list of placeholders.
fn files_with(value: &str) -> Result<Vec<String>> {
    let mut git = project::command("git");
    git.args(["grep", "--untracked", "--name-only", "--fixed-strings", "-e", value]);
    git.args(["--", ".", ":!packaging/owner.toml", ":!xtask/src"]);
    Ok(project::output_of(&mut git)?.lines().map(str::to_owned).collect())
}
