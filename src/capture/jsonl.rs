//! JSON lines: one flow a line, in two spellings, or anything between them.
//!
//! ```json
//! {"id":"f1","request":{"url":"https://h/a","method":"GET","headers":{"x":"1"}},"response":{"status_code":200,"headers":{}},"timestamp":1700000000.5}
//! {"method":"GET","url":"https://h/a","status":200,"request_headers":[["x","1"]],"content_type":"application/json"}
//! ```

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::capture::bytes::{Batch, Reader};
use crate::capture::{Cut, Damage, Found, time};
use crate::flow::{Flow, Header, Headers, Response};
use crate::limits;
use crate::skip::SkipReason;

/// Cuts JSON lines into batches of whole lines.
pub(crate) struct Lines<'a> {
    reader: Reader<'a>,
    batch_bytes: usize,
    is_live: bool,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(reader: Reader<'a>, batch_bytes: usize, is_live: bool) -> Self {
        Self { reader, batch_bytes: batch_bytes.max(64), is_live }
    }

    pub(crate) fn reader(&mut self) -> &mut Reader<'a> {
        &mut self.reader
    }

    pub(crate) fn next(&mut self, batch: &mut Batch) -> Cut {
        batch.clear();
        batch.shrink(self.batch_bytes);
        batch.offset = self.reader.position();
        let mut want = self.batch_bytes;
        loop {
            let ended = self.reader.fill(batch, want);
            if batch.bytes().is_empty() {
                return Cut::End;
            }
            if ended && !self.is_live {
                return Cut::Batch;
            }
            if let Some(newline) = memchr::memrchr(b'\n', batch.bytes()) {
                self.reader.unread(&batch.bytes()[newline + 1..]);
                batch.truncate(newline + 1);
                return Cut::Batch;
            }
            if ended {
                self.reader.unread(batch.bytes());
                return Cut::End;
            }
            if want >= limits::LINE_BYTES {
                return self.skip_line(batch);
            }
            want = (want * 2).min(limits::LINE_BYTES);
        }
    }

    fn skip_line(&mut self, batch: &mut Batch) -> Cut {
        let start = batch.offset;
        loop {
            batch.clear();
            let ended = self.reader.fill(batch, self.batch_bytes);
            if let Some(newline) = memchr::memchr(b'\n', batch.bytes()) {
                self.reader.unread(&batch.bytes()[newline + 1..]);
            } else if !ended {
                continue;
            }
            let length = self.reader.position() - start;
            let message = format!(
                "line of {length} bytes is longer than the {} that are read; skipped",
                limits::LINE_BYTES
            );
            return Cut::Damage(Damage { reason: SkipReason::TooLarge, offset: start, message });
        }
    }
}

/// Is this line a flow?
pub(crate) fn is_flow(line: &[u8]) -> bool {
    serde_json::from_slice::<Line<'_>>(line)
        .is_ok_and(|line| line.method().is_some() && line.url().is_some())
}

pub(crate) fn decode(batch: &Batch, found: &mut dyn FnMut(u64, Found<'_>)) {
    let bytes = batch.bytes();
    let mut start = 0;
    while start < bytes.len() {
        let end =
            memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |newline| start + newline);
        let mut line = bytes[start..end].trim_ascii();
        let offset = batch.offset + start as u64;
        if offset == 0 {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
        }
        if !line.is_empty() {
            decode_line(line, offset, found);
        }
        start = end + 1;
    }
}

/// Reads the objects of a line: one, or several where the line breaks between them were lost.
pub(crate) fn decode_line(line: &[u8], offset: u64, found: &mut dyn FnMut(u64, Found<'_>)) {
    // JSON is UTF-8, but logs hold what clients sent: such a line is read with replacement characters.
    let repaired = match std::str::from_utf8(line) {
        Ok(_) => None,
        Err(_) => Some(String::from_utf8_lossy(line)),
    };
    let line = repaired.as_ref().map_or(line, |repaired| repaired.as_bytes());
    let mut start = 0;
    for _ in 0..limits::OBJECTS_IN_LINE {
        let mut objects =
            serde_json::Deserializer::from_slice(&line[start..]).into_iter::<Line<'_>>();
        let error = loop {
            let at = offset + (start + objects.byte_offset()) as u64;
            match objects.next() {
                Some(Ok(object)) => use_line(&object, at, found),
                Some(Err(error)) => break error,
                None => return,
            }
        };
        let read = objects.byte_offset();
        bad_line(&error, offset + (start + read) as u64, found);
        // After an object that was whole there may be another one.
        match memchr::memchr(b'{', &line[start + read..]) {
            Some(next) if read > 0 && next > 0 => start += read + next,
            _ => return,
        }
    }
}

fn bad_line(error: &serde_json::Error, offset: u64, found: &mut dyn FnMut(u64, Found<'_>)) {
    // The parser's words may quote the line: say only where, and of what sort it is.
    let what = match error.classify() {
        serde_json::error::Category::Eof => "ends in the middle",
        serde_json::error::Category::Syntax => "is no JSON",
        _ => "is no flow (a field has a value of the wrong type)",
    };
    let message = format!("line {what}, at its column {}; skipped", error.column());
    found(offset, Found::Skipped(SkipReason::BadLine, message));
}

fn use_line(line: &Line<'_>, offset: u64, found: &mut dyn FnMut(u64, Found<'_>)) {
    let (Some(method), Some(url)) = (line.method(), line.url()) else {
        let missing = if line.url().is_none() { "url" } else { "method" };
        let message = format!("line has no \"{missing}\"; skipped");
        return found(offset, Found::Skipped(SkipReason::BadLine, message));
    };
    let mut request_pairs = Vec::new();
    let mut response_pairs = Vec::new();
    if let Some(mut flow) = Flow::from_url(Cow::Borrowed(method), url) {
        line.complete(&mut flow, &mut request_pairs, &mut response_pairs);
        found(offset, Found::Flow(&flow));
    } else {
        // The original takes any text for an URL, so the compat answer must see it.
        let mut flow = Flow::bare(Cow::Borrowed(method), url);
        line.complete(&mut flow, &mut request_pairs, &mut response_pairs);
        found(offset, Found::NotHttp(&flow));
    }
}

/// A line in both spellings.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    id: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    request: Option<Message<'a>>,
    #[serde(borrow, default)]
    response: Option<Message<'a>>,
    #[serde(borrow, default)]
    method: Option<Text<'a>>,
    #[serde(borrow, default)]
    url: Option<Text<'a>>,
    #[serde(borrow, default, alias = "status_code")]
    status: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    request_headers: Option<Pairs<'a>>,
    #[serde(borrow, default)]
    response_headers: Option<Pairs<'a>>,
    #[serde(borrow, default)]
    content_type: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    timestamp: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    duration_ms: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    response_bytes: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    request_body: Option<Scalar<'a>>,
}

/// A request or a response.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    method: Option<Text<'a>>,
    #[serde(borrow, default)]
    url: Option<Text<'a>>,
    #[serde(borrow, default, alias = "status")]
    status_code: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    headers: Option<Pairs<'a>>,
}

impl Line<'_> {
    fn method(&self) -> Option<&[u8]> {
        let in_request = self.request.as_ref().and_then(|request| request.method.as_ref());
        in_request.or(self.method.as_ref()).map(|method| &*method.0)
    }

    fn url(&self) -> Option<&[u8]> {
        let in_request = self.request.as_ref().and_then(|request| request.url.as_ref());
        in_request.or(self.url.as_ref()).map(|url| &*url.0)
    }

    /// Fills in all but method and URL.
    fn complete<'f>(
        &'f self,
        flow: &mut Flow<'f>,
        request_pairs: &'f mut Vec<Header<'f>>,
        response_pairs: &'f mut Vec<Header<'f>>,
    ) {
        flow.id = self.id.as_ref().map_or(b"", Scalar::text);
        let request_headers = self
            .request
            .as_ref()
            .and_then(|r| r.headers.as_ref())
            .or(self.request_headers.as_ref());
        flow.request_headers = headers(request_headers, request_pairs);
        flow.request_body = self.request_body.as_ref().map(Scalar::text);
        flow.started = self.timestamp.as_ref().and_then(Scalar::nanoseconds);
        let response_headers = self
            .response
            .as_ref()
            .and_then(|r| r.headers.as_ref())
            .or(self.response_headers.as_ref());
        let headers = headers(response_headers, response_pairs);
        let status =
            self.response.as_ref().and_then(|r| r.status_code.as_ref()).or(self.status.as_ref());
        let status = status.and_then(Scalar::integer);
        flow.response = (self.response.is_some() || status.is_some()).then(|| Response {
            status: status.unwrap_or_default(),
            headers,
            content_type: self.content_type.as_ref().map(Scalar::text),
            body_bytes: self
                .response_bytes
                .as_ref()
                .and_then(Scalar::integer)
                .and_then(|n| u64::try_from(n).ok()),
        });
        let duration = self.duration_ms.as_ref().and_then(|ms| time::milliseconds(ms.text()));
        flow.ended = flow.started.zip(duration).and_then(|(at, took)| at.checked_add(took));
    }
}

fn headers<'f>(pairs: Option<&'f Pairs<'_>>, out: &'f mut Vec<Header<'f>>) -> Headers<'f> {
    if let Some(pairs) = pairs {
        out.extend(
            pairs.0.iter().map(|(name, value)| (&*name.0, value.as_ref().map(|value| &*value.0))),
        );
    }
    Headers::new(out)
}

/// A string as bytes: lone surrogates, which JSON can spell and UTF-8 cannot, come out as the three bytes of WTF-8.
#[derive(Clone, Debug, Default)]
struct Text<'a>(Cow<'a, [u8]>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(bytes)))
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(bytes.to_vec())))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// A string or a number, as its text.
struct Scalar<'a>(Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        if raw.starts_with('"') {
            let text = serde_json::from_str::<Text<'de>>(raw).map_err(serde::de::Error::custom)?;
            return Ok(Self(text));
        }
        Ok(Self(Text(Cow::Borrowed(raw.as_bytes()))))
    }
}

impl Scalar<'_> {
    fn text(&self) -> &[u8] {
        &self.0.0
    }

    fn integer(&self) -> Option<i64> {
        let text = std::str::from_utf8(self.text()).ok()?.trim();
        let whole =
            text.split_once('.').filter(|(_, fraction)| fraction.bytes().all(|b| b == b'0'));
        whole.map_or(text, |(whole, _)| whole).parse().ok()
    }

    /// A time, in any of the ways that [`time`] knows.
    fn nanoseconds(&self) -> Option<i64> {
        time::nanoseconds(self.text())
    }
}

/// Headers: an object of name to value, or a list of pairs, or a list of objects with `name` and `value`.
#[derive(Default)]
struct Pairs<'a>(Vec<(Text<'a>, Option<Text<'a>>)>);

/// A header's value: text; a number or boolean as its text; nothing for null.
struct HeaderValue<'a>(Option<Text<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for HeaderValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::<Scalar<'de>>::deserialize(deserializer)?.map(|scalar| scalar.0)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("headers: an object, or a list of pairs")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs: Vec<(Text<'de>, Option<Text<'de>>)> = Vec::new();
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    let value = map.next_value::<HeaderValue<'de>>()?.0;
                    if pairs.len() < limits::HEADERS {
                        pairs.push((name, value));
                    }
                }
                Ok(Pairs(pairs))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = list.next_element::<Pair<'de>>()? {
                    if pairs.len() < limits::HEADERS {
                        pairs.push((pair.0, pair.1));
                    }
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

struct Pair<'a>(Text<'a>, Option<Text<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Pair<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Pair<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a header: [name, value], or an object with both")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let name = list.next_element::<Text<'de>>()?.unwrap_or_default();
                let value = list.next_element::<HeaderValue<'de>>()?.and_then(|value| value.0);
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Pair(name, value))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pair = Pair(Text::default(), None);
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match &*key.0 {
                        b"name" => pair.0 = map.next_value()?,
                        b"value" => pair.1 = map.next_value::<HeaderValue<'de>>()?.0,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(pair)
            }
        }
        deserializer.deserialize_any(Any)
    }
}
