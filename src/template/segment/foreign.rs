//! Words in other scripts than Latin's 26 letters, which stand percent-encoded in a path: `%D0%BA%D0%BE%D1%80`, `%C3%BCber-uns`.

use std::borrow::Cow;

/// The longest word, in characters. Longer text is what somebody wrote, such as a title.
const MAX_FOREIGN_CHARACTERS: usize = 24;

/// Returns `true` for letters with `-` and `_` between them, some of them outside of ASCII, that are percent-encoded UTF-8.
pub(super) fn is_foreign_word(segment: &[u8]) -> bool {
    let decoded: Cow<'_, [u8]> = percent_encoding::percent_decode(segment).into();
    let Ok(text) = std::str::from_utf8(&decoded) else { return false };
    let is_part = |c: char| c.is_alphabetic() || matches!(c, '-' | '_');
    !text.is_ascii()
        && text.chars().all(is_part)
        && text.chars().count() <= MAX_FOREIGN_CHARACTERS
        && text.starts_with(char::is_alphabetic)
}

/// Returns the text by which a segment is judged: letters outside of ASCII stand as a word of as many letters that nobody knows,
/// since their escapes are digits and letters that mean nothing.
pub(crate) fn substitute_foreign_letters(segment: &[u8]) -> Cow<'_, [u8]> {
    const CONSONANTS: [u8; 12] = *b"bdfgklmnprst";
    const VOWELS: [u8; 5] = *b"aeiou";

    if !segment.contains(&b'%') || !is_foreign_word(segment) {
        return Cow::Borrowed(segment);
    }
    let decoded: Cow<'_, [u8]> = percent_encoding::percent_decode(segment).into();
    let text = String::from_utf8_lossy(&decoded);
    let mut word = Vec::with_capacity(text.len());
    for c in text.to_lowercase().chars() {
        let letter = u32::from(c) as usize;
        // A character of Chinese or Japanese is as much as two letters.
        for _ in 0..=usize::from(letter >= 0x3000) {
            let is_consonant = word.last().is_none_or(|last| !CONSONANTS.contains(last));
            word.push(match u8::try_from(letter) {
                Ok(byte) if byte.is_ascii() => byte,
                _ if is_consonant => CONSONANTS[letter % CONSONANTS.len()],
                _ => VOWELS[letter % VOWELS.len()],
            });
        }
    }
    Cow::Owned(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_any_script_are_told_from_other_text() {
        for (text, is) in [
            ("%D0%BA%D0%BE%D1%80%D0%B7%D0%B8%D0%BD%D0%B0", true),
            ("%C3%BCber-uns", true),
            ("%E5%95%86%E5%93%81", true),
            // ASCII, a space, digits, and bytes that are not UTF-8.
            ("%61bout", false),
            ("%C3%BCber%20uns", false),
            ("%C3%BCber1", false),
            ("%FFabc", false),
            ("%D0", false),
        ] {
            assert_eq!(is_foreign_word(text.as_bytes()), is, "{text}");
        }
    }

    #[test]
    fn a_stand_in_has_as_many_letters_and_no_escapes() {
        let word = substitute_foreign_letters(b"%D0%BA%D0%BE%D1%80%D0%B7%D0%B8%D0%BD%D0%B0");
        assert_eq!(word.len(), 7);
        assert!(word.iter().all(u8::is_ascii_lowercase));
        assert_eq!(substitute_foreign_letters(b"users"), &b"users"[..]);
        assert_eq!(substitute_foreign_letters(b"%C3%BCber-uns").len(), 8);
    }
}
