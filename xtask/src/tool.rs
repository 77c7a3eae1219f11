//! The programs of tools/, which need the engine and are built for a release.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};

use crate::project::root;

const FOLDER: &str = "tools/src/bin";

/// A line for each program: its name and the first sentence of its documentation.
pub(crate) fn list() -> Result<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(root().join(FOLDER))? {
        let path = entry?.path();
        let Some(name) = path.file_stem() else { continue };
        let text = fs::read_to_string(&path)?;
        let head = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
        let head = head.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        let first = head.split(". ").next().unwrap_or_default().trim_end_matches('.');
        lines.push(format!("{:12}{first}", name.display()));
    }
    lines.sort();
    Ok(lines.iter().fold(String::new(), |mut text, line| {
        let _infallible = writeln!(text, "{line}");
        text
    }))
}

/// Builds a program, runs it in the folder of the caller, and returns how it ended.
pub(crate) fn run(name: &str, arguments: &[OsString]) -> Result<ExitCode> {
    ensure!(
        root().join(FOLDER).join(name).with_extension("rs").exists(),
        "there is no tool {name}; the tools are\n{}",
        list()?
    );
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--locked", "--quiet", "--release", "--manifest-path"]);
    cargo.arg(root().join("Cargo.toml")).args(["-p", "api-patterns-tools", "--bin", name, "--"]);
    let status = cargo.args(arguments).status().context("cargo cannot be started")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}
