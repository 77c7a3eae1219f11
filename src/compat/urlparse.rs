//! Reimplementation of `urlparse` and `parse_qs` of `CPython` 3.11, which do not follow the WHATWG URL standard and do
//! not decode paths.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use unicode_normalization::UnicodeNormalization;

use crate::flow::text;

/// Components of a URL that the original uses, in WTF-8.
pub(super) struct SplitUrl {
    pub(super) path: Vec<u8>,
    pub(super) query: Vec<u8>,
}

/// Schemes (Python's `uses_params`) for which the last segment ends at its first `;`.
const USES_PARAMS: [&[u8]; 16] = [
    b"",
    b"ftp",
    b"hdl",
    b"prospero",
    b"http",
    b"imap",
    b"https",
    b"shttp",
    b"rtsp",
    b"rtsps",
    b"rtspu",
    b"sip",
    b"sips",
    b"mms",
    b"sftp",
    b"tel",
];

/// Splits a URL. Fails with Python's reason where `urlparse` raises `ValueError`.
pub(super) fn urlparse(url: &[u8]) -> Result<SplitUrl, String> {
    let start = url.iter().position(|byte| *byte > b' ').unwrap_or(url.len());
    let kept = |byte: &u8| !matches!(byte, b'\t' | b'\r' | b'\n');
    let url: Vec<u8> = url[start..].iter().copied().filter(kept).collect();
    let (scheme, mut rest) = split_scheme(&url);
    if let Some(after) = rest.strip_prefix(b"//") {
        let end = after.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(after.len());
        check_authority(&after[..end])?;
        rest = &after[end..];
    }
    let rest = &rest[..memchr::memchr(b'#', rest).unwrap_or(rest.len())];
    let (mut path, query) =
        memchr::memchr(b'?', rest).map_or((rest, &b""[..]), |at| (&rest[..at], &rest[at + 1..]));
    if USES_PARAMS.contains(&&*scheme) {
        let last = memchr::memrchr(b'/', path).unwrap_or(0);
        if let Some(at) = memchr::memchr(b';', &path[last..]) {
            path = &path[..last + at];
        }
    }
    Ok(SplitUrl { path: path.to_vec(), query: query.to_vec() })
}

fn split_scheme(url: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(colon) = memchr::memchr(b':', url).filter(|colon| *colon > 0) else {
        return (Vec::new(), url);
    };
    let scheme = &url[..colon];
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if scheme[0].is_ascii_alphabetic() && scheme.iter().all(allowed) {
        return (scheme.to_ascii_lowercase(), &url[colon + 1..]);
    }
    (Vec::new(), url)
}

fn check_authority(authority: &[u8]) -> Result<(), String> {
    let (open, close) = (memchr::memchr(b'[', authority), memchr::memchr(b']', authority));
    match (open, close) {
        (None, None) => {}
        (Some(open), Some(_)) => {
            let after = &authority[open + 1..];
            let inside = &after[..memchr::memchr(b']', after).unwrap_or(after.len())];
            if !is_bracketed_host(inside) {
                return Err(format!(
                    "\"{}\" in its URL is not an IPv6 address",
                    text::shortened(inside, 40)
                ));
            }
        }
        _ => return Err("its URL has an unmatched bracket".to_owned()),
    }
    if changes_under_nfkc(authority) {
        return Err("the host of its URL changes under Unicode normalization (NFKC)".to_owned());
    }
    Ok(())
}

/// Returns `true` for an IPv6 address with an optional zone, or an address of a future version (`v1.something`).
fn is_bracketed_host(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    if let Some(future) = host.strip_prefix('v') {
        return future.split_once('.').is_some_and(|(version, address)| {
            !version.is_empty()
                && version.bytes().all(|b| b.is_ascii_hexdigit())
                && !address.is_empty()
        });
    }
    let (address, scope) =
        host.split_once('%').map_or((host, None), |(address, scope)| (address, Some(scope)));
    scope.is_none_or(|scope| !scope.is_empty() && !scope.contains('%'))
        && address.parse::<Ipv6Addr>().is_ok()
}

/// Returns `true` if Unicode normalization (NFKC) produces one of `/?#@:` in the authority.
fn changes_under_nfkc(authority: &[u8]) -> bool {
    if authority.is_ascii() {
        return false;
    }
    let plain: String =
        String::from_utf8_lossy(authority).chars().filter(|c| !"@:#?".contains(*c)).collect();
    let normalized: String = plain.nfkc().collect();
    normalized != plain && normalized.contains(['/', '?', '#', '@', ':'])
}

/// Returns the names of the pairs that `parse_qs` keeps, which are those with a non-empty value.
pub(super) fn query_names(query: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    query.split(|b| *b == b'&').filter_map(|pair| {
        let at = memchr::memchr(b'=', pair)?;
        (at + 1 < pair.len()).then(|| unquote(&pair[..at]))
    })
}

/// Replaces `+` by a space, then percent-decodes each run of ASCII on its own, with replacement characters for invalid
/// UTF-8.
fn unquote(name: &[u8]) -> Vec<u8> {
    let name: Vec<u8> = name.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let mut out = Vec::with_capacity(name.len());
    for run in name.chunk_by(|a, b| a.is_ascii() == b.is_ascii()) {
        if run[0].is_ascii() {
            let decoded = percent_decode(run);
            out.extend_from_slice(match String::from_utf8_lossy(&decoded) {
                Cow::Borrowed(_) => &decoded,
                Cow::Owned(ref replaced) => replaced.as_bytes(),
            });
        } else {
            out.extend_from_slice(run);
        }
    }
    out
}

fn percent_decode(run: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut out = Vec::with_capacity(run.len());
    let mut i = 0;
    while i < run.len() {
        if let [b'%', high, low, ..] = run[i..]
            && let (Some(high), Some(low)) = (digit(high), digit(low))
        {
            out.push(u8::try_from(high * 16 + low).unwrap_or_default());
            i += 3;
        } else {
            out.push(run[i]);
            i += 1;
        }
    }
    out
}
