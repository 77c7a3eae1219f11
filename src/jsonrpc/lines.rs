//! Messages as lines.

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Skips the rest of a line. Returns `false` at the end of the input.
pub(crate) async fn skip_line(input: &mut (impl AsyncBufRead + Unpin)) -> bool {
    loop {
        let Ok(bytes) = input.fill_buf().await else { return false };
        if bytes.is_empty() {
            return false;
        }
        let end = memchr::memchr(b'\n', bytes);
        let used = end.map_or(bytes.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            return true;
        }
    }
}
