//! The command `addon`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The script below the folder of Python's packages, as the wheel installs it.
const SCRIPT: &str = "api_patterns/addon/patterns.py";

/// The path of the addon for mitmproxy that was installed with this program by a wheel.
///
/// # Errors
///
/// Fails if no addon is installed beside the program.
pub(super) fn path() -> Result<PathBuf, Error> {
    let program = std::env::current_exe().and_then(fs::canonicalize);
    let found = program.ok().and_then(|program| beside(&program));
    found.ok_or_else(|| {
        Error::usage(
            "the addon is not installed beside this program: it comes with the Python package \
             (`pip install api-patterns`), whose program finds it",
        )
    })
}

/// The addon in the environment that a program stands in.
fn beside(program: &Path) -> Option<PathBuf> {
    let environment = program.parent()?.parent()?;
    let mut folders = vec![environment.join("Lib/site-packages")];
    for library in ["lib", "lib64"] {
        let Ok(entries) = fs::read_dir(environment.join(library)) else { continue };
        let mut versions: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        versions.retain(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3"))
        });
        versions.sort();
        for version in versions {
            folders.push(version.join("site-packages"));
            // Debian's name for what pip installs.
            folders.push(version.join("dist-packages"));
        }
    }
    folders.into_iter().map(|folder| folder.join(SCRIPT)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addon_is_found_in_the_environment_of_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bin/api-patterns");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::create_dir_all(folder.path().join("lib/python3.9")).unwrap();
        assert_eq!(beside(&program), None);
        for packages in
            ["lib/python3.11/site-packages", "lib/python3/dist-packages", "Lib/site-packages"]
        {
            let script = folder.path().join(packages).join(SCRIPT);
            fs::create_dir_all(script.parent().unwrap()).unwrap();
            fs::write(&script, "").unwrap();
            assert_eq!(beside(&program), Some(script.clone()));
            fs::remove_file(script).unwrap();
        }
    }
}
