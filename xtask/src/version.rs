//! The version, which stands in several files.

use anyhow::{Context as _, Result, bail, ensure};
use regex::Regex;

use crate::{changelog, project};

/// Files with the version, and a pattern whose first group is it. Each pattern must match.
const PLACES: [(&str, &str); 9] = [
    ("Cargo.toml", r#"(?m)^version = "([^"]+)""#),
    ("Cargo.lock", r#"name = "api-patterns(?:-python)?"\nversion = "([^"]+)""#),
    ("packaging/manifest.json", r#"(?m)^  "version": "([^"]+)""#),
    ("server.json", r#""version": "([^"]+)""#),
    ("server.json", r"/download/v([^/]+)/"),
    ("server.json", r"api-patterns-([0-9.]+(?:-rc\.[0-9]+)?)-(?:darwin|linux|win32)"),
    ("server.json", r#"api-patterns:([^"]+)""#),
    (".claude-plugin/plugin.json", r#"(?m)^  "version": "([^"]+)""#),
    ("action.yml", r#"(?m)^ {4}default: "([0-9]+\.[^"]+)""#),
];

/// Files that name the version where a user copies it.
const NAMED: [(&str, &str); 5] = [
    ("docs/tutorials/drift.md", r"api-patterns/api-patterns@v([0-9][0-9a-z.-]*)"),
    ("docs/install.md", r"api-patterns/api-patterns:([0-9][0-9a-z.-]*)"),
    ("docs/install.md", r"api-patterns-([0-9.]+(?:-rc\.[0-9]+)?)-x86_64"),
    ("docs/integrations.md", r"rev: v([0-9][0-9a-z.-]*)"),
    ("docs/integrations.md", r"api-patterns/api-patterns@v([0-9][0-9a-z.-]*)"),
];

fn places() -> impl Iterator<Item = (&'static str, Regex)> {
    PLACES
        .into_iter()
        .chain(NAMED)
        .map(|(file, pattern)| (file, Regex::new(pattern).expect("the patterns are valid")))
}

/// Checks that every place has one version.
pub(crate) fn check(version: &str) -> Result<usize> {
    let mut count = 0;
    for (file, pattern) in places() {
        let text = project::read(file)?;
        let mut found = pattern.captures_iter(&text).peekable();
        ensure!(found.peek().is_some(), "{file} names no version where `{pattern}` looks for it");
        for captures in found {
            count += 1;
            if &captures[1] != version {
                bail!(
                    "{file} has version {}, not {version}; `cargo xtask set-version {version}` sets it",
                    &captures[1]
                );
            }
        }
    }
    Ok(count)
}

/// Writes a version into every place, and a section of the changelog.
pub(crate) fn set(version: &str) -> Result<()> {
    let is_version = Regex::new(r"^\d+\.\d+\.\d+(-rc\.\d+)?$").expect("the pattern is valid");
    ensure!(is_version.is_match(version), "{version} is not a version as in 0.2.0 or 0.2.0-rc.1");
    // Nothing is written where something is missing.
    changelog::release(version, date()?.trim(), true)?;
    for (file, pattern) in places() {
        ensure!(
            pattern.is_match(&project::read(file)?),
            "{file} names no version where `{pattern}` looks for it"
        );
    }
    for (file, pattern) in places() {
        let text = project::read(file)?;
        let mut written = String::with_capacity(text.len());
        let mut end = 0;
        for captures in pattern.captures_iter(&text) {
            let group = captures.get(1).context("the patterns have a group")?;
            written.push_str(&text[end..group.start()]);
            written.push_str(version);
            end = group.end();
        }
        written.push_str(&text[end..]);
        if written != text {
            project::write(file, &written)?;
            println!("{file}: {version}");
        }
    }
    changelog::release(version, date()?.trim(), false)
}

/// Today, as in 2026-11-29.
fn date() -> Result<String> {
    project::output_of(project::command("date").args(["-u", "+%Y-%m-%d"]))
}
