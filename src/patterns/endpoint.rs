//! Statistics of one endpoint: counts, names and sizes, but no values.

pub(crate) mod counts;
pub(crate) mod durations;
pub(crate) mod header_names;
pub(crate) mod media_types;
pub(crate) mod query_parameters;
pub(crate) mod request_contexts;
pub(crate) mod request_media_types;
pub(crate) mod response_sizes;
pub(crate) mod sample_ids;
pub(crate) mod status_codes;
pub(crate) mod times;

use std::borrow::Cow;

use crate::limits;
use crate::patterns::aggregate::aggregates;
use crate::template::context::LeafStats;

aggregates! {
    /// The statistics of one endpoint: one method and operation at one trie node.
    pub(crate) struct Endpoint => EndpointSection {
        counts: counts::Counts,
        status_codes: status_codes::StatusCodes,
        media_types: media_types::MediaTypes,
        request_media_types: request_media_types::RequestMediaTypes,
        header_names: header_names::HeaderNames,
        // Behind the names, which tell whether a browser sent the request.
        request_contexts: request_contexts::RequestContexts,
        query_parameters: query_parameters::QueryParameters,
        sample_ids: sample_ids::SampleIds,
        durations: durations::Durations,
        response_sizes: response_sizes::ResponseSizes,
        times: times::Times,
    }
}

impl LeafStats for Endpoint {
    fn count(&self) -> u64 {
        self.counts.requests
    }

    fn not_found(&self) -> u64 {
        self.status_codes.not_found()
    }

    fn client_errors(&self) -> u64 {
        self.status_codes.client_errors()
    }

    fn query_names(&self) -> impl Iterator<Item = u64> {
        self.query_parameters.requests_by_hash().map(|(hash, _)| hash)
    }

    fn media_types(&self) -> impl Iterator<Item = u64> {
        self.media_types.hashes()
    }
}

/// The normalised method: upper case, or `OTHER` if it is not a valid method token of at most
/// [`limits::MAX_METHOD_BYTES`].
pub(crate) fn method_name(method: &[u8]) -> Cow<'_, [u8]> {
    if matches!(method, b"GET" | b"POST" | b"PUT" | b"PATCH" | b"DELETE" | b"HEAD" | b"OPTIONS") {
        return Cow::Borrowed(method);
    }
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if method.is_empty() || method.len() > limits::MAX_METHOD_BYTES || !method.iter().all(is_token)
    {
        return Cow::Borrowed(b"OTHER");
    }
    if method.iter().any(u8::is_ascii_lowercase) {
        return Cow::Owned(method.to_ascii_uppercase());
    }
    Cow::Borrowed(method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_written_plainly() {
        assert_eq!(&*method_name(b"get"), b"GET");
        assert_eq!(&*method_name(b"GET /x HTTP"), b"OTHER");
        assert_eq!(&*method_name(b""), b"OTHER");
    }
}
