//! The letter case in which a host writes its segments, and segments as they would stand in lower case.

use std::borrow::Cow;

/// The minimum weight of words by which the case of a host can be told.
const MIN_WORDS: f64 = 3.0;

/// Weighted counts of the words of a host by letter case.
#[derive(Debug, Default)]
pub(super) struct CaseTally {
    known: CaseCounts,
    all: CaseCounts,
}

#[derive(Debug, Default)]
struct CaseCounts {
    words: f64,
    capitals: f64,
}

impl CaseTally {
    /// Counts a word. Text of fewer than three letters is not counted: it may be a code. `is_known` tells whether APIs use the
    /// word.
    pub(super) fn add(&mut self, core: &[u8], is_known: bool, weight: f64) {
        let letters = core.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
        if letters >= 3 {
            self.all.add(core, weight);
            if is_known {
                self.known.add(core, weight);
            }
        }
    }

    /// The letter case of the host: capitals if most of its words are written in them. Words that APIs use decide where there
    /// are some, since the others are values more often.
    pub(super) fn casing(&self) -> Casing {
        let known = Some(&self.known).filter(|known| known.words >= MIN_WORDS);
        known.unwrap_or(&self.all).casing()
    }
}

impl CaseCounts {
    fn add(&mut self, core: &[u8], weight: f64) {
        self.words += weight;
        self.capitals += if is_capitals(core) { weight } else { 0.0 };
    }

    fn casing(&self) -> Casing {
        let is_clear = self.words >= MIN_WORDS && self.capitals * 2.0 > self.words;
        if is_clear { Casing::Capitals } else { Casing::Mixed }
    }
}

/// The letter case of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Casing {
    /// Lower case, or several. The case of a segment says something about the segment.
    Mixed,
    /// `USERS`. The case of a segment says nothing.
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
}

/// Returns `true` for a text whose letters are all capitals.
fn is_capitals(core: &[u8]) -> bool {
    core.iter().any(u8::is_ascii_uppercase) && !core.iter().any(u8::is_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::vocabulary::Vocabulary;

    fn casing_of(words: &[&str]) -> Casing {
        let mut tally = CaseTally::default();
        for word in words {
            let is_known = Vocabulary::shipped().knows(word.as_bytes());
            tally.add(word.as_bytes(), is_known, 1.0);
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
        let values = ["mona", "hubot", "octocat", "kmeier", "lina", "USERS", "ORDERS", "QUEUES"];
        assert_eq!(casing_of(&values), Casing::Capitals, "known words decide");
    }

    #[test]
    fn only_capitals_are_put_into_lower_case() {
        assert_eq!(&*Casing::Capitals.normalize(b"ORDER_ITEMS2"), b"order_items2");
        assert_eq!(&*Casing::Capitals.normalize(b"OrderItems"), b"OrderItems");
        assert_eq!(&*Casing::Mixed.normalize(b"USERS"), b"USERS");
    }
}
