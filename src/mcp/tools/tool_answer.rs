//! The result of a call of a tool, with its size.

use rmcp::model::{CallToolResult, ContentBlock};
use serde::Serialize;
use serde_json::Value;

/// A tool result, with the length of its text in bytes.
#[derive(Clone, Debug)]
pub(in crate::mcp) struct Answer {
    pub(in crate::mcp) result: CallToolResult,
    pub(in crate::mcp) bytes: usize,
}

impl Answer {
    /// Creates an error answer with a sentence that says what to do instead.
    pub(in crate::mcp) fn error(sentence: impl Into<String>) -> Self {
        let sentence = sentence.into();
        Self {
            bytes: sentence.len(),
            result: CallToolResult::error(vec![ContentBlock::text(sentence)]),
        }
    }

    /// Creates an answer with identical JSON as structured content and as text. Only the text keeps the order of the
    /// fields, totals first.
    pub(super) fn new<T: Serialize>(answer: &T) -> Self {
        // Serializing plain data into memory cannot fail.
        let text = serde_json::to_string(answer).expect("plain data in memory is serialized");
        Self::of_text(
            text,
            serde_json::to_value(answer).expect("plain data in memory is serialized"),
        )
    }

    pub(super) fn of_text(text: String, structured: Value) -> Self {
        let bytes = text.len();
        let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
        result.structured_content = Some(structured);
        Self { result, bytes }
    }
}
