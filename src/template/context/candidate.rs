//! A segment that is classified, with the requests that are evidence for it.

use crate::template::node_group::NodeGroup;
use crate::template::segment::{Segment, SegmentKind};
use crate::template::trie::Node;

/// The properties of a leaf's aggregate that the classifier uses.
pub(crate) trait LeafStats {
    /// Number of requests.
    fn count(&self) -> u64;
    /// Number of responses with status 404.
    fn not_found(&self) -> u64;
    /// Number of responses with status 400 to 499.
    fn client_errors(&self) -> u64;
    /// Hashes of the query parameter names.
    fn query_names(&self) -> impl Iterator<Item = u64>;
    /// Hashes of the response media types.
    fn media_types(&self) -> impl Iterator<Item = u64>;
}

/// A segment to classify as name or value.
#[derive(Debug)]
pub(crate) struct Candidate<'t, T> {
    pub(crate) text: &'t [u8],
    pub(crate) hash: u64,
    pub(crate) segment: Segment<'t>,
    /// The trie nodes of the segment: one for each value of its ancestors.
    pub(crate) places: NodeGroup<'t, T>,
    /// False if the segment only ever got 404 beside siblings with other answers. It is then
    /// classified, but is not evidence for its siblings.
    pub(crate) votes: bool,
}

impl<'t, T> Candidate<'t, T> {
    /// The trie nodes that are used as evidence.
    pub(crate) fn nodes(&self) -> &[&'t Node<T>] {
        self.places.evidence()
    }

    /// Number of requests that are used as evidence.
    pub(crate) fn requests(&self) -> u64 {
        self.nodes().iter().map(|node| node.count).sum()
    }

    /// Number of requests, including those answered with 404.
    pub(crate) fn all_requests(&self) -> u64 {
        self.places.all().map(|node| node.count).sum()
    }

    /// Returns `true` for a segment with at most two requests and without a subtree.
    pub(crate) fn is_rare_leaf(&self) -> bool {
        let is_leaf = |node: &&Node<T>| node.literals.is_empty() && node.values.is_empty();
        self.requests() <= 2 && self.nodes().iter().all(is_leaf)
    }

    /// Returns `true` if segments that may be names stand below the segment.
    pub(crate) fn has_names_below(&self) -> bool {
        self.nodes().iter().any(|node| !node.literals.is_empty())
    }

    /// Returns `true` if the segment is an integer.
    pub(crate) fn is_number(&self) -> bool {
        self.segment.kind.is_integer()
    }

    /// Returns `true` for a date, which is a candidate because it may be a version.
    pub(crate) fn is_date(&self) -> bool {
        self.segment.kind == SegmentKind::Date
    }

    /// Returns `true` for integers and dates, which are not words whatever the model says.
    pub(crate) fn is_number_or_date(&self) -> bool {
        self.is_number() || self.is_date()
    }
}
