//! Numbers of requests and responses.

use crate::flow::{Outcome, Protocol};
use crate::patterns::aggregate::{Aggregate, Observation};
use crate::sketch::summary;

summary! {
    /// Numbers of requests and responses of an endpoint.
    pub(crate) struct Counts {
        pub(crate) requests: u64,
        /// Requests whose path ended with a slash.
        pub(crate) trailing_slash: u64,
        /// Responses with a positive status code.
        pub(crate) responses: u64,
        /// Requests that failed before the response was complete.
        pub(crate) failed: u64,
        /// Websocket handshakes.
        pub(crate) websockets: u64,
    }
}

impl Aggregate for Counts {
    type Section = Self;

    #[inline]
    fn observe(&mut self, seen: &mut Observation<'_>) {
        self.requests += 1;
        self.trailing_slash += u64::from(seen.trailing_slash);
        self.responses += u64::from(seen.response.is_some());
        self.failed += u64::from(seen.flow.outcome == Outcome::Failed);
        self.websockets += u64::from(seen.flow.protocol == Protocol::Websocket);
    }

    fn finish(self) -> Self {
        self
    }
}
