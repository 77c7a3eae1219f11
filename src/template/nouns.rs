//! Nouns of a path: the word before a value, and what it says about the value.

use crate::template::Part;
use crate::template::segment::{Segment, SegmentKind, kind_of};

/// Segments that say nothing about the thing that a value identifies.
const GENERIC_NOUNS: [&str; 22] = [
    "",
    "api",
    "rest",
    "index_php",
    "get",
    "find",
    "fetch",
    "list",
    "show",
    "view",
    "lookup",
    "read",
    "update",
    "edit",
    "delete",
    "remove",
    "create",
    "add",
    "load",
    "json",
    "from",
    "to",
];

/// The last meaningful literal before the parameter, in snake case.
pub(crate) fn noun_before(parts: &[Part]) -> Option<String> {
    parts.iter().rev().find_map(|part| match part {
        Part::Literal { text, mask } => {
            let core = Segment::parse(text).core;
            let noun = snake_case(core);
            let digits = noun.bytes().filter(u8::is_ascii_digit).count();
            let kind = kind_of(text);
            let says_nothing = matches!(kind, SegmentKind::Version | SegmentKind::Number)
                || kind.is_integer()
                || GENERIC_NOUNS.contains(&&*noun)
                || digits > 3
                || core.len() > MAX_NOUN_BYTES
                || core.contains(&b':')
                || mask.is_some();
            (!says_nothing).then_some(noun)
        }
        Part::Parameter { .. } => None,
    })
}

/// Maximum length of a noun in bytes. Longer literals are sentences, or values classified as names.
const MAX_NOUN_BYTES: usize = 40;

/// Converts a text to snake case: `userGroups` and `user-groups` become `user_groups`, `usu%C3%A1rios` becomes `usuarios`.
/// Letters of other scripts are left out.
pub(crate) fn snake_case(text: &[u8]) -> String {
    if text.iter().any(|byte| *byte == b'%' || !byte.is_ascii()) {
        let decoded = percent_encoding::percent_decode(text).decode_utf8_lossy();
        let plain = without_marks(&decoded);
        let ascii: String =
            plain.chars().map(|letter| if letter.is_ascii() { letter } else { '_' }).collect();
        return snake_case_of_ascii(ascii.as_bytes());
    }
    snake_case_of_ascii(text)
}

/// A word in which letters with marks of the languages of Europe are plain ones: `contraseña` becomes `contrasena`.
pub(crate) fn without_marks(word: &str) -> String {
    let plain = |letter: char| match letter {
        'à'..='å' | 'ą' => 'a',
        'À'..='Å' | 'Ą' => 'A',
        'ç' | 'č' | 'ć' => 'c',
        'è'..='ë' | 'ę' | 'ě' => 'e',
        'È'..='Ë' => 'E',
        'ì'..='ï' | 'ı' => 'i',
        'ł' => 'l',
        'ñ' | 'ń' => 'n',
        'ò'..='ö' | 'ő' | 'ø' => 'o',
        'Ò'..='Ö' => 'O',
        'š' | 'ş' | 'ś' => 's',
        'ù'..='ü' | 'ű' => 'u',
        'Ù'..='Ü' => 'U',
        'ý' => 'y',
        'ž' | 'ź' | 'ż' => 'z',
        other => other,
    };
    word.chars().map(plain).collect()
}

fn snake_case_of_ascii(text: &[u8]) -> String {
    let mut out = String::new();
    let mut previous = b'_';
    for (i, &byte) in text.iter().take(48).enumerate() {
        if byte.is_ascii_alphanumeric() {
            let next_is_lower = text.get(i + 1).is_some_and(u8::is_ascii_lowercase);
            let hump = byte.is_ascii_uppercase()
                && (previous.is_ascii_lowercase()
                    || previous.is_ascii_digit()
                    || (previous.is_ascii_uppercase() && next_is_lower));
            if hump && !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
            out.push(char::from(byte.to_ascii_lowercase()));
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        previous = byte;
    }
    let trimmed = out.trim_end_matches('_');
    if trimmed.starts_with(|c: char| c.is_ascii_digit()) {
        format!("n{trimmed}")
    } else {
        trimmed.to_owned()
    }
}

/// Nouns of persons. A word after one of them is an account name.
const PEOPLE: [&str; 11] = [
    "user", "people", "person", "member", "profile", "account", "author", "u", "owner", "player",
    "follower",
];

/// Returns `true` for the noun of a person, in the singular.
pub(crate) fn is_person(noun: &str) -> bool {
    PEOPLE.contains(&noun)
}
