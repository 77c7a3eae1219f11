//! Messages of JSON-RPC 2.0 as text, with the members that a relay looks at: <https://www.jsonrpc.org/specification>.
//!
//! A message keeps the text that its sender wrote, so that what is passed on is what was sent.

pub(crate) mod envelope;
pub(crate) mod lines;
pub(crate) mod strict_json;

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use unicode_normalization::UnicodeNormalization;

use crate::flow::text::{is_invisible, shortened};
use crate::jsonrpc::envelope::{Envelope, is_too_deep};

pub(crate) const PARSE_ERROR: i32 = -32700;
pub(crate) const INVALID_REQUEST: i32 = -32600;
pub(crate) const METHOD_NOT_FOUND: i32 = -32601;
pub(crate) const INVALID_PARAMS: i32 = -32602;
/// The first of the codes that implementations may give a meaning.
pub(crate) const SERVER_ERROR: i32 = -32000;

/// The most bytes of a name that a refusal shows.
const MAX_SHOWN_BYTES: usize = 100;

/// The longest id, in bytes of JSON.
const MAX_ID_BYTES: usize = 1000;

/// The members of a message.
const MEMBERS: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

/// The id of a request: a text or an integer, as canonical JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RequestId(String);

impl RequestId {
    /// An id from JSON; `None` if it is neither a text nor an integer.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        let is_id = value.is_string() || value.is_i64() || value.is_u64();
        Some(value.to_string()).filter(|text| is_id && text.len() <= MAX_ID_BYTES).map(Self)
    }

    /// An id that is a text.
    pub(crate) fn of_text(text: &str) -> Self {
        Self(Value::from(text).to_string())
    }

    /// The id as JSON text.
    pub(crate) fn as_json(&self) -> &str {
        &self.0
    }

    /// The id as a JSON value.
    pub(crate) fn to_value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kind of a message: request, notification or response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MessageKind {
    Request { id: RequestId, method: String },
    Notification { method: String },
    Response { id: RequestId, is_error: bool },
}

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) kind: MessageKind,
    /// The JSON, without a line end.
    pub(crate) text: String,
}

/// An answer to what is not a message that can be passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageRefusal {
    /// The id as JSON, or `null` if none can be made out.
    pub(crate) id: String,
    pub(crate) code: i32,
    pub(crate) why: String,
}

/// The members of a message, each as the text that was written.
#[derive(Deserialize)]
struct Members<'m> {
    #[serde(borrow)]
    id: Option<&'m RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'m, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'m RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'m RawValue>,
}

/// A member that is there, also if it is null.
fn present<'de, D: Deserializer<'de>>(member: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(member).map(Some)
}

/// A message is a line: line ends, which valid JSON has only between its parts, become spaces.
fn in_one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\r']) {
        Cow::Owned(text.replace(['\n', '\r'], " "))
    } else {
        Cow::Borrowed(text)
    }
}

impl Message {
    /// Reads a message of a server, of which only the members are looked at.
    ///
    /// # Errors
    ///
    /// Fails with a sentence if the text is not a message.
    pub(crate) fn parse(text: String) -> Result<Self, &'static str> {
        let members: Members<'_> =
            serde_json::from_str(&text).map_err(|_| "this line is not a message of JSON-RPC")?;
        let id = members.id.and_then(|id| serde_json::from_str::<Value>(id.get()).ok());
        let is_without_id = id.as_ref().is_none_or(Value::is_null);
        let id = id.as_ref().and_then(RequestId::of);
        let is_error = members.error.is_some();
        let kind = match (members.method, id) {
            (Some(method), Some(id)) => MessageKind::Request { id, method: method.into_owned() },
            (Some(method), None) if is_without_id => {
                MessageKind::Notification { method: method.into_owned() }
            }
            (None, Some(id)) if is_error || members.result.is_some() => {
                MessageKind::Response { id, is_error }
            }
            _ => return Err("this message is neither a request nor an answer"),
        };
        let text = match in_one_line(&text) {
            Cow::Owned(line) => line,
            Cow::Borrowed(_) => text,
        };
        Ok(Self { kind, text })
    }

    /// Reads a message of a client, all of which must be JSON that cannot be read in two ways. The second part is the message as
    /// JSON.
    ///
    /// # Errors
    ///
    /// Fails with an answer for the client.
    pub(crate) fn parse_strictly(text: &[u8]) -> Result<(Self, Value), MessageRefusal> {
        let refused = |code, why: String| {
            let id = Envelope::of(text).id.unwrap_or_else(|| "null".to_owned());
            MessageRefusal { id, code, why }
        };
        if is_too_deep(text) {
            let why =
                "this message is nested more than 64 levels deep; send it with fewer".to_owned();
            return Err(refused(INVALID_REQUEST, why));
        }
        let Ok(utf8) = std::str::from_utf8(text) else {
            return Err(refused(PARSE_ERROR, "this message is not UTF-8".to_owned()));
        };
        let value = strict_json::parse_unique(utf8).map_err(|error| match error {
            strict_json::StrictError::Repeated(key) => {
                let key = shortened(key.as_bytes(), MAX_SHOWN_BYTES);
                refused(INVALID_REQUEST, format!("the key {key} appears twice in one object"))
            }
            strict_json::StrictError::NotJson => refused(
                PARSE_ERROR,
                "this is not JSON; a message is one JSON object in one line".to_owned(),
            ),
        })?;
        let invalid = |why: &str| refused(INVALID_REQUEST, why.to_owned());
        if value.is_array() {
            return Err(invalid("batches are not answered; send each message by itself"));
        }
        let Some(object) =
            value.as_object().filter(|it| it.get("jsonrpc").is_some_and(|it| it == "2.0"))
        else {
            return Err(invalid("this is not a message of JSON-RPC 2.0"));
        };
        if let Some(key) = first_variant(object.keys().map(|key| &**key), &MEMBERS) {
            let key = shortened(key.as_bytes(), MAX_SHOWN_BYTES);
            let why = format!("the member {key} differs from a known one only in case or width");
            return Err(refused(INVALID_REQUEST, why));
        }
        let id = object.get("id");
        let method = object.get("method");
        let (answered, failed) = (object.contains_key("result"), object.contains_key("error"));
        let id = match id {
            None => None,
            Some(id) => match RequestId::of(id) {
                Some(id) => Some(id),
                // A client that could not read a message answers it so.
                None if id.is_null() && failed && method.is_none() => {
                    return Err(invalid("an answer to no request"));
                }
                None => return Err(invalid("an id is a text or an integer")),
            },
        };
        let kind = match (method, id, answered, failed) {
            (Some(Value::String(method)), Some(id), false, false) => {
                MessageKind::Request { id, method: method.clone() }
            }
            (Some(Value::String(method)), None, false, false) => {
                MessageKind::Notification { method: method.clone() }
            }
            (None, Some(id), true, false) | (None, Some(id), false, true) => {
                MessageKind::Response { id, is_error: failed }
            }
            _ => return Err(invalid("this message is neither a request nor an answer")),
        };
        let text = in_one_line(utf8).into_owned();
        Ok((Self { kind, text }, value))
    }

    /// A request.
    pub(crate) fn request(id: RequestId, method: &str, params: &Value) -> Self {
        let name = Value::from(method);
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{name},"params":{params}}}"#);
        Self { kind: MessageKind::Request { id, method: method.to_owned() }, text }
    }

    /// A notification.
    pub(crate) fn notification(method: &str, params: Option<&Value>) -> Self {
        let name = Value::from(method);
        let params = params.map(|params| format!(r#","params":{params}"#)).unwrap_or_default();
        let text = format!(r#"{{"jsonrpc":"2.0","method":{name}{params}}}"#);
        Self { kind: MessageKind::Notification { method: method.to_owned() }, text }
    }

    /// The answer to a request, from its result as JSON.
    pub(crate) fn result(id: RequestId, result: &str) -> Self {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        Self { kind: MessageKind::Response { id, is_error: false }, text }
    }

    /// The answer to a request that failed.
    pub(crate) fn error(id: RequestId, code: i32, why: &str, data: Option<&Value>) -> Self {
        let text = error_text(id.as_json(), code, why, data);
        Self { kind: MessageKind::Response { id, is_error: true }, text }
    }

    /// The answer to what was not a message.
    pub(crate) fn refusal(refusal: &MessageRefusal) -> Self {
        let id = RequestId(refusal.id.clone());
        Self { kind: MessageKind::Response { id, is_error: true }, text: refusal.to_text() }
    }

    /// The id of a request or an answer.
    pub(crate) fn id(&self) -> Option<&RequestId> {
        match &self.kind {
            MessageKind::Request { id, .. } | MessageKind::Response { id, .. } => Some(id),
            MessageKind::Notification { .. } => None,
        }
    }

    /// The method of a request or a notification.
    pub(crate) fn method(&self) -> Option<&str> {
        match &self.kind {
            MessageKind::Request { method, .. } | MessageKind::Notification { method } => {
                Some(method)
            }
            MessageKind::Response { .. } => None,
        }
    }

    /// A member as JSON.
    pub(crate) fn member(&self, name: &str) -> Option<Value> {
        serde_json::from_str(self.raw_member(name)?).ok()
    }

    /// The message with another id; all other members stay as they were written.
    #[must_use]
    pub(crate) fn with_id(mut self, new: RequestId) -> Self {
        if let Some(text) = self.replaced("id", new.as_json()) {
            self.text = text;
        }
        match &mut self.kind {
            MessageKind::Request { id, .. } | MessageKind::Response { id, .. } => *id = new,
            MessageKind::Notification { .. } => {}
        }
        self
    }

    /// The message with a member, given as JSON, in place of what was there or at the end.
    #[must_use]
    pub(crate) fn with_member(mut self, name: &str, json: &str) -> Self {
        if let Some(text) = self.replaced(name, json) {
            self.text = text;
        }
        self
    }

    /// The message with a parameter, given as JSON, or without it; the others stay as they were written.
    #[must_use]
    pub(crate) fn with_param(self, name: &str, json: Option<&str>) -> Self {
        let params = self.raw_member("params").unwrap_or("{}");
        let Some(params) = replace_members(params, &[(name, json)]) else { return self };
        self.with_member("params", &params)
    }

    /// The answer with members of its result, given as JSON, where it does not have them; what it has stays as it was written.
    #[must_use]
    pub(crate) fn with_result_members(self, new: &[(&str, &str)]) -> Self {
        let Some(result) = self.raw_member("result") else { return self };
        let there: IndexMap<Cow<'_, str>, &RawValue> =
            serde_json::from_str(result).unwrap_or_default();
        let missing = new.iter().filter(|(name, _)| !there.contains_key(*name));
        let missing: Vec<_> = missing.map(|(name, json)| (*name, Some(*json))).collect();
        let Some(result) = replace_members(result, &missing) else { return self };
        self.with_member("result", &result)
    }

    /// A member as it was written.
    pub(crate) fn raw_member(&self, name: &str) -> Option<&str> {
        raw_member(&self.text, name)
    }

    fn replaced(&self, name: &str, json: &str) -> Option<String> {
        replace_members(&self.text, &[(name, Some(json))])
    }
}

impl MessageRefusal {
    /// The answer as a line of JSON without its end.
    pub(crate) fn to_text(&self) -> String {
        error_text(&self.id, self.code, &self.why, None)
    }
}

/// A member of an object, as it was written.
pub(crate) fn raw_member<'o>(object: &'o str, name: &str) -> Option<&'o str> {
    let members: IndexMap<Cow<'o, str>, &'o RawValue> = serde_json::from_str(object).ok()?;
    members.get(name).map(|value| value.get())
}

/// An object with members, given as JSON, or without them; the others stay as they were written.
pub(crate) fn replace_members(object: &str, members: &[(&str, Option<&str>)]) -> Option<String> {
    let mut all: IndexMap<Cow<'_, str>, &RawValue> = serde_json::from_str(object).ok()?;
    for (name, json) in members {
        match json {
            Some(json) => {
                all.insert(Cow::Borrowed(name), serde_json::from_str(json).ok()?);
            }
            None => {
                all.shift_remove(*name);
            }
        }
    }
    serde_json::to_string(&all).ok()
}

fn error_text(id: &str, code: i32, why: &str, data: Option<&Value>) -> String {
    let why = Value::from(why);
    let data = data.map(|data| format!(r#","data":{data}"#)).unwrap_or_default();
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{why}{data}}}}}"#)
}

/// A name as readers that do not tell case or width apart see it: compatibility forms are made one (NFKC), letters small, and
/// what is not seen is left out.
pub(crate) fn fold_name(name: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
    // Most names are plain, and this is asked of every argument of every call.
    if name.bytes().all(is_plain) {
        return Cow::Borrowed(name);
    }
    // Lower case first: U+2126 and its like change only then. The long s is an s to readers that fold simply.
    let wide = name.nfkc().flat_map(char::to_lowercase).collect::<String>();
    let seen = wide.nfkc().map(|c| if c == 'ſ' { 's' } else { c });
    Cow::Owned(
        seen.filter(|c| !c.is_control() && !c.is_whitespace() && !is_invisible(*c)).collect(),
    )
}

/// True if a name is not one of these, but would be to a reader that does not tell case or width apart.
pub(crate) fn is_variant(name: &str, known: &[&str]) -> bool {
    first_variant(std::iter::once(name), known).is_some()
}

/// The first of some names that is a variant of one of these.
pub(crate) fn first_variant<'n>(
    mut names: impl Iterator<Item = &'n str>,
    known: &[&str],
) -> Option<&'n str> {
    let folded_names: Vec<Cow<'_, str>> = known.iter().map(|known| fold_name(known)).collect();
    names.find(|name| !known.contains(name) && folded_names.contains(&fold_name(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> MessageRefusal {
        Message::parse_strictly(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn messages_that_two_readers_may_read_differently_are_refused() {
        for (text, id) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#, "1"),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","METHOD":"b"}"#, "1"),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","paramſ":{}}"#, "1"),
            (r#"{"jsonrpc":"2.0","id":2,"method":"a","params":{"x":{"y":1,"y":2}}}"#, "2"),
            (r#"{"jsonrpc":"2.0","id":1.0,"method":"a"}"#, "1.0"),
            (r#"{"jsonrpc":"2.0","id":null,"method":"a"}"#, "null"),
            (r#"{"jsonrpc":"2.0","id":3,"method":"a","result":1}"#, "3"),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"a"}]"#, "1"),
            (r#"{"id":4,"method":"a"}"#, "4"),
        ] {
            let refusal = refusal(text);
            assert_eq!(refusal.code, INVALID_REQUEST, "{text}");
            assert!(refusal.id == id || text.starts_with('['), "{text}: {}", refusal.id);
            serde_json::from_str::<Value>(&refusal.to_text()).unwrap();
        }
        assert_eq!(refusal("{").code, PARSE_ERROR);
        assert_eq!(Message::parse_strictly(b"{\"\xff\":1}").unwrap_err().code, PARSE_ERROR);
    }

    #[test]
    fn what_is_not_changed_stays_as_it_was_written() {
        let text = r#"{"jsonrpc": "2.0", "id": 7, "result": {"big": 123456789012345678901234567890, "x": 1.50}}"#;
        let message = Message::parse(text.to_owned()).unwrap();
        assert_eq!(
            message.kind,
            MessageKind::Response { id: RequestId("7".into()), is_error: false }
        );
        let other = message.with_id(RequestId::of_text("a"));
        let result = r#"{"big": 123456789012345678901234567890, "x": 1.50}"#;
        assert_eq!(other.text, format!(r#"{{"jsonrpc":"2.0","id":"a","result":{result}}}"#));
        assert!(Message::parse(r#"{"jsonrpc":"2.0","id":1}"#.to_owned()).is_err());
        let lines = "{\"jsonrpc\":\"2.0\",\n\"method\":\"x\"}";
        let (message, _) = Message::parse_strictly(lines.as_bytes()).unwrap();
        assert_eq!(message.text, r#"{"jsonrpc":"2.0", "method":"x"}"#);
        let null =
            Message::parse("{\"jsonrpc\":\"2.0\",\n\"id\":1,\"result\":null}".to_owned()).unwrap();
        assert!(
            matches!(null.kind, MessageKind::Response { is_error: false, .. })
                && !null.text.contains('\n')
        );
    }

    #[test]
    fn variants_of_names_are_seen() {
        for variant in [
            "Start_Proxy",
            "ｓtart_proxy",
            "start_proxy ",
            "start\u{200b}_proxy",
            "ſtart_proxy",
            "start_proxy\u{3164}",
        ] {
            assert!(is_variant(variant, &["start_proxy"]), "{variant}");
        }
        assert!(!is_variant("start_proxy", &["start_proxy"]));
        assert!(!is_variant("start-proxy", &["start_proxy"]));
    }

    /// As [`fold_name`], without the way for plain names.
    fn naive_folded(name: &str) -> String {
        let lower = name.nfkc().flat_map(char::to_lowercase).collect::<String>();
        let plain = lower.nfkc().map(|c| if c == 'ſ' { 's' } else { c });
        plain.filter(|c| !c.is_control() && !c.is_whitespace() && !is_invisible(*c)).collect()
    }

    proptest::proptest! {
        #[test]
        fn plain_names_are_folded_as_all_are(name in "[ -~éſＡ\u{200b}]{0,12}|[!-~]{0,12}") {
            proptest::prop_assert_eq!(&*fold_name(&name), naive_folded(&name));
        }
    }
}
