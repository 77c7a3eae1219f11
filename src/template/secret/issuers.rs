//! Keys of known issuers, recognised by their prefixes.

/// (prefix, minimum number of characters after it) of the keys of known issuers. Sources: the
/// documentation of the issuers; most are listed for GitHub's secret scanning.
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

/// Returns `true` if a key of a known issuer is at the start of the text or after a separator.
pub(super) fn has_known_key(text: &[u8]) -> bool {
    has_known_prefix(text) || text.split(|byte| !byte.is_ascii_alphanumeric()).any(is_aws_key)
}

/// Returns `true` for an AWS access key id: 20 capitals and digits. Case is ignored, because hosts
/// and header names are lower-cased.
fn is_aws_key(run: &[u8]) -> bool {
    run.len() == 20
        && (run[..4].eq_ignore_ascii_case(b"AKIA") || run[..4].eq_ignore_ascii_case(b"ASIA"))
        && run.iter().any(u8::is_ascii_digit)
}

/// The first bytes of all prefixes, and of AWS access key ids.
const FIRST_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < PREFIXES.len() {
        table[PREFIXES[at].0[0] as usize] = true;
        at += 1;
    }
    table[b'A' as usize] = true;
    table
};

/// Returns `true` if the whole text is a key of a known issuer. The first byte rules out most texts.
#[inline]
pub(super) fn is_known_key(text: &[u8]) -> bool {
    text.first().is_some_and(|first| FIRST_BYTES[usize::from(*first)])
        && text.iter().all(|byte| is_key_byte(*byte))
        && (is_aws_key(text) || begins_with_key(text))
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

fn has_known_prefix(text: &[u8]) -> bool {
    let begins_word = |at: usize| at == 0 || !text[at - 1].is_ascii_alphanumeric();
    let is_possible = |at: &usize| FIRST_BYTES[usize::from(text[*at])] && begins_word(*at);
    (0..text.len()).filter(is_possible).any(|at| begins_with_key(&text[at..]))
}

fn begins_with_key(text: &[u8]) -> bool {
    PREFIXES.iter().any(|(prefix, least)| {
        text.strip_prefix(*prefix).is_some_and(|rest| {
            rest.len() >= *least
                && rest.iter().take_while(|byte| is_key_byte(**byte)).count() >= *least
                && !reads_as_words(prefix, rest)
        })
    })
}

/// Returns `true` if the rest after a short prefix such as `sk-` reads as plain words. A key has
/// digits or both cases.
fn reads_as_words(prefix: &[u8], rest: &[u8]) -> bool {
    let is_long = prefix.len() > 4;
    let has_digit = rest.iter().any(u8::is_ascii_digit);
    let is_mixed =
        rest.iter().any(u8::is_ascii_lowercase) && rest.iter().any(u8::is_ascii_uppercase);
    !is_long && !has_digit && !is_mixed && !prefix.ends_with(b"_")
}
