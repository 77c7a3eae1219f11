//! The package for crates.io: what is in it, how large it is, and whether it builds alone.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::project::{command, make_empty, output_of, root, version};

/// Most bytes of the package.
const MAX_BYTES: u64 = 1_500_000;

/// Folders and files that the package may have, by the first part of their path.
const EXPECTED: [&str; 15] = [
    ".cargo_vcs_info.json",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "Cargo.toml.orig",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "askama.toml",
    "benches",
    "data",
    "examples",
    "fixtures",
    "src",
    "tests",
];

/// Makes the package, checks it, and returns what was found.
pub(crate) fn check() -> Result<String> {
    let list =
        output_of(command("cargo").args(["package", "--list", "--locked", "--allow-dirty"]))?;
    for name in list.lines() {
        let first = name.split(['/', '\\']).next().unwrap_or_default();
        ensure!(EXPECTED.contains(&first), "the package has {name}, which it should not have");
    }
    let target = root().join("target/package-check");
    let folder = target.join("package");
    make_empty(&folder)?;
    let mut cargo = command("cargo");
    cargo.args(["package", "--locked", "--allow-dirty", "--no-verify", "--quiet", "--target-dir"]);
    output_of(cargo.arg(&target))?;
    let name = format!("api-patterns-{}", version()?);
    let file = folder.join(format!("{name}.crate"));
    let bytes =
        fs::metadata(&file).with_context(|| format!("cargo made no {}", file.display()))?.len();
    ensure!(bytes <= MAX_BYTES, "the package has {bytes} bytes, more than {MAX_BYTES}");
    tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(&file)?)).unpack(&folder)?;
    // Dependencies were built for the project itself: only the package is compiled.
    let mut cargo = command("cargo");
    cargo
        .args(["check", "--locked", "--quiet", "--bins", "--lib", "--target-dir"])
        .arg(root().join("target"));
    output_of(cargo.current_dir(folder.join(&name)))?;
    Ok(format!("{} files, {bytes} bytes, and it builds alone", list.lines().count()))
}
