//! Bounds of the trie, and what is told apart at each level of folding.

use crate::limits;

/// Bounds of a trie. Tries merge only if their bounds are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrieBounds {
    /// Maximum number of hosts.
    pub(crate) hosts: usize,
    /// Maximum number of literal children per node, separately for known and unknown ones.
    pub(crate) literals: usize,
    /// Maximum number of nodes, over all hosts.
    pub(crate) nodes: usize,
}

impl TrieBounds {
    /// For requests with a status other than 404, or without a known response.
    pub(crate) const ANSWERED: Self = Self {
        hosts: limits::MAX_HOSTS,
        literals: limits::MAX_LITERAL_CHILDREN,
        nodes: limits::MAX_TRIE_NODES,
    };
    /// Maximum weight of the trie in names: the weight of its nodes. Extra names and operations
    /// take their share of it.
    pub(super) fn weight(&self) -> usize {
        self.nodes * limits::NODE_WEIGHT
    }

    /// For requests answered with 404. Their budget is separate, so that a scan does not displace
    /// names of endpoints.
    pub(crate) const NOT_FOUND: Self = Self {
        hosts: limits::MAX_HOSTS,
        literals: limits::MAX_NOT_FOUND_CHILDREN,
        nodes: limits::MAX_NOT_FOUND_NODES,
    };
}

/// The bounds that apply to the nodes of a host at its level.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeBounds {
    pub(super) literals: usize,
    pub(super) level: u8,
}

/// Up to this level, each level halves the number of names that an endpoint keeps.
pub(super) const LEVEL_FEWEST_NAMES: u8 = 4;
/// Maximum number of distinguished segments at the levels that follow [`LEVEL_FEWEST_NAMES`]. Junk
/// paths are deep, and paths of endpoints are not.
const MAX_DEPTHS: [usize; 3] = [limits::MAX_PATH_SEGMENTS, 24, 12];
/// From this level on, kinds of values are not distinguished.
pub(super) const LEVEL_ONE_KIND: u8 = 7;
/// Up to this level, all literals are kept; each further level requires one more leading zero bit
/// of their hash.
pub(super) const LEVEL_ALL_LITERALS: u8 = 7;
/// From this level on, each level halves the number of distinguished segments.
pub(super) const LEVEL_SHALLOW: u8 = 26;
/// The highest level.
pub(super) const MAX_LEVEL: u8 = 30;

/// Number of names that each table of an endpoint keeps at a level.
pub(super) fn names_at(level: u8) -> usize {
    limits::MAX_NAMES >> level.min(LEVEL_FEWEST_NAMES)
}

/// Number of distinguished segments at a level. The remainder of a longer path is one value.
pub(super) fn depth_at(level: u8) -> usize {
    let step = usize::from(level.saturating_sub(LEVEL_FEWEST_NAMES));
    let first = MAX_DEPTHS.get(step).copied().unwrap_or(MAX_DEPTHS[MAX_DEPTHS.len() - 1]);
    (first >> level.saturating_sub(LEVEL_SHALLOW - 1)).max(1)
}
