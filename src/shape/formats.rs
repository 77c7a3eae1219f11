//! Formats of strings: those of JSON Schema, as strictly as validators check them, and a few more that a pattern describes.

use serde::{Deserialize, Serialize};

/// A format that a whole string has. Each string has at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum StringFormat {
    /// RFC 9562, with dashes.
    Uuid,
    /// RFC 3339, section 5.6, with an offset.
    DateTime,
    /// RFC 3339 `full-date`.
    Date,
    /// A mailbox with a domain that has a dot.
    Email,
    /// RFC 3986, with an authority, or one of the schemes `urn` and `mailto`.
    Uri,
    Ipv4,
    Ipv6,
    /// A day and a time that RFC 3339 does not allow: without an offset, or with a space.
    LooseDateTime,
    /// Decimal digits, perhaps with a minus sign.
    Integer,
    /// Decimal digits with a point between them.
    Decimal,
}

/// The number of formats.
pub(crate) const FORMATS: usize = 10;

impl StringFormat {
    pub(crate) const ALL: [Self; FORMATS] = [
        Self::Uuid,
        Self::DateTime,
        Self::Date,
        Self::Email,
        Self::Uri,
        Self::Ipv4,
        Self::Ipv6,
        Self::LooseDateTime,
        Self::Integer,
        Self::Decimal,
    ];

    /// The value of the keyword `format`; `None` for what JSON Schema has no format for.
    pub(crate) fn keyword(self) -> Option<&'static str> {
        Some(match self {
            Self::Uuid => "uuid",
            Self::DateTime => "date-time",
            Self::Date => "date",
            Self::Email => "email",
            Self::Uri => "uri",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::LooseDateTime | Self::Integer | Self::Decimal => return None,
        })
    }

    /// A regular expression (ECMA-262) that describes a format without a keyword.
    pub(crate) fn pattern(self) -> Option<&'static str> {
        Some(match self {
            Self::LooseDateTime => {
                r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|UTC|[+-]\d{2}:?\d{2}))?$"
            }
            Self::Integer => r"^-?\d+$",
            Self::Decimal => r"^-?\d+\.\d+$",
            _ => return None,
        })
    }

    /// The format of a string; `None` if it has none.
    #[inline]
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let (first, length) = (*text.first()?, text.len());
        if length == 36 && text[8] == b'-' && is_uuid(text) {
            return Some(Self::Uuid);
        }
        if (first.is_ascii_digit() || first == b'-')
            && let Some(format) = of_digits(text)
        {
            return Some(format);
        }
        if (2..=45).contains(&length)
            && (first.is_ascii_hexdigit() || first == b':')
            && is_ipv6(text)
        {
            return Some(Self::Ipv6);
        }
        let colon = memchr::memchr(b':', &text[..length.min(16)]);
        if first.is_ascii_alphabetic() && colon.is_some_and(|colon| is_uri(text, colon)) {
            return Some(Self::Uri);
        }
        (length <= 254 && memchr::memchr(b'@', text).is_some_and(|at| is_email(text, at)))
            .then_some(Self::Email)
    }
}

fn is_uuid(text: &[u8]) -> bool {
    text.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

/// Formats that begin with a digit or a minus sign.
fn of_digits(text: &[u8]) -> Option<StringFormat> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let other = digits.iter().position(|byte| !byte.is_ascii_digit());
    let Some(at) = other else {
        return (!digits.is_empty()).then_some(StringFormat::Integer);
    };
    match digits[at] {
        b'.' if at > 0 => {
            let rest = &digits[at + 1..];
            if !rest.is_empty() && rest.iter().all(u8::is_ascii_digit) {
                return Some(StringFormat::Decimal);
            }
            is_ipv4(text).then_some(StringFormat::Ipv4)
        }
        b'-' if at == 4 && digits.len() == text.len() => of_date(text),
        _ => None,
    }
}

fn is_ipv4(text: &[u8]) -> bool {
    let mut parts = 0;
    text.split(|byte| *byte == b'.').all(|part| {
        parts += 1;
        let number = std::str::from_utf8(part).ok().and_then(|part| part.parse::<u8>().ok());
        part.len() <= 3
            && number.is_some()
            && (part.len() == 1 || part[0] != b'0')
            && part[0] != b'+'
    }) && parts == 4
}

fn is_ipv6(text: &[u8]) -> bool {
    let is_possible = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    memchr::memchr_iter(b':', text).count() >= 2
        && text.iter().all(is_possible)
        && std::str::from_utf8(text).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

fn number(text: &[u8]) -> Option<u32> {
    let digits = text.iter().all(u8::is_ascii_digit) && !text.is_empty();
    digits.then(|| text.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

fn is_day(text: &[u8]) -> bool {
    let part = |range: std::ops::Range<usize>| text.get(range).and_then(number);
    let (Some(year), Some(month), Some(day)) = (part(0..4), part(5..7), part(8..10)) else {
        return false;
    };
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    };
    text[4] == b'-'
        && text[7] == b'-'
        && year > 0
        && (1..=12).contains(&month)
        && (1..=days).contains(&day)
}

/// A day, alone or with a time.
fn of_date(text: &[u8]) -> Option<StringFormat> {
    if !is_day(text) {
        return None;
    }
    if text.len() == 10 {
        return Some(StringFormat::Date);
    }
    let separator = text[10];
    if !matches!(separator, b'T' | b' ') {
        return None;
    }
    let time = &text[11..];
    let is_below = |range: std::ops::Range<usize>, most: u32| {
        time.get(range).and_then(number).is_some_and(|number| number < most)
    };
    if !is_below(0..2, 24) || time.get(2) != Some(&b':') || !is_below(3..5, 60) {
        return None;
    }
    let mut rest = &time[5..];
    let has_seconds = rest.first() == Some(&b':');
    if has_seconds {
        if !is_below(6..8, 60) {
            return None;
        }
        rest = &time[8..];
        if let Some(fraction) = rest.strip_prefix(b".") {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            rest = &fraction[digits..];
        }
    }
    let is_strict_offset = match rest {
        b"Z" => true,
        [b'+' | b'-', hours @ .., b':', _, _] if hours.len() == 2 => {
            number(hours).is_some_and(|hours| hours < 24)
                && number(&rest[4..6]).is_some_and(|minutes| minutes < 60)
        }
        _ => false,
    };
    if separator == b'T' && has_seconds && is_strict_offset {
        return Some(StringFormat::DateTime);
    }
    let offset = rest.strip_prefix(b" ").unwrap_or(rest);
    let is_loose_offset = rest.is_empty()
        || matches!(offset, b"Z" | b"UTC")
        || match offset {
            [b'+' | b'-', digits @ ..] => {
                let colon_less: Vec<u8> = match digits {
                    [a, b, b':', c, d] => vec![*a, *b, *c, *d],
                    digits => digits.to_vec(),
                };
                colon_less.len() == 4 && colon_less.iter().all(u8::is_ascii_digit)
            }
            _ => false,
        };
    is_loose_offset.then_some(StringFormat::LooseDateTime)
}

/// Bytes that may stand in a URI outside of an IP literal (RFC 3986, appendix A).
const IN_URI: [bool; 256] = {
    let mut table = [false; 256];
    let plain =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#@!$&'()*+,;=%";
    let mut at = 0;
    while at < plain.len() {
        table[plain[at] as usize] = true;
        at += 1;
    }
    table
};

fn is_uri(text: &[u8], colon: usize) -> bool {
    let (scheme, rest) = (&text[..colon], &text[colon + 1..]);
    let is_scheme = scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    let Some(authority) = rest.strip_prefix(b"//") else {
        let is_opaque =
            scheme.eq_ignore_ascii_case(b"urn") || scheme.eq_ignore_ascii_case(b"mailto");
        return is_opaque && rest.len() > 1 && has_uri_bytes(rest);
    };
    let end = memchr::memchr3(b'/', b'?', b'#', authority).unwrap_or(authority.len());
    let (authority, path) = authority.split_at(end);
    let port_at = memchr::memrchr(b':', authority).unwrap_or(authority.len());
    let is_port = authority[port_at..].iter().skip(1).all(u8::is_ascii_digit);
    is_scheme
        && !authority[..port_at].is_empty()
        && is_port
        && has_uri_bytes(authority)
        && has_uri_bytes(path)
}

fn has_uri_bytes(text: &[u8]) -> bool {
    let is_escape = |at: usize| {
        text.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    };
    text.iter().all(|byte| IN_URI[usize::from(*byte)])
        && memchr::memchr_iter(b'#', text).count() < 2
        && memchr::memchr_iter(b'%', text).all(is_escape)
}

fn is_email(text: &[u8], at: usize) -> bool {
    let (local, domain) = (&text[..at], &text[at + 1..]);
    let in_local =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~.-".contains(byte);
    let in_domain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
    !local.is_empty()
        && local.iter().all(in_local)
        && domain.iter().all(in_domain)
        && domain.split(|byte| *byte == b'.').all(|label| !label.is_empty())
        && domain.contains(&b'.')
        && !matches!(domain, [b'1'..=b'4', b'x', b'.', ..])
        // Versions, addresses of numbers and pictures for dense screens have the sign too: `react-dom@18.2.3`, `icon@2x.png`.
        && domain.rsplit(|byte| *byte == b'.').next().is_some_and(|top| {
            top.len() >= 2 && top.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'-') || top.starts_with(b"xn--")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_those_that_validators_accept() {
        for (text, format) in [
            ("550e8400-e29b-41d4-a716-446655440000", Some(StringFormat::Uuid)),
            ("550e8400-e29b-41d4-a716-44665544000g", None),
            ("2024-02-29T12:30:00Z", Some(StringFormat::DateTime)),
            ("2024-02-29T12:30:00.123+05:30", Some(StringFormat::DateTime)),
            ("2023-02-29T12:30:00Z", None),
            ("2024-02-29T12:30:00", Some(StringFormat::LooseDateTime)),
            ("2024-02-29 12:30:00 UTC", Some(StringFormat::LooseDateTime)),
            ("2024-02-29T12:30:00.000+0000", Some(StringFormat::LooseDateTime)),
            ("2024-02-29T24:30:00Z", None),
            ("2024-02-29", Some(StringFormat::Date)),
            ("2024-13-01", None),
            ("a.b@example.com", Some(StringFormat::Email)),
            ("a b@example.com", None),
            ("@example.com", None),
            ("react-dom@18.2.3", None),
            ("icon@2x.png", None),
            ("https://h.example/a?b=c#d", Some(StringFormat::Uri)),
            ("https://h.example:8080/a%20b", Some(StringFormat::Uri)),
            ("https://h.example/a b", None),
            ("https://h.example/{id}", None),
            ("https://h.example/a%2", None),
            ("urn:isbn:0451450523", Some(StringFormat::Uri)),
            ("note:", None),
            ("key:value", None),
            ("192.0.2.1", Some(StringFormat::Ipv4)),
            ("192.0.2.256", None),
            ("192.0.02.1", None),
            ("2001:db8::1", Some(StringFormat::Ipv6)),
            ("::1", Some(StringFormat::Ipv6)),
            ("12:30", None),
            ("17", Some(StringFormat::Integer)),
            ("-17", Some(StringFormat::Integer)),
            ("17.50", Some(StringFormat::Decimal)),
            ("-", None),
            ("1.2.3", None),
            ("", None),
            ("active", None),
        ] {
            assert_eq!(StringFormat::of(text.as_bytes()), format, "{text}");
        }
    }

    #[test]
    fn patterns_match_the_strings_of_their_format() {
        for text in
            ["2024-02-29T12:30:00", "2024-02-29 12:30", "2024-02-29T12:30:00.5+0000", "-12", "3.25"]
        {
            let format = StringFormat::of(text.as_bytes()).unwrap();
            let pattern = regex::Regex::new(format.pattern().unwrap()).unwrap();
            assert!(pattern.is_match(text), "{text}");
        }
    }
}
