//! One entry of a HAR -> one flow.
//!
//! The specification is <http://www.softwareishard.com/blog/har-12-spec/>; what writers do otherwise is taken as they
//! mean it: parts that are missing or null, headers as pairs, numbers as text, Insomnia's `queryString`.

use std::borrow::Cow;

use crate::capture::fields::{Text, integer, read_pairs, size};
use crate::capture::har::charles;
use crate::capture::json::{BadJson, Json};
use crate::capture::{Found, jsonl, time};
use crate::flow::{Flow, Headers, OwnedHeader, Response};

/// An entry, as far as it is used.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says what was seen, and none excludes another"
)]
#[derive(Default)]
pub(super) struct Entry<'a> {
    id: Text<'a>,
    pub(super) started: Text<'a>,
    pub(super) milliseconds: Text<'a>,
    pub(super) method: Text<'a>,
    pub(super) url: Text<'a>,
    query: Vec<OwnedHeader<'a>>,
    pub(super) request_headers: Vec<OwnedHeader<'a>>,
    pub(super) request_body: Text<'a>,
    pub(super) has_response: bool,
    pub(super) status: Text<'a>,
    pub(super) response_headers: Vec<OwnedHeader<'a>>,
    pub(super) media_type: Text<'a>,
    pub(super) body_size: Text<'a>,
    pub(super) content_size: Text<'a>,
    pub(super) failed: bool,
    websocket: bool,
    /// Does it have what only a Charles session has?
    is_charles: bool,
}

/// Reads the value at the front into `entry`, whose memory is used again; how long it is, or what is wrong with it.
pub(super) fn decode<'a>(
    bytes: &'a [u8],
    offset: u64,
    entry: &mut Entry<'a>,
    found: &mut dyn FnMut(u64, Found<'_>),
) -> Result<usize, String> {
    let mut json = Json::new(bytes);
    let bad = |error: BadJson| format!("it is no JSON at its byte {}", error.at);
    if json.peek() != Some(b'{') {
        json.skip().map_err(bad)?;
        return Err("it is no object".to_owned());
    }
    entry.reset();
    entry.read(&mut json).map_err(bad)?;
    let end = json.at();
    if entry.url.is_none() && entry.is_charles {
        *entry = charles::read(&bytes[..end]).map_err(bad)?;
    }
    if entry.url.is_none() || entry.method.is_none() {
        // A list of flows in the spelling of JSON lines.
        if entry.url.is_none() && jsonl::is_flow(&bytes[..end]) {
            jsonl::decode_line(&bytes[..end], offset, found);
            return Ok(end);
        }
        let missing = if entry.url.is_none() { "url" } else { "method" };
        return Err(format!("its request has no {missing}"));
    }
    entry.find(offset, found);
    Ok(end)
}

impl<'a> Entry<'a> {
    /// Forgets all but the memory of its lists.
    fn reset(&mut self) {
        let mut lists = [
            std::mem::take(&mut self.request_headers),
            std::mem::take(&mut self.response_headers),
            std::mem::take(&mut self.query),
        ];
        lists.iter_mut().for_each(Vec::clear);
        let [request_headers, response_headers, query] = lists;
        *self = Self { query, request_headers, response_headers, ..Self::default() };
    }

    fn read(&mut self, json: &mut Json<'a>) -> Result<(), BadJson> {
        json.members(|key, json| {
            match key {
                b"request" => self.read_request(json)?,
                b"response" => self.read_response(json)?,
                b"startedDateTime" => self.started = json.scalar()?,
                b"time" => self.milliseconds = json.scalar()?,
                b"_id" | b"id" => self.id = json.scalar()?,
                b"_error" | b"_failureText" => self.failed |= json.scalar()?.is_some(),
                b"_resourceType" => {
                    self.websocket |= json.text()?.is_some_and(|kind| &*kind == b"websocket");
                }
                b"_webSocketMessages" => self.websocket = true,
                b"host" | b"tunnel" => self.is_charles = true,
                _ => {}
            }
            Ok(())
        })
    }

    fn read_request(&mut self, json: &mut Json<'a>) -> Result<(), BadJson> {
        json.members(|key, json| {
            match key {
                b"method" => self.method = json.text()?,
                b"url" => self.url = json.text()?,
                b"headers" => read_pairs(json, &mut self.request_headers)?,
                b"queryString" => read_pairs(json, &mut self.query)?,
                b"postData" => json.members(|key, json| {
                    if key == b"text" {
                        self.request_body = json.text()?;
                    }
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        })
    }

    fn read_response(&mut self, json: &mut Json<'a>) -> Result<(), BadJson> {
        json.members(|key, json| {
            self.has_response = true;
            match key {
                b"status" => self.status = json.scalar()?,
                b"headers" => read_pairs(json, &mut self.response_headers)?,
                b"bodySize" => self.body_size = json.scalar()?,
                b"_error" => self.failed |= json.scalar()?.is_some(),
                b"content" => json.members(|key, json| {
                    match key {
                        b"mimeType" => self.media_type = json.text()?,
                        b"size" => self.content_size = json.scalar()?,
                        _ => {}
                    }
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        })
    }

    fn find(&self, offset: u64, found: &mut dyn FnMut(u64, Found<'_>)) {
        let method = Cow::Borrowed(self.method.as_deref().unwrap_or_default());
        let url = self.url.as_deref().unwrap_or_default();
        if let Some(mut flow) = Flow::from_url(method.clone(), url) {
            self.complete(&mut flow);
            found(offset, Found::Flow(&flow));
        } else {
            let mut flow = Flow::bare(method, url);
            self.complete(&mut flow);
            found(offset, Found::NotHttp(&flow));
        }
    }

    fn complete<'f>(&'f self, flow: &mut Flow<'f>) {
        flow.id = self.id.as_deref().unwrap_or_default();
        if !self.query.is_empty() && !flow.target.contains(&b'?') {
            flow.target = Cow::Owned(with_query(&flow.target, &self.query));
        }
        flow.request_headers = Headers::owned(&self.request_headers);
        // The text is decoded, whatever the headers say of its encoding.
        flow.request_body = self.request_body.as_deref();
        flow.started = self.started.as_deref().and_then(time::nanoseconds);
        let status = self.status.as_deref().and_then(integer);
        // 0 is what programs write where there was no answer; the original stores no response then.
        if self.has_response && status != Some(0) {
            let headers = Headers::owned(&self.response_headers);
            let in_headers = headers.get(b"content-type").is_some();
            flow.response = Some(Response {
                status: status.unwrap_or_default(),
                headers,
                content_type: self.media_type.as_deref().filter(|_| !in_headers),
                body_bytes: size(&self.body_size).or_else(|| size(&self.content_size)),
            });
            flow.duration = self.milliseconds.as_deref().and_then(time::milliseconds);
        }
        flow.failed = self.failed;
        flow.websocket = self.websocket;
    }
}

/// The parameters that Insomnia keeps beside the URL.
fn with_query(target: &[u8], query: &[OwnedHeader<'_>]) -> Vec<u8> {
    let path = &target[..memchr::memchr(b'#', target).unwrap_or(target.len())];
    let mut out = path.to_vec();
    for (i, (name, value)) in query.iter().enumerate() {
        out.push(if i == 0 { b'?' } else { b'&' });
        out.extend(url::form_urlencoded::byte_serialize(name).collect::<String>().bytes());
        out.push(b'=');
        let value = value.as_deref().unwrap_or_default();
        out.extend(url::form_urlencoded::byte_serialize(value).collect::<String>().bytes());
    }
    out
}
