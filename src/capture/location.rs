//! Location of a capture below the folder of an operator, opened so that no file outside of the
//! folder is ever opened.
//!
//! Anyone who can write to a folder of captures can replace a file by a link or a pipe at any time.
//! Therefore a path is not checked first and opened later: a file is opened from the handle of the
//! operator's folder, no part of its path may be a link, opening never waits, and the opened file
//! must be a plain file.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// The path of a file, and the folder that it must not leave.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Location {
    /// The real path of the folder, without links.
    root: PathBuf,
    /// The path of the file relative to the folder.
    inside: PathBuf,
}

impl Location {
    /// The file at `inside` in the folder `root`.
    pub(crate) fn new(root: &Path, inside: &Path) -> Self {
        Self { root: root.to_owned(), inside: inside.to_owned() }
    }

    /// A file that was named directly. It must not leave its own folder. `None` if the path has no
    /// parent or no name.
    pub(crate) fn of_file(path: &Path) -> Option<Self> {
        Some(Self::new(path.parent()?, Path::new(path.file_name()?)))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.root.join(&self.inside)
    }

    /// Opens the file for reading.
    ///
    /// # Errors
    ///
    /// Fails if a part of the path below the folder is a link, and if the file is not a plain file.
    pub(crate) fn open(&self) -> io::Result<File> {
        let file = open_below(&self.root, &self.inside)?;
        if is_plain(&file.metadata()?) {
            Ok(file)
        } else {
            Err(io::Error::other("it is not a plain file"))
        }
    }

    /// The metadata of the file that has this path now. A link is not followed.
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        self.path().symlink_metadata()
    }

    /// Returns `true` if this open file has the path now.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "only databases use it"))]
    pub(crate) fn is_same_file(&self, file: &File) -> bool {
        let identities = (self.metadata(), file.metadata());
        matches!(identities, (Ok(there), Ok(open)) if is_plain(&there) && identity_of(&there) == identity_of(&open))
    }
}

/// Returns `true` for a plain file, and `false` for a folder, link, pipe or device.
pub(crate) fn is_plain(metadata: &Metadata) -> bool {
    metadata.file_type().is_file()
}

/// Device number and inode number of a file.
pub(crate) type FileIdentity = (u64, u64);

#[cfg(unix)]
pub(crate) fn identity_of(metadata: &Metadata) -> FileIdentity {
    use std::os::unix::fs::MetadataExt;

    (metadata.dev(), metadata.ino())
}

/// The identity of a file on systems without inodes: 0 and the time of its creation.
#[cfg(not(unix))]
pub(crate) fn identity_of(metadata: &Metadata) -> FileIdentity {
    let created = metadata.created().ok();
    let since = created.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    (0, since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0)))
}

/// Opens a file that an operator named. Links are followed. Does not wait for the other end of a
/// pipe.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    let file = {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        File::from(rustix::fs::open(path, flags, Mode::empty())?)
    };
    #[cfg(not(unix))]
    let file = File::open(path)?;
    if is_plain(&file.metadata()?) {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a plain file"))
    }
}

#[cfg(unix)]
fn open_below(root: &Path, inside: &Path) -> io::Result<File> {
    use rustix::fs::Mode;

    let root = rustix::fs::open(root, FOLDER, Mode::empty())?;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::ResolveFlags;

        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&root, inside, FILE, Mode::empty(), how) {
            // Old kernels and some sandboxes do not support it.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {}
            file => return Ok(File::from(file?)),
        }
    }
    open_stepwise(root, inside)
}

/// Flags with which a folder is opened. On Linux the handle only serves to open files in it.
#[cfg(unix)]
const FOLDER: rustix::fs::OFlags = {
    use rustix::fs::OFlags;

    let folder = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    #[cfg(target_os = "linux")]
    let folder = folder.union(OFlags::PATH);
    folder
};

#[cfg(unix)]
const FILE: rustix::fs::OFlags = rustix::fs::OFlags::RDONLY
    .union(rustix::fs::OFlags::CLOEXEC)
    .union(rustix::fs::OFlags::NONBLOCK)
    .union(rustix::fs::OFlags::NOCTTY)
    .union(rustix::fs::OFlags::NOFOLLOW);

/// Opens folder after folder. None of them may be a link.
#[cfg(unix)]
fn open_stepwise(root: std::os::fd::OwnedFd, inside: &Path) -> io::Result<File> {
    use rustix::fs::Mode;
    use std::path::Component;

    let mut at = root;
    let mut parts = inside.components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else {
            return Err(io::Error::other("its path leads out of the folder"));
        };
        let is_last = parts.peek().is_none();
        let flags = if is_last { FILE } else { FOLDER };
        at = rustix::fs::openat(&at, name, flags, Mode::empty())?;
    }
    Ok(File::from(at))
}

#[cfg(not(unix))]
fn open_below(root: &Path, inside: &Path) -> io::Result<File> {
    let mut at = root.to_owned();
    for part in inside.components() {
        at.push(part);
        if at.symlink_metadata()?.file_type().is_symlink() {
            return Err(io::Error::other("a part of its path is a link"));
        }
    }
    File::open(at)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_and_pipes_on_the_way_are_refused_by_both_ways() {
        let temporary = tempfile::tempdir().unwrap();
        let outside = temporary.path().join("outside");
        let root = fs::canonicalize(temporary.path()).unwrap().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(root.join("a/b/c"), "inside").unwrap();
        fs::write(outside.join("c"), "outside").unwrap();
        symlink(&outside, root.join("a/link")).unwrap();
        symlink(outside.join("c"), root.join("a/b/d")).unwrap();
        // Not every Unix has the system call.
        let made = std::process::Command::new("mkfifo").arg(root.join("pipe")).status();
        assert!(made.unwrap().success());
        let open = |inside: &str| {
            let location = Location::new(&root, Path::new(inside));
            let folder =
                rustix::fs::open(&root, rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty());
            let stepwise = open_stepwise(folder.unwrap(), Path::new(inside));
            let read = location.open().ok().map(|mut file| {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                text
            });
            assert_eq!(
                stepwise.is_ok_and(|file| is_plain(&file.metadata().unwrap())),
                read.is_some(),
                "{inside}"
            );
            read
        };
        assert_eq!(open("a/b/c").as_deref(), Some("inside"));
        for inside in ["a/link/c", "a/b/d", "pipe", "a/b", "../outside/c", "a/b/none"] {
            assert_eq!(open(inside), None, "{inside}");
        }
        // The folder itself was replaced by a link.
        symlink(&root, temporary.path().join("other")).unwrap();
        assert!(Location::new(&temporary.path().join("other"), Path::new("a/b/c")).open().is_err());
    }
}
