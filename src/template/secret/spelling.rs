//! Plausibility of the spelling of a word: known, likely, pronounceable or random.

use crate::template::singular::singular;
use crate::template::vocabulary::Vocabulary;

/// Plausibility classes of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The vocabulary contains the word, or its parts.
    Known,
    /// Up to two letters, which are not evidence.
    Tiny,
    /// Its letters are as likely as those of names.
    Likely,
    /// It can be pronounced, so it may be a word of any language.
    Pronounceable,
    /// Its letters look random.
    Random,
}

/// Minimum number of providers that use two letters for them to be a known word.
const MIN_PROVIDERS_OF_SHORT: u32 = 8;

/// Abbreviations without vowels.
const TERMS: [&str; 36] = [
    "bgp", "bmp", "cdn", "css", "csv", "dns", "ftp", "gpg", "gzip", "hls", "html", "http", "https",
    "jpg", "jsp", "ldap", "mqtt", "ntp", "pdf", "pgp", "php", "png", "rss", "rtmp", "rtsp", "sftp",
    "smtp", "snmp", "sql", "ssh", "ssl", "svg", "tcp", "tls", "udp", "xml",
];

/// Classifies a lower-case word.
pub(super) fn classify_word(word: &str) -> Word {
    let vocabulary = Vocabulary::shipped();
    let is_known = match word.len() {
        0 | 1 => false,
        2 => vocabulary.word(word) >= MIN_PROVIDERS_OF_SHORT,
        3..=5 if TERMS.contains(&word) => true,
        _ => {
            vocabulary.word(word) > 0
                || vocabulary.compound(word) >= share_of_known(word)
                || is_known_plural(word)
        }
    };
    if is_known {
        Word::Known
    } else if word.len() <= 2 {
        Word::Tiny
    } else if is_spelled(word) {
        Word::Likely
    } else if is_pronounceable(word) {
        Word::Pronounceable
    } else {
        Word::Random
    }
}

/// Returns `true` for the plural of a known word: `heroes`.
fn is_known_plural(word: &str) -> bool {
    let singular = singular(word);
    singular != word && singular.len() > 2 && Vocabulary::shipped().word(&singular) > 0
}

/// Minimum share of a word's letters that known words must cover. Long words may contain an
/// abbreviation.
fn share_of_known(word: &str) -> f64 {
    const MIN_LONG_WORD_BYTES: usize = 10;

    if word.len() < MIN_LONG_WORD_BYTES { 1.0 } else { 0.8 }
}

/// Returns `true` if the mean surprisal of the letters is as low as in names. The bounds accept 97
/// % of the words in API descriptions, and 2 % of words of random letters.
fn is_spelled(word: &str) -> bool {
    let most = match word.len() {
        ..=3 => 4.6,
        5 => 3.55,
        6 | 7 => 3.5,
        _ => 3.6,
    };
    #[expect(clippy::cast_precision_loss, reason = "lengths of words")]
    let letters = (word.len() + 1) as f64;
    Vocabulary::shipped().surprisal(word.as_bytes()) <= most * letters
}

/// Returns `true` if a fifth of the letters are vowels and runs of consonants are short.
fn is_pronounceable(word: &str) -> bool {
    /// Maximum length of a word that is always accepted, such as an abbreviation.
    const MAX_SHORT_WORD_BYTES: usize = 4;

    let is_vowel = |byte: &u8| b"aeiouy".contains(byte);
    let vowels = word.bytes().filter(|byte| is_vowel(byte)).count();
    let consonants = word.as_bytes().split(|byte| is_vowel(byte)).map(<[u8]>::len).max();
    let most = if word.len() > 7 { 4 } else { 3 };
    word.len() <= MAX_SHORT_WORD_BYTES
        || (vowels * 5 >= word.len() && consonants.is_none_or(|run| run <= most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_any_language_are_told_from_random_letters() {
        for (text, is) in [
            ("settings", Word::Known),
            ("usergroups", Word::Known),
            ("qz", Word::Tiny),
            ("bestellungen", Word::Likely),
            ("nguoidung", Word::Pronounceable),
            ("ustawienia", Word::Pronounceable),
            ("xkcdqwrt", Word::Random),
        ] {
            assert_eq!(classify_word(text), is, "{text}");
        }
    }
}
