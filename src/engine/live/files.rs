//! Which files the captures of an operator are now: nothing outside of what was named is among them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Folders inside each other that are walked.
const DEPTH: usize = 64;

/// The files behind some paths, each by its real path, and what could not be listed.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) files: Vec<PathBuf>,
    pub(super) problems: Vec<Error>,
    /// Files named on their own: what is wrong with one is said, where a file in a folder may be anything.
    pub(super) named: Vec<PathBuf>,
}

impl Listing {
    /// Lists them anew. A link in a folder is followed only where it stays in that folder.
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let mut listing = Self::default();
        for path in paths {
            if let Err(error) = listing.add(path) {
                listing.problems.push(Error::io(&path.display().to_string(), "read", error));
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        listing.files.retain(|file| seen.insert(file.clone()));
        listing
    }

    fn add(&mut self, path: &Path) -> io::Result<()> {
        let real = fs::canonicalize(path)?;
        let metadata = fs::metadata(&real)?;
        if metadata.is_dir() {
            return self.walk(&real, &real, 0);
        }
        if !metadata.is_file() {
            return Err(io::Error::other(
                "it is no file, and only files and folders can be asked about",
            ));
        }
        self.named.push(real.clone());
        self.files.push(real);
        Ok(())
    }

    fn walk(&mut self, root: &Path, folder: &Path, depth: usize) -> io::Result<()> {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        entries.sort();
        for path in entries {
            // What is gone since the folder was listed is no problem.
            let Ok(kind) = fs::symlink_metadata(&path).map(|metadata| metadata.file_type()) else {
                continue;
            };
            if kind.is_dir() && depth < DEPTH {
                if let Err(error) = self.walk(root, &path, depth + 1) {
                    self.problems.push(Error::io(&path.display().to_string(), "read", error));
                }
            } else if kind.is_file() && !is_beside_database(&path) {
                self.files.push(path);
            } else if kind.is_symlink() {
                let inside = fs::canonicalize(&path).ok().filter(|real| real.starts_with(root));
                self.files.extend(inside.filter(|real| real.is_file()));
            }
        }
        Ok(())
    }
}

/// The log or the shared memory of a database, which is no capture of its own.
fn is_beside_database(path: &Path) -> bool {
    let name = path.to_string_lossy();
    let base = ["-wal", "-shm", "-journal"].iter().find_map(|suffix| name.strip_suffix(suffix));
    base.is_some_and(|base| Path::new(base).is_file())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_out_of_a_folder_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("in"), folder.path().join("out.har"));
        fs::create_dir(&inside).unwrap();
        fs::write(&outside, "{}").unwrap();
        fs::write(inside.join("a.har"), "{}").unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("b.har")).unwrap();
        std::os::unix::fs::symlink(inside.join("a.har"), inside.join("c.har")).unwrap();
        std::os::unix::fs::symlink(folder.path(), inside.join("up")).unwrap();
        let listing = Listing::of(std::slice::from_ref(&inside));
        assert_eq!(listing.files, [fs::canonicalize(inside.join("a.har")).unwrap()]);
        assert!(listing.problems.is_empty());
        // A link that the operator named is his capture.
        let named = Listing::of(&[inside.join("b.har")]);
        assert_eq!(named.files, [fs::canonicalize(&outside).unwrap()]);
    }
}
