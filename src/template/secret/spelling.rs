//! How the letters of a word follow each other: as in names, as in some language, or as chance has it.

use crate::template::vocabulary::Vocabulary;

/// How well a word is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The vocabulary has it, or all of its parts.
    Known,
    /// Up to two letters that say nothing.
    Tiny,
    /// It is spelled as names are.
    Likely,
    /// It can be pronounced, so it may be a word of any language.
    Pronounceable,
    Random,
}

/// Providers that make two letters a word.
const PROVIDERS_OF_SHORT: u32 = 8;

/// Short for what has no vowels.
const TERMS: [&str; 36] = [
    "bgp", "bmp", "cdn", "css", "csv", "dns", "ftp", "gpg", "gzip", "hls", "html", "http", "https",
    "jpg", "jsp", "ldap", "mqtt", "ntp", "pdf", "pgp", "php", "png", "rss", "rtmp", "rtsp", "sftp",
    "smtp", "snmp", "sql", "ssh", "ssl", "svg", "tcp", "tls", "udp", "xml",
];

/// Judges one word of small letters.
pub(super) fn word(word: &str) -> Word {
    let vocabulary = Vocabulary::shipped();
    let is_known = match word.len() {
        0 | 1 => false,
        2 => vocabulary.word(word) >= PROVIDERS_OF_SHORT,
        3..=5 if TERMS.contains(&word) => true,
        _ => vocabulary.word(word) > 0 || vocabulary.compound(word) >= share_of_known(word),
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

/// The share of its letters that known words must cover: of long ones an abbreviation may be left.
fn share_of_known(word: &str) -> f64 {
    const LONG: usize = 10;

    if word.len() < LONG { 1.0 } else { 0.8 }
}

/// Are its letters as in names? The bounds let 97 of 100 words of API descriptions through, and 2 of 100 words that are made
/// of random letters.
fn is_spelled(word: &str) -> bool {
    let most = match word.len() {
        ..=3 => 4.6,
        5 => 3.55,
        6 | 7 => 3.5,
        _ => 3.6,
    };
    #[expect(clippy::cast_precision_loss, reason = "lengths of words")]
    let letters = (word.len() + 1) as f64;
    Vocabulary::shipped().surprise(word.as_bytes()) <= most * letters
}

/// Are there vowels enough, and not too many consonants in a row?
fn is_pronounceable(word: &str) -> bool {
    /// What may be three letters more than anything.
    const SHORT: usize = 4;

    let is_vowel = |byte: &u8| b"aeiouy".contains(byte);
    let vowels = word.bytes().filter(|byte| is_vowel(byte)).count();
    let consonants = word.as_bytes().split(|byte| is_vowel(byte)).map(<[u8]>::len).max();
    let most = if word.len() > 7 { 4 } else { 3 };
    word.len() <= SHORT || (vowels * 4 >= word.len() && consonants.is_none_or(|run| run <= most))
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
            assert_eq!(word(text), is, "{text}");
        }
    }
}
