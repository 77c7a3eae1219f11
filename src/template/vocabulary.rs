//! Vocabulary of static path segments, learned from public API descriptions. For sources see
//! data/README.md.

use std::collections::BTreeSet;
use std::sync::{LazyLock, OnceLock};

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
    /// Words that may be parts of compounds; computed on first use.
    parts: OnceLock<BTreeSet<&'static str>>,
    /// Costs -16 ln P of an unknown third character, by the two characters before it. Sorted.
    pairs: NgramTable,
    /// Costs -16 ln P of the third character of a trigram. Sorted.
    triples: NgramTable,
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
        let [pairs, triples] = sections(characters).map(table);
        Self { segments, beside, before, words, parts: OnceLock::new(), pairs, triples }
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
        let parts = self.parts.get_or_init(|| {
            let entries = self.words.0.as_bytes().split(|byte| *byte == b'\n').filter_map(entry);
            let fits = |length: usize| (MIN_COMPOUND_PART..=MAX_COMPOUND_PART).contains(&length);
            entries
                .filter(|(key, count)| *count >= KNOWN_PROVIDERS && fits(key.len()))
                .filter_map(|(key, _)| std::str::from_utf8(key).ok())
                .collect()
        });
        let length = word.len().min(MAX_COMPOUND_BYTES);
        let mut covered = [0_usize; MAX_COMPOUND_BYTES + 1];
        for start in 0..length {
            covered[start + 1] = covered[start + 1].max(covered[start]);
            for end in start + MIN_COMPOUND_PART..=length.min(start + MAX_COMPOUND_PART) {
                if covered[start] + end - start > covered[end]
                    && word.get(start..end).is_some_and(|part| parts.contains(part))
                {
                    covered[end] = covered[start] + end - start;
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "lengths of words")]
        let share = covered[length] as f64 / word.len().max(1) as f64;
        share
    }

    /// Returns `true` if some provider uses a segment with the same words.
    pub(crate) fn knows(&self, segment: &[u8]) -> bool {
        let words = words_of(segment);
        !words.is_empty() && self.segment(&words.join("_")) > 0
    }

    /// Surprisal of a segment's characters under a trigram model, -ln P, in nats.
    pub(crate) fn surprise(&self, segment: &[u8]) -> f64 {
        let mut text = b"^^".to_vec();
        text.extend(segment.iter().map(|byte| match byte {
            b'0'..=b'9' => b'0',
            byte if byte.is_ascii() => byte.to_ascii_lowercase(),
            _ => b'?',
        }));
        text.push(b'$');
        let cost = |at: usize| {
            let triple = text.get(at..at + 3).unwrap_or_default();
            let pair = text.get(at..at + 2).unwrap_or_default();
            find(&self.triples, triple).or_else(|| find(&self.pairs, pair)).unwrap_or(UNKNOWN_PAIR)
        };
        let sum: u32 = (0..text.len() - 2).map(cost).sum();
        f64::from(sum) / 16.0
    }
}

/// Maximum length of a compound; the letters beyond it count as not covered.
const MAX_COMPOUND_BYTES: usize = 32;
/// Minimum length of a part of a compound. Shorter words occur in random letters.
const MIN_COMPOUND_PART: usize = 3;
/// Maximum length of a part of a compound.
const MAX_COMPOUND_PART: usize = 12;
/// Minimum number of providers that use a part of a compound.
const KNOWN_PROVIDERS: u32 = 5;

/// Cost of an unknown pair of characters: -16 ln (0.3 / 12).
const UNKNOWN_PAIR: u32 = 59;

/// Binary search in a table.
fn find(table: &[(&'static [u8], u32)], key: &[u8]) -> Option<u32> {
    table.binary_search_by(|entry| entry.0.cmp(key)).ok().map(|at| table[at].1)
}

/// (key, number), sorted by key.
type NgramTable = Vec<(&'static [u8], u32)>;

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

/// Parses a line: key, tab, number.
fn entry(line: &[u8]) -> Option<(&[u8], u32)> {
    let (key, number) = line.split_at(line.iter().rposition(|byte| *byte == b'\t')?);
    let number = number.get(1..).filter(|number| !number.is_empty())?;
    let number = number.iter().try_fold(0_u32, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    });
    Some((key, number?))
}

/// Parses a small table that is searched often.
fn table(lines: &'static str) -> NgramTable {
    lines.as_bytes().split(|byte| *byte == b'\n').filter_map(entry).collect()
}

/// A large table that is searched seldom. Its lines are searched in the text itself, so that
/// starting the program costs nothing.
#[derive(Debug)]
struct LineTable(&'static str);

impl LineTable {
    fn new(lines: &'static str) -> Self {
        Self(lines)
    }

    /// Binary search over the lines.
    fn find(&self, key: &str) -> Option<u32> {
        let mut rest = self.0.as_bytes();
        while !rest.is_empty() {
            let middle = rest.len() / 2;
            let start = memchr::memrchr(b'\n', &rest[..middle]).map_or(0, |end| end + 1);
            let end = memchr::memchr(b'\n', &rest[middle..]).map_or(rest.len(), |at| middle + at);
            let (known, number) = entry(&rest[start..end])?;
            match known.cmp(key.as_bytes()) {
                std::cmp::Ordering::Equal => return Some(number),
                std::cmp::Ordering::Less => rest = rest.get(end + 1..).unwrap_or_default(),
                std::cmp::Ordering::Greater => rest = &rest[..start],
            }
        }
        None
    }
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
            let table = table(lines.0);
            assert!(table.len() > 100 && table.is_sorted());
            // A search in the text finds the entries of the parsed table.
            for (key, number) in &table {
                let key = std::str::from_utf8(key).unwrap();
                assert_eq!(lines.find(key), Some(*number), "{key}");
                assert_eq!(lines.find(&format!("{key}\u{1}")), None);
            }
        }
        for table in [&vocabulary.pairs, &vocabulary.triples] {
            assert!(table.len() > 100 && table.is_sorted());
        }
        assert!(vocabulary.word("users") > 20);
        assert!(vocabulary.knows(b"users") && !vocabulary.knows(b"torvalds"));
        assert!(vocabulary.surprise(b"orders") / 7.0 < vocabulary.surprise(b"xq7zkw") / 7.0);
    }
}
