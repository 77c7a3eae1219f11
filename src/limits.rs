//! Every cap in one place. What a cap cuts is counted, never silently lost.

/// Bytes that a thread reads at once from a capture, and the default size of a batch.
pub(crate) const BATCH_BYTES: usize = 1 << 20;

/// The largest record that is held in memory whole; of a larger one only what is used is read.
pub(crate) const RECORD_BYTES: usize = 4 << 20;

/// The most that is kept of a larger record once bodies and certificates are left out.
pub(crate) const COMPACT_RECORD_BYTES: usize = 16 << 20;

/// Values longer than this are left out when a large record is compacted (bodies, certificates).
pub(crate) const COMPACT_VALUE_BYTES: u64 = 64 << 10;

/// The longest JSON line that is read.
pub(crate) const LINE_BYTES: usize = 16 << 20;

/// Times that reading begins anew in one line after something in it was no JSON.
pub(crate) const OBJECTS_IN_LINE: usize = 16;

/// Headers of one message that are looked at; more are ignored.
pub(crate) const HEADERS: usize = 4096;

/// Path segments that are told apart; what follows becomes one segment.
pub(crate) const SEGMENTS: usize = 48;

/// A segment longer than this many bytes is a value, whatever it holds.
pub(crate) const SEGMENT_BYTES: usize = 200;

/// A method longer than this many bytes is counted as `OTHER`.
pub(crate) const METHOD_BYTES: usize = 20;

/// A host longer than this many bytes is cut (RFC 1035 allows 253, a port takes six more).
pub(crate) const HOST_BYTES: usize = 260;

/// Flow ids longer than this many bytes are cut.
pub(crate) const FLOW_ID_BYTES: usize = 64;

/// Names (of headers, parameters, media types) longer than this many bytes are cut.
pub(crate) const NAME_BYTES: usize = 128;

/// Hosts that are told apart; the rest is folded into one.
pub(crate) const HOSTS: usize = 4096;

/// Literal children that a node of the evidence trie keeps, and as many more that the vocabulary knows; the rest is folded
/// by kind. No API that is known has as many names at one place.
pub(crate) const LITERAL_CHILDREN: usize = 4096;

/// Nodes of the whole evidence trie, over all hosts, which share them fairly. Beyond a host's share, its literal children
/// are folded by a rising hash level.
pub(crate) const TRIE_NODES: usize = 1 << 16;

/// Literal children of a node that counts requests answered with 404, and as many more that the vocabulary knows.
pub(crate) const NOT_FOUND_CHILDREN: usize = 256;

/// Nodes of the trie that counts requests answered with 404, over all hosts.
pub(crate) const NOT_FOUND_NODES: usize = 1 << 13;

/// The longest name of an operation (GraphQL, JSON-RPC, SOAP).
pub(crate) const OPERATION_BYTES: usize = 80;

/// Request bodies larger than this are not asked for the name of an operation.
pub(crate) const OPERATION_BODY_BYTES: usize = 1 << 20;

/// The longest recorded body that is read, in bytes as the capture has it.
pub(crate) const MAX_BODY_BYTES: usize = 16 << 20;

/// Different operations of one method at one node.
pub(crate) const OPERATIONS: usize = 256;

/// Different methods at one node, beside the registered ones.
pub(crate) const METHODS: usize = 32;

/// Different header or query names kept for one endpoint.
pub(crate) const NAMES: usize = 256;

/// Names in each table of an endpoint (headers, parameters, statuses, media types) that count toward no budget.
pub(crate) const FREE_NAMES: usize = 16;

/// The budget of a trie in names beyond the free ones is that of its nodes times this: a node takes up about as much.
pub(crate) const NAMES_PER_NODE: usize = 10;

/// Operations and methods at one node that count toward no budget.
pub(crate) const FREE_ENDS: usize = 4;

/// How many names each of the others counts as.
pub(crate) const NAMES_PER_END: usize = 6;

/// Different statuses or media types kept for one endpoint.
pub(crate) const CODES: usize = 64;

/// Hashes kept to estimate how many distinct values there were; the relative error is about 1/sqrt of it.
pub(crate) const DISTINCT_HASHES: usize = 128;

/// Sample flow ids of one endpoint, as many as the original tool gives.
pub(crate) const SAMPLE_IDS: usize = 3;

/// Header names listed for one endpoint, as many as the original tool gives.
pub(crate) const COMMON_HEADERS: usize = 10;

/// The most that a state read from bytes may count: a thousand machines' worth can be added before a sum overflows.
pub(crate) const COUNT: u64 = 1 << 44;

/// The longest message about a skipped place that is taken from the bytes of a state.
pub(crate) const MESSAGE_BYTES: usize = 400;

/// Places remembered for one reason of skipping.
pub(crate) const SKIP_PLACES: usize = 3;

/// Parameters or headers of one message that are told apart when names that come twice are counted once.
pub(crate) const NAMES_IN_MESSAGE: usize = 64;

/// A file may unpack to this many bytes whatever its size.
pub(crate) const UNPACKED_BYTES: u64 = 64 << 20;

/// Beyond that all that is packed in it may come to this many times its size: zlib cannot do more than 1,032, and logs do not reach 200.
pub(crate) const UNPACKED_RATIO: u64 = 2000;

/// The most memory that a zstd frame may ask for to look back into (what `zstd` itself allows without a flag).
pub(crate) const ZSTD_WINDOW_BYTES: u64 = 128 << 20;

/// The most memory that each may ask for where a zstd frame is packed in another.
pub(crate) const NESTED_WINDOW_BYTES: u64 = 8 << 20;

/// Packings inside each other that are unpacked: gzip, zlib, zstd and archives together.
pub(crate) const PACKINGS: usize = 4;

/// Captures whose files stay open; of more, each is opened while it is read.
pub(crate) const OPEN_FILES: usize = 128;

/// Files of all zip archives in one file that are looked at.
pub(crate) const ZIP_FILES: usize = 100_000;

/// States that are kept of captures that grow; where there are more files, some share one.
pub(crate) const LIVE_STATES: usize = 64;

/// Files whose times are looked at without handing that to another thread.
pub(crate) const FILES_AT_A_GLANCE: usize = 16;

/// Decisions that are kept for who asks again, or asks on.
pub(crate) const VIEWS: usize = 8;

/// Narrower views (the newest flows, of one domain) that are kept up to date.
pub(crate) const NARROW_VIEWS: usize = 8;

/// Memory of the newest flows that are held: where they are large, fewer than were asked for. 100,000 usual ones fit.
pub(crate) const HELD_FLOW_BYTES: usize = 192 << 20;

/// Memory of the rows of the original that are held for one answer.
pub(crate) const HELD_ROW_BYTES: usize = 1 << 30;

/// The newest flows that are kept for questions about fewer of them.
pub(crate) const RECENT_FLOWS: usize = 10_000;

/// Rows of the original that are kept in memory between two questions.
pub(crate) const ORIGINAL_ROWS: usize = 200_000;

/// The newest flows that a question to the server may ask for; they are held in memory.
pub(crate) const NEWEST_FLOWS: u64 = 100_000;

/// Bytes of JSON in an answer of the server, unless it is asked for others.
#[cfg(feature = "mcp")]
pub(crate) const ANSWER_BYTES: usize = 16_000;

/// The fewest bytes that an answer can be asked for in: one endpoint and all totals fit.
#[cfg(feature = "mcp")]
pub(crate) const ANSWER_BYTES_LEAST: usize = 2000;

/// The most bytes that an answer can be asked for in; more is of no use to an agent.
#[cfg(feature = "mcp")]
pub(crate) const ANSWER_BYTES_MOST: usize = 40_000;

/// Answers of the server that are kept for who asks again.
#[cfg(feature = "mcp")]
pub(crate) const ANSWERS: usize = 64;

/// Bytes of one captured word that an agent is shown.
pub(crate) const SHOWN_BYTES: usize = 240;

/// Parameters of one endpoint in an answer of standard detail.
#[cfg(feature = "mcp")]
pub(crate) const SHOWN_PARAMETERS: usize = 12;

/// A zip archive from a pipe is put into a temporary file of at most this many bytes.
pub(crate) const SPOOLED_BYTES: u64 = 8 << 30;
