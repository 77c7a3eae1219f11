//! The wheel, with the module and the program, and the archive of sources for PyPI.

use std::fs;
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context as _, Result};

use crate::licences;
use crate::project::{command, make_empty, only_file, output_of, root};
use crate::target::check_program;

/// The licences of the crates in a wheel, which its metadata takes up.
const LICENCES: &str = "python/LICENSES-OF-OTHERS";

/// What a wheel is made from.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) source: crate::Source,
    /// Profile that the module is built with
    #[arg(long, default_value = "wheel")]
    pub(crate) profile: String,
    /// Builds the module with zig, for old systems and other processors; needs ziglang
    #[arg(long)]
    pub(crate) zig: bool,
}

/// Makes a wheel and returns its path.
pub(crate) fn make(arguments: &Arguments) -> Result<PathBuf> {
    let source = &arguments.source;
    check_program(&source.program, source.target)?;
    // maturin takes the files of this folder as programs.
    let scripts = root().join("python/api_patterns.data/scripts");
    make_empty(&scripts)?;
    fs::copy(&source.program, scripts.join(source.target.program_name()))?;
    fs::write(root().join(LICENCES), licences::text(source.target)?)?;
    let folder = absolute(&source.output)?.join(format!("wheel-{}", source.target));
    make_empty(&folder)?;
    let mut maturin = command("maturin");
    maturin.args(["build", "--locked", "--quiet", "--manifest-path", "python/Cargo.toml"]);
    maturin
        .args(["--profile", &arguments.profile, "--target", source.target.triple, "--out"])
        .arg(&folder);
    if arguments.zig {
        maturin.arg("--zig");
    }
    if source.target.triple.ends_with("-gnu") && arguments.zig {
        maturin.args(["--compatibility", "manylinux_2_17"]);
    } else if source.target.triple.ends_with("-musl") {
        maturin.args(["--compatibility", "musllinux_1_2"]);
    }
    output_of(&mut maturin)?;
    move_up(&folder, ".whl")
}

/// Makes the archive of sources and returns its path.
pub(crate) fn make_sdist(output: &Path) -> Result<PathBuf> {
    make_empty(&root().join("python/api_patterns.data/scripts"))?;
    // They depend on the platform, which an archive of sources does not have.
    drop(fs::remove_file(root().join(LICENCES)));
    let folder = absolute(output)?.join("sdist");
    make_empty(&folder)?;
    let mut maturin = command("maturin");
    maturin.args(["sdist", "--manifest-path", "python/Cargo.toml", "--out"]).arg(&folder);
    output_of(&mut maturin)?;
    // The name has the version as Python writes it, 0.2.0rc1.
    move_up(&folder, ".tar.gz")
}

/// Moves the one file of a folder to the folder above, so that all artefacts stand together.
fn move_up(folder: &Path, end: &str) -> Result<PathBuf> {
    let file = only_file(folder, end)?;
    let name = file.file_name().context("a file has a name")?;
    let moved = folder.parent().context("the folder is in another")?.join(name);
    fs::rename(&file, &moved)?;
    fs::remove_dir(folder)?;
    Ok(moved)
}
