//! Requests by media type of their bodies.

use crate::flow::media_type::media_type;
use crate::limits;
use crate::patterns::aggregate::{Aggregate, CountedName, Observation};
use crate::sketch::{BottomK, summary};

summary! {
    /// Number of requests per media type, normalised by [`media_type`]. GET and HEAD are left out, because their bodies
    /// mean nothing (RFC 9110, section 9.3.1), whatever their headers say.
    pub(crate) struct RequestMediaTypes {
        requests: BottomK<u64, { limits::MAX_STATUS_CODES }>,
    }
}

impl Aggregate for RequestMediaTypes {
    /// Number of requests per media type.
    type Section = Vec<CountedName>;

    #[inline]
    fn observe(&mut self, seen: &mut Observation<'_>) {
        if matches!(&*seen.flow.method, b"GET" | b"HEAD") {
            return;
        }
        let content_type = seen.flow.request_headers.get(b"content-type");
        if let Some(media_type) = content_type.and_then(media_type) {
            *self.requests.entry(&media_type) += 1;
        }
    }

    fn finish(self) -> Vec<CountedName> {
        self.requests.into_entries().into_iter().map(CountedName::of).collect()
    }
}
