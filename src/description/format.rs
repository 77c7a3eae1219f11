//! Formats that drift checks.

use crate::shape::formats::StringFormat;

/// A value of `format` that is checked. Formats that are not listed here are annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckedFormat {
    Uuid,
    DateTime,
    Date,
    Time,
    /// ISO 8601, as RFC 3339 has it in its appendix A.
    Duration,
    Email,
    Uri,
    UriReference,
    Ipv4,
    Ipv6,
    Hostname,
    /// Base64 (OpenAPI 3.0).
    Byte,
    /// 32 bits with a sign.
    Int32,
    /// 64 bits with a sign.
    Int64,
}

impl CheckedFormat {
    /// The format of strings with this name.
    pub(super) fn of_text(name: &str) -> Option<Self> {
        Some(match name {
            "uuid" => Self::Uuid,
            "date-time" => Self::DateTime,
            "date" => Self::Date,
            "time" => Self::Time,
            "duration" => Self::Duration,
            "email" => Self::Email,
            "uri" | "url" => Self::Uri,
            "uri-reference" => Self::UriReference,
            "ipv4" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            "hostname" => Self::Hostname,
            "byte" => Self::Byte,
            _ => return None,
        })
    }

    /// The format of numbers with this name.
    pub(super) fn of_number(name: &str) -> Option<Self> {
        Some(match name {
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            _ => return None,
        })
    }

    /// The name that descriptions write.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::DateTime => "date-time",
            Self::Date => "date",
            Self::Time => "time",
            Self::Duration => "duration",
            Self::Email => "email",
            Self::Uri => "uri",
            Self::UriReference => "uri-reference",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Hostname => "hostname",
            Self::Byte => "byte",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
        }
    }

    /// True if a text has the format.
    pub(crate) fn accepts(self, text: &str) -> bool {
        let bytes = text.as_bytes();
        let is = |format: StringFormat| StringFormat::of(bytes) == Some(format);
        match self {
            Self::Uuid => is(StringFormat::Uuid),
            Self::DateTime => is(StringFormat::DateTime) || is_odd_date_time(text),
            Self::Date => is(StringFormat::Date),
            Self::Time => is_time(text),
            Self::Duration => is_duration(text),
            // What RFC 5321 allows is wider than what servers check; an address has an `@` between two parts.
            Self::Email => {
                text.rsplit_once('@').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty())
            }
            Self::Uri => is_uri(text),
            Self::UriReference => {
                !text.contains([' ', '\\', '^', '`', '{', '|', '}', '"', '<', '>'])
            }
            Self::Ipv4 => is(StringFormat::Ipv4),
            Self::Ipv6 => text.parse::<std::net::Ipv6Addr>().is_ok(),
            Self::Hostname => is_host_name(bytes),
            Self::Byte => is_base64(bytes),
            Self::Int32 | Self::Int64 => true,
        }
    }
}

/// Returns `true` for a date-time in lower case or with a leap second, as RFC 3339 allows.
fn is_odd_date_time(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let plain = match upper.find(":60") {
        Some(at) if at == 16 => format!("{}:59{}", &upper[..at], &upper[at + 3..]),
        _ => upper,
    };
    plain != text && StringFormat::of(plain.as_bytes()) == Some(StringFormat::DateTime)
}

fn is_time(text: &str) -> bool {
    let moment = format!("2000-01-01T{text}");
    CheckedFormat::DateTime.accepts(&moment)
}

/// `P1Y2M3DT4H5M6S` with at least one part, or weeks alone. The last part may have a fraction.
fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else { return false };
    let (date, time) = rest.split_once('T').map_or((rest, None), |(date, time)| (date, Some(time)));
    let is_sequence = |parts: &str, units: &str| {
        let mut left = units;
        let mut number = String::new();
        for letter in parts.chars() {
            if letter.is_ascii_digit() || letter == '.' || letter == ',' {
                number.push(letter);
                continue;
            }
            let Some(at) = left.find(letter).filter(|_| !number.is_empty()) else { return false };
            left = &left[at + 1..];
            number.clear();
        }
        number.is_empty()
    };
    match time {
        Some(time) => !time.is_empty() && is_sequence(time, "HMS") && is_sequence(date, "YMD"),
        None => !date.is_empty() && (is_sequence(date, "YMD") || is_sequence(date, "W")),
    }
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && CheckedFormat::UriReference.accepts(rest)
        && rest.is_ascii()
}

fn is_host_name(bytes: &[u8]) -> bool {
    let is_label = |label: &[u8]| {
        (1..=63).contains(&label.len())
            && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
            && !label.starts_with(b"-")
            && !label.ends_with(b"-")
    };
    bytes.len() <= 253 && bytes.split(|byte| *byte == b'.').all(is_label)
}

fn is_base64(bytes: &[u8]) -> bool {
    let plain = bytes.iter().rev().skip_while(|byte| **byte == b'=');
    bytes.len().is_multiple_of(4)
        && bytes.iter().rev().take_while(|byte| **byte == b'=').count() <= 2
        && plain.into_iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_checked_as_their_standards_say() {
        for (format, good, bad) in [
            (CheckedFormat::DateTime, "2024-02-29t12:30:00z", "2024-02-29 12:30:00"),
            (CheckedFormat::DateTime, "2016-12-31T23:59:60Z", "2016-12-31T23:60:00Z"),
            (CheckedFormat::Time, "12:30:00Z", "12:30"),
            (CheckedFormat::Duration, "P1DT2H30M", "P1D2H"),
            (CheckedFormat::Duration, "PT0.5S", "PT"),
            (CheckedFormat::Duration, "P3W", "3W"),
            (CheckedFormat::Email, "a@b", "a"),
            (CheckedFormat::Uri, "about:blank", "/a/b"),
            (CheckedFormat::UriReference, "/a/b?c", "a b"),
            (CheckedFormat::Hostname, "a-b.example", "-a.example"),
            (CheckedFormat::Byte, "aGVsbG8=", "aGVsbG8"),
            (CheckedFormat::Ipv6, "::1", "::g"),
        ] {
            assert!(format.accepts(good), "{format:?} {good}");
            assert!(!format.accepts(bad), "{format:?} {bad}");
        }
    }
}
