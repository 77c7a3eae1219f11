//! Conversion of one HAR entry to a flow.
//!
//! The specification is <http://www.softwareishard.com/blog/har-12-spec/>. Common deviations are
//! accepted: missing or null parts, headers as pairs, numbers as text, Insomnia's `queryString`.

use std::borrow::Cow;

use crate::capture::chunk::CaptureItem;
use crate::capture::fields::{Text, integer, read_pairs, size};
use crate::capture::json::{JsonError, JsonReader};
use crate::capture::time;
use crate::flow::json_string::JsonString;
use crate::flow::{Body, Flow, Headers, Outcome, OwnedHeader, Protocol, Response};

/// The fields of an entry that are used.
#[derive(Default)]
pub(super) struct HarEntry<'a> {
    id: Text<'a>,
    pub(super) started: Text<'a>,
    pub(super) milliseconds: Text<'a>,
    pub(super) method: Text<'a>,
    pub(super) url: Text<'a>,
    query: Vec<OwnedHeader<'a>>,
    pub(super) request_headers: Vec<OwnedHeader<'a>>,
    pub(super) request_body: Body<'a>,
    /// The fields of a form, where a program writes these and not the text.
    form_fields: Vec<OwnedHeader<'a>>,
    pub(super) response_text: Option<JsonString<'a>>,
    pub(super) is_base64: bool,
    pub(super) has_response: bool,
    pub(super) status: Text<'a>,
    pub(super) response_headers: Vec<OwnedHeader<'a>>,
    pub(super) media_type: Text<'a>,
    pub(super) body_size: Text<'a>,
    pub(super) content_size: Text<'a>,
    pub(super) outcome: Outcome,
    protocol: Protocol,
    /// Whether the entry has a key that only Charles sessions have.
    pub(super) is_charles: bool,
}

impl<'a> HarEntry<'a> {
    /// Clears all fields, but keeps the memory of the lists.
    pub(super) fn reset(&mut self) {
        let mut lists = [
            std::mem::take(&mut self.request_headers),
            std::mem::take(&mut self.response_headers),
            std::mem::take(&mut self.query),
            std::mem::take(&mut self.form_fields),
        ];
        lists.iter_mut().for_each(Vec::clear);
        let [request_headers, response_headers, query, form_fields] = lists;
        *self = Self { query, request_headers, form_fields, response_headers, ..Self::default() };
    }

    pub(super) fn read(&mut self, json: &mut JsonReader<'a>) -> Result<(), JsonError> {
        json.members(|key, json| {
            match key {
                b"request" => self.read_request(json)?,
                b"response" => self.read_response(json)?,
                b"startedDateTime" => self.started = json.scalar()?,
                b"time" => self.milliseconds = json.scalar()?,
                b"_id" | b"id" => self.id = json.scalar()?,
                b"_error" | b"_failureText" => self.read_failure(json)?,
                b"_resourceType" => {
                    let kind = json.text()?;
                    if kind.is_some_and(|kind| &*kind == b"websocket") {
                        self.protocol = Protocol::Websocket;
                    }
                }
                b"_webSocketMessages" => self.protocol = Protocol::Websocket,
                b"host" | b"tunnel" => self.is_charles = true,
                _ => {}
            }
            Ok(())
        })
    }

    fn read_request(&mut self, json: &mut JsonReader<'a>) -> Result<(), JsonError> {
        let mut media_type = None;
        json.members(|key, json| {
            match key {
                b"method" => self.method = json.text()?,
                b"url" => self.url = json.text()?,
                b"headers" => read_pairs(json, &mut self.request_headers)?,
                b"queryString" => read_pairs(json, &mut self.query)?,
                b"postData" => json.members(|key, json| {
                    match key {
                        // The text is decompressed, whatever the headers say of its encoding.
                        b"text" => {
                            self.request_body =
                                json.raw_text()?.map(Body::json_text).unwrap_or_default();
                        }
                        b"params" => read_pairs(json, &mut self.form_fields)?,
                        b"mimeType" => media_type = json.text()?,
                        _ => {}
                    }
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        })?;
        let is_type = |(name, _): &OwnedHeader<'_>| name.eq_ignore_ascii_case(b"content-type");
        if let Some(media_type) = media_type.filter(|media_type| !media_type.is_empty())
            // Where no header was recorded, that one was sent would say that the others were not.
            && !self.request_headers.is_empty()
            && !self.request_headers.iter().any(is_type)
        {
            let name = Cow::Borrowed(&b"content-type"[..]);
            self.request_headers.push((name, Some(media_type)));
        }
        Ok(())
    }

    fn read_response(&mut self, json: &mut JsonReader<'a>) -> Result<(), JsonError> {
        json.members(|key, json| {
            self.has_response = true;
            match key {
                b"status" => self.status = json.scalar()?,
                b"headers" => read_pairs(json, &mut self.response_headers)?,
                b"bodySize" => self.body_size = json.scalar()?,
                b"_error" => self.read_failure(json)?,
                b"content" => json.members(|key, json| {
                    match key {
                        b"mimeType" => self.media_type = json.text()?,
                        b"size" => self.content_size = json.scalar()?,
                        b"text" => self.response_text = json.raw_text()?,
                        b"encoding" => {
                            self.is_base64 = json.text()?.is_some_and(|name| &*name == b"base64");
                        }
                        _ => {}
                    }
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        })
    }

    fn read_failure(&mut self, json: &mut JsonReader<'a>) -> Result<(), JsonError> {
        if json.scalar()?.is_some() {
            self.outcome = Outcome::Failed;
        }
        Ok(())
    }

    pub(super) fn emit_entry(&self, offset: u64, found: &mut dyn FnMut(u64, CaptureItem<'_>)) {
        let method = Cow::Borrowed(self.method.as_deref().unwrap_or_default());
        let mut flow = Flow::of_any_url(method, self.url.as_deref().unwrap_or_default());
        self.complete(&mut flow);
        let form = (!self.form_fields.is_empty() && !self.request_body.is_recorded())
            .then(|| form_body(&self.form_fields, flow.request_headers));
        if let Some(form) = &form {
            flow.request_body = Body::decoded(form);
        }
        found(offset, CaptureItem::Flow(&flow));
    }

    fn response_body(&self) -> Body<'_> {
        let form = if self.is_base64 { Body::base64 } else { Body::json_text };
        self.response_text.map(form).unwrap_or_default()
    }

    fn complete<'f>(&'f self, flow: &mut Flow<'f>) {
        flow.id = self.id.as_deref().unwrap_or_default();
        if !self.query.is_empty() && !flow.target.contains(&b'?') {
            flow.target = Cow::Owned(with_query(&flow.target, &self.query));
        }
        flow.request_headers = Headers::owned(&self.request_headers);
        flow.request_body = self.request_body;
        flow.started = self.started.as_deref().and_then(time::nanoseconds);
        let status = self.status.as_deref().and_then(integer);
        // Programs write status 0 if there was no response. The original tool then stores no
        // response.
        if self.has_response && status != Some(0) {
            let headers = Headers::owned(&self.response_headers);
            let in_headers = headers.get(b"content-type").is_some();
            flow.response = Some(Response {
                status: status.unwrap_or_default(),
                headers,
                content_type: self.media_type.as_deref().filter(|_| !in_headers),
                body_bytes: size(&self.body_size).or_else(|| size(&self.content_size)),
                body: self.response_body(),
            });
            flow.duration = self.milliseconds.as_deref().and_then(time::milliseconds);
        }
        flow.outcome = self.outcome;
        flow.protocol = self.protocol;
    }
}

/// Writes the fields of a form as their media type has them: `multipart/form-data`, or else as a query.
fn form_body(fields: &[OwnedHeader<'_>], headers: Headers<'_>) -> Vec<u8> {
    let media_type = headers.get(b"content-type").unwrap_or_default();
    let boundary = memchr::memmem::find(media_type, b"boundary=").map(|at| {
        let rest = media_type[at + b"boundary=".len()..].split(|byte| *byte == b';').next();
        rest.unwrap_or_default().trim_ascii().to_vec()
    });
    let Some(boundary) = boundary else {
        return with_query(b"", fields).split_off(1);
    };
    let boundary: Vec<u8> = boundary.into_iter().filter(|byte| *byte != b'"').collect();
    let mut out = Vec::new();
    for (name, value) in fields {
        let name: Vec<u8> = name.iter().copied().filter(|byte| !b"\"\r\n".contains(byte)).collect();
        out.extend_from_slice(b"--");
        out.extend_from_slice(&boundary);
        out.extend_from_slice(b"\r\nContent-Disposition: form-data; name=\"");
        out.extend_from_slice(&name);
        // The content of a file is not in the list.
        out.extend_from_slice(if value.is_some() { b"\"" } else { b"\"; filename=\"\"" });
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(value.as_deref().unwrap_or_default());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"--");
    out.extend_from_slice(&boundary);
    out.extend_from_slice(b"--\r\n");
    out
}

/// Appends the parameters that Insomnia stores beside the URL.
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
