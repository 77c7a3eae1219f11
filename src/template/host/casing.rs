//! The letter case in which a host writes its segments, and segments as they would stand in lower case.

use std::borrow::Cow;

/// The minimum weight of words by which the case of a host can be told.
const MIN_WORDS: f64 = 3.0;

/// Weighted counts of the words of a host by letter case.
#[derive(Debug, Default)]
pub(super) struct CaseTally {
    words: f64,
    capitals: f64,
}

impl CaseTally {
    /// Counts a word. Text of fewer than three letters is not counted: it may be a code.
    pub(super) fn add(&mut self, core: &[u8], weight: f64) {
        let letters = core.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
        if letters >= 3 {
            self.words += weight;
            self.capitals += if is_capitals(core) { weight } else { 0.0 };
        }
    }

    /// The letter case of the host: capitals if most of its words are written in them.
    pub(super) fn casing(&self) -> Casing {
        let is_clear = self.words >= MIN_WORDS && self.capitals * 2.0 > self.words;
        if is_clear { Casing::Capitals } else { Casing::Mixed }
    }
}

/// The letter case of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Casing {
    /// Lower case, or several. The case of a segment says something about the segment.
    #[default]
    Mixed,
    /// `USERS`. The case of a segment says nothing, but for one in lower case.
    Capitals,
}

impl Casing {
    /// The text by which a segment is judged: in lower case on a host that writes all in capitals.
    pub(super) fn normalize(self, core: &[u8]) -> Cow<'_, [u8]> {
        if self == Self::Capitals && is_capitals(core) {
            Cow::Owned(core.to_ascii_lowercase())
        } else {
            Cow::Borrowed(core)
        }
    }

    /// Returns `true` for a segment with lower-case letters on a host that writes in capitals.
    pub(super) fn deviates(self, core: &[u8]) -> bool {
        self == Self::Capitals && core.iter().any(u8::is_ascii_lowercase)
    }
}

/// Returns `true` for a text whose letters are all capitals.
fn is_capitals(core: &[u8]) -> bool {
    core.iter().any(u8::is_ascii_uppercase) && !core.iter().any(u8::is_ascii_lowercase)
}
