//! Kinds of content that are secret or personal: told by patterns and checksums, and counted without a value.

use serde::{Deserialize, Serialize};

use crate::template::nouns::without_marks;
use crate::template::secret;
use crate::template::vocabulary::words_of;

/// Ends of names whose values are credentials.
const CREDENTIALS: [&str; 17] = [
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "secretkey",
    "signingkey",
    "encryptionkey",
    "sessionid",
    "securitycode",
    "authorization",
    "credential",
    "passphrase",
    "jwt",
    "xhubsignature",
];

/// Last words of names whose values are credentials, with words for a password in other languages of Europe and in Vietnamese.
const CREDENTIAL_WORDS: [&str; 33] = [
    "adgangskode",
    "contrasena",
    "contrasenya",
    "csc",
    "cvc",
    "cvv",
    "cvv2",
    "haslo",
    "heslo",
    "jelszo",
    "kennwort",
    "losenord",
    "losen",
    "matkhau",
    "mdp",
    "motdepasse",
    "otp",
    "parola",
    "pass",
    "passcode",
    "passord",
    "passwort",
    "pin",
    "pincode",
    "psw",
    "pswd",
    "pwd",
    "salasana",
    "senha",
    "sifre",
    "totp",
    "wachtwoord",
    "zaporka",
];

/// Words beside `pass` of names of tickets.
const PASSES: [&str; 10] =
    ["boarding", "bus", "by", "day", "hall", "rail", "season", "ski", "train", "travel"];

/// Words beside `token` of names of positions in a list.
const POSITIONS: [&str; 13] = [
    "continuation",
    "cursor",
    "next",
    "page",
    "prev",
    "previous",
    "sync",
    "pagination",
    "scroll",
    "start",
    "resume",
    "offset",
    "marker",
];

/// Words beside `token` of names of symbols and of counts: the tokens of a currency, and of a language model.
const SYMBOLS: [&str; 18] = [
    "base",
    "bos",
    "completion",
    "count",
    "eos",
    "input",
    "limit",
    "mask",
    "max",
    "min",
    "num",
    "output",
    "pad",
    "prompt",
    "quote",
    "sep",
    "total",
    "unk",
];

/// Words of names whose values tell where something is or how it is called.
const ABOUT: [&str; 7] = ["attr", "attribute", "column", "field", "mapping", "path", "selector"];

/// Ends of names whose values are a part of the name of a person.
const PARTS_OF_NAMES: [&str; 16] = [
    "firstname",
    "lastname",
    "givenname",
    "familyname",
    "surname",
    "middlename",
    "maidenname",
    "vorname",
    "nachname",
    "familienname",
    "prenom",
    "apellido",
    "apellidos",
    "cognome",
    "voornaam",
    "achternaam",
];

/// Last words of names whose values are numbers of telephones.
const PHONES: [&str; 9] = [
    "phone",
    "phonenumber",
    "mobile",
    "mobilenumber",
    "telephone",
    "cellphone",
    "fax",
    "msisdn",
    "handynummer",
];

/// The kind of sensitive values that the name of a field suggests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameKind {
    Credential,
    /// A part of the name of a person.
    PersonName,
    Phone,
}

impl NameKind {
    /// The kind of a name; `None` if it tells nothing.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        let words = if name.is_ascii() {
            words_of(name)
        } else {
            words_of(without_marks(&String::from_utf8_lossy(name)).as_bytes())
        };
        let plain = words.concat();
        let one = plain.strip_suffix('s').unwrap_or(&plain);
        let ends_with =
            |ends: &[&str]| ends.iter().any(|end| plain.ends_with(end) || one.ends_with(end));
        let has = |listed: &[&str]| words.iter().any(|word| listed.contains(&&**word));
        let last = words.last().map_or("", |word| &**word);
        let two = words[words.len().saturating_sub(2)..].concat();
        let is_last = |listed: &[&str]| listed.contains(&last) || listed.contains(&&*two);
        if has(&ABOUT) {
            None
        } else if ends_with(&CREDENTIALS) || is_last(&CREDENTIAL_WORDS) {
            let is_token = matches!(last, "token" | "tokens");
            let is_other_token = is_token && (has(&POSITIONS) || has(&SYMBOLS));
            let is_ticket = last == "pass" && has(&PASSES);
            (!is_other_token && !is_ticket).then_some(Self::Credential)
        } else if ends_with(&PARTS_OF_NAMES) {
            Some(Self::PersonName)
        } else {
            is_last(&PHONES).then_some(Self::Phone)
        }
    }
}

use crate::template::segment::{SegmentKind, kind_of};

/// A kind of sensitive content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum SensitiveKind {
    /// A JSON Web Token, a key of a known issuer, a private key, or text that carries a credential: `Bearer …`, `//user:word@host`.
    Token,
    Email,
    /// International form (E.164): a plus sign, 8 to 15 digits, the first of which is not zero.
    Phone,
    /// 14 to 19 digits that satisfy the Luhn check of ISO/IEC 7812, with the first digits and the length of a network of cards.
    PaymentCard,
    /// ISO 13616, with its check digits.
    Iban,
}

/// The number of kinds.
pub(crate) const SENSITIVE_KINDS: usize = 5;

impl SensitiveKind {
    pub(crate) const ALL: [Self; SENSITIVE_KINDS] =
        [Self::Token, Self::Email, Self::Phone, Self::PaymentCard, Self::Iban];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::PaymentCard => "payment-card",
            Self::Iban => "iban",
        }
    }

    /// The kind of a string of which [`StringFormat::of`](super::formats::StringFormat::of) is not the e-mail format.
    #[inline]
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        match text.first()? {
            b'+' if (9..=24).contains(&text.len()) && is_phone(text) => Some(Self::Phone),
            b'2'..=b'6' if (13..=23).contains(&text.len()) && is_card(text) => {
                Some(Self::PaymentCard)
            }
            b'A'..=b'Z' if (15..=42).contains(&text.len()) && is_iban(text) => Some(Self::Iban),
            _ if (16..=4096).contains(&text.len())
                && (is_token(text) || carries_credential(text)) =>
            {
                Some(Self::Token)
            }
            _ => None,
        }
    }
}

/// True for a key of a known issuer and for a JSON Web Token. (Base64 of any JSON object, such as a cursor, begins as one.)
fn is_token(text: &[u8]) -> bool {
    secret::is_token(text) && (!text.starts_with(b"eyJ") || kind_of(text) == SegmentKind::Jwt)
}

/// True for a private key, for the value of an `Authorization` header, and for a URL with a password.
fn carries_credential(text: &[u8]) -> bool {
    let is_scheme = |scheme: &[u8]| {
        let head = text.get(..scheme.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(scheme))
            && text[scheme.len()..].iter().all(u8::is_ascii_graphic)
    };
    let has_password = || {
        let authority = memchr::memmem::find(text, b"://").map(|at| &text[at + 3..]);
        let authority = authority.and_then(|rest| rest.split(|byte| b"/?#".contains(byte)).next());
        let user = authority.and_then(|rest| Some(&rest[..memchr::memrchr(b'@', rest)?]));
        user.and_then(|user| Some(user.len() > memchr::memchr(b':', user)? + 1)) == Some(true)
    };
    text.starts_with(b"-----BEGIN ") && memchr::memmem::find(text, b"PRIVATE KEY-----").is_some()
        || is_scheme(b"Bearer ")
        || is_scheme(b"Basic ")
        || has_password()
}

fn is_phone(text: &[u8]) -> bool {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    (8..=15).contains(&digits)
        && text[1..].iter().find(|byte| byte.is_ascii_digit()) != Some(&b'0')
        && text[1..].iter().all(|byte| byte.is_ascii_digit() || b" -().".contains(byte))
}

fn is_card(text: &[u8]) -> bool {
    let mut digits = Vec::with_capacity(19);
    for byte in text {
        match byte {
            b'0'..=b'9' => digits.push(u32::from(byte - b'0')),
            b' ' | b'-' => {}
            _ => return false,
        }
    }
    let luhn: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => *digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    // One number in ten passes the check, so that ids and times must not look like the cards of a network.
    luhn.is_multiple_of(10) && has_network(&digits, digits.len() < text.len())
}

/// True for the first digits and the length of a network of cards. Longer numbers than usual must be grouped.
fn has_network(digits: &[u32], is_grouped: bool) -> bool {
    let prefix =
        |length: usize| digits[..length].iter().fold(0, |number, digit| number * 10 + digit);
    match digits.len() {
        14 => matches!(prefix(2), 30 | 36 | 38 | 39),
        15 => matches!(prefix(2), 34 | 37),
        16 => {
            matches!(prefix(2), 40..=49 | 51..=55 | 60 | 62 | 64 | 65)
                || matches!(prefix(4), 2221..=2720 | 3528..=3589)
        }
        17..=19 => is_grouped && matches!(prefix(2), 40..=49 | 50 | 56..=58 | 62 | 63 | 67),
        _ => false,
    }
}

fn is_iban(text: &[u8]) -> bool {
    let plain: Vec<u8> = text.iter().copied().filter(|byte| *byte != b' ').collect();
    let [a, b, c, d, rest @ ..] = &*plain else { return false };
    let has_country = a.is_ascii_uppercase() && b.is_ascii_uppercase();
    let has_check_digits = c.is_ascii_digit() && d.is_ascii_digit();
    if !has_country || !has_check_digits || !(11..=30).contains(&rest.len()) {
        return false;
    }
    let mut remainder = 0_u32;
    for byte in rest.iter().chain(&plain[..4]) {
        remainder = match byte {
            b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
            b'A'..=b'Z' => (remainder * 100 + u32::from(byte - b'A') + 10) % 97,
            _ => return false,
        };
    }
    remainder == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_tell_numbers_of_people_from_others() {
        for (text, kind) in [
            ("+49 170 1234567", Some(SensitiveKind::Phone)),
            ("+1-555", None),
            ("+0000000001", None),
            ("4111 1111 1111 1111", Some(SensitiveKind::PaymentCard)),
            ("4111 1111 1111 1112", None),
            ("5555555555554444", Some(SensitiveKind::PaymentCard)),
            ("378282246310005", Some(SensitiveKind::PaymentCard)),
            ("1700000000000", None),
            ("20180730223407", None),
            ("6379325368393251179", None),
            ("DE89 3704 0044 0532 0130 00", Some(SensitiveKind::Iban)),
            ("DE89370400440532013001", None),
            ("ACTIVE_SUBSCRIPTION", None),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", Some(SensitiveKind::Token)),
            ("Bearer 4f8a0c9d71", Some(SensitiveKind::Token)),
            ("Bearer of good news, again", None),
            ("postgres://bob:s3cret@db.example/app", Some(SensitiveKind::Token)),
            ("https://a.example/x:y@z", None),
            ("https://bob@a.example:80/", None),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", Some(SensitiveKind::Token)),
            ("eyJhZnRlciI6IkFnQUFBWUdDRldoUV9BZHZQZ0FB", None),
            ("", None),
        ] {
            assert_eq!(SensitiveKind::of(text.as_bytes()), kind, "{text}");
        }
    }
}
