//! Upper bounds on memory, input and output, in one place.
//!
//! Whatever exceeds a bound is cut, folded or skipped and counted; nothing is dropped silently.
//! Sizes are in bytes unless stated otherwise.

/// Default size of a batch: bytes that one thread reads from a capture at once.
pub(crate) const DEFAULT_BATCH_BYTES: usize = 1 << 20;

/// Maximum size of a record that is loaded whole. Larger records are compacted while they are read:
/// see [`MAX_COMPACT_RECORD_BYTES`].
pub(crate) const MAX_RECORD_BYTES: usize = 4 << 20;

/// Maximum size of a large record after compaction, that is, without bodies and certificates.
pub(crate) const MAX_COMPACT_RECORD_BYTES: usize = 16 << 20;

/// Maximum size of a value that compaction of a large record keeps. Larger values are bodies or
/// certificates and are left out.
pub(crate) const MAX_COMPACT_VALUE_BYTES: u64 = 64 << 10;

/// Maximum size of a line of JSON.
pub(crate) const MAX_LINE_BYTES: usize = 16 << 20;

/// Maximum number of times that parsing restarts in one line after text that is not JSON.
pub(crate) const MAX_PARSE_RESTARTS_PER_LINE: usize = 16;

/// Maximum number of headers read from one message; the rest is ignored.
pub(crate) const MAX_HEADERS: usize = 4096;

/// Maximum depth of a path in segments; the remainder of a longer path is one segment.
pub(crate) const MAX_PATH_SEGMENTS: usize = 48;

/// Maximum size of a segment that may be a literal. A longer one is always a value.
pub(crate) const MAX_SEGMENT_BYTES: usize = 200;

/// Maximum size of a method. A longer one is counted as `OTHER`.
pub(crate) const MAX_METHOD_BYTES: usize = 20;

/// Maximum size of a host; the rest is cut. RFC 1035 allows 253 bytes, and a port takes six more.
pub(crate) const MAX_HOST_BYTES: usize = 260;

/// Maximum size of a flow id; the rest is cut.
pub(crate) const MAX_FLOW_ID_BYTES: usize = 64;

/// Maximum size of a name (header, parameter or media type); the rest is cut.
pub(crate) const MAX_NAME_BYTES: usize = 128;

/// Maximum number of hosts in a trie; the rest is folded into one.
pub(crate) const MAX_HOSTS: usize = 4096;

/// Maximum number of literal children of a trie node that are not in the vocabulary, and separately
/// of those that are. The rest is folded by kind. No known API has as many names below one prefix.
pub(crate) const MAX_LITERAL_CHILDREN: usize = 4096;

/// Maximum number of nodes of the trie of answered requests, over all hosts. Hosts share it by
/// max-min fairness; a host that exceeds its share is folded by rising hash levels.
pub(crate) const MAX_TRIE_NODES: usize = 1 << 16;

/// Maximum number of literal children of a node in the trie of requests answered with 404, with and
/// without vocabulary words separately, as for [`MAX_LITERAL_CHILDREN`].
pub(crate) const MAX_NOT_FOUND_CHILDREN: usize = 256;

/// Maximum number of nodes of the trie of requests answered with 404, over all hosts.
pub(crate) const MAX_NOT_FOUND_NODES: usize = 1 << 13;

/// Maximum size of the name of an operation (GraphQL, JSON-RPC, SOAP). Longer names are not
/// operations.
pub(crate) const MAX_OPERATION_BYTES: usize = 80;

/// Maximum size of a request body that is searched for the name of an operation.
pub(crate) const MAX_OPERATION_BODY_BYTES: usize = 1 << 20;

/// Maximum number of lines of one body (JSON lines, server-sent events) that are read.
pub(crate) const MAX_LINES_OF_BODY: usize = 10_000;

/// Nodes of all shapes of one set of captures, which its endpoints share fairly.
pub(crate) const MAX_SHAPE_NODES: usize = 400_000;

/// Flows after which the nodes of shapes are counted anew: between two counts a flow adds at most as many nodes as its bodies
/// have values.
pub(crate) const FLOWS_PER_COUNT: u64 = 256;

/// Bytes of bodies after which the nodes of shapes are counted anew, however few flows they came with: wide bodies have a node
/// for every few bytes.
pub(crate) const BYTES_A_COUNT: u64 = 4 << 20;

/// Nodes of the shapes of one endpoint.
pub(crate) const MAX_ENDPOINT_SHAPE_NODES: usize = 12_000;

/// Maximum size of a recorded body that is read, as the capture has it (compressed or escaped).
pub(crate) const MAX_BODY_BYTES: usize = 16 << 20;

/// Maximum number of distinct operations per method at one trie node.
pub(crate) const MAX_OPERATIONS: usize = 256;

/// Maximum number of distinct unregistered methods at one trie node.
pub(crate) const MAX_UNREGISTERED_METHODS: usize = 32;

/// Maximum number of distinct header names of one endpoint, and separately of distinct query
/// parameters.
pub(crate) const MAX_NAMES: usize = 256;

/// Number of names in each table of an endpoint (headers, parameters, statuses, media types) that
/// are free: they do not count toward the trie's budget.
pub(crate) const MAX_FREE_NAMES: usize = 16;

/// Weight of a trie node in names. The budget of a trie in weight is its number of nodes times
/// this; one node takes about as much memory as this many names.
pub(crate) const NODE_WEIGHT: usize = 10;

/// Number of leaves (method and operation) at one trie node that do not count toward the trie's
/// budget.
pub(crate) const MAX_FREE_LEAVES: usize = 4;

/// Weight in names of every leaf beyond the free ones.
pub(crate) const LEAF_WEIGHT: usize = 6;

/// Maximum number of requests of one endpoint whose sender is kept.
pub(crate) const MAX_SAMPLED_CONTEXTS: usize = 16;

/// Maximum size of the host of a page that sent a request; of longer ones the end is kept.
pub(crate) const MAX_INITIATOR_BYTES: usize = 80;

/// Maximum number of distinct status codes of one endpoint, and separately of distinct media types.
pub(crate) const MAX_STATUS_CODES: usize = 64;

/// Hashes in a distinct-count sketch. Counts up to this number are exact; beyond it the relative
/// standard error is about 1/sqrt of this number, 9 %.
pub(crate) const MAX_DISTINCT_HASHES: usize = 128;

/// Maximum number of keys under which the body of one request holds a segment of its path, and of
/// those of the thing itself that are kept at one node.
pub(crate) const MAX_ECHO_KEYS: usize = 8;

/// Maximum number of keys under which bodies hold one segment, at one node. An owner is held under
/// `owner.login`, `user.login`, `author.login` and many more.
pub(crate) const MAX_HOLDING_KEYS: usize = 24;

/// Hashes of the key paths of the answers at one trie node.
pub(crate) const MAX_ANSWER_KEYS: usize = 64;

/// Hashes of the values at one place of the bodies, or of one parameter, that are kept to tell where values come from.
pub(crate) const MAX_SAMPLED_VALUES: usize = 48;

/// Sampled hashes that count as one node of a shape.
pub(crate) const SAMPLED_VALUES_A_NODE: usize = 16;

/// Maximum number of sample flow ids of one endpoint. The original tool gives as many.
pub(crate) const MAX_SAMPLE_IDS: usize = 3;

/// Maximum number of header names listed for one endpoint. The original tool lists as many.
pub(crate) const MAX_COMMON_HEADERS: usize = 10;

/// Maximum value of a counter in a state read from bytes. A million such states can be added before
/// a `u64` overflows.
pub(crate) const MAX_COUNT: u64 = 1 << 44;

/// Maximum size of a message about a skipped place that is taken from the bytes of a state.
pub(crate) const MAX_MESSAGE_BYTES: usize = 400;

/// Maximum number of places kept for one skip reason.
pub(crate) const MAX_SKIP_PLACES: usize = 3;

/// Maximum number of names of one message that are checked for duplicates. Later names are counted
/// without the check.
pub(crate) const MAX_NAMES_PER_MESSAGE: usize = 64;

/// Number of bytes that a file may always unpack to, whatever its own size.
pub(crate) const MAX_FREE_UNPACKED_BYTES: u64 = 64 << 20;

/// Maximum ratio of unpacked to packed size beyond [`MAX_UNPACKED_BYTES`]. zlib cannot exceed 1,032,
/// and logs do not reach 200.
pub(crate) const MAX_UNPACKED_RATIO: u64 = 2000;

/// Maximum window of a zstd frame, which is memory that the decoder allocates. `zstd` itself allows
/// as much without a flag.
pub(crate) const MAX_ZSTD_WINDOW_BYTES: u64 = 128 << 20;

/// Maximum window of each zstd frame if one is nested in another.
pub(crate) const MAX_NESTED_WINDOW_BYTES: u64 = 8 << 20;

/// Maximum depth of nested compression: gzip, zlib, zstd and archives together.
pub(crate) const MAX_COMPRESSION_DEPTH: usize = 4;

/// Maximum number of captures whose files stay open. Each further file is opened only while it is
/// read.
pub(crate) const MAX_OPEN_FILES: usize = 128;

/// Maximum number of zip archive members examined in one file, over all nested archives.
pub(crate) const MAX_ZIP_FILES: usize = 100_000;

/// Maximum number of states kept for captures that grow. Beyond it, several files share one state.
pub(crate) const MAX_LIVE_STATES: usize = 64;

/// Maximum number of files whose metadata is checked to find out whether a cached report is still
/// current. For more files, the check is left to the full scan.
pub(crate) const MAX_FILES_CHECKED_INLINE: usize = 16;

/// Maximum number of reports in the query cache, so that repeated and paginated queries are
/// answered without deciding again.
pub(crate) const MAX_CACHED_REPORTS: usize = 8;

/// Maximum number of narrowed states (newest flows, or one domain) that are kept up to date for
/// further queries.
pub(crate) const MAX_CACHED_SCOPES: usize = 8;

/// Maximum memory for the flows of a "newest flows" query. If flows are large, fewer than requested
/// are held; 100,000 flows of usual size fit.
pub(crate) const MAX_HELD_FLOW_BYTES: usize = 192 << 20;

/// Maximum memory for the rows of one compat answer.
pub(crate) const MAX_HELD_ROW_BYTES: usize = 1 << 30;

/// Number of newest flows kept to answer queries for at most that many.
pub(crate) const MAX_RECENT_FLOWS: usize = 10_000;

/// Maximum number of compat rows cached between two queries.
pub(crate) const MAX_CACHED_COMPAT_ROWS: usize = 200_000;

/// Maximum number of newest flows that one query to the server may ask for. They are held in
/// memory.
pub(crate) const MAX_NEWEST_FLOWS: u64 = 100_000;

/// Default size of an answer of the server, in bytes of JSON.
#[cfg(feature = "mcp")]
pub(crate) const DEFAULT_ANSWER_BYTES: usize = 16_000;

/// Minimum size that a query may request for an answer: one endpoint and all totals fit.
#[cfg(feature = "mcp")]
pub(crate) const MIN_ANSWER_BYTES: usize = 2000;

/// Maximum size that a query may request for an answer; more is of no use to an agent.
#[cfg(feature = "mcp")]
pub(crate) const MAX_ANSWER_BYTES: usize = 40_000;

/// Maximum number of answers of the server that are cached for repeated queries.
#[cfg(feature = "mcp")]
pub(crate) const MAX_CACHED_ANSWERS: usize = 64;

/// Maximum number of bytes of one captured word that are shown to an agent.
pub(crate) const MAX_SHOWN_BYTES: usize = 240;

/// Maximum number of parameters of one endpoint in an answer of standard detail.
#[cfg(feature = "mcp")]
pub(crate) const MAX_SHOWN_PARAMETERS: usize = 12;

/// Maximum size of the temporary file for a zip archive that is read from a pipe.
pub(crate) const MAX_SPOOLED_BYTES: u64 = 8 << 30;

/// Maximum size of a saved state that is read from a file. States that this crate writes are far smaller, because
/// each of their parts is bounded.
pub(crate) const MAX_STATE_BYTES: usize = 1 << 30;

/// Maximum size of a description that people have edited. The largest that are published have 10 MB.
#[cfg(feature = "cli")]
pub(crate) const MAX_DESCRIPTION_BYTES: usize = 32 << 20;

/// Maximum number of values in a description that people have edited.
#[cfg(feature = "cli")]
pub(crate) const MAX_DESCRIPTION_VALUES: usize = 2_000_000;

/// Maximum number of levels in a description that people have edited.
#[cfg(feature = "cli")]
pub(crate) const MAX_DESCRIPTION_DEPTH: usize = 120;
