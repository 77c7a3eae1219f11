//! The formula for Homebrew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::archive::COMPLETIONS;
use crate::owner;
use crate::project::{checksum, version};
use crate::target::Target;

/// Systems, as blocks of the formula, with the platform for each processor.
const SYSTEMS: [(&str, &str, &str); 2] = [
    ("on_macos", "aarch64-apple-darwin", "x86_64-apple-darwin"),
    ("on_linux", "aarch64-unknown-linux-musl", "x86_64-unknown-linux-musl"),
];

/// Writes the formula with the checksums of the archives in a folder, and returns its path.
pub(crate) fn make(folder: &Path) -> Result<PathBuf> {
    let version = version()?;
    let repository = owner::value("repository")?;
    let mut text = format!(
        "class ApiPatterns < Formula\n  desc \"Clusters captured HTTP traffic into endpoint patterns\"\n  \
         homepage \"{repository}\"\n  version \"{version}\"\n  license any_of: [\"MIT\", \"Apache-2.0\"]\n"
    );
    for (system, arm, intel) in SYSTEMS {
        write!(text, "\n  {system} do\n")?;
        for (processor, triple) in [("on_arm", arm), ("on_intel", intel)] {
            let target: Target = triple.parse()?;
            let name = target.archive_name(&version);
            let sum = checksum(&folder.join(&name))?;
            let address = format!("{repository}/releases/download/v{version}/{name}");
            let lines = format!("url \"{address}\"\n      sha256 \"{sum}\"");
            write!(text, "    {processor} do\n      {lines}\n    end\n")?;
        }
        text.push_str("  end\n");
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
