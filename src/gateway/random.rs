//! Random texts for ids and tokens, which cannot be guessed.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::jsonrpc::RequestId;

/// A text of 128 random bits; `None` if the system's random generator fails.
pub(super) fn text() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Ids of requests of the gateway itself, which no client or server chooses by accident or on purpose.
#[derive(Debug)]
pub(super) struct OwnIds {
    prefix: String,
    last: u64,
}

impl Default for OwnIds {
    fn default() -> Self {
        Self { prefix: text().unwrap_or_else(|| "api-patterns".to_owned()), last: 0 }
    }
}

impl OwnIds {
    /// An id that was not given before.
    pub(super) fn next_id(&mut self) -> RequestId {
        self.last += 1;
        RequestId::of_text(&format!("{}/{}", self.prefix, self.last))
    }
}
