//! Secret and personal content that the name of a field tells.

use crate::shape::formats::StringFormat;
use crate::shape::sensitive::NameKind;
use crate::shape::strings::{KeptValue, Strings};
use crate::template::vocabulary::{Vocabulary, words_of};

/// Ends of names whose values are the names of a person, or of anything: repositories and settings have a `full_name` too.
const NAMES: [&str; 9] = [
    "fullname",
    "cardholder",
    "cardholdername",
    "realname",
    "accountholder",
    "accountholdername",
    "contactname",
    "customername",
    "patientname",
];

/// Lengths of numbers of telephones, in bytes with their separators.
const PHONE_BYTES: std::ops::RangeInclusive<u64> = 6..=24;

/// A sensitive kind that the name of a field tells, where its values are text.
pub(super) fn sensitive_name(name: &str, strings: &Strings) -> Option<&'static str> {
    let filled = strings.count - strings.empty;
    let is_other = [StringFormat::Uri, StringFormat::DateTime]
        .into_iter()
        .any(|format| strings.formats[format as usize] * 2 > strings.count);
    if filled == 0 || is_other {
        return None;
    }
    let kind = NameKind::of(name.as_bytes());
    if kind == Some(NameKind::Credential) {
        return Some("credential");
    }
    if kind == Some(NameKind::Phone) {
        let is_number = PHONE_BYTES.contains(&strings.longest) && strings.proper == 0;
        return is_number.then_some("phone");
    }
    let plain = words_of(name.as_bytes()).concat();
    let is_name = NAMES.iter().any(|end| plain.ends_with(end));
    let is_person = (kind == Some(NameKind::PersonName) && !are_mostly(strings, is_slug))
        || (is_name && strings.proper * 2 > filled && !are_mostly(strings, is_known))
        || (plain.ends_with("nickname")
            && !are_mostly(strings, |text| is_slug(text) || is_known(text)));
    is_person.then_some("person-name")
}

/// True if more than half of the kept strings are shown and satisfy `is`.
fn are_mostly(strings: &Strings, is: fn(&str) -> bool) -> bool {
    let count_if = |is: &dyn Fn(&KeptValue) -> bool| -> u64 {
        strings.values.iter().filter(|value| is(value)).map(|value| value.count).sum()
    };
    count_if(&|value| !value.is_hidden() && is(&value.text)) * 2 > count_if(&|_| true)
}

fn is_slug(text: &str) -> bool {
    text.bytes().any(|byte| b"/_@:#".contains(&byte))
}

/// True if the vocabulary of APIs has all words of a text, as it has those of settings and plans.
fn is_known(text: &str) -> bool {
    words_of(text.as_bytes()).iter().all(|word| Vocabulary::shipped().word(word) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, texts: &[&str], kind: Option<&str>) {
        let mut strings = Strings::default();
        texts.iter().for_each(|text| strings.observe(text));
        assert_eq!(sensitive_name(name, &strings), kind, "{name}");
    }

    #[test]
    fn credentials_are_told_from_positions_and_places() {
        check("client_secret", &["REDACTED"], Some("credential"));
        check("DD-API-KEY", &["abc"], Some("credential"));
        check("sessionToken", &["abc"], Some("credential"));
        check("nextPageToken", &["abc"], None);
        check("path_to_token", &["$.token"], None);
        check("tokenUrl", &["https://example.com/token"], None);
        check("token", &["", ""], None);
        check("passcode", &["LETMEIN"], Some("credential"));
        check("userPass", &["LETMEIN"], Some("credential"));
        check("contraseña", &["LETMEIN"], Some("credential"));
        check("Passwort", &["LETMEIN"], Some("credential"));
        check("base_token", &["ETH"], None);
        check("max_tokens", &["100"], None);
        check("inputPassword", &["LETMEIN"], Some("credential"));
        check("base_api_key", &["LETMEIN"], Some("credential"));
        check("boarding_pass", &["LETMEIN"], None);
        check("scroll_token", &["DXF1ZXJ5"], None);
        check("passenger", &["LETMEIN"], None);
        check("bypass_code", &["LETMEIN"], None);
    }

    #[test]
    fn numbers_of_telephones_are_told_by_the_name() {
        check("phone", &["(415) 555-0100", "0171 1234567"], Some("phone"));
        check("mobile", &["yes"], None);
        check("phone", &["https://a.example/phones/7/details"], None);
    }

    #[test]
    fn names_of_people_are_told_from_those_of_things() {
        check("firstName", &["Johanna", "Ada"], Some("person-name"));
        check("full_name", &["Johanna Miller", "Ada Lovelace"], Some("person-name"));
        check("nickName", &["Johnny", "Adalove"], Some("person-name"));
        check("full_name", &["octocat/hello-world", "octocat/Spoon-Knife"], None);
        check("full_name", &["Token duration", "Login page footer text"], None);
        check("full_name", &["Example Domain", "My Group"], None);
        check("author_fullname", &["t2_4cixf"], None);
        check("nickname", &["Small Monthly", "Default"], None);
        check("attr_firstname", &["givenName"], None);
    }
}
