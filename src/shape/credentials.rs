//! The credentials that requests carry and servers ask for: which kinds and names, and never a value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::flow::{Flow, text};
use crate::sketch::{BottomK, HeapSize, Merge};
use crate::template::secret::{Frequency, looks_secret, looks_secret_again};
use crate::template::vocabulary::words_of;

/// Sets of credentials that are told apart at one endpoint.
const MAX_SETS: usize = 16;

/// The longest name of a credential that is kept, in bytes.
const MAX_NAME_BYTES: usize = 48;

/// The shortest value of a credential with an ambiguous name, in bytes.
const MIN_KEY_BYTES: usize = 16;

/// A summary of the credentials at one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// Requests by the set of credentials that they carried: their [kinds](CredentialKind::to_text), sorted and joined by
    /// line feeds. The empty set stands for requests without credentials.
    sets: BottomK<CredentialUse, MAX_SETS>,
    /// Answers that asked for a credential (`WWW-Authenticate`), by scheme in lower case.
    challenges: BottomK<u64, MAX_SETS>,
}

/// Counters of the answers to requests with one set of credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CredentialUse {
    /// Requests with this set of credentials.
    pub(crate) sent: u64,
    /// Requests that were answered with a status below 400.
    pub(crate) accepted: u64,
    /// Requests that were answered with 401 or 403.
    pub(crate) refused: u64,
}

/// A kind of credential.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CredentialKind {
    /// `Authorization` with a scheme in lower case: `bearer`, `basic`, `digest`.
    Http(String),
    /// `Authorization` with anything else.
    Authorization,
    /// A header with this name in lower case.
    Header(String),
    /// A parameter of the query.
    Query(String),
    /// A cookie.
    Cookie(String),
}

/// The number of requests to a host that carried each kind of credential. A name that is often seen is not itself a secret.
#[derive(Clone, Debug, Default)]
pub(crate) struct CredentialCounts(BTreeMap<CredentialKind, u64>);

impl CredentialCounts {
    /// Adds the credentials of an endpoint of the host.
    pub(crate) fn add(&mut self, credentials: &Credentials) {
        for (kinds, used) in credentials.sets() {
            for kind in kinds {
                *self.0.entry(kind).or_default() += used.sent;
            }
        }
    }

    /// The [sets](Credentials::sets) of an endpoint of the host, without names that look like secrets.
    pub(crate) fn shown_sets(
        &self,
        credentials: &Credentials,
    ) -> impl Iterator<Item = (Vec<CredentialKind>, CredentialUse)> {
        credentials.sets().map(|(mut kinds, used)| {
            kinds.retain(|kind| !kind.looks_secret(self.0.get(kind).copied().unwrap_or_default()));
            (kinds, used)
        })
    }
}

/// Schemes of `Authorization` that the IANA registry knows and clients of APIs use.
const SCHEMES: [&str; 6] = ["basic", "bearer", "digest", "dpop", "hoba", "negotiate"];

impl CredentialKind {
    fn to_text(&self) -> String {
        match self {
            Self::Http(scheme) => format!("http:{scheme}"),
            Self::Authorization => "authorization:".to_owned(),
            Self::Header(name) => format!("header:{name}"),
            Self::Query(name) => format!("query:{name}"),
            Self::Cookie(name) => format!("cookie:{name}"),
        }
    }

    /// The kind in words, as in `header x-api-key`.
    #[cfg(feature = "descriptions")]
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Http(scheme) => format!("Authorization: {scheme}"),
            Self::Authorization => "header authorization".to_owned(),
            Self::Header(name) => format!("header {name}"),
            Self::Query(name) => format!("query parameter {name}"),
            Self::Cookie(name) => format!("cookie {name}"),
        }
    }

    /// True if the name was seen so seldom that it may be a value, and looks like a secret.
    fn looks_secret(&self, requests: u64) -> bool {
        match self {
            Self::Http(_) | Self::Authorization => false,
            Self::Header(name) | Self::Query(name) | Self::Cookie(name) => {
                looks_secret(name.as_bytes(), Frequency::times(requests))
            }
        }
    }

    fn of_text(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        let name = name.to_owned();
        Some(match kind {
            "http" => Self::Http(name),
            "authorization" => Self::Authorization,
            "header" => Self::Header(name),
            "query" => Self::Query(name),
            "cookie" => Self::Cookie(name),
            _ => return None,
        })
    }
}

impl Credentials {
    /// Adds a flow; `query` is its query.
    pub(crate) fn observe(&mut self, flow: &Flow<'_>, query: &[u8]) {
        let mut kinds = Vec::new();
        for (name, value) in flow.request_headers.iter() {
            add_header(name, value.unwrap_or_default(), &mut kinds);
        }
        for pair in query.split(|byte| *byte == b'&') {
            let Some(at) = memchr::memchr(b'=', pair) else { continue };
            add_named(
                &pair[..at],
                &pair[at + 1..],
                CredentialKind::Query,
                is_query_key,
                &mut kinds,
            );
        }
        kinds.sort_unstable();
        kinds.dedup();
        let set: Vec<String> = kinds.iter().map(CredentialKind::to_text).collect();
        let status = flow.response.as_ref().map_or(0, |response| response.status);
        let used = self.sets.entry(set.join("\n").as_bytes());
        used.sent += 1;
        used.accepted += u64::from((200..400).contains(&status));
        used.refused += u64::from(matches!(status, 401 | 403));
        if status == 401
            && let Some(response) = &flow.response
            && let Some(challenge) = response.headers.get(b"www-authenticate")
        {
            let scheme = challenge.split(|byte| !byte.is_ascii_alphanumeric()).next();
            let scheme = String::from_utf8_lossy(scheme.unwrap_or_default()).to_ascii_lowercase();
            if SCHEMES.contains(&&*scheme) {
                *self.challenges.entry(scheme.as_bytes()) += 1;
            }
        }
    }

    /// The sets of credentials that requests carried, in the order of their hashes.
    pub(crate) fn sets(&self) -> impl Iterator<Item = (Vec<CredentialKind>, CredentialUse)> {
        self.sets.iter().map(|entry| {
            let text = String::from_utf8_lossy(&entry.key);
            (text.split('\n').filter_map(CredentialKind::of_text).collect(), entry.value)
        })
    }

    /// The schemes that the server asked for, sorted.
    pub(crate) fn challenges(&self) -> Vec<String> {
        let scheme = |entry: &crate::sketch::BottomKEntry<u64>| {
            String::from_utf8_lossy(&entry.key).into_owned()
        };
        let mut schemes: Vec<String> = self.challenges.iter().map(scheme).collect();
        schemes.sort_unstable();
        schemes
    }

    /// The largest counter.
    pub(crate) fn largest_count(&self) -> u64 {
        let sets = self.sets.iter().map(|entry| entry.value.sent).chain([self.sets.rest.sent]);
        let challenges = self.challenges.iter().map(|entry| entry.value);
        sets.chain(challenges).chain([self.challenges.rest]).max().unwrap_or_default()
    }
}

fn add_header(name: &[u8], value: &[u8], kinds: &mut Vec<CredentialKind>) {
    if name.eq_ignore_ascii_case(b"authorization") {
        let scheme = value.split(|byte| *byte == b' ').next().unwrap_or_default();
        let scheme = String::from_utf8_lossy(scheme).to_ascii_lowercase();
        let has_value = value.len() > scheme.len() + 1;
        kinds.push(match SCHEMES.contains(&&*scheme) && has_value {
            true => CredentialKind::Http(scheme),
            false if value.is_empty() => return,
            false => CredentialKind::Authorization,
        });
    } else if name.eq_ignore_ascii_case(b"cookie") {
        for pair in value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
            let Some(at) = memchr::memchr(b'=', pair) else { continue };
            add_named(&pair[..at], &pair[at + 1..], CredentialKind::Cookie, is_session, kinds);
        }
    } else {
        let kind = |name: String| CredentialKind::Header(name.to_ascii_lowercase());
        add_named(name, value, kind, is_header_key, kinds);
    }
}

/// Adds a credential whose name tells that it is one. A name that is a value is not kept.
fn add_named(
    name: &[u8],
    value: &[u8],
    kind: impl Fn(String) -> CredentialKind,
    is_credential: fn(&[String], &[u8]) -> bool,
    kinds: &mut Vec<CredentialKind>,
) {
    if value.is_empty()
        || name.len() > MAX_NAME_BYTES
        || !name.is_ascii()
        || !may_be_credential(name)
    {
        return;
    }
    if is_credential(&words_of(name), value)
        && text::is_printable(name)
        && !looks_secret_again(name, Frequency::Often)
    {
        kinds.push(kind(String::from_utf8_lossy(name).into_owned()));
    }
}

/// False for a name that no credential has, which most names are: it has none of the beginnings of the words that
/// [`is_header_key`], [`is_query_key`] and [`is_session`] look for, also across its separators.
fn may_be_credential(name: &[u8]) -> bool {
    let mut letters = [0; MAX_NAME_BYTES];
    let mut length = 0;
    for byte in name.iter().take(MAX_NAME_BYTES).filter(|byte| byte.is_ascii_alphanumeric()) {
        letters[length] = byte.to_ascii_lowercase();
        length += 1;
    }
    letters[..length].windows(3).any(|three| {
        matches!(
            three,
            b"key"
                | b"tok"
                | b"aut"
                | b"sec"
                | b"ses"
                | b"jwt"
                | b"sid"
                | b"app"
                | b"cre"
                | b"pas"
                | b"log"
                | b"rem"
                | b"cli"
        )
    })
}

/// Words of names that are about other things than who the client is.
const NOT_CREDENTIALS: [&str; 12] = [
    "csrf",
    "xsrf",
    "idempotency",
    "websocket",
    "cache",
    "surrogate",
    "page",
    "next",
    "continuation",
    "sync",
    "cancel",
    "device",
];

fn has(words: &[String], any: &[&str]) -> bool {
    words.iter().any(|word| any.contains(&&**word))
}

/// True for a value that a machine made, which tells `prediction-key` from `sort-key`, and for what stands where one was
/// removed before the capture was shared.
fn is_made(value: &[u8]) -> bool {
    let is_random = value.len() >= MIN_KEY_BYTES
        && value.iter().any(u8::is_ascii_digit)
        && !value.iter().any(|byte| b" /?&".contains(byte));
    is_random || is_removed(value)
}

/// True for what tools write in place of a secret: `REDACTED`, `[FILTERED]`, `****`.
fn is_removed(value: &[u8]) -> bool {
    const WORDS: [&str; 7] =
        ["redacted", "filtered", "masked", "hidden", "removed", "sanitized", "scrubbed"];
    let is_starred = value.len() >= 3
        && (value.iter().all(|byte| *byte == b'*')
            || value.iter().all(|byte| b"xX".contains(byte)));
    is_starred || (value.len() <= MAX_NAME_BYTES && has(&words_of(value), &WORDS))
}

fn is_header_key(words: &[String], value: &[u8]) -> bool {
    let joined = words.concat();
    let is_key = has(words, &["key"])
        && (words[0] == "x"
            || has(words, &["api", "app", "application", "subscription", "access", "auth"]));
    let is_ending = ["key", "token", "secret", "clientid", "appid"];
    let may_be = is_ending.iter().any(|end| joined.ends_with(end)) && is_made(value);
    let is_other = has(
        words,
        &[
            "apikey",
            "token",
            "auth",
            "authentication",
            "secret",
            "session",
            "jwt",
            "credential",
            "password",
        ],
    );
    (is_key || is_other || may_be) && !has(words, &NOT_CREDENTIALS) && words[0] != "sec"
}

fn is_query_key(words: &[String], value: &[u8]) -> bool {
    let joined = words.concat();
    let named = ["apikey", "apisecret", "accesstoken", "authtoken", "apitoken", "accesskey", "jwt"];
    let is_named = named.iter().any(|end| joined.ends_with(end))
        || ["subscriptionkey", "sessionid"].contains(&&*joined);
    let is_ending = ["key", "token", "auth", "appid", "clientid", "secret"];
    let may_be = is_ending.iter().any(|end| joined.ends_with(end)) && is_made(value);
    (is_named || may_be) && !has(words, &NOT_CREDENTIALS)
}

fn is_session(words: &[String], value: &[u8]) -> bool {
    let joined = words.concat();
    let is_named =
        has(words, &["session", "sess", "token", "auth", "jwt", "sid", "login", "remember"])
            || ["sessionid", "sessid", "sessionkey"].iter().any(|end| joined.ends_with(end));
    is_named && !has(words, &NOT_CREDENTIALS) && value.len() >= MIN_KEY_BYTES / 2
}

impl Merge for CredentialUse {
    fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.accepted += other.accepted;
        self.refused += other.refused;
    }
}

impl Merge for Credentials {
    fn merge(&mut self, other: Self) {
        self.sets.merge(other.sets);
        self.challenges.merge(other.challenges);
    }
}

impl HeapSize for Credentials {
    fn heap_bytes(&self) -> usize {
        self.sets.heap_bytes() + self.challenges.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::{Headers, Response};

    /// Words that credentials have in their names, and others.
    const WORDS: [&str; 29] = [
        "key",
        "api",
        "app",
        "application",
        "access",
        "auth",
        "apikey",
        "token",
        "authentication",
        "secret",
        "session",
        "jwt",
        "credential",
        "password",
        "sess",
        "sid",
        "login",
        "remember",
        "id",
        "sessid",
        "sessionid",
        "subscription",
        "accept",
        "x",
        "user",
        "client",
        "sec",
        "content",
        "ke",
    ];

    proptest! {
        /// The test that rules most names out rules out no credential.
        #[test]
        fn no_credential_is_ruled_out(
            parts in prop::collection::vec((prop::sample::select(&WORDS[..]), any::<bool>(), "[-_. A-Za-z0-9]?"), 1..5),
            value in "[a-z0-9]{0,20}",
        ) {
            let part = |(word, is_upper, end): &(&str, bool, String)| {
                if *is_upper { word.to_uppercase() } else { (*word).to_owned() + end }
            };
            let name: String = parts.iter().map(part).collect();
            let words = words_of(name.as_bytes());
            prop_assume!(name.len() <= MAX_NAME_BYTES);
            let is_any = [is_header_key, is_query_key, is_session]
                .into_iter()
                .any(|is_credential| is_credential(&words, value.as_bytes()));
            prop_assert!(!is_any || may_be_credential(name.as_bytes()), "{}", name);
        }
    }

    fn observed(url: &str, headers: &[(&[u8], Option<&[u8]>)], status: i64) -> Credentials {
        let mut flow = Flow::new("GET", url).unwrap();
        flow.request_headers = Headers::new(headers);
        let challenge: [(&[u8], Option<&[u8]>); 1] =
            [(b"WWW-Authenticate", Some(b"Bearer realm=\"x\""))];
        flow.response =
            Some(Response { status, headers: Headers::new(&challenge), ..Response::default() });
        let mut credentials = Credentials::default();
        let query = url.split_once('?').map_or("", |(_, query)| query);
        credentials.observe(&flow, query.as_bytes());
        credentials
    }

    #[test]
    fn credentials_are_told_by_name_and_scheme() {
        let of = |url: &str, headers: &[(&str, &str)]| {
            let headers: Vec<(&[u8], Option<&[u8]>)> = headers
                .iter()
                .map(|(name, value)| (name.as_bytes(), Some(value.as_bytes())))
                .collect();
            let credentials = observed(url, &headers, 200);
            let mut sets = credentials.sets();
            let (kinds, used) = sets.next().unwrap();
            assert_eq!((used.sent, used.accepted, used.refused), (1, 1, 0));
            kinds.iter().map(CredentialKind::to_text).collect::<Vec<_>>()
        };
        let plain = "https://h.example/";
        assert_eq!(of(plain, &[("Authorization", "Bearer abc.def")]), ["http:bearer"]);
        assert_eq!(of(plain, &[("authorization", "Token abcdef")]), ["authorization:"]);
        assert_eq!(of(plain, &[("X-Api-Key", "abc"), ("Accept", "*/*")]), ["header:x-api-key"]);
        assert_eq!(
            of(plain, &[("Ocp-Apim-Subscription-Key", "abc")]),
            ["header:ocp-apim-subscription-key"]
        );
        assert_eq!(of(plain, &[("PRIVATE-TOKEN", "abc")]), ["header:private-token"]);
        assert!(of(plain, &[("Idempotency-Key", "abc"), ("X-CSRF-Token", "a")]).is_empty());
        assert!(of(plain, &[("Sec-WebSocket-Key", "abc")]).is_empty());
        assert_eq!(
            of(plain, &[("Cookie", "theme=dark; JSESSIONID=0123456789")]),
            ["cookie:JSESSIONID"]
        );
        assert_eq!(of("https://h.example/?api_key=abc&q=key", &[]), ["query:api_key"]);
        assert!(of("https://h.example/?key=name&page_token=abcdef0123456789", &[]).is_empty());
        assert_eq!(of(plain, &[("Prediction-Key", "0123456789abcdef")]), ["header:prediction-key"]);
        assert!(of(plain, &[("Sort-Key", "name")]).is_empty());
        assert_eq!(of("https://h.example/?key=[REDACTED]&q=xxx", &[]), ["query:key"]);
        assert_eq!(of("https://h.example/?hapikey=abc", &[]), ["query:hapikey"]);
        assert_eq!(of("https://h.example/?user_key=0123456789abcdef", &[]), ["query:user_key"]);
    }

    #[test]
    fn refusals_and_challenges_are_counted() {
        let credentials = observed("https://h.example/", &[], 401);
        let (kinds, used) = credentials.sets().next().unwrap();
        assert_eq!((kinds.len(), used.refused), (0, 1));
        assert_eq!(credentials.challenges(), ["bearer"]);
    }
}
