//! The formula for Homebrew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::archive::COMPLETIONS;
use crate::owner;
use crate::project::{checksum, version};
use crate::target::Target;

/// Systems and processors, as blocks of the formula, and the platform of each.
const BLOCKS: [(&str, &str, &str); 4] = [
    ("on_macos", "on_arm", "aarch64-apple-darwin"),
    ("on_macos", "on_intel", "x86_64-apple-darwin"),
    ("on_linux", "on_arm", "aarch64-unknown-linux-musl"),
    ("on_linux", "on_intel", "x86_64-unknown-linux-musl"),
];

/// Writes the formula with the checksums of the archives in a folder, and returns its path.
pub(crate) fn make(folder: &Path) -> Result<PathBuf> {
    let version = version()?;
    let repository = owner::value("repository")?;
    let mut text = format!(
        "class ApiPatterns < Formula\n  desc \"Clusters captured HTTP traffic into endpoint patterns\"\n  \
         homepage \"{repository}\"\n  version \"{version}\"\n  license any_of: [\"MIT\", \"Apache-2.0\"]\n"
    );
    for (system, processor, triple) in BLOCKS {
        let target: Target = triple.parse()?;
        let name = target.archive_name(&version);
        write!(
            text,
            "\n  {system} do\n    {processor} do\n      \
             url \"{repository}/releases/download/v{version}/{name}\"\n      sha256 \"{}\"\n    end\n  end\n",
            checksum(&folder.join(&name))?
        )?;
    }
    text.push_str("\n  def install\n    bin.install \"api-patterns\"\n    man1.install \"man/api-patterns.1\"\n");
    for (shell, name) in COMPLETIONS {
        // Homebrew has folders for three of the shells; names follow its conventions.
        let line = match shell {
            "bash" => {
                format!("    bash_completion.install \"completions/{name}\" => \"api-patterns\"\n")
            }
            "fish" => format!("    fish_completion.install \"completions/{name}\"\n"),
            "zsh" => format!("    zsh_completion.install \"completions/{name}\"\n"),
            _ => continue,
        };
        text.push_str(&line);
    }
    text.push_str("  end\n\n  test do\n    (testpath/\"a.jsonl\").write <<~JSON\n      ");
    text.push_str("{\"method\": \"GET\", \"url\": \"https://api.example.com/users/42\", \"status\": 200}\n    JSON\n    ");
    text.push_str("assert_match \"/users/\", shell_output(\"#{bin}/api-patterns analyze a.jsonl\")\n  end\nend\n");
    let path = folder.join("api-patterns.rb");
    fs::write(&path, text)?;
    Ok(path)
}
