//! The workflows: what runs with the rights of the project.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use regex::Regex;
use serde_json::Value;

use crate::project::root;

fn files() -> Result<Vec<PathBuf>> {
    let mut files = vec![root().join("action.yml")];
    for entry in fs::read_dir(root().join(".github/workflows"))? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

/// Checks that actions are pinned, rights are stated, and no secret is used, and returns how many actions there are.
pub(crate) fn check() -> Result<usize> {
    let mut count = 0;
    for path in files()? {
        let text = fs::read_to_string(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let value: Value =
            serde_saphyr::from_str(&text).with_context(|| format!("{name} is not YAML"))?;
        ensure!(
            name == "action.yml" || value["permissions"].is_object(),
            "{name} does not state its permissions at the top"
        );
        count += check_text(&text).with_context(|| name.clone())?;
    }
    Ok(count)
}

fn check_text(text: &str) -> Result<usize> {
    let uses = Regex::new(r"^\s*(?:- )?uses:\s*(\S+)(.*)$")?;
    let pinned = Regex::new(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40}$")?;
    let version = Regex::new(r"^ # v\d+\.\d+\.\d+$")?;
    let mut count = 0;
    for (index, line) in text.lines().enumerate() {
        let place = index + 1;
        if let Some(captures) = uses.captures(line) {
            let (action, comment) = (&captures[1], &captures[2]);
            if action.starts_with("./") {
                continue;
            }
            ensure!(pinned.is_match(action), "line {place}: {action} is not pinned by a hash");
            ensure!(
                version.is_match(comment),
                "line {place}: the version of {action} does not stand behind it"
            );
            count += 1;
        }
        // Rights come from the run itself; a secret would have to be kept.
        if line.contains("secrets.") {
            bail!("line {place} uses a secret");
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_pinned_is_found() {
        let hash = "0".repeat(40);
        assert_eq!(check_text(&format!("  - uses: a/b@{hash} # v1.2.3\n")).unwrap(), 1);
        assert!(check_text("  - uses: a/b@v1\n").is_err());
        assert!(check_text(&format!("  - uses: a/b@{hash}\n")).is_err());
        assert!(check_text(&format!("  - uses: a/b@{hash} # v1\n")).is_err());
        assert!(check_text("  token: ${{ secrets.TOKEN }}\n").is_err());
        assert_eq!(check_text("  - uses: ./\n").unwrap(), 0);
    }
}
