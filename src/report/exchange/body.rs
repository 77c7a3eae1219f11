//! The body of a message as an exchange shows it.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::flow::body::decode::{BodyDecoder, BodyProblem, to_utf8};
use crate::flow::body::media::{BodySyntax, essence};
use crate::flow::{Body, Headers, text};
use crate::report::exchange::hiding::Secrets;

/// The body of a message, decoded.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MessageBody {
    /// The content type as sent, with control characters escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The content.
    #[serde(flatten)]
    pub content: BodyContent,
}

/// The content of a [`MessageBody`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "form")]
#[non_exhaustive]
pub enum BodyContent {
    /// No body was recorded, or it is empty.
    #[default]
    Empty,
    /// A JSON value.
    Json {
        /// The value.
        json: Value,
    },
    /// Text in any other syntax.
    Text {
        /// The text.
        text: String,
    },
    /// Bytes that are not text.
    Bytes {
        /// The bytes in Base64 (RFC 4648, section 4).
        base64: String,
    },
    /// A body that is not shown.
    Hidden {
        /// Length in bytes: decoded, or as recorded if it cannot be decoded.
        bytes: u64,
        /// The reason, in words.
        why: String,
    },
}

impl MessageBody {
    pub(super) fn of(
        body: Body<'_>,
        headers: Headers<'_>,
        content_type: Option<&[u8]>,
        decoder: &mut BodyDecoder,
        secrets: Secrets,
    ) -> Self {
        let shown_type =
            content_type.map(|text| secrets.header(b"content-type", text).into_owned());
        let content = match decoder.decode(body, headers) {
            Ok(None) => BodyContent::Empty,
            Ok(Some(bytes)) => content_of(&bytes, content_type, secrets),
            Err(problem) => BodyContent::Hidden {
                bytes: body.recorded_bytes().unwrap_or_default(),
                why: words_of_problem(problem).to_owned(),
            },
        };
        Self { content_type: shown_type, content }
    }
}

fn words_of_problem(problem: BodyProblem) -> &'static str {
    match problem {
        BodyProblem::TooLarge => "it is too large to read",
        BodyProblem::UnknownEncoding => "its content-encoding is not supported",
        BodyProblem::DamagedEncoding => "its compressed bytes are damaged",
    }
}

fn content_of(bytes: &[u8], content_type: Option<&[u8]>, secrets: Secrets) -> BodyContent {
    if bytes.is_empty() {
        return BodyContent::Empty;
    }
    let syntax = BodySyntax::of(content_type, bytes);
    let text = to_utf8(Cow::Borrowed(bytes), content_type);
    if syntax == Some(BodySyntax::Json)
        && let Ok(json) = serde_json::from_slice(&text)
    {
        return BodyContent::Json { json: secrets.json(json) };
    }
    if syntax == Some(BodySyntax::Form) {
        return BodyContent::Text { text: secrets.form(&text) };
    }
    if secrets == Secrets::Masked {
        let what = match syntax {
            Some(BodySyntax::Json | BodySyntax::JsonLines) => "JSON that is not one valid value",
            Some(BodySyntax::EventStream) => "a stream of events",
            Some(BodySyntax::Multipart) => "a form of several parts",
            Some(BodySyntax::Form) | None => "not JSON or a form",
        };
        return BodyContent::Hidden {
            bytes: bytes.len() as u64,
            why: format!("it is {what}, in which secrets cannot be told"),
        };
    }
    match std::str::from_utf8(&text) {
        Ok(text) if is_text(content_type, text) => BodyContent::Text { text: plain_text(text) },
        _ => BodyContent::Bytes { base64: base64_of(bytes) },
    }
}

/// Returns `true` if the content is text that can be shown: its type says so, or it has no control characters.
fn is_text(content_type: Option<&[u8]>, text: &str) -> bool {
    let essence = essence(content_type.unwrap_or_default());
    essence.starts_with(b"text/") || !text.contains(|c: char| c.is_control() && !c.is_whitespace())
}

/// Text whose lines are printable.
fn plain_text(text: &str) -> String {
    let line = |line: &str| {
        let columns = line.split('\t').map(|column| text::printable(column.as_bytes()));
        columns.collect::<Vec<_>>().join("\t")
    };
    text.split('\n').map(|one| line(one.trim_end_matches('\r'))).collect::<Vec<_>>().join("\n")
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
