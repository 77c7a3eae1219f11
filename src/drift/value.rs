//! A JSON value that borrows its strings, with the members of objects sorted by name.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::description::schema::KindSet;

/// A JSON value of a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MessageValue<'j> {
    Null,
    Boolean(bool),
    Integer(i64),
    /// A number that is not whole, or too large.
    Number(f64),
    Text(Cow<'j, str>),
    List(Vec<MessageValue<'j>>),
    /// Sorted by name. Of a name that comes more than once the last value counts.
    Object(Vec<(Cow<'j, str>, MessageValue<'j>)>),
}

impl<'j> MessageValue<'j> {
    /// Reads a JSON text; `None` if it is not one, or has more than 127 levels.
    pub(crate) fn parse(text: &'j [u8]) -> Option<Self> {
        serde_json::from_slice(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)).ok()
    }

    pub(crate) fn kind(&self) -> KindSet {
        match self {
            Self::Null => KindSet::NULL,
            Self::Boolean(_) => KindSet::BOOLEAN,
            Self::Integer(_) => KindSet::INTEGER,
            Self::Number(number) if number.fract() == 0.0 => KindSet::INTEGER,
            Self::Number(_) => KindSet::FRACTION,
            Self::Text(_) => KindSet::STRING,
            Self::List(_) => KindSet::ARRAY,
            Self::Object(_) => KindSet::OBJECT,
        }
    }

    /// The member of an object with this name.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        let at = members.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        Some(&members[at].1)
    }

    /// Number of values in it.
    pub(crate) fn nodes(&self) -> u64 {
        let below: u64 = match self {
            Self::List(items) => items.iter().map(Self::nodes).sum(),
            Self::Object(members) => members.iter().map(|(_, value)| value.nodes()).sum(),
            _ => 0,
        };
        below + 1
    }

    pub(crate) fn object(mut members: Vec<(Cow<'j, str>, Self)>) -> Self {
        // Stable, so that the last of equal names stays last.
        members.sort_by(|a, b| a.0.cmp(&b.0));
        let mut kept: Vec<(Cow<'j, str>, Self)> = Vec::with_capacity(members.len());
        for member in members {
            match kept.last_mut() {
                Some(last) if last.0 == member.0 => *last = member,
                _ => kept.push(member),
            }
        }
        Self::Object(kept)
    }

    /// True if the values are equal as JSON Schema compares them: numbers by what they are worth.
    pub(crate) fn equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Self::Null, Value::Null) => true,
            (Self::Boolean(own), Value::Bool(other)) => own == other,
            (Self::Text(own), Value::String(other)) => own == other,
            (Self::Integer(own), Value::Number(other)) => {
                other.as_i64() == Some(*own)
                    || other.as_f64().is_some_and(|other| is_worth(*own, other))
            }
            (Self::Number(own), Value::Number(other)) => other.as_f64() == Some(*own),
            (Self::List(own), Value::Array(other)) => {
                own.len() == other.len() && own.iter().zip(other).all(|(a, b)| a.equals(b))
            }
            (Self::Object(own), Value::Object(other)) => {
                own.len() == other.len()
                    && own.iter().all(|(name, value)| {
                        other.get(&**name).is_some_and(|other| value.equals(other))
                    })
            }
            _ => false,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "bounds in schemas are floats too")]
    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

#[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "`1` and `1.0` are one number")]
fn is_worth(integer: i64, number: f64) -> bool {
    integer as f64 == number
}

impl<'de> Deserialize<'de> for MessageValue<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = MessageValue<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(MessageValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(MessageValue::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(MessageValue::Integer(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "what no i64 holds")]
    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(MessageValue::Number(value as f64), MessageValue::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(MessageValue::Number(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(MessageValue::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(MessageValue::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(MessageValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Name(name), value)) = entries.next_entry()? {
            members.push((name, value));
        }
        Ok(MessageValue::object(members))
    }
}

/// The name of a member, borrowed where it has no escapes.
struct Name<'j>(Cow<'j, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(ValueVisitor)? {
            MessageValue::Text(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("a name is a string")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_compared() {
        let value = MessageValue::parse(br#"{"b": [1, 1.5, null], "a": "x\n", "b": [2]}"#).unwrap();
        assert_eq!(value.member("b"), Some(&MessageValue::List(vec![MessageValue::Integer(2)])));
        assert_eq!(value.member("c"), None);
        assert_eq!(value.nodes(), 4);
        assert!(value.equals(&serde_json::json!({ "a": "x\n", "b": [2.0] })));
        assert!(!value.equals(&serde_json::json!({ "a": "x\n" })));
        assert_eq!(MessageValue::parse(b"1.0").unwrap().kind(), KindSet::INTEGER);
        assert_eq!(MessageValue::parse(b"[1,"), None);
        assert_eq!(MessageValue::parse(&b"[".repeat(100_000)), None);
    }
}
