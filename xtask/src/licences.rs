//! The licences of what the program is built from, as one text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::project;
use crate::target::Target;

/// Names, versions, licences and texts of the crates in the program for a platform.
pub(crate) fn text(target: Target) -> Result<String> {
    let tree = project::output_of(project::command("cargo").args([
        "tree",
        "--locked",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        "{p}",
        "--target",
        target.triple,
    ]))?;
    let mut used: Vec<&str> = tree.lines().filter(|line| !line.contains(" (")).collect();
    used.sort_unstable();
    used.dedup();
    let metadata = project::output_of(project::command("cargo").args([
        "metadata",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        target.triple,
    ]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let mut crates = BTreeMap::new();
    for package in metadata["packages"].as_array().context("the metadata has no packages")? {
        let field = |name: &str| package[name].as_str().unwrap_or_default();
        crates.insert(format!("{} v{}", field("name"), field("version")), package);
    }
    let mut written = String::from(
        "The program api-patterns contains the standard library of Rust (MIT OR Apache-2.0) and these crates. Their licences follow.\n",
    );
    for name in used {
        let package = crates.get(name).with_context(|| format!("{name} is not in the metadata"))?;
        let licence = package["license"].as_str().unwrap_or("see below");
        let line = "-".repeat(80);
        write!(written, "\n{line}\n{name}: {licence}\n")?;
        if let Some(repository) = package["repository"].as_str() {
            writeln!(written, "{repository}")?;
        }
        let manifest = Path::new(package["manifest_path"].as_str().context("a crate has no path")?);
        let folder = manifest.parent().context("a manifest stands in a folder")?;
        let texts = texts(folder)?;
        if texts.is_empty() {
            writeln!(written, "\nThe crate comes without the text of its licence.")?;
        }
        for text in texts {
            write!(written, "\n{}\n", text.trim())?;
        }
    }
    Ok(written)
}

/// The texts of licences in a folder, by name.
fn texts(folder: &Path) -> Result<Vec<String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        let starts = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"];
        if path.is_file() && starts.iter().any(|start| name.starts_with(start)) {
            found.insert(name, String::from_utf8_lossy(&fs::read(&path)?).into_owned());
        }
    }
    Ok(found.into_values().collect())
}
