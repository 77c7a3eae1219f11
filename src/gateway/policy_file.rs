//! The policy that is in force: a file that is looked at before every call, so that an edit holds from the next call on.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::capture::location::identity_of;
use crate::error::{Error, OperatorMessages};
use crate::flow::text;
use crate::policy::{KnownTools, Policy};

/// Time after an edit in which a second one may leave the file with the times of the first.
const MIN_SETTLED_AGE: Duration = Duration::from_millis(50);

/// A policy with what tells it apart from others.
#[derive(Clone, Debug)]
pub(super) struct PolicyInForce {
    pub(super) policy: Arc<Policy>,
    /// The first 16 hexadecimal digits of the SHA-256 of the file; empty without one.
    pub(super) fingerprint: Arc<str>,
}

/// The policy file, and the last version of it that was right.
pub(super) struct PolicyFile {
    path: Option<PathBuf>,
    loaded: Mutex<LoadedPolicy>,
    complain: OperatorMessages,
}

struct LoadedPolicy {
    in_force: PolicyInForce,
    /// The file as it was when it was read last; `None` if it could not be looked at or must be read again.
    stamp: Option<FileStamp>,
    /// The last message about an invalid version of the file, so that each is reported once.
    told: String,
}

#[derive(PartialEq, Eq)]
struct FileStamp {
    identity: (u64, u64),
    length: u64,
    modified: Option<SystemTime>,
    /// Seconds and nanoseconds of the last change of the file or its attributes, which no program can set.
    changed: (i64, i64),
}

impl FileStamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let changed = {
            use std::os::unix::fs::MetadataExt;
            (metadata.ctime(), metadata.ctime_nsec())
        };
        #[cfg(not(unix))]
        let changed = (0, 0);
        Self {
            identity: identity_of(metadata),
            length: metadata.len(),
            modified: metadata.modified().ok(),
            changed,
        }
    }

    /// True if an edit now would change the stamp for certain.
    #[expect(clippy::disallowed_methods, reason = "compared with the time of the file")]
    fn is_settled(&self) -> bool {
        let age = self.modified.and_then(|time| SystemTime::now().duration_since(time).ok());
        age.is_some_and(|age| age > MIN_SETTLED_AGE)
    }
}

impl PolicyFile {
    /// Reads the policy; without a file every call is allowed.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is wrong.
    pub(super) fn open(path: Option<&Path>, complain: OperatorMessages) -> Result<Self, Error> {
        let mut in_force =
            PolicyInForce { policy: Arc::new(Policy::allow_all()), fingerprint: Arc::from("") };
        if let Some(path) = path {
            // Says what is wrong, in the words of a program that does not start.
            in_force.policy = Arc::new(Policy::read(path, KnownTools::Any)?);
        }
        let told = String::new();
        let this = Self {
            path: path.map(Path::to_owned),
            loaded: Mutex::new(LoadedPolicy { in_force, stamp: None, told }),
            complain,
        };
        this.current();
        Ok(this)
    }

    /// The file with its real name, by which several gateways with one policy have the same limits.
    pub(super) fn real_name(&self) -> String {
        let real = self.path.as_ref().and_then(|path| std::fs::canonicalize(path).ok());
        real.map(|path| path.display().to_string()).unwrap_or_default()
    }

    /// The text of the file as it is now; empty if there is none.
    pub(super) fn text(&self) -> String {
        let text = self.path.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
        text.unwrap_or_default()
    }

    /// The policy in force: the file as it is now, or the last version that was right.
    pub(super) fn current(&self) -> PolicyInForce {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &self.path else { return loaded.in_force.clone() };
        let stamp = std::fs::metadata(path).ok().map(|metadata| FileStamp::of(&metadata));
        if stamp.is_some() && stamp == loaded.stamp {
            return loaded.in_force.clone();
        }
        let read = read_file(path).map_err(|error| format!("it cannot be read: {error}"));
        let is_read = read.is_ok();
        let parsed = read.and_then(|bytes| {
            let fingerprint = fingerprint(&bytes);
            if *loaded.in_force.fingerprint == *fingerprint {
                return Ok(None);
            }
            let text = std::str::from_utf8(&bytes).map_err(|_| "it is not UTF-8".to_owned())?;
            let parsed = Policy::parse(text, KnownTools::Any);
            let policy = parsed.map_err(|wrong| wrong.into_iter().next().unwrap_or_default())?;
            Ok(Some(PolicyInForce {
                policy: Arc::new(policy),
                fingerprint: Arc::from(fingerprint),
            }))
        });
        let name = text::printable(path.display().to_string().as_bytes()).into_owned();
        match parsed {
            Ok(None) => loaded.told.clear(),
            Ok(Some(new)) => {
                if !loaded.in_force.fingerprint.is_empty() {
                    (self.complain)(&format!("{name}: the new policy is in force"));
                }
                loaded.in_force = new;
                loaded.told.clear();
            }
            Err(why) => {
                let why = text::printable(why.as_bytes());
                let told = format!("{name}: the old policy stays in force: {why}");
                if loaded.told != told {
                    (self.complain)(&told);
                    loaded.told = told;
                }
            }
        }
        // A file that was edited just now may be edited again within the tick of its clock.
        // One that could not be read is read again.
        loaded.stamp = stamp.filter(|stamp| is_read && stamp.is_settled());
        loaded.in_force.clone()
    }
}

/// The bytes of a file. Anything else, such as a pipe, could keep the gateway waiting.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    std::fs::read(path)
}

fn fingerprint(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let first = digest.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{first:016x}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::Verdict;

    #[test]
    fn an_edit_holds_from_the_next_call_and_a_wrong_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.json");
        let allow = r#"{"version": "1", "default": "allow"}"#;
        let deny = r#"{"version": "1", "default": "deny" }"#;
        std::fs::write(&path, allow).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let complain = move |text: &str| tell.lock().unwrap().push(text.to_owned());
        let file = PolicyFile::open(Some(&path), Arc::new(complain)).unwrap();
        let verdict = || file.current().policy.decide("", "t", &json!({})).verdict;
        assert_eq!(verdict(), Verdict::Allow);
        // One length, within one tick.
        for _ in 0..5 {
            std::fs::write(&path, deny).unwrap();
            assert_eq!(verdict(), Verdict::Deny);
            std::fs::write(&path, allow).unwrap();
            assert_eq!(verdict(), Verdict::Allow);
        }
        told.lock().unwrap().clear();
        std::fs::write(&path, r#"{"version": "1", "defaut": "deny"}"#).unwrap();
        assert_eq!((verdict(), verdict()), (Verdict::Allow, Verdict::Allow));
        // As if the edit were older than a tick.
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let before = file.metadata().unwrap().modified().unwrap() - 2 * MIN_SETTLED_AGE;
        file.set_modified(before).unwrap();
        assert_eq!((verdict(), verdict()), (Verdict::Allow, Verdict::Allow));
        let words = told.lock().unwrap().clone();
        assert!(words.len() == 1 && words[0].contains("stays in force"), "{words:?}");
        std::fs::remove_file(&path).unwrap();
        assert_eq!((verdict(), verdict()), (Verdict::Allow, Verdict::Allow));
        assert_eq!(told.lock().unwrap().len(), 2, "{:?}", told.lock().unwrap());
        std::fs::write(&path, deny).unwrap();
        assert_eq!(verdict(), Verdict::Deny);
    }
}
