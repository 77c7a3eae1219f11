//! The folder of the project, its files, and programs that are run in it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

/// The folder of the project.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the task stands in a folder of the project")
}

/// The text of a file of the project.
pub(crate) fn read(name: &str) -> Result<String> {
    fs::read_to_string(root().join(name)).with_context(|| format!("cannot read {name}"))
}

/// Writes a file of the project.
pub(crate) fn write(name: &str, text: &str) -> Result<()> {
    fs::write(root().join(name), text).with_context(|| format!("cannot write {name}"))
}

/// The version that Cargo.toml has.
pub(crate) fn version() -> Result<String> {
    let manifest: toml::Table = read("Cargo.toml")?.parse()?;
    let version = manifest["workspace"]["package"]["version"]
        .as_str()
        .context("Cargo.toml has no version")?;
    Ok(version.to_owned())
}

/// A command that starts in the folder of the project.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Runs a command and returns its standard output. What it says on standard error is in the error if it fails.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let shown = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{shown} cannot be started; check that it is installed"))?;
    if !output.status.success() {
        // Linters say what they find on standard output.
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let last: Vec<&str> = said.lines().rev().take(20).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        bail!("{shown} failed ({}): {}", output.status, last.join("\n"));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether a program is on the search path.
pub(crate) fn is_installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// Makes a folder empty, and makes it if it is missing.
pub(crate) fn make_empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// The SHA-256 of a file, in hexadecimal digits.
pub(crate) fn checksum(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut digits = String::new();
    for byte in Sha256::digest(bytes) {
        write!(digits, "{byte:02x}")?;
    }
    Ok(digits)
}

/// The one file in a folder whose name ends so.
pub(crate) fn only_file(folder: &Path, end: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    ensure!(
        found.len() == 1,
        "{} has {} files that end with {end}, not one",
        folder.display(),
        found.len()
    );
    Ok(found.swap_remove(0))
}
