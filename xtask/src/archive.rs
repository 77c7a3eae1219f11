//! Archives for a platform: what people download.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::project::{checksum, output_of, read, root, version};
use crate::target::{Target, check_program};
use crate::{Source, licences};

/// Shells, and the file names that their completions have in an archive.
pub(crate) const COMPLETIONS: [(&str, &str); 5] = [
    ("bash", "api-patterns.bash"),
    ("elvish", "api-patterns.elv"),
    ("fish", "api-patterns.fish"),
    ("powershell", "_api-patterns.ps1"),
    ("zsh", "_api-patterns"),
];

/// A file of an archive.
struct Entry {
    name: String,
    bytes: Vec<u8>,
    is_program: bool,
}

/// Makes an archive and the file with its checksum, and returns the path of the archive.
pub(crate) fn make(source: &Source) -> Result<PathBuf> {
    check_program(&source.program, source.target)?;
    let version = version()?;
    let folder = format!("api-patterns-{version}-{}", source.target);
    let entries = entries(source, &folder)?;
    fs::create_dir_all(&source.output)?;
    let name = source.target.archive_name(&version);
    let path = source.output.join(&name);
    let write = if source.target.is_windows() { zip } else { tar };
    write(&path, &entries)?;
    fs::write(
        source.output.join(format!("{name}.sha256")),
        format!("{}  {name}\n", checksum(&path)?),
    )?;
    Ok(path)
}

fn entries(source: &Source, folder: &str) -> Result<Vec<Entry>> {
    let mut entries = vec![Entry {
        name: format!("{folder}/{}", source.target.program_name()),
        bytes: fs::read(&source.program)?,
        is_program: true,
    }];
    let mut add = |name: &str, text: String| {
        let name = format!("{folder}/{name}");
        entries.push(Entry { name, bytes: text.into_bytes(), is_program: false });
    };
    for name in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        add(name, read(name)?);
    }
    add("LICENSES-OF-OTHERS", licences::text(source.target)?);
    let helper = fs::canonicalize(source.helper())
        .with_context(|| format!("cannot find {}", source.helper().display()))?;
    let run = |arguments: &[&str]| {
        output_of(std::process::Command::new(&helper).current_dir(root()).args(arguments))
    };
    let said = run(&["--version"])?;
    ensure!(
        said.trim() == format!("api-patterns {}", version()?),
        "the program says that it is `{}`, not the version of Cargo.toml",
        said.trim()
    );
    add("man/api-patterns.1", run(&["man"])?);
    for (shell, name) in COMPLETIONS {
        add(&format!("completions/{name}"), run(&["completions", shell])?);
    }
    Ok(entries)
}

fn tar(path: &Path, entries: &[Entry]) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::best()));
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(entry.bytes.len() as u64);
        header.set_mode(if entry.is_program { 0o755 } else { 0o644 });
        // One time for all files: an archive depends on its contents alone.
        header.set_mtime(0);
        archive.append_data(&mut header, &entry.name, &entry.bytes[..])?;
    }
    archive.into_inner()?.finish()?;
    Ok(())
}

fn zip(path: &Path, entries: &[Entry]) -> Result<()> {
    let mut archive = ZipWriter::new(File::create(path)?);
    for entry in entries {
        let mode = if entry.is_program { 0o755 } else { 0o644 };
        archive.start_file(&entry.name, SimpleFileOptions::default().unix_permissions(mode))?;
        archive.write_all(&entry.bytes)?;
    }
    archive.finish()?;
    Ok(())
}

/// Unpacks an archive for this machine and returns the folder in it.
pub(crate) fn unpack(archive: &Path, into: &Path) -> Result<PathBuf> {
    let decoder = flate2::read::GzDecoder::new(File::open(archive)?);
    tar::Archive::new(decoder).unpack(into)?;
    Ok(into.join(format!("api-patterns-{}-{}", version()?, Target::host())))
}
