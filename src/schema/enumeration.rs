//! Enumerations: strings whose future values are expected among those that were seen.

use crate::shape::strings::Strings;
use crate::template::vocabulary::{Vocabulary, words_of};

/// From this probability on strings are an enumeration.
pub(super) const MIN_ENUM: f64 = 0.8;

/// Strings for each distinct one that must be seen.
const MIN_REPEATS: u64 = 4;

/// The largest estimated share of values to come that are new.
const MAX_NEW: f64 = 0.1;

/// Upper bound of the logarithm of strings per value (about 55); more of them add no evidence.
const MAX_LOG_REPEATS: f64 = 4.0;

/// Last words of names whose values are a choice: at least ten providers of API descriptions use them for strings, and on average
/// at least three in ten of a provider's strings with such a name have an `enum` (`scripts/fit_schema.py words`; the APIs that
/// the weights were measured on left out). Sorted.
const CHOICES: &str = "access action algorithm availability category channel classification command day direction \
    enabled environment event flag format frequency gender indicator interval kind level \
    license media method mode op operation operator option order orientation period permission \
    phase platform policy position priority protocol purpose quality required resolution \
    result role schedule scheme scope segment service severity size source state status \
    strategy style subtype type unit usage view visibility week";

/// Last words of names whose values are free: at least 15 providers use them, and at most one string in twenty has an `enum`.
/// Sorted.
const FREE: &str = "address agent alias amount at author body branch city comment company contact content \
    country created data date description detail domain email end endpoint extension fax file \
    filename fingerprint from hash header host hostname href html iban icon id identifier \
    image info instruction ip key keyword label latitude link login logo longitude \
    manufacturer message modified name namespace next nickname note number organization \
    password path percentage phone prefix price query rate ref reference resource secret self \
    server signature sku slug start street string subject summary symbol system tag term text \
    time title token uid updated uri url user username uuid website zip zone";

/// Evidence about the values of one place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EnumEvidence {
    pub(crate) count: u64,
    pub(crate) distinct: u64,
    /// Values that were seen once.
    pub(crate) singletons: u64,
    /// Distinct values that are not empty.
    pub(crate) filled: u64,
    /// Share of the values that could be constants of a program: letters, digits and `_`, `-`, `.`, `:`, `/`, a letter first.
    pub(crate) as_constants: f64,
    /// Share of the values that are written in capitals and are not short codes, as those of airports are: `READ_ONLY`.
    pub(crate) upper: f64,
    /// Whether all values are written in one style, such as `read_only`, `read-only`, `readOnly` or `ReadOnly`.
    pub(crate) one_style: bool,
    /// Share of the values all of whose words are in the vocabulary.
    pub(crate) known_words: f64,
    /// Whether the name of the field is one that names a choice.
    pub(crate) named_choice: bool,
    /// Whether the name of the field is one of free text or of ids.
    pub(crate) named_free: bool,
}

/// True if so much was seen that strings may be an enumeration. Most are not, and their evidence need not be looked at.
pub(crate) fn may_be_enumeration(strings: &Strings) -> bool {
    let distinct = strings.values.distinct();
    distinct >= 2 && strings.count >= MIN_REPEATS * distinct
}

impl EnumEvidence {
    /// The evidence of strings at a field with this name; `None` if not every value is kept, so that an enumeration would
    /// refuse one that was seen.
    #[expect(clippy::cast_precision_loss, reason = "at most 24 values")]
    pub(crate) fn of(strings: &Strings, name: &str) -> Option<Self> {
        if !strings.is_closed() || strings.count == 0 {
            return None;
        }
        let values = || strings.values.iter().map(|value| &*value.text);
        let filled = strings.values.distinct();
        let share = |is: fn(&str) -> bool| {
            values().filter(|text| is(text)).count() as f64 / filled.max(1) as f64
        };
        let style = values().next().and_then(Style::of);
        let words = words_of(name.as_bytes());
        let last = words.last().map_or("", |word| &**word);
        let once = strings.values.iter().filter(|value| value.count == 1).count();
        Some(Self {
            count: strings.count,
            distinct: filled + u64::from(strings.empty > 0),
            singletons: once as u64 + u64::from(strings.empty == 1),
            filled,
            as_constants: share(is_constant),
            upper: share(|text| {
                Style::of(text) == Some(Style::Upper) && (!is_code(text) || has_known_words(text))
            }),
            one_style: style.is_some() && values().all(|text| Style::of(text) == style),
            known_words: share(has_known_words),
            named_choice: is_listed(last, CHOICES),
            named_free: is_listed(last, FREE),
        })
    }

    /// The probability that the values are an enumeration; 0 where too little was seen to know all of its values.
    ///
    /// A logistic model, fitted by `scripts/fit_schema.py enums` on 6,008 places of 16 APIs, of which 2,380 are a closed choice
    /// by their descriptions or by hand. With each API left out of the fit, 98 % of the places that are stated are a closed
    /// choice, and 61 % of the choices that have six strings and two values are stated.
    #[expect(clippy::cast_precision_loss, reason = "counts of observations")]
    pub(crate) fn probability(&self) -> f64 {
        if self.count < MIN_REPEATS * self.distinct
            || self.filled < 2
            || self.new_values() > MAX_NEW
        {
            return 0.0;
        }
        let is = |holds: bool| f64::from(u8::from(holds));
        let repeats = (self.count as f64 / self.distinct as f64).ln();
        let score = -4.70
            + 0.57 * repeats.min(MAX_LOG_REPEATS)
            + 1.93 * self.as_constants
            + 1.09 * is(self.one_style)
            + 2.62 * self.upper
            + 1.88 * self.known_words
            + 3.54 * is(self.named_choice)
            - 2.01 * is(self.named_free);
        1.0 / (1.0 + (-score).exp())
    }

    /// The share of values to come that are new, estimated as Good and Turing do: the share of observations that were the only
    /// one of their value.
    #[expect(clippy::cast_precision_loss, reason = "counts of observations")]
    fn new_values(&self) -> f64 {
        (self.singletons as f64 + 0.5) / (self.count as f64 + 1.0)
    }
}

/// True for a word of a list, also in the plural.
fn is_listed(word: &str, list: &str) -> bool {
    let singular = word.strip_suffix('s').unwrap_or(word);
    list.split(' ').any(|listed| listed == word || listed == singular)
}

/// True for letters and digits so few that a code of anything may have them: `BER`, `LH`, `AAPL`.
fn is_code(text: &str) -> bool {
    const MAX_CODE_BYTES: usize = 4;

    text.len() <= MAX_CODE_BYTES && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_constant(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte))
        && !(text.contains('/') && text.contains('.'))
}

pub(super) fn has_known_words(text: &str) -> bool {
    let mut words = words_of(text.as_bytes());
    words.retain(|word| !word.as_bytes()[0].is_ascii_digit());
    !words.is_empty() && words.iter().all(|word| Vocabulary::shipped().word(word) > 0)
}

/// The manner in which constants are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// `READ_ONLY`
    Upper,
    /// `read`
    Lower,
    /// `read_only`
    Snake,
    /// `read-only`
    Kebab,
    /// `readOnly`
    Camel,
    /// `ReadOnly`
    Pascal,
}

impl Style {
    fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let has = |is: fn(&u8) -> bool| bytes.iter().any(is);
        let (upper, lower) = (has(u8::is_ascii_uppercase), has(u8::is_ascii_lowercase));
        let first = *bytes.first()?;
        let are_parts = |gap: u8| bytes.split(|byte| *byte == gap).all(|part| !part.is_empty());
        let only = |gap: u8| bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == gap);
        match (upper, lower) {
            _ if !first.is_ascii_alphabetic() => None,
            (true, false) => (only(b'_') && are_parts(b'_')).then_some(Self::Upper),
            (false, true) if bytes.iter().all(u8::is_ascii_alphanumeric) => Some(Self::Lower),
            (false, true) if only(b'_') && are_parts(b'_') => Some(Self::Snake),
            (false, true) if only(b'-') && are_parts(b'-') => Some(Self::Kebab),
            (true, true) if bytes.iter().all(u8::is_ascii_alphanumeric) => {
                Some(if first.is_ascii_uppercase() { Self::Pascal } else { Self::Camel })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probability(name: &str, counts: &[(&str, usize)]) -> f64 {
        let mut strings = Strings::default();
        for (text, count) in counts {
            (0..*count).for_each(|_| strings.observe(text));
        }
        EnumEvidence::of(&strings, name).map_or(0.0, |evidence| evidence.probability())
    }

    #[test]
    fn choices_that_repeat_are_enumerations() {
        for (name, counts) in [
            ("status", &[("open", 20), ("closed", 9)][..]),
            ("memberTypes", &[("ADMIN", 12), ("READ_ONLY", 8)]),
            ("visibility", &[("public", 9), ("private", 3), ("", 4)]),
        ] {
            assert!(probability(name, counts) >= MIN_ENUM, "{name}");
        }
    }

    #[test]
    fn names_and_values_seen_seldom_are_not_enumerations() {
        for (name, counts) in [
            ("name", &[("Main", 20), ("Other", 9)][..]),
            ("status", &[("open", 3), ("closed", 2)]),
            ("status", &[("open", 20)]),
            ("status", &[("", 20), ("open", 20)]),
            ("status", &[("open", 3), ("closed", 2), ("merged", 1), ("draft", 1), ("locked", 1)]),
            ("city", &[("Paris, France", 20), ("Brno", 9)]),
            ("origin", &[("BER", 8), ("CDG", 8)]),
            ("ticker", &[("AAPL", 20), ("MSFT", 20)]),
            ("type", &[("uses a space", 8), ("a/b.c", 8), ("100 %", 8)]),
        ] {
            assert!(probability(name, counts) < MIN_ENUM, "{name}");
        }
    }

    #[test]
    fn values_seen_again_never_make_an_enumeration_less_likely() {
        let mut last = 0.0;
        for count in [1, 3, 6, 10, 100] {
            let now = probability("role", &[("admin", count), ("member", count)]);
            assert!(now >= last, "{count}");
            last = now;
        }
    }

    #[test]
    fn styles_are_told_apart() {
        for (text, style) in [
            ("READ_ONLY", Some(Style::Upper)),
            ("A1", Some(Style::Upper)),
            ("read", Some(Style::Lower)),
            ("ext4", Some(Style::Lower)),
            ("read_only", Some(Style::Snake)),
            ("read-only", Some(Style::Kebab)),
            ("readOnly", Some(Style::Camel)),
            ("ReadOnly", Some(Style::Pascal)),
            ("read__only", None),
            ("read_only-x", None),
            ("Read only", None),
            ("4x", None),
            ("", None),
        ] {
            assert_eq!(Style::of(text), style, "{text}");
        }
    }

    #[test]
    fn lists_are_sorted_and_share_no_word() {
        for list in [CHOICES, FREE] {
            assert!(list.split(' ').is_sorted() && list.split(' ').all(|word| !word.is_empty()));
        }
        assert!(CHOICES.split(' ').all(|word| !is_listed(word, FREE)));
    }
}
