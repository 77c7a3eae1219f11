//! A flow that outlives the bytes from which it was read.

use std::borrow::Cow;

use crate::flow::operation::operation_key;
use crate::flow::{Body, Flow, Header, Headers, Outcome, Protocol, RecordIdText, Response};
use crate::limits;
use crate::sketch::stable_hash;

/// A copy of the parts of a [`Flow`] that the library uses. Header values are not copied, except
/// the content type.
#[derive(Clone, Debug)]
pub(crate) struct OwnedFlow {
    id: Box<[u8]>,
    method: Box<[u8]>,
    scheme: Box<[u8]>,
    host: Box<[u8]>,
    port: Option<u16>,
    target: Box<[u8]>,
    request_header_names: Box<[Box<[u8]>]>,
    operation: Vec<u8>,
    started: Option<i64>,
    duration: Option<u64>,
    response: Option<(i64, Option<Box<[u8]>>, Option<u64>)>,
    outcome: Outcome,
    protocol: Protocol,
}

/// Estimate of the memory of an allocation beside its bytes, including its pointer, in bytes.
const PER_BOX: usize = 32;

/// Maximum number of header names that are kept.
const MAX_HEADERS: usize = 512;

/// Maximum length of a query that is kept, in bytes.
const MAX_QUERY_BYTES: usize = 16 << 10;

/// Maximum length of a segment that is kept, in bytes. A longer segment is a value, and is kept as
/// its beginning and a hash.
const MAX_OWNED_SEGMENT_BYTES: usize = 2 * limits::MAX_SEGMENT_BYTES;

fn bounded(bytes: &[u8], most: usize) -> &[u8] {
    &bytes[..bytes.len().min(most)]
}

/// A target of bounded length that leads to the same pattern.
fn bounded_target(target: &[u8]) -> Cow<'_, [u8]> {
    let path_end = memchr::memchr2(b'?', b'#', target).unwrap_or(target.len());
    let (path, query) = target.split_at(path_end);
    let is_long = |segment: &[u8]| segment.len() > MAX_OWNED_SEGMENT_BYTES;
    let is_short = query.len() <= MAX_QUERY_BYTES
        && path.len() <= limits::MAX_PATH_SEGMENTS * MAX_OWNED_SEGMENT_BYTES
        && !path.split(|byte| *byte == b'/').any(is_long);
    if is_short {
        return Cow::Borrowed(target);
    }
    let mut out = Vec::new();
    for (i, segment) in path.split(|byte| *byte == b'/').enumerate() {
        if i > 0 {
            out.push(b'/');
        }
        // Segments beyond the maximum depth are one segment.
        if i > limits::MAX_PATH_SEGMENTS + 1 {
            break;
        }
        if is_long(segment) {
            out.extend_from_slice(&segment[..MAX_OWNED_SEGMENT_BYTES]);
            out.extend(format!("{:016x}", stable_hash(segment)).bytes());
        } else {
            out.extend_from_slice(segment);
        }
    }
    out.extend_from_slice(bounded(query, MAX_QUERY_BYTES));
    Cow::Owned(out)
}

impl OwnedFlow {
    /// Estimate of the memory that the flow takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let names: usize = self.request_header_names.iter().map(|name| name.len() + PER_BOX).sum();
        let media_type = self.response.as_ref().and_then(|response| response.1.as_ref());
        size_of::<Self>()
            + [&self.id, &self.method, &self.scheme, &self.host, &self.target]
                .iter()
                .map(|text| text.len() + PER_BOX)
                .sum::<usize>()
            + names
            + self.operation.capacity()
            + media_type.map_or(0, |text| text.len() + PER_BOX)
    }

    pub(crate) fn new(flow: &Flow<'_>) -> Self {
        let mut record = RecordIdText::default();
        // The values of headers are not kept, so the id is made now.
        let id = flow.shown_id(&mut record);
        Self {
            id: bounded(id, limits::MAX_FLOW_ID_BYTES + 1).into(),
            method: bounded(&flow.method, limits::MAX_METHOD_BYTES + 1).into(),
            scheme: bounded(&flow.scheme, limits::MAX_METHOD_BYTES).into(),
            host: bounded(&flow.host, limits::MAX_HOST_BYTES + 1).into(),
            port: flow.port,
            target: bounded_target(&flow.target).into(),
            request_header_names: flow
                .request_headers
                .iter()
                .take(MAX_HEADERS)
                .map(|header| bounded(header.0, limits::MAX_NAME_BYTES + 1).into())
                .collect(),
            operation: operation_key(flow),
            started: flow.started,
            duration: flow.duration,
            response: flow.response.as_ref().map(|response| {
                let media_type = response.content_type();
                let media_type =
                    media_type.map(|text| bounded(text, 2 * limits::MAX_NAME_BYTES).into());
                (response.status, media_type, response.body_bytes)
            }),
            outcome: flow.outcome,
            protocol: flow.protocol,
        }
    }

    /// Calls `use_it` with the flow, borrowed from this copy.
    pub(crate) fn with<R>(&self, use_it: impl FnOnce(&Flow<'_>) -> R) -> R {
        let pairs: Vec<Header<'_>> =
            self.request_header_names.iter().map(|name| (&**name, None)).collect();
        use_it(&Flow {
            id: &self.id,
            method: Cow::Borrowed(&self.method),
            scheme: Cow::Borrowed(&self.scheme),
            host: Cow::Borrowed(&self.host),
            port: self.port,
            target: Cow::Borrowed(&self.target),
            url: None,
            address: None,
            request_headers: Headers::new(&pairs),
            request_body: Body::default(),
            known_operation: Some(&self.operation),
            started: self.started,
            duration: self.duration,
            response: self.response.as_ref().map(|(status, content_type, body_bytes)| Response {
                status: *status,
                headers: Headers::default(),
                content_type: content_type.as_deref(),
                body_bytes: *body_bytes,
                body: Body::default(),
            }),
            outcome: self.outcome,
            protocol: self.protocol,
        })
    }
}
