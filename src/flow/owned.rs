//! A flow that outlives the bytes it was read from.

use std::borrow::Cow;

use crate::flow::operation::operation_key;
use crate::flow::{Flow, Header, Headers, Response};

/// A copy of a [`Flow`] with all that the rest of the library uses of it: header values are left behind, but for the
/// content type.
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
    failed: bool,
    websocket: bool,
}

impl OwnedFlow {
    pub(crate) fn new(flow: &Flow<'_>) -> Self {
        Self {
            id: flow.id.into(),
            method: (*flow.method).into(),
            scheme: (*flow.scheme).into(),
            host: (*flow.host).into(),
            port: flow.port,
            target: (*flow.target).into(),
            request_header_names: flow
                .request_headers
                .iter()
                .map(|header| header.0.into())
                .collect(),
            operation: operation_key(flow),
            started: flow.started,
            duration: flow.duration,
            response: flow.response.as_ref().map(|response| {
                (response.status, response.content_type().map(Into::into), response.body_bytes)
            }),
            failed: flow.failed,
            websocket: flow.websocket,
        }
    }

    /// Hands the flow on, borrowed.
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
            request_body: None,
            known_operation: Some(&self.operation),
            started: self.started,
            duration: self.duration,
            response: self.response.as_ref().map(|(status, content_type, body_bytes)| Response {
                status: *status,
                headers: Headers::default(),
                content_type: content_type.as_deref(),
                body_bytes: *body_bytes,
            }),
            failed: self.failed,
            websocket: self.websocket,
            original: None,
        })
    }
}
