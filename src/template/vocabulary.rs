//! What static path segments look like, learnt from public API descriptions: data/README.md has the source.

use std::sync::LazyLock;

/// Words and letters of static segments, with the number of providers that use them.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    /// Sorted: segments as their words joined by `_`.
    segments: Table,
    /// Sorted.
    words: Table,
    /// Sorted: -16 ln P of an unknown third character.
    pairs: Table,
    /// Sorted: -16 ln P of the third character.
    triples: Table,
}

static SHIPPED: LazyLock<Vocabulary> = LazyLock::new(|| {
    Vocabulary::parse(
        include_str!("../../data/vocabulary.tsv"),
        include_str!("../../data/characters.tsv"),
    )
});

impl Vocabulary {
    /// The one that is part of the program.
    pub(crate) fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// From the text of the two files.
    pub(crate) fn parse(vocabulary: &'static str, characters: &'static str) -> Self {
        let (segments, words) = sections(vocabulary);
        let (pairs, triples) = sections(characters);
        Self { segments, words, pairs, triples }
    }

    /// How many providers use a segment with these words.
    pub(crate) fn segment(&self, normalized: &str) -> u32 {
        find(&self.segments, normalized).unwrap_or(0)
    }

    /// How many providers use a word.
    pub(crate) fn word(&self, word: &str) -> u32 {
        find(&self.words, word).unwrap_or(0)
    }

    /// Is the segment known, or made of words that are?
    pub(crate) fn knows(&self, segment: &[u8]) -> bool {
        let words = words_of(segment);
        !words.is_empty() && self.segment(&words.join("_")) > 0
    }

    /// -ln P of the segment's characters, summed.
    pub(crate) fn surprise(&self, segment: &[u8]) -> f64 {
        let mut text = String::from("^^");
        text.extend(segment.iter().map(|byte| match byte {
            b'0'..=b'9' => '0',
            byte if byte.is_ascii() => char::from(byte.to_ascii_lowercase()),
            _ => '?',
        }));
        text.push('$');
        let cost = |at: usize| {
            let triple = text.get(at..at + 3).unwrap_or_default();
            let pair = text.get(at..at + 2).unwrap_or_default();
            find(&self.triples, triple).or_else(|| find(&self.pairs, pair)).unwrap_or(UNKNOWN_PAIR)
        };
        let sum: u32 = (0..text.len() - 2).map(cost).sum();
        f64::from(sum) / 16.0
    }
}

/// -16 ln (0.3 / 12): a pair that was hardly ever seen.
const UNKNOWN_PAIR: u32 = 59;

fn find(table: &[(&'static str, u32)], key: &str) -> Option<u32> {
    table.binary_search_by(|entry| entry.0.cmp(key)).ok().map(|at| table[at].1)
}

/// Sorted by key.
type Table = Vec<(&'static str, u32)>;

/// Two tables, each after a line that begins with `#`. Their lines are sorted; read at every start, so read quickly.
fn sections(text: &'static str) -> (Table, Table) {
    let mut tables = [Vec::new(), Vec::new()];
    let mut section = 0;
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', text.as_bytes()) {
        let line = &text.as_bytes()[start..end];
        if line.starts_with(b"# ") {
            section += 1;
        } else if let Some(tab) = line.iter().rposition(|byte| *byte == b'\t')
            && let Some(table) = tables.get_mut(section - 1)
        {
            let digits = line[tab + 1..].iter().map(|digit| u32::from(digit.wrapping_sub(b'0')));
            let number =
                digits.fold(0, |number: u32, digit| number.wrapping_mul(10).wrapping_add(digit));
            table.push((&text[start..start + tab], number));
        }
        start = end + 1;
    }
    // The shipped files are sorted (a test sees to it); those that the scripts try out need not be.
    if cfg!(feature = "training") {
        tables.iter_mut().for_each(|table| table.sort_unstable());
    }
    let [first, second] = tables;
    (first, second)
}

/// The words of a segment in lower case: `checkNameAvailability`, `check-name` and `HTTPServer` have two or three.
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
                // The last capital begins the next word.
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
        for table in
            [&vocabulary.segments, &vocabulary.words, &vocabulary.pairs, &vocabulary.triples]
        {
            assert!(table.len() > 100 && table.is_sorted());
        }
        assert!(vocabulary.word("users") > 20);
        assert!(vocabulary.knows(b"users") && !vocabulary.knows(b"torvalds"));
        assert!(vocabulary.surprise(b"orders") / 7.0 < vocabulary.surprise(b"xq7zkw") / 7.0);
    }
}
