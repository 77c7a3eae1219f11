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

#[cfg(test)]
mod tests {
    use super::*;

    fn casing_of(words: &[&str]) -> Casing {
        let mut tally = CaseTally::default();
        for word in words {
            tally.add(word.as_bytes(), 1.0);
        }
        tally.casing()
    }

    #[test]
    fn a_host_writes_in_capitals_if_most_of_its_words_do() {
        assert_eq!(casing_of(&["USERS", "ORDER_ITEMS", "QUEUES", "alice"]), Casing::Capitals);
        assert_eq!(casing_of(&["USERS", "ORDERS", "users", "orders"]), Casing::Mixed);
        assert_eq!(casing_of(&["USERS", "ORDERS"]), Casing::Mixed, "two words are too few");
        assert_eq!(casing_of(&["DE", "FR", "IT", "users"]), Casing::Mixed, "codes do not count");
        assert_eq!(casing_of(&[]), Casing::Mixed);
    }

    #[test]
    fn only_capitals_are_put_into_lower_case() {
        assert_eq!(&*Casing::Capitals.normalize(b"ORDER_ITEMS2"), b"order_items2");
        assert_eq!(&*Casing::Capitals.normalize(b"OrderItems"), b"OrderItems");
        assert_eq!(&*Casing::Mixed.normalize(b"USERS"), b"USERS");
        assert!(Casing::Capitals.deviates(b"alice") && Casing::Capitals.deviates(b"Alice"));
        assert!(!Casing::Capitals.deviates(b"USERS") && !Casing::Capitals.deviates(b"7"));
        assert!(!Casing::Mixed.deviates(b"alice"));
    }
}
