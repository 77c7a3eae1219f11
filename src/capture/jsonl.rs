//! Reader of JSON lines: one flow per line, in a nested or a flat form, or in a mixture of both, and the access logs that servers
//! write as JSON.
//!
//! ```json
//! {"id":"f1","request":{"url":"https://h/a","method":"GET","headers":{"x":"1"}},"response":{"status_code":200,"headers":{}},"timestamp":1700000000.5}
//! {"method":"GET","url":"https://h/a","status":200,"request_headers":[["x","1"]],"content_type":"application/json"}
//! ```

use std::borrow::Cow;

use crate::capture::access_log::DEFAULT_LOG_HOST;
use crate::capture::batch::{Batch, CaptureReader};
use crate::capture::chunk::{CaptureItem, Chunk, Damage};
use crate::capture::fields::{Text, integer, read_pairs, size};
use crate::capture::json::{JsonError, JsonReader};
use crate::capture::log_fields::LogFields;
use crate::capture::time;
use crate::flow::{Body, Flow, Headers, Outcome, OwnedHeader, Protocol, Response};
use crate::limits;
use crate::skip::SkipReason;

/// Cuts JSON lines into batches of whole lines.
pub(crate) struct LineFramer<'a> {
    reader: CaptureReader<'a>,
    batch_bytes: usize,
    is_live: bool,
}

impl<'a> LineFramer<'a> {
    pub(crate) fn new(reader: CaptureReader<'a>, batch_bytes: usize, is_live: bool) -> Self {
        Self { reader, batch_bytes: batch_bytes.max(64), is_live }
    }

    pub(crate) fn reader(&mut self) -> &mut CaptureReader<'a> {
        &mut self.reader
    }

    pub(crate) fn next(&mut self, batch: &mut Batch) -> Chunk {
        batch.clear();
        batch.shrink(self.batch_bytes);
        batch.offset = self.reader.position();
        let mut want = self.batch_bytes;
        loop {
            let ended = self.reader.fill(batch, want);
            if batch.bytes().is_empty() {
                return Chunk::End;
            }
            if ended && !self.is_live {
                return Chunk::Batch;
            }
            if let Some(newline) = memchr::memrchr(b'\n', batch.bytes()) {
                self.reader.unread(&batch.bytes()[newline + 1..]);
                batch.truncate(newline + 1);
                return Chunk::Batch;
            }
            if ended {
                self.reader.unread(batch.bytes());
                return Chunk::End;
            }
            if want >= limits::MAX_LINE_BYTES {
                return self.skip_line(batch);
            }
            want = (want * 2).min(limits::MAX_LINE_BYTES);
        }
    }

    fn skip_line(&mut self, batch: &mut Batch) -> Chunk {
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
                limits::MAX_LINE_BYTES
            );
            return Chunk::Damage(Damage { reason: SkipReason::TooLarge, offset: start, message });
        }
    }
}

/// Returns `true` if the line is a flow.
pub(crate) fn is_flow(text: &[u8]) -> bool {
    let mut json = JsonReader::new(text);
    let mut line = FlowLine::default();
    line.read(&mut json).is_ok()
        && line.method().is_some()
        && (line.url().is_some() || line.log.has_target())
        && json.peek().is_none()
}

pub(crate) fn decode(batch: &Batch, log_host: &str, found: &mut dyn FnMut(u64, CaptureItem<'_>)) {
    let bytes = batch.bytes();
    let mut line = FlowLine::default();
    let mut start = 0;
    while start < bytes.len() {
        let end =
            memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |newline| start + newline);
        let mut text = bytes[start..end].trim_ascii();
        let offset = batch.offset + start as u64;
        if offset == 0 {
            text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii();
        }
        if !text.is_empty() {
            line.decode_objects(text, offset, log_host, found);
        }
        start = end + 1;
    }
}

/// Reads the objects of a line. There are several if the line breaks between them were lost.
pub(crate) fn decode_line(text: &[u8], offset: u64, found: &mut dyn FnMut(u64, CaptureItem<'_>)) {
    FlowLine::default().decode_objects(text, offset, DEFAULT_LOG_HOST, found);
}

fn report_bad_line(
    text: &[u8],
    error: JsonError,
    offset: u64,
    found: &mut dyn FnMut(u64, CaptureItem<'_>),
) {
    // The line may contain a secret, so report only the position and the sort of the error.
    let what = if error.at >= text.len() { "ends in the middle" } else { "is not JSON" };
    let message = format!("line {what}, at its byte {}; skipped", error.at);
    found(offset, CaptureItem::Skipped(SkipReason::BadLine, message));
}

/// The fields of a line, in both forms.
#[derive(Default)]
struct FlowLine<'a> {
    id: Text<'a>,
    method: Text<'a>,
    url: Text<'a>,
    log: LogFields<'a>,
    nested_method: Text<'a>,
    nested_url: Text<'a>,
    has_response: bool,
    status: Text<'a>,
    nested_status: Text<'a>,
    request_headers: Vec<OwnedHeader<'a>>,
    response_headers: Vec<OwnedHeader<'a>>,
    content_type: Text<'a>,
    timestamp: Text<'a>,
    duration_ms: Text<'a>,
    response_bytes: Text<'a>,
    request_body: Body<'a>,
    response_body: Body<'a>,
    outcome: Outcome,
    protocol: Protocol,
}

impl<'a> FlowLine<'a> {
    /// Clears all fields, but keeps the memory of the lists.
    fn reset(&mut self) {
        let mut request_headers = std::mem::take(&mut self.request_headers);
        let mut response_headers = std::mem::take(&mut self.response_headers);
        request_headers.clear();
        response_headers.clear();
        *self = Self { request_headers, response_headers, ..Self::default() };
    }

    fn decode_objects(
        &mut self,
        text: &'a [u8],
        offset: u64,
        log_host: &str,
        found: &mut dyn FnMut(u64, CaptureItem<'_>),
    ) {
        let mut json = JsonReader::new(text);
        for _ in 0..limits::MAX_PARSE_RESTARTS_PER_LINE {
            while json.peek().is_some() {
                let start = json.at();
                self.reset();
                if let Err(error) = self.read(&mut json) {
                    report_bad_line(text, error, offset + start as u64, found);
                    // Another object may follow an object that was complete.
                    let next = memchr::memchr(b'{', &text[start..]).filter(|_| start > 0);
                    match next {
                        Some(next) if next > 0 => json.go_to(start + next),
                        _ => return,
                    }
                    break;
                }
                self.emit_flow(offset + start as u64, log_host, found);
            }
            if json.peek().is_none() {
                return;
            }
        }
    }

    fn read(&mut self, json: &mut JsonReader<'a>) -> Result<(), JsonError> {
        if json.peek() != Some(b'{') {
            return Err(JsonError { at: json.at() });
        }
        json.members(|key, json| {
            match key {
                b"id" => self.id = json.scalar()?,
                b"method" => self.method = json.text()?,
                b"url" => self.url = json.text()?,
                b"status" | b"status_code" => self.status = json.scalar()?,
                b"request_headers" => read_pairs(json, &mut self.request_headers)?,
                b"response_headers" => read_pairs(json, &mut self.response_headers)?,
                b"content_type" => self.content_type = json.scalar()?,
                b"timestamp" => self.timestamp = json.scalar()?,
                b"duration_ms" => self.duration_ms = json.scalar()?,
                b"response_bytes" => self.response_bytes = json.scalar()?,
                b"failed" if json.peek() == Some(b't') => self.outcome = Outcome::Failed,
                b"websocket" if json.peek() == Some(b't') => self.protocol = Protocol::Websocket,
                b"request_body" => self.request_body = json.body()?,
                b"response_body" => self.response_body = json.body()?,
                b"request" if json.peek() == Some(b'"') => self.log.read(key, json)?,
                b"request" => json.members(|key, json| {
                    match key {
                        b"method" => self.nested_method = json.text()?,
                        b"url" => self.nested_url = json.text()?,
                        b"headers" => read_pairs(json, &mut self.request_headers)?,
                        b"body" | b"content" => self.request_body = json.body()?,
                        b"host" | b"uri" => self.log.read(key, json)?,
                        _ => {}
                    }
                    Ok(())
                })?,
                b"response" => {
                    self.has_response = json.peek() == Some(b'{');
                    json.members(|key, json| {
                        match key {
                            b"status" | b"status_code" => self.nested_status = json.scalar()?,
                            b"headers" => read_pairs(json, &mut self.response_headers)?,
                            b"body" | b"content" => self.response_body = json.body()?,
                            b"size" => self.log.bytes = json.scalar()?,
                            _ => {}
                        }
                        Ok(())
                    })?;
                }
                other => self.log.read(other, json)?,
            }
            Ok(())
        })
    }

    fn method(&self) -> Option<&[u8]> {
        let named = self.nested_method.as_deref().or(self.method.as_deref());
        named.or(self.log.method.as_deref())
    }

    fn url(&self) -> Option<&[u8]> {
        self.nested_url.as_deref().or(self.url.as_deref())
    }

    fn emit_flow(&self, offset: u64, log_host: &str, found: &mut dyn FnMut(u64, CaptureItem<'_>)) {
        let url = match self.url() {
            Some(url) => Some(Cow::Borrowed(url)),
            None => self.log.url(log_host).map(Cow::Owned),
        };
        let (Some(method), Some(url)) = (self.method(), &url) else {
            let missing = if url.is_none() { "url" } else { "method" };
            let message = format!("line has no \"{missing}\"; skipped");
            return found(offset, CaptureItem::Skipped(SkipReason::BadLine, message));
        };
        let mut flow = Flow::of_any_url(Cow::Borrowed(method), url);
        self.complete(&mut flow);
        found(offset, CaptureItem::Flow(&flow));
    }

    /// Sets all fields of the flow except the method and the URL.
    fn complete<'f>(&'f self, flow: &mut Flow<'f>) {
        flow.id = self.id.as_deref().unwrap_or_default();
        flow.request_headers = Headers::owned(&self.request_headers);
        flow.request_body = self.request_body;
        flow.outcome = self.outcome;
        flow.protocol = self.protocol;
        let log = &self.log;
        let started = self.timestamp.as_deref().or(log.time.as_deref());
        flow.started = started.and_then(time::nanoseconds);
        let status = self.nested_status.as_deref().or(self.status.as_deref());
        let status = status.or(log.status.as_deref()).and_then(integer);
        flow.response = (self.has_response || status.is_some()).then(|| Response {
            status: status.unwrap_or_default(),
            headers: Headers::owned(&self.response_headers),
            content_type: self.content_type.as_deref(),
            body_bytes: size(&self.response_bytes).or_else(|| size(&log.bytes)),
            body: self.response_body,
        });
        let duration = self.duration_ms.as_deref().and_then(time::milliseconds);
        flow.duration = duration.or_else(|| log.duration());
    }
}
