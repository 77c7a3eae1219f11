//! Detection of secrets: whether captured text may be displayed as a name.
//!
//! The detector is applied to every displayed captured word: literals, hosts, names of headers,
//! parameters and operations, methods, media types, flow ids. A segment in the vocabulary is
//! displayed. Everything else is judged by its form: digits, credentials before a separator, and
//! the plausibility of its letters. Any pronounceable word is accepted if it was seen often; a word
//! that was seen once or twice must look like a name.

mod issuers;
mod spelling;
mod verdicts;

use std::borrow::Cow;

use crate::template::secret::spelling::Word;
use crate::template::segment::{SegmentKind, kind_of};
use crate::template::vocabulary::{Vocabulary, words_of};

pub(crate) use crate::template::secret::verdicts::looks_secret_again;

/// The frequency of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frequency {
    /// Too seldom to distinguish a name from a value.
    Seldom,
    Often,
}

impl Frequency {
    /// Minimum number of requests for a pronounceable word to be a name.
    const MIN_OFTEN: u64 = 3;

    /// Classifies a number of requests.
    pub(crate) fn times(requests: u64) -> Self {
        if requests >= Self::MIN_OFTEN { Self::Often } else { Self::Seldom }
    }
}

/// Names whose value is a secret. Longer names that end with one of them count as well.
const CREDENTIALS: [&str; 44] = [
    "apikey",
    "aspsessionid",
    "auth",
    "authorization",
    "bearer",
    "code",
    "credential",
    "credentials",
    "csrf",
    "expires",
    "h",
    "hash",
    "hmac",
    "invite",
    "jsessionid",
    "jwt",
    "key",
    "link",
    "nonce",
    "otp",
    "pass",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "phpsessid",
    "pin",
    "policy",
    "pwd",
    "samlresponse",
    "secret",
    "session",
    "sessionid",
    "sid",
    "sig",
    "signature",
    "state",
    "t",
    "ticket",
    "tok",
    "token",
    "xsrf",
    "exp",
    "acl",
];

/// Minimum number of digits that may identify a person: a phone, a card, an account.
const MIN_PERSONAL_DIGITS: usize = 5;

/// Minimum number of words in a phrase, such as a seed phrase.
const MIN_PHRASE_WORDS: usize = 9;

/// Minimum number of providers that use a segment for it to be accepted as a whole.
const MIN_NAME_PROVIDERS: u32 = 2;

/// Returns `true` if the text looks like a secret or like personal data. Errs on the side of
/// `true`.
pub(crate) fn looks_secret(text: &[u8], seen: Frequency) -> bool {
    let text = decoded(text);
    let words = words_of(&text);
    let is_known = |name: &str| Vocabulary::shipped().segment(name) >= MIN_NAME_PROVIDERS;
    // `WhoAmI` is known as `whoami`.
    let is_one_word = text.iter().all(u8::is_ascii_alphanumeric);
    if text.is_ascii() && (is_known(&words.join("_")) || is_one_word && is_known(&words.concat())) {
        return false;
    }
    kind_of(&text) == SegmentKind::Jwt
        || issuers::has_known_key(&text)
        || has_digits_of_a_person(&text, seen)
        || is_addressed(&text)
        || is_assigned(&text)
        || is_phrase(&text)
        || has_random_word(&text, seen)
}

/// Returns `true` if the whole text is a JSON Web Token or a key of a known issuer.
pub(crate) fn is_token(text: &[u8]) -> bool {
    issuers::is_known_key(text) || (text.starts_with(b"eyJ") && kind_of(text) == SegmentKind::Jwt)
}

/// Percent-decodes the text, because escapes could hide a secret.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let hex = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let escaped = match tail {
            [high, low, ..] if *first == b'%' => hex(high).zip(hex(low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            out.push(high << 4 | low);
            rest = &tail[2..];
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    Cow::Owned(out)
}

/// Returns `true` if the text has more digits than names have, however they are separated. Days and
/// months of this century are not counted, because they may be versions.
fn has_digits_of_a_person(text: &[u8], seen: Frequency) -> bool {
    let is_month = text.len() == b"2024-04".len() && is_recent_day(&[text, b"-01"].concat());
    if is_month {
        return false;
    }
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_alone = |at: usize, length: usize| {
        let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
        !is_digit(at + length) && (at == 0 || !is_digit(at - 1))
    };
    let is_day = |(at, text): &(usize, &[u8])| is_alone(*at, text.len()) && is_recent_day(text);
    let days = [10, 8].map(|length| text.windows(length).enumerate().filter(is_day).count());
    let in_days = days.iter().sum::<usize>() * 8;
    let letters = text.iter().any(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    if digits.saturating_sub(in_days) >= MIN_PERSONAL_DIGITS {
        return true;
    }
    let is_version =
        || text.contains(&b'.') && text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    if !letters {
        let is_year = text.len() == 4 && text.starts_with(b"20");
        return digits > 3 && in_days == 0 && !is_year && !is_version();
    }
    let has_sign = text.iter().any(|byte| b"!$*#^".contains(byte));
    (digits > 1 && !text.is_ascii()) || (digits > 0 && has_sign && seen == Frequency::Seldom)
}

/// Returns `true` for a date from 2000 to 2039: `2015-03-31`, `20120810`.
fn is_recent_day(text: &[u8]) -> bool {
    let parts = match text.len() {
        10 if text[4] == b'-' && text[7] == b'-' => (&text[..4], &text[5..7], &text[8..]),
        8 => (&text[..4], &text[4..6], &text[6..]),
        _ => return false,
    };
    let is_in = |part: &[u8], range: std::ops::RangeInclusive<u32>| {
        let digits = std::str::from_utf8(part).ok();
        let number = digits.and_then(|digits| digits.parse().ok());
        part.iter().all(u8::is_ascii_digit) && number.is_some_and(|number| range.contains(&number))
    };
    is_in(parts.0, 2000..=2039) && is_in(parts.1, 1..=12) && is_in(parts.2, 1..=31)
}

/// Returns `true` for an address: `somebody@somewhere`.
fn is_addressed(text: &[u8]) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80;
    text.windows(3).any(|part| part[1] == b'@' && is_name(part[0]) && is_name(part[2]))
}

/// Returns `true` if a value is assigned to a credential: `token=abc`, `key:abc`,
/// `a=1;password=abc`, `User(password='abc')`.
fn is_assigned(text: &[u8]) -> bool {
    let is_sign = |byte: &u8| b"=:~(".contains(byte);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let signs = text.iter().enumerate().filter(|(_, byte)| is_sign(byte));
    signs.into_iter().any(|(at, sign)| {
        let name = text[..at].rsplit(|byte| !is_name(byte)).next().unwrap_or_default();
        let value = text[at + 1..].split(|byte| b"&;,".contains(byte)).next().unwrap_or_default();
        let is_quote = |byte: &u8| b"()'\"".contains(byte);
        let is_empty = value.iter().all(is_quote);
        let words = words_of(value);
        // A known word after a colon is a custom method (`keys:rotate`); after `=` it is a value
        // (`token=rotate`).
        let is_method = *sign == b':'
            && !words.is_empty()
            && words.iter().all(|word| spelling::classify_word(word) == Word::Known);
        !is_empty && !is_method && is_credential(name)
    })
}

/// Returns `true` for the name of a parameter whose value is a secret.
pub(crate) fn is_credential(name: &[u8]) -> bool {
    let joined: String = words_of(name).concat();
    let words = words_of(name);
    let last = words.last().map_or("", |word| &**word);
    CREDENTIALS.iter().any(|word| joined == *word || (word.len() > 2 && last == *word))
}

/// Returns `true` for many lower-case words in sequence, as in a seed phrase.
fn is_phrase(text: &[u8]) -> bool {
    let is_gap = |byte: &u8| b"-_. +".contains(byte);
    let mut words = 0;
    let are_small = text.split(is_gap).all(|word| {
        words += 1;
        !word.is_empty() && word.iter().all(u8::is_ascii_lowercase)
    });
    are_small && words >= MIN_PHRASE_WORDS
}

/// Returns `true` if a part of the text looks like random letters and digits.
fn has_random_word(text: &[u8], seen: Frequency) -> bool {
    /// Maximum length of a word that is too short to judge.
    const MAX_SHORT_BYTES: usize = 4;
    /// Minimum length of a word that must be beside three known words to be accepted.
    const MIN_LONG_BYTES: usize = 8;
    /// Maximum length of lower-case letters in any order that are accepted if they were seen often, once in a text: `cstmr`,
    /// `mlflow`. They have at most 28 bits, and secrets of lower-case letters alone are longer.
    const MAX_ABBREVIATION: usize = 6;

    // Whether a word in another script is the name of a person cannot be told from its letters.
    if seen == Frequency::Seldom && !text.is_ascii() {
        return true;
    }

    let (mut known, mut unknown, mut tiny_runs, mut abbreviations) = (0, 0, 0, 0);
    // (number of pronounceable words that are not in the vocabulary, length of the longest).
    let mut pronounceable = (0, 0);
    for run in text.split(|byte| !byte.is_ascii_alphanumeric()).filter(|run| !run.is_empty()) {
        let words = words_of(run);
        let judged: Vec<(usize, Word)> = words
            .iter()
            .filter(|word| word.as_bytes()[0].is_ascii_alphabetic())
            .map(|word| (word.len(), spelling::classify_word(word)))
            .collect();
        if judged.is_empty() {
            // Four digits that are not a year may be a PIN or a part of a number.
            if seen == Frequency::Seldom
                && run.len() == 4
                && !run.starts_with(b"19")
                && !run.starts_with(b"20")
            {
                return true;
            }
            continue;
        }
        let is_known = |found: &&(usize, Word)| found.1 == Word::Known;
        known += judged.iter().filter(is_known).count();
        if judged.len() < words.len() {
            if is_random_with_digits(run, &words, &judged, seen) {
                return true;
            }
            tiny_runs +=
                usize::from(!judged.iter().any(|found| found.1 == Word::Known) && run.len() > 2);
            continue;
        }
        let is_abbreviation = |length: usize| {
            seen == Frequency::Often
                && length <= MAX_ABBREVIATION
                && run.iter().all(u8::is_ascii_lowercase)
        };
        let random = || judged.iter().filter(|found| found.1 == Word::Random);
        abbreviations += random().count();
        if abbreviations > 1 || !random().all(|found| is_abbreviation(found.0)) {
            return true;
        }
        // Many camel-case words of one or two letters are not words.
        let tiny = judged.iter().filter(|found| found.1 == Word::Tiny);
        let (count, letters) = tiny.fold((0, 0), |(count, sum), found| (count + 1, sum + found.0));
        if run.len() >= 6 && count >= 2 && letters * 3 >= run.len() {
            return true;
        }
        unknown += judged.iter().filter(|found| !is_known(found) && found.1 != Word::Tiny).count();
        let foreign = judged.iter().filter(|found| found.1 == Word::Pronounceable);
        let (count, longest) =
            foreign.fold((0, 0), |(count, most), found| (count + 1, most.max(found.0)));
        pronounceable.0 += count;
        pronounceable.1 = pronounceable.1.max(longest);
    }
    // A rare pronounceable word may be a secret of random letters. One such word is accepted if it
    // is short or beside enough known words.
    let (count, longest) = pronounceable;
    let is_beside_known = |least: usize| count == 1 && known >= least;
    if seen == Frequency::Seldom
        && count > 0
        && !is_beside_known(match longest {
            0..=MAX_SHORT_BYTES => 1,
            5..MIN_LONG_BYTES => 2,
            MIN_LONG_BYTES.. => 3,
        })
        && text.len() > MAX_SHORT_BYTES
    {
        return true;
    }
    // Two unknown words are often the name of a person.
    tiny_runs > 1 || (seen == Frequency::Seldom && unknown >= 2 && unknown * 2 >= unknown + known)
}

/// Returns `true` if a word with digits looks random: `oauth2` and `v1beta1` are names,
/// `summer2024` and `a8f3k2` may be secrets.
fn is_random_with_digits(
    run: &[u8],
    words: &[String],
    judged: &[(usize, Word)],
    seen: Frequency,
) -> bool {
    let vocabulary = Vocabulary::shipped();
    if vocabulary.segment(&words.join("_")) > 0 || vocabulary.word(&words.concat()) > 0 {
        return false;
    }
    // `v0002` is a version, however it is filled up.
    if let [version, number] = words
        && version == "v"
        && number.len() <= 4
    {
        return false;
    }
    let numbers: Vec<&String> =
        words.iter().filter(|word| word.as_bytes()[0].is_ascii_digit()).collect();
    let digits: usize = numbers.iter().map(|number| number.len()).sum();
    let known: usize =
        judged.iter().filter(|found| found.1 == Word::Known).map(|found| found.0).sum();
    let fits = |found: &(usize, Word), least: usize| found.1 == Word::Known || found.0 <= least;
    if numbers.len() >= 2 {
        let are_known = judged.iter().all(|found| fits(found, 1));
        return !are_known || (run.len() >= 6 && known * 2 < run.len());
    }
    let is_year =
        (digits == 4 && numbers[0].starts_with("20")) || is_recent_day(numbers[0].as_bytes());
    let is_code = digits == 3 && judged.iter().all(|found| fits(found, 0));
    if digits >= 3 && !is_year && !is_code {
        return true;
    }
    let least = if seen == Frequency::Often { 4 } else { 2 };
    let is_word = |found: &(usize, Word)| {
        fits(found, least) || (seen == Frequency::Often && found.1 != Word::Random)
    };
    !judged.iter().all(is_word)
        || (digits == 2
            && known == 0
            && run.len() > 4
            && judged.iter().map(|found| found.0).sum::<usize>() >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seen: Frequency, texts: &[&str], is: bool) {
        for text in texts {
            assert_eq!(looks_secret(text.as_bytes(), seen), is, "{text}");
        }
    }

    #[test]
    fn keys_of_known_issuers_are_secrets() {
        // Assembled at run time, so that secret scanners do not report this file.
        for (prefix, rest) in [
            ("sk_live_", "4eC39HqLyjWDarjtT1zdp7dc"),
            ("ghp_", "aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789"),
            ("xoxb-", "2345-6789-abcdefgh"),
            ("AKIA", "IOSFODNN7EXAMPLE"),
            ("AIza", "SyA1234567890abcdefghijklmnopqrstu"),
            ("glpat-", "ABCDEFGHIJKLMNOPQRST"),
            ("v1:xoxp-", "abcdefghijkl"),
        ] {
            for seen in [Frequency::Seldom, Frequency::Often] {
                assert!(looks_secret(format!("{prefix}{rest}").as_bytes(), seen), "{prefix}");
            }
        }
    }

    #[test]
    fn what_is_assigned_to_a_credential_is_a_secret() {
        let secret = [
            "token=abcdef",
            "user;password=hunter2",
            "a=1,password=x",
            "X-Amz-Signature=abc",
            "User(password='horse')",
            "key~abc",
            "code=welcome",
            ";jsessionid=abc",
            "access_token:zzz",
        ];
        check(Frequency::Often, &secret, true);
        check(
            Frequency::Seldom,
            &["projects:cancel", "token", "keys:rotate", "page=2", "tokens"],
            false,
        );
    }

    #[test]
    fn what_belongs_to_a_person_is_a_secret() {
        let secret = [
            "+14155550123",
            "415-555-0123",
            "4111-1111-1111-1111",
            "123-45-6789",
            "DE89370400440532013000",
            "jane@example.com",
            "1987-04-12",
            "12.04.1987",
            "Users('123-45-6789')",
            "%34111111111111111",
            "tel:+4930123456",
        ];
        check(Frequency::Often, &secret, true);
        check(
            Frequency::Seldom,
            &["2015-03-31", "v1", "1.0", "2024", "oauth2", "ipv4", "sha256"],
            false,
        );
    }

    #[test]
    fn random_letters_are_secrets_and_words_are_not() {
        let secret = [
            "qZxKvJwPmTrBnHgFdCsL",
            "a8f3k2j9d0s8f7g6h5",
            "xkcdqwrtplkjhgfdszxcvb",
            "xkcdqwrt",
            "QXZKVW",
            "aB3xK9",
            "abandon-ability-able-about-above-absent-absorb-abstract-absurd-abuse-access-accident",
        ];
        check(Frequency::Often, &secret, true);
        let names = [
            "getUserProfileInformation",
            "OAuth2AuthorizationServerMetadata",
            "internationalization",
            "serviceaccounttokens",
            "customresourcedefinitions",
            "mutatingwebhookconfigurations",
            "check-out-and-pay-now",
            "API_RATE_LIMIT_OVERVIEW",
            "HTTPSConnectionPoolStatistics",
            "users",
            "index.php",
            "X-Requested-With",
            "x-api-key",
            "bestellungen",
        ];
        check(Frequency::Seldom, &names, false);
    }

    #[test]
    fn words_of_any_language_are_names_once_they_were_seen_often() {
        let names =
            ["nguoidung", "san-pham", "ustawienia", "kayttajat", "benutzer-liste", "grafana"];
        check(Frequency::Often, &names, false);
        let abbreviations = ["mlflow", "cstmr", "rfrsh", "xmlrpc.php", "get-cstmr"];
        check(Frequency::Often, &abbreviations, false);
        check(Frequency::Seldom, &abbreviations, true);
        check(Frequency::Often, &["Xkcdqw", "xkcdqwr", "QXZKVW", "xkcdqw-plmkjh"], true);
        check(Frequency::Seldom, &["WhoAmI", "whoami"], false);
        check(Frequency::Seldom, &["nguoidung", "kayttajat"], true);
        // Names of persons are masked.
        check(Frequency::Seldom, &["john.smith", "maria-garcia"], true);
    }
}
