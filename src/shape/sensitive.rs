//! Kinds of content that are secret or personal: told by patterns and checksums, and counted without a value.

use serde::{Deserialize, Serialize};

use crate::template::secret;

/// A kind of sensitive content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum SensitiveKind {
    /// A JSON Web Token, or a key of a known issuer.
    Token,
    Email,
    /// International form: a plus sign and 8 to 15 digits.
    Phone,
    /// 13 to 19 digits that satisfy the Luhn check of ISO/IEC 7812.
    PaymentCard,
    /// ISO 13616, with its check digits.
    Iban,
}

/// How many kinds there are.
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
            _ if text.len() >= 16 && text.len() <= 4096 && secret::is_token(text) => {
                Some(Self::Token)
            }
            _ => None,
        }
    }
}

fn is_phone(text: &[u8]) -> bool {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    (8..=15).contains(&digits)
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
    // Counters and times in milliseconds have 13 digits and no check digit, but one in ten passes.
    (14..=19).contains(&digits.len()) && luhn.is_multiple_of(10)
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
            ("4111 1111 1111 1111", Some(SensitiveKind::PaymentCard)),
            ("4111 1111 1111 1112", None),
            ("1700000000000", None),
            ("DE89 3704 0044 0532 0130 00", Some(SensitiveKind::Iban)),
            ("DE89370400440532013001", None),
            ("ACTIVE_SUBSCRIPTION", None),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", Some(SensitiveKind::Token)),
            ("", None),
        ] {
            assert_eq!(SensitiveKind::of(text.as_bytes()), kind, "{text}");
        }
    }
}
