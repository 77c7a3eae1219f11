//! The current files of the captures that an operator named. No other file is among them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::capture::location::{Location, is_plain};
use crate::error::Error;

/// Maximum depth of nested folders.
const MAX_FOLDER_DEPTH: usize = 64;

/// A path that the operator named.
#[derive(Clone, Debug)]
pub(super) struct NamedPath {
    path: PathBuf,
    /// Whether the path was a link at first. If not, and it becomes a link, the link is not
    /// followed.
    is_link: bool,
}

impl NamedPath {
    pub(super) fn new(path: PathBuf) -> Self {
        let is_link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
        Self { path, is_link }
    }

    /// The path with links resolved, except a link in the last component if the path was not a link
    /// at first.
    fn real(&self) -> io::Result<PathBuf> {
        // The path of a folder may end with dots, so that it has no name.
        let (Some(name), false) = (self.path.file_name(), self.is_link) else {
            return fs::canonicalize(&self.path);
        };
        let folder = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Ok(fs::canonicalize(folder.unwrap_or(Path::new(".")))?.join(name))
    }
}

/// The files behind some paths, and the errors of those that could not be listed.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) files: Vec<Location>,
    pub(super) problems: Vec<Error>,
    /// Files that were named directly. Errors of these are reported; a file in a folder may be
    /// anything.
    pub(super) named: Vec<Location>,
}

impl Listing {
    /// Lists the current files. A link in a folder is followed only if it leads to a file in that
    /// folder.
    pub(super) fn of(paths: &[NamedPath]) -> Self {
        let mut listing = Self::default();
        for named in paths {
            if let Err(error) = listing.add(named) {
                let name = named.path.display().to_string();
                listing.problems.push(Error::io(&name, "read", error));
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        listing.files.retain(|file| seen.insert(file.path()));
        listing
    }

    fn add(&mut self, named: &NamedPath) -> io::Result<()> {
        let real = named.real()?;
        let metadata = real.symlink_metadata()?;
        if metadata.is_dir() {
            return self.walk(&real, &real, 0);
        }
        if metadata.is_symlink() {
            return Err(io::Error::other(
                "it has become a link since the server was started, and such a link is not followed",
            ));
        }
        let location = Location::of_file(&real).filter(|_| is_plain(&metadata));
        let location = location.ok_or_else(|| {
            io::Error::other("it is neither a file nor a folder, and nothing else can be read")
        })?;
        self.named.push(location.clone());
        self.files.push(location);
        Ok(())
    }

    fn walk(&mut self, root: &Path, folder: &Path, depth: usize) -> io::Result<()> {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        entries.sort();
        for path in entries {
            // A file that was removed after the folder was listed is not an error.
            let Ok(kind) = fs::symlink_metadata(&path).map(|metadata| metadata.file_type()) else {
                continue;
            };
            if kind.is_dir() && depth < MAX_FOLDER_DEPTH {
                if let Err(error) = self.walk(root, &path, depth + 1) {
                    self.problems.push(Error::io(&path.display().to_string(), "read", error));
                }
            } else if kind.is_file() && !is_beside_database(&path) {
                self.put(root, &path);
            } else if kind.is_symlink()
                && let Ok(real) = fs::canonicalize(&path)
                && real.symlink_metadata().is_ok_and(|metadata| is_plain(&metadata))
            {
                self.put(root, &real);
            }
        }
        Ok(())
    }

    /// Adds a file if it is in the folder.
    fn put(&mut self, root: &Path, real: &Path) {
        let inside = real.strip_prefix(root).ok();
        self.files.extend(inside.map(|inside| Location::new(root, inside)));
    }
}

/// Returns `true` for the log, the journal or the shared memory of a database.
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
        let paths =
            |listing: &Listing| listing.files.iter().map(Location::path).collect::<Vec<_>>();
        let listing = Listing::of(&[NamedPath::new(inside.clone())]);
        assert_eq!(paths(&listing), [fs::canonicalize(inside.join("a.har")).unwrap()]);
        assert!(listing.problems.is_empty());
        // A link that the operator named is followed.
        let named = Listing::of(&[NamedPath::new(inside.join("b.har"))]);
        assert_eq!(paths(&named), [fs::canonicalize(&outside).unwrap()]);
    }

    #[test]
    fn a_file_that_becomes_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, outside) = (folder.path().join("a.har"), folder.path().join("out.har"));
        fs::write(&outside, "{}").unwrap();
        fs::write(&path, "{}").unwrap();
        let named = [NamedPath::new(path.clone())];
        assert_eq!(Listing::of(&named).files.len(), 1);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&outside, &path).unwrap();
        let listing = Listing::of(&named);
        assert!(listing.files.is_empty());
        assert!(listing.problems[0].to_string().contains("has become a link"));
    }
}
