//! Literals that look like secrets: what is left of tokens where nothing else took them for values.
//!
//! UUIDs, JWTs, long hexadecimal numbers and mixed tokens never are literals (`SegmentKind::is_unmistakable`). Here are
//! the others: keys with a known prefix, `token=...`, and runs of letters that no language has.

use crate::template::segment::{SegmentKind, kind_of};

/// How the keys of known issuers begin, and how many characters follow at least.
/// Sources: the issuers' documents; most are listed for GitHub's secret scanning.
const PREFIXES: [(&[u8], usize); 40] = [
    (b"sk_live_", 8),
    (b"sk_test_", 8),
    (b"rk_live_", 8),
    (b"rk_test_", 8),
    (b"pk_live_", 8),
    (b"pk_test_", 8),
    (b"whsec_", 8),
    (b"sk-", 16),
    (b"ghp_", 8),
    (b"gho_", 8),
    (b"ghu_", 8),
    (b"ghs_", 8),
    (b"ghr_", 8),
    (b"github_pat_", 8),
    (b"glpat-", 8),
    (b"gldt-", 8),
    (b"glrt-", 8),
    (b"xoxa-", 8),
    (b"xoxb-", 8),
    (b"xoxe-", 8),
    (b"xoxp-", 8),
    (b"xoxr-", 8),
    (b"xoxs-", 8),
    (b"xapp-", 8),
    (b"AIza", 20),
    (b"ya29.", 8),
    (b"eyJ", 16),
    (b"SG.", 16),
    (b"npm_", 16),
    (b"pypi-", 16),
    (b"dop_v1_", 8),
    (b"shpat_", 8),
    (b"shpss_", 8),
    (b"hf_", 16),
    (b"sq0", 16),
    (b"EAAC", 16),
    (b"NRAK-", 8),
    (b"lin_api_", 8),
    (b"hvs.", 8),
    (b"PMAK-", 8),
];

/// Words that a secret follows after `=` or `:`.
const CREDENTIALS: [&[u8]; 13] = [
    b"token",
    b"secret",
    b"password",
    b"passwd",
    b"pwd",
    b"apikey",
    b"api_key",
    b"api-key",
    b"key",
    b"auth",
    b"session",
    b"sessionid",
    b"signature",
];

/// A run of letters or digits shorter than this may be anything.
const RUN_BYTES: usize = 16;

/// Does it look like a secret, wherever it stands?
///
/// Made for names and literals: a UUID is an id, not a secret, and is not shown in a template anyway.
pub(crate) fn looks_secret(text: &[u8]) -> bool {
    kind_of(text) == SegmentKind::Jwt
        || has_known_prefix(text)
        || text.split(|byte| !byte.is_ascii_alphanumeric()).any(is_aws_key)
        || is_assigned(text)
        || text.split(|byte| !byte.is_ascii_alphanumeric()).any(is_random)
}

/// The access keys of AWS are twenty capitals and digits; hosts and header names are counted in small letters.
fn is_aws_key(run: &[u8]) -> bool {
    run.len() == 20
        && (run[..4].eq_ignore_ascii_case(b"AKIA") || run[..4].eq_ignore_ascii_case(b"ASIA"))
        && run.iter().any(u8::is_ascii_digit)
}

/// Does a key of a known issuer stand at its start, or behind something that ends a word?
fn has_known_prefix(text: &[u8]) -> bool {
    let is_key = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let begins_word = |at: usize| at == 0 || !text[at - 1].is_ascii_alphanumeric();
    (0..text.len()).filter(|at| begins_word(*at)).any(|at| {
        PREFIXES.iter().any(|(prefix, least)| {
            text[at..].strip_prefix(*prefix).is_some_and(|rest| {
                rest.len() >= *least
                    && rest.iter().take_while(is_key).count() >= *least
                    && !reads_as_words(prefix, rest)
            })
        })
    })
}

/// `sk-` and its like also begin plain words: a key has digits, or both cases within.
fn reads_as_words(prefix: &[u8], rest: &[u8]) -> bool {
    let is_long = prefix.len() > 4;
    let has_digit = rest.iter().any(u8::is_ascii_digit);
    let is_mixed =
        rest.iter().any(u8::is_ascii_lowercase) && rest.iter().any(u8::is_ascii_uppercase);
    !is_long && !has_digit && !is_mixed && !prefix.ends_with(b"_")
}

/// `token=abc`, `password:abc`.
fn is_assigned(text: &[u8]) -> bool {
    let Some(at) = memchr::memchr2(b'=', b':', text) else { return false };
    let name = text[..at]
        .rsplit(|byte| matches!(byte, b';' | b'&' | b',' | b'@'))
        .next()
        .unwrap_or_default();
    at + 4 < text.len() && CREDENTIALS.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Changes between digits, small and capital letters too often for words, or has next to no vowels.
fn is_random(run: &[u8]) -> bool {
    if run.len() < RUN_BYTES {
        return false;
    }
    let switches = run.windows(2).filter(|pair| is_switch(pair[0], pair[1])).count();
    let vowels = run.iter().filter(|byte| b"aeiouyAEIOUY".contains(byte)).count();
    let letters = run.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    if letters < run.len() {
        let numbers = run.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
        let numbers = numbers.filter(|part| part[0].is_ascii_digit()).count();
        return numbers >= 2 && switches * 4 >= run.len();
    }
    // `oneToOneNatRules` has as many humps as chance has, but no capitals beside each other.
    let capitals = run.windows(2).filter(|pair| pair.iter().all(u8::is_ascii_uppercase)).count();
    (switches * 4 >= run.len() && capitals >= 2) || (run.len() >= 20 && vowels * 6 < run.len())
}

/// From a capital to a small letter is how a word begins.
fn is_switch(a: u8, b: u8) -> bool {
    let class = |byte: u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase());
    class(a) != class(b) && !(a.is_ascii_uppercase() && b.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_known_issuers_are_secrets() {
        // Put together here, so that no scanner takes this file for a leak.
        for (prefix, rest) in [
            ("sk_live_", "4eC39HqLyjWDarjtT1zdp7dc"),
            ("ghp_", "aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789"),
            ("xoxb-", "2345-6789-abcdefgh"),
            ("AKIA", "IOSFODNN7EXAMPLE"),
            ("AIza", "SyA1234567890abcdefghijklmnopqrstu"),
            ("glpat-", "ABCDEFGHIJKLMNOPQRST"),
            ("v1:xoxp-", "abcdefghijkl"),
        ] {
            assert!(looks_secret(format!("{prefix}{rest}").as_bytes()), "{prefix}");
        }
    }

    #[test]
    fn what_is_assigned_to_a_credential_is_a_secret() {
        assert!(looks_secret(b"token=abcdef"));
        assert!(looks_secret(b"user;password=hunter2"));
        assert!(!looks_secret(b"key=1"));
        assert!(!looks_secret(b"projects:cancel"));
        assert!(!looks_secret(b"token"));
    }

    #[test]
    fn random_letters_are_secrets_and_long_words_are_not() {
        assert!(looks_secret(b"qZxKvJwPmTrBnHgFdCsL"));
        assert!(looks_secret(b"a8f3k2j9d0s8f7g6h5"));
        assert!(looks_secret(b"xkcdqwrtplkjhgfdszxcvb"));
        for word in [
            "getUserProfileInformation",
            "OAuth2AuthorizationServerMetadata",
            "internationalization",
            "serviceaccounttokens",
            "customresourcedefinitions",
            "mutatingwebhookconfigurations",
            "check-out-and-pay-now",
            "API_RATE_LIMIT_OVERVIEW",
            "sk-learn-model-registry",
            "HTTPSConnectionPoolStatistics",
            "oneToOneNatRules",
            "GetBungieNetUserById",
            "users",
        ] {
            assert!(!looks_secret(word.as_bytes()), "{word}");
        }
    }
}
