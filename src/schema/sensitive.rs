//! Secret and personal content that the name of a field tells.

use crate::shape::formats::StringFormat;
use crate::shape::strings::Strings;

/// A sensitive kind that the name of a field tells, where its values are text.
pub(super) fn sensitive_name(name: &str, strings: &Strings) -> Option<&'static str> {
    const CREDENTIALS: [&str; 12] = [
        "password",
        "passwd",
        "secret",
        "token",
        "apikey",
        "accesskey",
        "privatekey",
        "authorization",
        "credential",
        "signature",
        "passphrase",
        "jwt",
    ];
    const PEOPLE: [&str; 10] = [
        "firstname",
        "lastname",
        "fullname",
        "givenname",
        "familyname",
        "surname",
        "middlename",
        "nickname",
        "maidenname",
        "cardholder",
    ];
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let has_values = strings.count > strings.empty;
    let is_flag = strings.formats[StringFormat::Uri as usize] * 2 > strings.count
        || strings.formats[StringFormat::DateTime as usize] * 2 > strings.count;
    if !has_values || is_flag {
        return None;
    }
    if CREDENTIALS.iter().any(|word| plain.ends_with(word)) {
        return Some("credential");
    }
    PEOPLE.iter().any(|word| plain.ends_with(word)).then_some("person-name")
}
