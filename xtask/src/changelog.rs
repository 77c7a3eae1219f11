//! Sections of CHANGELOG.md.

use anyhow::{Context as _, Result, bail, ensure};

use crate::project;

const FILE: &str = "CHANGELOG.md";

/// The text below the heading of a version, or of `Unreleased`.
pub(crate) fn section(version: &str) -> Result<String> {
    section_of(&project::read(FILE)?, version)
}

fn section_of(text: &str, version: &str) -> Result<String> {
    let heading = format!("## [{version}]");
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&heading));
    lines.next().with_context(|| {
        format!(
            "{FILE} has no section `{heading} - DATE`; `cargo xtask set-version {version}` makes it"
        )
    })?;
    let body: Vec<&str> =
        lines.take_while(|line| !line.starts_with("## ") && !is_link(line)).collect();
    let body = body.join("\n").trim().to_owned() + "\n";
    ensure!(body.contains("\n- ") || body.starts_with("- "), "{FILE}: {heading} says nothing");
    Ok(body)
}

/// True for the target of a link, as in `[0.2.0]: https://...`.
fn is_link(line: &str) -> bool {
    line.starts_with('[') && line.contains("]: ")
}

/// Checks that a version has a section with a date.
pub(crate) fn check(version: &str) -> Result<()> {
    section(version)?;
    let text = project::read(FILE)?;
    let heading = format!("## [{version}] - ");
    let line = text.lines().find(|line| line.starts_with(&heading));
    let date = line.with_context(|| format!("{FILE}: the heading of {version} has no date"))?;
    let date = &date[heading.len()..];
    let is_date = date.len() == 10
        && date.char_indices().all(|(index, letter)| match index {
            4 | 7 => letter == '-',
            _ => letter.is_ascii_digit(),
        });
    ensure!(is_date, "{FILE}: `{date}` is not a date as in 2026-11-29");
    Ok(())
}

/// Turns the section `Unreleased` into that of a version, or only checks that it can.
pub(crate) fn release(version: &str, date: &str, only_check: bool) -> Result<()> {
    let text = project::read(FILE)?;
    if text.contains(&format!("## [{version}]")) {
        return Ok(());
    }
    section_of(&text, "Unreleased")?;
    let Some((before, after)) = text.split_once("## [Unreleased]\n") else {
        bail!("{FILE} has no heading `## [Unreleased]`");
    };
    if only_check {
        return Ok(());
    }
    project::write(FILE, &format!("{before}## [Unreleased]\n\n## [{version}] - {date}\n{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_with_the_next() {
        let text = "# C\n\n## [Unreleased]\n\n## [0.2.0] - 2026-01-02\n\n### Added\n\n- a\n\n## [0.1.0] - 2025-01-02\n\n- b\n";
        assert_eq!(section_of(text, "0.2.0").unwrap(), "### Added\n\n- a\n");
        assert_eq!(section_of(text, "0.1.0").unwrap(), "- b\n");
        assert!(section_of(text, "Unreleased").is_err());
        assert!(section_of(text, "0.3.0").is_err());
    }
}
