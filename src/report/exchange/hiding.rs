//! The decision which captured values an exchange shows.
//!
//! Values of credentials are hidden by the names beside them, and all other values by how they look: what looks like a secret or
//! like something personal is hidden. Errs on the side of hiding.

use std::borrow::Cow;

use serde_json::Value;

use crate::flow::text;
use crate::report::masked::MASK;
use crate::shape::formats::StringFormat;
use crate::shape::sensitive::{NameKind, SensitiveKind};
use crate::template::secret::{
    Frequency, is_credential, is_token, looks_secret, looks_secret_again,
};
use crate::template::vocabulary::words_of;

/// Whether secrets are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// Values that are, or look like, secrets or personal data are replaced by `[masked]`.
    #[default]
    Masked,
    /// Everything is shown as captured, with control characters escaped.
    Revealed,
}

/// Headers whose values say how a message is sent, and nothing about who sends it.
const OPEN_HEADERS: [&str; 27] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-expose-headers",
    "access-control-max-age",
    "access-control-request-headers",
    "access-control-request-method",
    "age",
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expires",
    "host",
    "last-modified",
    "retry-after",
    "transfer-encoding",
    "user-agent",
    "vary",
];

/// Words in names whose values identify a client or a person.
const IDENTIFYING: [&str; 42] = [
    "auth",
    "authentication",
    "authorization",
    "cert",
    "cookie",
    "credential",
    "credentials",
    "csrf",
    "fingerprint",
    "jwt",
    "nonce",
    "otp",
    "pass",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "pin",
    "pwd",
    "secret",
    "session",
    "signature",
    "token",
    "xsrf",
    "apikey",
    "accesscode",
    "activationcode",
    "authcode",
    "backupcode",
    "confirmationcode",
    "csc",
    "cvc",
    "cvv",
    "mfa",
    "onetimecode",
    "recoverycode",
    "resetcode",
    "securitycode",
    "smscode",
    "totp",
    "verificationcode",
    "bearer",
];

/// Words of names whose values are personal.
const PERSONAL: [&str; 16] = [
    "address",
    "birthday",
    "birthdate",
    "dob",
    "email",
    "firstname",
    "fullname",
    "iban",
    "lastname",
    "mail",
    "phone",
    "ssn",
    "street",
    "surname",
    "telephone",
    "username",
];

/// The most digits of a number that is shown; longer ones may identify a person.
const MAX_SHOWN_DIGITS: usize = 7;

/// The longest value that is shown, in bytes. Longer text may hold anything.
const MAX_SHOWN_BYTES: usize = 200;

impl Secrets {
    /// A segment of a path.
    pub(super) fn segment(self, segment: &[u8]) -> Cow<'_, str> {
        if self == Self::Revealed || is_open(segment) {
            text::printable(segment)
        } else {
            Cow::Borrowed(MASK)
        }
    }

    /// The name of a header; a name that looks like a token is hidden.
    pub(super) fn header_name(self, name: &[u8]) -> Cow<'_, str> {
        if self == Self::Revealed || !looks_secret(name, Frequency::Often) {
            text::printable(name)
        } else {
            Cow::Borrowed(MASK)
        }
    }

    /// The value of a header.
    pub(super) fn header<'v>(self, name: &[u8], value: &'v [u8]) -> Cow<'v, str> {
        if self == Self::Revealed {
            return text::printable(value);
        }
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        match &*name {
            "authorization" | "proxy-authorization" => Cow::Owned(mask_credential(value)),
            "cookie" => Cow::Owned(with_names(value, b';')),
            "set-cookie" => {
                let pair = value.split(|byte| *byte == b';').next().unwrap_or_default();
                Cow::Owned(with_names(pair, b';'))
            }
            open if OPEN_HEADERS.contains(&open) && !has_token(value) => text::printable(value),
            _ if !is_named_secret(name.as_bytes()) && is_open(value) => text::printable(value),
            _ => Cow::Borrowed(MASK),
        }
    }

    /// Pairs of a query or a form, as captured but for values that are hidden.
    pub(super) fn form(self, pairs: &[u8]) -> String {
        let shown = pairs.split(|byte| *byte == b'&').map(|pair| {
            if self == Self::Revealed {
                return text::printable(pair).into_owned();
            }
            let (name, value) = match memchr::memchr(b'=', pair) {
                Some(at) => (&pair[..at], Some(&pair[at + 1..])),
                None => (pair, None),
            };
            let shown_name = self.key(name);
            let Some(value) = value else { return shown_name.into_owned() };
            let plain = value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte });
            let plain: Vec<u8> = plain.collect();
            let is_shown = !is_named_secret(name) && !is_credential(name) && is_open(&plain);
            let value = if is_shown { text::printable(value) } else { Cow::Borrowed(MASK) };
            format!("{shown_name}={value}")
        });
        shown.collect::<Vec<_>>().join("&")
    }

    /// The name of a parameter or the key of an object. Long names, and names with digits, must look like names as closely as a
    /// word that came once, because objects may be keyed by values.
    fn key(self, key: &[u8]) -> Cow<'_, str> {
        const MIN_LONG_KEY_BYTES: usize = 8;

        let is_long = key.len() >= MIN_LONG_KEY_BYTES || key.iter().any(u8::is_ascii_digit);
        let seen = if is_long { Frequency::Seldom } else { Frequency::Often };
        let is_shown = self == Self::Revealed
            || key.len() <= MAX_SHOWN_BYTES && !looks_secret_again(key, seen);
        if is_shown { text::printable(key) } else { Cow::Borrowed(MASK) }
    }

    /// Hides values in a JSON value.
    pub(crate) fn json(self, value: Value) -> Value {
        if self == Self::Revealed { value } else { self.hidden_json(value, false) }
    }

    /// As [`json`](Self::json), for a value below a key that says that it is secret, or below none.
    fn hidden_json(self, value: Value, is_secret: bool) -> Value {
        match value {
            Value::Object(members) => {
                let members = members.into_iter().map(|(key, value)| {
                    let is_secret = is_secret
                        || is_named_secret(key.as_bytes())
                        || is_code(key.as_bytes(), &value);
                    (self.key(key.as_bytes()).into_owned(), self.hidden_json(value, is_secret))
                });
                Value::Object(members.collect())
            }
            Value::Array(items) => {
                let items = items.into_iter().map(|item| self.hidden_json(item, is_secret));
                Value::Array(items.collect())
            }
            Value::String(text) if !is_secret && is_open(text.as_bytes()) => {
                Value::String(text::printable(text.as_bytes()).into_owned())
            }
            Value::Number(number) if !is_secret && is_short_number(&number.to_string()) => {
                Value::Number(number)
            }
            Value::Null | Value::Bool(_) => value,
            Value::String(_) | Value::Number(_) => Value::String(MASK.to_owned()),
        }
    }
}

/// Returns `true` for the name of a value that is secret or personal whatever it looks like.
fn is_named_secret(name: &[u8]) -> bool {
    let words = words_of(name);
    let joined = words.concat();
    let has = |listed: &[&str]| {
        words.iter().any(|word| listed.contains(&&**word)) || listed.contains(&&*joined)
    };
    NameKind::of(name).is_some() || has(&IDENTIFYING) || has(&PERSONAL)
}

/// Returns `true` for a credential by its key, such as `code`, that is written in digits: one that was sent to a phone.
fn is_code(key: &[u8], value: &Value) -> bool {
    let digits = |text: &str| text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_credential(key) && value.as_str().is_some_and(digits)
}

/// Returns `true` if a text holds JSON in which a value is hidden, as it is or percent-encoded.
fn holds_hidden_json(text: &[u8]) -> bool {
    let decoded: Cow<'_, [u8]> = percent_encoding::percent_decode(text).into();
    let is_json = matches!(decoded.trim_ascii_start(), [b'{' | b'[', ..]);
    let Some(value) = is_json.then(|| serde_json::from_slice::<Value>(&decoded).ok()).flatten()
    else {
        return false;
    };
    Secrets::Masked.hidden_json(value.clone(), false) != value
}

/// Returns `true` for a sentence that says a credential: `the password is swordfish`, `token: abc`, `Bearer abc`.
fn says_credential(text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    let holds = |needle: &str| memchr::memmem::find(&text, needle.as_bytes()).is_some();
    let says =
        |word: &&str| [" is ", ":", "="].iter().any(|behind| holds(&format!("{word}{behind}")));
    text.starts_with(b"bearer ") || text.starts_with(b"basic ") || IDENTIFYING.iter().any(says)
}

/// Returns `true` for a value that is neither secret nor personal by how it looks.
fn is_open(value: &[u8]) -> bool {
    if value.len() > MAX_SHOWN_BYTES || holds_hidden_json(value) || says_credential(value) {
        return false;
    }
    let is_plain_format = match StringFormat::of(value) {
        Some(
            StringFormat::Uuid
            | StringFormat::Date
            | StringFormat::DateTime
            | StringFormat::LooseDateTime,
        ) => true,
        Some(StringFormat::Integer | StringFormat::Decimal) => {
            return std::str::from_utf8(value).is_ok_and(is_short_number);
        }
        Some(StringFormat::Email | StringFormat::Ipv4 | StringFormat::Ipv6) => return false,
        Some(StringFormat::Uri) | None => value.is_empty(),
    };
    is_plain_format
        || (SensitiveKind::of(value).is_none() && !looks_secret(value, Frequency::Seldom))
}

fn is_short_number(number: &str) -> bool {
    number.bytes().filter(u8::is_ascii_digit).count() <= MAX_SHOWN_DIGITS
}

/// Returns `true` if a part of a value is a token or an address.
fn has_token(value: &[u8]) -> bool {
    let is_part = |byte: &u8| !(byte.is_ascii_alphanumeric() || b"-_.@".contains(byte));
    value.split(is_part).any(|part| is_token(part) || part.contains(&b'@'))
}

/// A credential of which only the scheme is shown: `Bearer [masked]`.
fn mask_credential(value: &[u8]) -> String {
    let scheme = value.split(|byte| *byte == b' ').next().unwrap_or_default();
    let is_scheme = scheme.len() < value.len()
        && scheme.len() <= 16
        && scheme.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'-')
        && !looks_secret(scheme, Frequency::Often);
    if is_scheme { format!("{} {MASK}", text::printable(scheme)) } else { MASK.to_owned() }
}

/// Pairs of which only the names are shown: `session=[masked]; theme=[masked]`.
fn with_names(value: &[u8], separator: u8) -> String {
    let pairs = value.split(|byte| *byte == separator).map(<[u8]>::trim_ascii);
    let pairs = pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let Some(at) = memchr::memchr(b'=', pair) else { return MASK.to_owned() };
        format!("{}={MASK}", Secrets::Masked.key(&pair[..at]))
    });
    pairs.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_keep_their_scheme_and_names() {
        let header = |name: &str, value: &str| {
            Secrets::Masked.header(name.as_bytes(), value.as_bytes()).into_owned()
        };
        assert_eq!(header("Authorization", "Bearer abc.def"), "Bearer [masked]");
        assert_eq!(header("authorization", "hunter2"), "[masked]");
        assert_eq!(header("Cookie", "sid=1; theme=dark"), "sid=[masked]; theme=[masked]");
        assert_eq!(header("Set-Cookie", "sid=abc; Path=/; HttpOnly"), "sid=[masked]");
        assert_eq!(header("X-Api-Key", "public"), "[masked]");
        assert_eq!(header("Content-Type", "application/json"), "application/json");
        assert_eq!(header("User-Agent", "app/1.0 (ada@example.com)"), "[masked]");
        assert_eq!(header("X-Page", "2"), "2");
    }

    #[test]
    fn codes_and_credentials_inside_of_texts_are_hidden() {
        let shown = |value: serde_json::Value| Secrets::Masked.json(value);
        let mask = |value: &str| serde_json::json!({ "x": value });
        for hidden in [
            "{\"password\":\"qpw\"}",
            "%7B%22password%22%3A%22qpw%22%7D",
            "my password is swordfish",
            "Bearer a.b.c",
        ] {
            assert_eq!(shown(mask(hidden)), mask(MASK), "{hidden}");
        }
        for open in ["{\"page\":2}", "[1, 2]", "active"] {
            assert_eq!(shown(mask(open)), mask(open));
        }
        for key in ["cvv", "cvc", "security_code", "mfa", "code", "verificationCode"] {
            let hidden = shown(serde_json::json!({ key: "654321" }));
            assert_eq!(hidden, serde_json::json!({ key: MASK }), "{key}");
        }
        assert_eq!(
            shown(serde_json::json!({ "code": "USD" })),
            serde_json::json!({ "code": "USD" })
        );
        assert_eq!(Secrets::Masked.form(b"cvv=123&page=2"), "cvv=[masked]&page=2");
    }

    #[test]
    fn values_are_hidden_by_name_and_by_look() {
        let form = |text: &str| Secrets::Masked.form(text.as_bytes());
        assert_eq!(form("page=2&token=2&q=orders"), "page=2&token=[masked]&q=orders");
        assert_eq!(form("mail=x&card=4111111111111111&flag"), "mail=[masked]&card=[masked]&flag");
        let value = serde_json::json!({
            "id": 17, "status": "active", "email": "x", "password": "active", "when": "2024-01-02",
            "phone": 5, "account": 123_456_789, "list": ["ada@example.com", null, true],
            "api_keys": ["open"], "nested": {"secret": {"value": "open"}},
        });
        assert_eq!(
            Secrets::Masked.json(value),
            serde_json::json!({
                "id": 17, "status": "active", "email": "[masked]", "password": "[masked]", "when": "2024-01-02",
                "phone": "[masked]", "account": "[masked]", "list": ["[masked]", null, true],
                "api_keys": ["[masked]"], "nested": {"secret": {"value": "[masked]"}},
            })
        );
    }

    #[test]
    fn segments_that_may_be_secrets_are_hidden() {
        let segment = |text: &'static str| Secrets::Masked.segment(text.as_bytes());
        for open in ["users", "42", "0188b9d6-7bd2-4d4f-9c5e-3a8a6a1f0b11", "2024-05-01"] {
            assert_eq!(segment(open), open);
        }
        for hidden in ["ada@example.com", "xkcdqwrtzpl", "123456789"] {
            assert_eq!(segment(hidden), "[masked]");
        }
        assert_eq!(Secrets::Revealed.segment(b"a\x1b[31m"), "a%1B[31m");
    }
}
