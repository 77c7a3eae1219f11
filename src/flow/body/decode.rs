//! The one place that decodes bodies: Base64, `content-encoding`, remains of chunked transfer, and
//! the charset.

use std::borrow::Cow;
use std::io::{self, Read};

use base64::Engine;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::flow::body::{Body, RecordedContent};
use crate::flow::headers::Headers;
use crate::limits;

/// The reason why a recorded body cannot be read. Bodies with a problem are counted by reason and
/// never end a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BodyProblem {
    /// The body is larger than [`limits::MAX_BODY_BYTES`], unpacked or not, or a reader left it out
    /// because of its length.
    TooLarge,
    /// The header `content-encoding` names an encoding that is not supported, or too many of them.
    UnknownEncoding,
    /// The compressed bytes or the Base64 are damaged or end too early.
    DamagedEncoding,
}

/// Decoder of bodies that reuses its memory.
#[derive(Debug, Default)]
pub(crate) struct BodyDecoder {
    /// Output of the last step, and of the step before it.
    buffers: [Vec<u8>; 2],
}

/// A content coding of HTTP (RFC 9110, section 8.4.1; RFC 8878 for `zstd`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// Maximum number of content codings of one body. Real messages have one, rarely two.
const MAX_CODINGS: usize = 4;

impl BodyDecoder {
    /// Decodes the body of a message with these headers. `None` if no body was recorded. The result
    /// is as the content type describes it: text is still in its own charset (see [`to_utf8`]).
    ///
    /// # Errors
    ///
    /// Returns the reason why the body cannot be read.
    pub(crate) fn decode<'b>(
        &'b mut self,
        body: Body<'b>,
        headers: Headers<'_>,
    ) -> Result<Option<Cow<'b, [u8]>>, BodyProblem> {
        if body.recorded_bytes().is_some_and(|bytes| bytes > limits::MAX_BODY_BYTES as u64) {
            return Err(BodyProblem::TooLarge);
        }
        match body.content {
            RecordedContent::Absent => Ok(None),
            RecordedContent::LeftOut(_) => Err(BodyProblem::TooLarge),
            RecordedContent::JsonText(text) => Ok(Some(text.unescaped())),
            RecordedContent::Decoded(bytes) => Ok(Some(Cow::Borrowed(bytes))),
            RecordedContent::Base64(text) => {
                let text = text.unescaped();
                let [out, _] = &mut self.buffers;
                out.clear();
                base64::engine::general_purpose::STANDARD
                    .decode_vec(text.trim_ascii(), out)
                    .map_err(|_| BodyProblem::DamagedEncoding)?;
                Ok(Some(Cow::Borrowed(out)))
            }
            RecordedContent::Wire(bytes) => {
                let bytes = match headers.get(b"transfer-encoding") {
                    Some(coding) if coding.eq_ignore_ascii_case(b"chunked") => dechunked(bytes),
                    _ => Cow::Borrowed(bytes),
                };
                let codings = codings(headers)?;
                if codings.is_empty() {
                    return Ok(Some(bytes));
                }
                self.decompress(bytes, &codings).map(Some)
            }
        }
    }

    /// Reverses the codings, the last one first.
    fn decompress<'b>(
        &'b mut self,
        bytes: Cow<'b, [u8]>,
        codings: &[Coding],
    ) -> Result<Cow<'b, [u8]>, BodyProblem> {
        let [mut input, mut output] = std::mem::take(&mut self.buffers);
        let mut is_decoded = false;
        for coding in codings.iter().rev() {
            let packed: &[u8] = if is_decoded { &input } else { &bytes };
            // Many programs store a body decompressed and keep the header.
            if !coding.is_plausible(packed) {
                continue;
            }
            output.clear();
            unpack(*coding, packed, &mut output)?;
            std::mem::swap(&mut input, &mut output);
            is_decoded = true;
        }
        self.buffers = [input, output];
        Ok(if is_decoded { Cow::Borrowed(&self.buffers[0]) } else { bytes })
    }
}

impl Coding {
    /// Returns `false` if the bytes cannot be in this coding, because they lack its magic number or
    /// are JSON.
    fn is_plausible(self, bytes: &[u8]) -> bool {
        match self {
            Self::Gzip => bytes.starts_with(&[0x1f, 0x8b]),
            Self::Zstd => bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]),
            Self::Deflate | Self::Brotli => {
                !bytes.is_empty() && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_err()
            }
        }
    }
}

/// The content codings in the order in which they were applied.
fn codings(headers: Headers<'_>) -> Result<Vec<Coding>, BodyProblem> {
    let Some(value) = headers.get(b"content-encoding") else { return Ok(Vec::new()) };
    let mut codings = Vec::new();
    for name in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        let coding = match &*name.to_ascii_lowercase() {
            b"" | b"identity" | b"none" | b"utf-8" | b"aws-chunked" => continue,
            b"gzip" | b"x-gzip" => Coding::Gzip,
            b"deflate" => Coding::Deflate,
            b"br" => Coding::Brotli,
            b"zstd" => Coding::Zstd,
            _ => return Err(BodyProblem::UnknownEncoding),
        };
        if codings.len() == MAX_CODINGS {
            return Err(BodyProblem::UnknownEncoding);
        }
        codings.push(coding);
    }
    Ok(codings)
}

/// Unpacks at most [`limits::MAX_BODY_BYTES`].
fn unpack(coding: Coding, packed: &[u8], out: &mut Vec<u8>) -> Result<(), BodyProblem> {
    let most = limits::MAX_BODY_BYTES as u64 + 1;
    let read = match coding {
        Coding::Gzip => MultiGzDecoder::new(packed).take(most).read_to_end(out),
        Coding::Brotli => {
            brotli_decompressor::Decompressor::new(packed, 4096).take(most).read_to_end(out)
        }
        // The specification means zlib, but some servers send raw deflate data (RFC 9110, section
        // 8.4.1.2).
        Coding::Deflate if matches!(packed, [0x78, ..]) => {
            ZlibDecoder::new(packed).take(most).read_to_end(out)
        }
        Coding::Deflate => DeflateDecoder::new(packed).take(most).read_to_end(out),
        Coding::Zstd => ruzstd::decoding::StreamingDecoder::new(packed)
            .map_err(io::Error::other)
            .and_then(|decoder| decoder.take(most).read_to_end(out)),
    };
    match read {
        Ok(_) if out.len() > limits::MAX_BODY_BYTES => Err(BodyProblem::TooLarge),
        Ok(_) => Ok(()),
        Err(_) => Err(BodyProblem::DamagedEncoding),
    }
}

/// Removes the framing of a chunked transfer, if the recorder left it in the body (RFC 9112,
/// section 7.1).
fn dechunked(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(end) = memchr::memchr(b'\n', &rest[..rest.len().min(64)]) {
        let line = rest[..end].trim_ascii();
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let length = std::str::from_utf8(digits).ok().filter(|_| !digits.is_empty());
        let Some(length) = length.and_then(|text| usize::from_str_radix(text, 16).ok()) else {
            return Cow::Borrowed(bytes);
        };
        rest = &rest[end + 1..];
        if length == 0 {
            return Cow::Owned(out);
        }
        let Some((chunk, after)) = rest.split_at_checked(length) else { break };
        out.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n").or_else(|| after.strip_prefix(b"\n")).unwrap_or(after);
    }
    Cow::Borrowed(bytes)
}

/// Converts text to UTF-8 from the charset of a byte order mark, otherwise from that of the content
/// type. Text without either, and text that is not valid in its charset, is returned unchanged.
pub(crate) fn to_utf8<'t>(text: Cow<'t, [u8]>, content_type: Option<&[u8]>) -> Cow<'t, [u8]> {
    let marked = encoding_rs::Encoding::for_bom(&text);
    let named = || {
        let value = charset_of(content_type?)?;
        encoding_rs::Encoding::for_label(value)
    };
    let Some(encoding) = marked.map(|(encoding, _)| encoding).or_else(named) else { return text };
    let start = marked.map_or(0, |(_, length)| length);
    if encoding == encoding_rs::UTF_8 {
        return match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[start..]),
            Cow::Owned(text) => Cow::Owned(text[start..].to_vec()),
        };
    }
    let (decoded, has_errors) = encoding.decode_without_bom_handling(&text[start..]);
    if has_errors {
        return text;
    }
    Cow::Owned(decoded.into_owned().into_bytes())
}

/// The parameter `charset` of a content type.
fn charset_of(content_type: &[u8]) -> Option<&[u8]> {
    content_type.split(|byte| *byte == b';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_at_checked(memchr::memchr(b'=', parameter)?)?;
        name.trim_ascii()
            .eq_ignore_ascii_case(b"charset")
            .then(|| value[1..].trim_ascii().trim_matches_quotes())
    })
}

/// Removal of quotes around a value.
trait TrimQuotes {
    fn trim_matches_quotes(&self) -> &[u8];
}

impl TrimQuotes for [u8] {
    fn trim_matches_quotes(&self) -> &[u8] {
        self.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Header;
    use crate::flow::json_string::JsonString;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(body: Body<'_>, pairs: &[Header<'_>]) -> Result<Option<Vec<u8>>, BodyProblem> {
        let mut decoder = BodyDecoder::default();
        let bytes = decoder.decode(body, Headers::new(pairs))?;
        Ok(bytes.map(Cow::into_owned))
    }

    #[test]
    fn codings_are_undone_in_turn() {
        let text = br#"{"a": 1}"#;
        let once = gzip(text);
        let twice = gzip(&once);
        let encoding = |value: &'static str| [(&b"Content-Encoding"[..], Some(value.as_bytes()))];
        assert_eq!(decoded(Body::wire(&once), &encoding("gzip")), Ok(Some(text.to_vec())));
        assert_eq!(decoded(Body::wire(&twice), &encoding("gzip, x-gzip")), Ok(Some(text.to_vec())));
        // The recorder decompressed the body and kept the header.
        for name in ["gzip", "br", "deflate", "zstd"] {
            assert_eq!(decoded(Body::wire(text), &encoding(name)), Ok(Some(text.to_vec())));
        }
        assert_eq!(
            decoded(Body::wire(&once[..20]), &encoding("gzip")),
            Err(BodyProblem::DamagedEncoding)
        );
        assert_eq!(
            decoded(Body::wire(text), &encoding("compress")),
            Err(BodyProblem::UnknownEncoding)
        );
        assert_eq!(decoded(Body::default(), &encoding("gzip")), Ok(None));
        assert_eq!(decoded(Body::left_out(1 << 30), &[]), Err(BodyProblem::TooLarge));
    }

    #[test]
    fn a_bomb_is_too_large() {
        let bomb = gzip(&vec![b' '; limits::MAX_BODY_BYTES + 1]);
        assert_eq!(
            decoded(Body::wire(&bomb), &[(b"content-encoding", Some(b"gzip"))]),
            Err(BodyProblem::TooLarge)
        );
    }

    #[test]
    fn chunks_and_base64_are_undone() {
        let chunked = [(&b"transfer-encoding"[..], Some(&b"chunked"[..]))];
        let body = b"5\r\n{\"a\":\r\n3;x=y\r\n 1}\r\n0\r\n\r\n";
        assert_eq!(decoded(Body::wire(body), &chunked), Ok(Some(b"{\"a\": 1}".to_vec())));
        assert_eq!(decoded(Body::wire(b"[5]\n"), &chunked), Ok(Some(b"[5]\n".to_vec())));
        let text = JsonString::new(b"eyJhIjogMX0=", false);
        assert_eq!(decoded(Body::base64(text), &[]), Ok(Some(b"{\"a\": 1}".to_vec())));
        let text = JsonString::new(b"eyJh***", false);
        assert_eq!(decoded(Body::base64(text), &[]), Err(BodyProblem::DamagedEncoding));
    }

    #[test]
    fn charsets_become_utf8() {
        let check = |bytes: &[u8], content_type: &[u8], text: &str| {
            let utf8 = to_utf8(Cow::Borrowed(bytes), Some(content_type));
            assert_eq!(String::from_utf8_lossy(&utf8), text);
        };
        check(b"\xe9", b"text/plain; charset=\"ISO-8859-1\"", "\u{e9}");
        check(b"\xef\xbb\xbfx", b"application/json", "x");
        check(b"\xff\xfex\0", b"application/json", "x");
        check(b"\xc3\xa9", b"application/json;charset=utf-8", "\u{e9}");
        check(b"\xc3\xa9", b"application/json;charset=klingon", "\u{e9}");
    }
}
