//! Vocabulary of static path segments, learned from public API descriptions. For sources see
//! data/README.md.

mod compounds;
mod line_table;
mod ngrams;

use std::sync::{LazyLock, OnceLock};

use crate::template::vocabulary::compounds::CompoundParts;
use crate::template::vocabulary::line_table::{LineTable, entry};
use crate::template::vocabulary::ngrams::CharacterModel;

/// Words and character n-grams of static segments, with the number of providers that use them.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    /// Segments, as their words joined by `_`.
    segments: LineTable,
    /// Segments that are siblings of a parameter, such as `me` beside `{user_id}`.
    beside: LineTable,
    /// Segments that are parents of a parameter, such as `users` before `{user_id}`.
    before: LineTable,
    words: LineTable,
    /// Computed on first use.
    parts: OnceLock<CompoundParts>,
    characters: CharacterModel,
}

static SHIPPED: LazyLock<Vocabulary> = LazyLock::new(|| {
    Vocabulary::parse(
        include_str!("../../data/vocabulary.tsv"),
        include_str!("../../data/characters.tsv"),
    )
});

impl Vocabulary {
    /// The vocabulary compiled into the program.
    pub(crate) fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// Parses a vocabulary from the contents of its two files.
    pub(crate) fn parse(vocabulary: &'static str, characters: &'static str) -> Self {
        let [segments, beside, before, words] = sections(vocabulary).map(LineTable::new);
        let [pairs, triples] = sections(characters);
        let characters = CharacterModel::new(pairs, triples);
        Self { segments, beside, before, words, parts: OnceLock::new(), characters }
    }

    /// Number of providers that use a segment with these words.
    pub(crate) fn segment(&self, normalized: &str) -> u32 {
        self.segments.find(normalized).unwrap_or(0)
    }

    /// Number of providers that use a segment with these words as a sibling of a parameter.
    pub(crate) fn beside_parameters(&self, normalized: &str) -> u32 {
        self.beside.find(normalized).unwrap_or(0)
    }

    /// Number of providers that use a segment with these words as the parent of a parameter.
    pub(crate) fn before_parameters(&self, normalized: &str) -> u32 {
        self.before.find(normalized).unwrap_or(0)
    }

    /// Number of providers that use a word.
    pub(crate) fn word(&self, word: &str) -> u32 {
        self.words.find(word).unwrap_or(0)
    }

    /// Share of the letters of a word that known words cover without overlap: 1 for `usergroups`.
    pub(crate) fn compound(&self, word: &str) -> f64 {
        let parts = self.parts.get_or_init(|| CompoundParts::new(&self.words));
        parts.share_covered(word.as_bytes())
    }

    /// Returns `true` if some provider uses a segment with the same words.
    pub(crate) fn knows(&self, segment: &[u8]) -> bool {
        let words = words_of(segment);
        !words.is_empty() && self.segment(&words.join("_")) > 0
    }

    /// Surprisal of a segment's characters under a trigram model, -ln P, in nats.
    pub(crate) fn surprisal(&self, segment: &[u8]) -> f64 {
        self.characters.surprise(segment)
    }
}

/// Splits a file into its tables, each of which follows a line that begins with `#`.
fn sections<const COUNT: usize>(text: &'static str) -> [&'static str; COUNT] {
    let mut rest = text;
    [(); COUNT].map(|()| {
        let (_title, lines) = rest.split_once('\n').unwrap_or_default();
        let end = memchr::memmem::find(lines.as_bytes(), b"\n# ").map_or(lines.len(), |at| at + 1);
        rest = &lines[end..];
        // The shipped files are sorted, which a test checks. Files of the training scripts need not
        // be.
        if cfg!(feature = "training") { sorted(&lines[..end]) } else { &lines[..end] }
    })
}

/// Sorts lines by key. The memory is leaked, so that it lives as long as the program.
fn sorted(lines: &str) -> &'static str {
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable_by_key(|line| entry(line.as_bytes()).map(|entry| entry.0));
    Box::leak(lines.iter().flat_map(|line| [line, "\n"]).collect::<String>().into_boxed_str())
}

/// The words of a segment in lower case. It is split at case changes, digits and punctuation:
/// `checkNameAvailability`, `check-name` and `HTTPServer` have three, two and two.
pub(crate) fn words_of(segment: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    let mut at = 0;
    let run = |from: usize, is: fn(&u8) -> bool| {
        segment[from..].iter().take_while(|byte| is(byte)).count()
    };
    while at < segment.len() {
        let upper = run(at, u8::is_ascii_uppercase);
        let end = if upper > 0 {
            let lower = run(at + upper, u8::is_ascii_lowercase);
            match (upper, lower) {
                (_, 0) => at + upper,
                (1, lower) => at + 1 + lower,
                // The last capital of a run begins the next word.
                (upper, _) => at + upper - 1,
            }
        } else {
            at + run(at, u8::is_ascii_lowercase).max(run(at, u8::is_ascii_digit))
        };
        if end == at {
            at += 1;
            continue;
        }
        words.push(String::from_utf8_lossy(&segment[at..end]).to_ascii_lowercase());
        at = end;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_at_humps_digits_and_punctuation() {
        assert_eq!(words_of(b"checkNameAvailability"), ["check", "name", "availability"]);
        assert_eq!(words_of(b"HTTPServer-v2_x"), ["http", "server", "v", "2", "x"]);
        assert_eq!(words_of(b"ABC"), ["abc"]);
        assert!(words_of(b"...").is_empty());
    }

    #[test]
    fn the_shipped_vocabulary_knows_common_words_and_letters() {
        let vocabulary = Vocabulary::shipped();
        for lines in
            [&vocabulary.segments, &vocabulary.beside, &vocabulary.before, &vocabulary.words]
        {
            let keys: Vec<&[u8]> = lines.entries().map(|(key, _)| key).collect();
            assert!(keys.len() > 100 && keys.is_sorted());
            // The index finds every line.
            for (key, number) in lines.entries() {
                let key = std::str::from_utf8(key).unwrap();
                assert_eq!(lines.find(key), Some(number), "{key}");
                assert_eq!(lines.find(&format!("{key}\u{1}")), None);
            }
        }
        assert!(vocabulary.word("users") > 20);
        assert!(vocabulary.knows(b"users") && !vocabulary.knows(b"torvalds"));
        assert!(vocabulary.surprisal(b"orders") / 7.0 < vocabulary.surprisal(b"xq7zkw") / 7.0);
    }
}
