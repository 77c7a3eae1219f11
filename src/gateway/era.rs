//! The two eras of the protocol: with a handshake (`initialize`), and since 2026-07-28 without, where every request says what the
//! client is: <https://modelcontextprotocol.io/specification/2026-07-28/basic>.

use serde_json::{Map, Value, json};

/// The first version without a handshake.
pub(super) const MODERN: &str = "2026-07-28";

/// The versions with a handshake, oldest first.
pub(super) const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/// Keys of `_meta` in every request without a handshake.
pub(super) const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
pub(super) const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
pub(super) const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";
pub(super) const META_LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// The key of `_meta` in an answer that names the server.
pub(super) const META_SERVER: &str = "io.modelcontextprotocol/serverInfo";
/// The key of `_meta` in a notification that belongs to a subscription.
pub(super) const META_SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// The error of a server that does not speak the version of a request.
pub(super) const UNSUPPORTED_VERSION: i32 = -32022;

/// Errors that only servers without a handshake give.
const MODERN_ERRORS: [i64; 3] = [-32020, -32021, -32022];

/// The levels of log messages, least first.
const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// The version of the protocol that the parameters of a request name; `None` if there was a handshake.
pub(super) fn version_of(params: &Value) -> Option<&str> {
    params["_meta"][META_VERSION].as_str()
}

/// True for versions without a handshake.
pub(super) fn is_modern(version: &str) -> bool {
    let is_date = version.len() == MODERN.len()
        && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    is_date && version >= MODERN
}

/// True if the answer to `server/discover` is one of a server without a handshake.
pub(super) fn is_of_modern_server(answer: &Value) -> bool {
    let supported = answer["result"]["supportedVersions"].as_array().into_iter().flatten();
    let mut supported = supported.filter_map(Value::as_str);
    supported.any(is_modern)
        || answer["error"]["code"].as_i64().is_some_and(|code| MODERN_ERRORS.contains(&code))
}

/// The rank of a log level; an unknown level ranks as `info`.
pub(super) fn rank(level: Option<&str>) -> usize {
    LEVELS.iter().position(|known| Some(*known) == level).unwrap_or(1)
}

/// The keys of `_meta` that say what a client is.
pub(super) fn client_meta(capabilities: &Value, client: &Value) -> Map<String, Value> {
    let mut capabilities = capabilities.as_object().cloned().unwrap_or_default();
    // What belongs to handshakes alone.
    capabilities.shift_remove("tasks");
    if let Some(roots) = capabilities.get_mut("roots").and_then(Value::as_object_mut) {
        roots.shift_remove("listChanged");
    }
    let mut meta = Map::new();
    meta.insert(META_VERSION.to_owned(), json!(MODERN));
    meta.insert(META_CAPABILITIES.to_owned(), Value::Object(capabilities));
    if client.is_object() {
        meta.insert(META_CLIENT.to_owned(), client.clone());
    }
    meta
}
