//! Where the requests of an endpoint come from: scripts, navigations or pages, and which sites.

use crate::flow::request_context::{Destination, RequestContext, SiteRelation};
use crate::limits;
use crate::patterns::aggregate::{Aggregate, Observation};
use crate::sketch::{BottomK, summary};

summary! {
    /// Number of requests by their [`RequestContext`]. Requests of clients that are not browsers have none.
    pub(crate) struct RequestContexts {
        /// Sent by scripts.
        pub(crate) scripts: u64,
        /// Pages at the top of a tab.
        pub(crate) documents: u64,
        /// Pages, at the top of a tab or in a frame.
        pub(crate) navigations: u64,
        /// Pages in a frame.
        pub(crate) frames: u64,
        /// Assets of a page.
        pub(crate) assets: u64,
        /// Sent by another site, as the browser said.
        pub(crate) cross_site: u64,
        /// Sent by the host's own site or by a person, as the browser said.
        pub(crate) same_site: u64,
        /// Requests per host of the page that sent them.
        pub(crate) initiators: BottomK<u64, { limits::MAX_INITIATORS }>,
    }
}

impl Aggregate for RequestContexts {
    type Section = Self;

    #[inline]
    fn observe(&mut self, seen: &mut Observation<'_>) {
        if seen.is_from_browser {
            self.add(&RequestContext::of(seen.flow.request_headers));
        }
    }

    fn finish(self) -> Self {
        self
    }
}

impl RequestContexts {
    fn add(&mut self, context: &RequestContext<'_>) {
        match context.destination {
            Destination::Unknown => {}
            Destination::Script => self.scripts += 1,
            Destination::Document => self.documents += 1,
            Destination::Navigation => self.navigations += 1,
            Destination::Frame => self.frames += 1,
            Destination::Asset => self.assets += 1,
        }
        match context.relation {
            None => {}
            Some(SiteRelation::Cross) => self.cross_site += 1,
            Some(SiteRelation::Same | SiteRelation::User) => self.same_site += 1,
        }
        if let Some(host) = context.initiator {
            let host = host[..host.len().min(limits::MAX_HOST_BYTES)].to_ascii_lowercase();
            *self.initiators.entry(&host) += 1;
        }
    }
}
