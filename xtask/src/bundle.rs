//! Bundles for desktop clients (.mcpb): a zip with a manifest and the program.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::project::{read, version};
use crate::target::{Target, check_program};
use crate::{Source, licences};

/// The manifest of the bundle for a platform.
pub(crate) fn manifest(target: Target) -> Result<Value> {
    let mut manifest: Value = serde_json::from_str(&read("packaging/manifest.json")?)?;
    manifest["version"] = json!(version()?);
    let program = format!("server/{}", target.program_name());
    manifest["server"]["mcp_config"]["command"] = json!(format!("${{__dirname}}/{program}"));
    manifest["server"]["entry_point"] = json!(program);
    manifest["compatibility"]["platforms"] = json!([target.bundle_system]);
    Ok(manifest)
}

/// Makes a bundle and returns its path.
pub(crate) fn make(source: &Source) -> Result<PathBuf> {
    check_program(&source.program, source.target)?;
    ensure!(
        source.target.has_bundle,
        "bundles for Linux have the program for musl, which needs no libraries"
    );
    let manifest = serde_json::to_string_pretty(&manifest(source.target)?)? + "\n";
    fs::create_dir_all(&source.output)?;
    let path = source.output.join(source.target.bundle_name(&version()?));
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut archive = ZipWriter::new(file);
    let mut add = |name: &str, bytes: &[u8], mode| -> Result<()> {
        archive.start_file(name, SimpleFileOptions::default().unix_permissions(mode))?;
        Ok(archive.write_all(bytes)?)
    };
    add("manifest.json", manifest.as_bytes(), 0o644)?;
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        add(name, read(name)?.as_bytes(), 0o644)?;
    }
    add("LICENSES-OF-OTHERS", licences::text(source.target)?.as_bytes(), 0o644)?;
    let program = format!("server/{}", source.target.program_name());
    add(&program, &fs::read(&source.program)?, 0o755)?;
    archive.finish()?;
    Ok(path)
}
