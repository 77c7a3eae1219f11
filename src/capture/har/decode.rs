//! Decoder of one item of a list of entries: an entry of a HAR, an exchange of Charles, or a flow
//! in the form of JSON lines.

use crate::capture::chunk::CaptureItem;
use crate::capture::har::charles;
use crate::capture::har::entry::HarEntry;
use crate::capture::json::{JsonError, JsonReader};
use crate::capture::jsonl;

/// Reads the value at the front into `entry`, whose memory is reused, and reports its flow. Returns
/// the length of the value in bytes. The error is the reason, in words, why it cannot be used.
pub(super) fn decode<'a>(
    bytes: &'a [u8],
    offset: u64,
    entry: &mut HarEntry<'a>,
    found: &mut dyn FnMut(u64, CaptureItem<'_>),
) -> Result<usize, String> {
    let mut json = JsonReader::new(bytes);
    let bad = |error: JsonError| format!("it is not valid JSON at its byte {}", error.at);
    if json.peek() != Some(b'{') {
        json.skip().map_err(bad)?;
        return Err("it is not an object".to_owned());
    }
    entry.reset();
    entry.read(&mut json).map_err(bad)?;
    let end = json.at();
    if entry.url.is_none() && entry.is_charles {
        *entry = charles::read(&bytes[..end]).map_err(bad)?;
    }
    if entry.url.is_none() || entry.method.is_none() {
        // A list of flows in the form of JSON lines.
        if entry.url.is_none() && jsonl::is_flow(&bytes[..end]) {
            jsonl::decode_line(&bytes[..end], offset, found);
            return Ok(end);
        }
        let missing = if entry.url.is_none() { "url" } else { "method" };
        return Err(format!("its request has no {missing}"));
    }
    entry.emit_entry(offset, found);
    Ok(end)
}
