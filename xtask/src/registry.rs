//! The entry of the registry of MCP servers: server.json, with checksums.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::project::{checksum, read, version};
use crate::target::TARGETS;

/// Writes the entry with the checksums of the bundles in a folder, and returns its path.
pub(crate) fn make(folder: &Path) -> Result<PathBuf> {
    let mut entry: Value = serde_json::from_str(&read("server.json")?)?;
    let packages = entry["packages"].as_array_mut().context("server.json has no packages")?;
    let mut bundles = Vec::new();
    for package in packages.iter_mut().filter(|package| package["registryType"] == "mcpb") {
        let address = package["identifier"].as_str().context("a bundle has no address")?;
        let name = address.rsplit('/').next().unwrap_or_default().to_owned();
        package["fileSha256"] = json!(checksum(&folder.join(&name))?);
        bundles.push(name);
    }
    ensure!(
        bundles == expected(&version()?),
        "server.json lists {bundles:?}, not a bundle for each platform"
    );
    let path = folder.join("server.json");
    fs::write(&path, serde_json::to_string_pretty(&entry)? + "\n")?;
    Ok(path)
}

fn expected(version: &str) -> Vec<String> {
    TARGETS
        .iter()
        .filter(|target| target.has_bundle)
        .map(|target| target.bundle_name(version))
        .collect()
}

/// Checks what stands in server.json before checksums are known: addresses, versions and lengths.
pub(crate) fn check(version: &str, repository: &str) -> Result<()> {
    let entry: Value = serde_json::from_str(&read("server.json")?)?;
    let description = entry["description"].as_str().context("server.json has no description")?;
    // The schema of the registry bounds it.
    ensure!(
        description.chars().count() <= 100,
        "the description in server.json has more than 100 characters"
    );
    let mut bundles = Vec::new();
    let mut kinds = Vec::new();
    for package in entry["packages"].as_array().context("server.json has no packages")? {
        let kind = package["registryType"].as_str().unwrap_or_default();
        let identifier = package["identifier"].as_str().unwrap_or_default();
        ensure!(
            package["transport"]["type"] == "stdio",
            "{identifier}: the transport is not stdio"
        );
        kinds.push(kind);
        match kind {
            "mcpb" => {
                let start = format!("{repository}/releases/download/v{version}/");
                let name = identifier.strip_prefix(&start);
                bundles.push(
                    name.with_context(|| format!("{identifier} is not below {start}"))?.to_owned(),
                );
            }
            "oci" => ensure!(
                identifier.ends_with(&format!(":{version}")),
                "{identifier} has another version"
            ),
            _ => ensure!(package["version"] == version, "{identifier} has another version"),
        }
    }
    ensure!(
        bundles == expected(version),
        "server.json lists {bundles:?}, not a bundle for each platform"
    );
    ensure!(
        kinds.contains(&"pypi") && kinds.contains(&"oci"),
        "server.json lacks PyPI or the container"
    );
    Ok(())
}
