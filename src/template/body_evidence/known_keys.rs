//! Keys of bodies: their class, and whether APIs use their names.

use crate::sketch::stable_hash;
use crate::template::body_evidence::key_class::KeyClass;
use crate::template::vocabulary::{Vocabulary, words_of};

/// Whether a key is a name that APIs use, by its words. Any other one may be a value.
pub(crate) fn is_known_name(key: &[u8]) -> bool {
    if key.len() > MAX_KEY_BYTES {
        return false;
    }
    let vocabulary = Vocabulary::shipped();
    let words = words_of(key);
    key.first().is_some_and(|first| first.is_ascii_alphabetic() || b"_@$".contains(first))
        && key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_@$".contains(byte))
        && !words.is_empty()
        && words.iter().all(|word| {
            vocabulary.word(word) > 0 || KeyClass::of(word.as_bytes()) != KeyClass::Other
        })
}

/// The longest key that is kept as a name, in bytes.
const MAX_KEY_BYTES: usize = 32;

/// The hash and the class of a key, and whether APIs use its name.
#[derive(Clone, Copy)]
pub(super) struct KnownKey {
    pub(super) hash: u64,
    pub(super) class: KeyClass,
    pub(super) is_known: bool,
}

/// A cache of the hashes and classes of keys. Most keys repeat.
#[derive(Default)]
pub(super) struct KeyClasses {
    /// By the lowest bits of the hash; empty until the first key.
    recent: Vec<Option<KnownKey>>,
}

impl std::fmt::Debug for KeyClasses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyClasses")
    }
}

/// Keys that are remembered. A power of two.
const RECENT_KEYS: usize = 1 << 10;

impl KeyClasses {
    #[inline]
    pub(super) fn of(&mut self, key: &[u8]) -> KnownKey {
        if self.recent.is_empty() {
            self.recent.resize(RECENT_KEYS, None);
        }
        let hash = stable_hash(key);
        #[expect(clippy::cast_possible_truncation, reason = "the mask leaves 10 bits")]
        let recent = &mut self.recent[hash as usize & (RECENT_KEYS - 1)];
        match recent {
            Some(known) if known.hash == hash => *known,
            _ => *recent.insert(KnownKey {
                hash,
                class: KeyClass::of(key),
                is_known: is_known_name(key),
            }),
        }
    }
}
