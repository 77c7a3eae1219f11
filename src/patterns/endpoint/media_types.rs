//! Responses by media type.

use crate::flow::media_type::media_type;
use crate::limits;
use crate::patterns::aggregate::{Aggregate, CountedName, Observation};
use crate::sketch::{BottomK, summary};

summary! {
    /// Number of responses per media type, normalised by [`media_type`].
    pub(crate) struct MediaTypes {
        responses: BottomK<u64, { limits::MAX_STATUS_CODES }>,
    }
}

impl MediaTypes {
    /// The hashes of the media types.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.responses.iter().map(|entry| entry.hash)
    }
}

impl Aggregate for MediaTypes {
    /// Number of responses per media type.
    type Section = Vec<CountedName>;

    #[inline]
    fn observe(&mut self, seen: &mut Observation<'_>) {
        let Some(content_type) = seen.response.and_then(|response| response.content_type()) else {
            return;
        };
        // A content type that equals a counted media type needs no normalisation.
        if let Some(count) = self.responses.among_few(content_type) {
            *count += 1;
        } else if let Some(media_type) = media_type(content_type) {
            *self.responses.entry(&media_type) += 1;
        }
    }

    fn finish(self) -> Vec<CountedName> {
        self.responses.into_entries().into_iter().map(CountedName::of).collect()
    }
}
