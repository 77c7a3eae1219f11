//! JSON in which every key of an object appears once. Plain parsing would let the last of several win silently.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, de};
use serde_json::{Map, Number, Value};

/// Parses a text. The second part are the keys that appear more than once, as JSON Pointers.
///
/// # Errors
///
/// Fails if the text is not JSON.
pub(crate) fn parse(text: &str) -> Result<(Value, Vec<String>), serde_json::Error> {
    let repeated = RefCell::new(Vec::new());
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = StrictSeed { path: Some(String::new()), repeated: &repeated };
    let value = seed.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok((value, repeated.into_inner()))
}

/// The reason why a text was refused: it is not JSON, or a key appears twice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StrictError {
    NotJson,
    /// This key appears more than once in one object.
    Repeated(String),
}

/// Parses a text in which no key may appear twice.
///
/// # Errors
///
/// Fails if the text is not JSON, or with the first key that appears twice.
pub(crate) fn parse_unique(text: &str) -> Result<Value, StrictError> {
    let repeated = RefCell::new(Vec::new());
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = StrictSeed { path: None, repeated: &repeated };
    let value = seed.deserialize(&mut deserializer).map_err(|_| StrictError::NotJson)?;
    deserializer.end().map_err(|_| StrictError::NotJson)?;
    match repeated.into_inner().into_iter().next() {
        Some(key) => Err(StrictError::Repeated(key)),
        None => Ok(value),
    }
}

/// A name as a part of a JSON Pointer (RFC 6901, section 3).
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Reads a value at a path, or without regard to where it stands.
struct StrictSeed<'r> {
    path: Option<String>,
    repeated: &'r RefCell<Vec<String>>,
}

impl StrictSeed<'_> {
    fn below(&self, key: &str) -> Self {
        let path = self.path.as_ref().map(|path| format!("{path}/{}", escaped(key)));
        Self { path, repeated: self.repeated }
    }

    fn item(&self, at: usize) -> Self {
        let path = self.path.as_ref().map(|path| format!("{path}/{at}"));
        Self { path, repeated: self.repeated }
    }
}

impl<'de> DeserializeSeed<'de> for StrictSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.item(list.len()))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let below = self.below(&key);
            if map.contains_key(&key) {
                let place = below.path.clone().unwrap_or_else(|| key.clone());
                self.repeated.borrow_mut().push(place);
            }
            let value = entries.next_value_seed(below)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
