//! Schemas cut to a number of bytes: nested parts are left out, deepest first, and counted.

use serde_json::{Map, Value, json};

/// Keywords whose values are schemas by name.
const BY_NAME: [&str; 2] = ["properties", "$defs"];

/// The deepest nesting that is tried.
const MAX_OUTLINE_DEPTH: usize = 24;

/// A schema, or an object of schemas, in at most so many bytes of JSON if that can be; and whether something was left out. An
/// object whose properties are left out has their number as `x-omitted-properties`.
pub(crate) fn outline(value: &Value, max_bytes: usize) -> (Value, bool) {
    if value.to_string().len() <= max_bytes {
        return (value.clone(), false);
    }
    let mut least = json!({});
    for depth in (0..MAX_OUTLINE_DEPTH).rev() {
        least = at_depth(value, depth);
        if least.to_string().len() <= max_bytes {
            break;
        }
    }
    if least.to_string().len() > max_bytes {
        least = json!({});
    }
    (least, true)
}

/// The value with all properties left out that are nested more deeply. Names of media types and statuses do not count.
fn at_depth(value: &Value, depth: usize) -> Value {
    let Value::Object(object) = value else { return value.clone() };
    let mut out = Map::new();
    for (key, inner) in object {
        if BY_NAME.contains(&&**key) && depth == 0 {
            let count = inner.as_object().map_or(0, Map::len);
            let what = if key == "$defs" { "definitions" } else { key };
            out.insert(format!("x-omitted-{what}"), json!(count));
        } else if BY_NAME.contains(&&**key) {
            let named = inner.as_object().into_iter().flatten();
            let named = named.map(|(name, inner)| (name.clone(), at_depth(inner, depth - 1)));
            out.insert(key.clone(), Value::Object(named.collect()));
        } else if depth == 0
            && (matches!(&**key, "oneOf" | "then" | "if")
                || (key == "required" && inner.is_array()))
        {
            // They are about properties that are left out. Whether a body or a parameter is required stays.
        } else if inner.is_object() {
            out.insert(key.clone(), at_depth(inner, depth));
        } else {
            out.insert(key.clone(), inner.clone());
        }
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_properties_are_left_out_first() {
        let schema = json!({ "type": "object", "properties": {
            "a": { "type": "object", "properties": { "b": { "type": "string" } }, "required": ["b"] },
            "c": { "type": "array", "items": { "type": "object", "properties": { "d": { "type": "string" } } } },
        } });
        assert_eq!(outline(&schema, 4000), (schema.clone(), false));
        let (cut, is_cut) = outline(&schema, 190);
        assert!(is_cut && cut.to_string().len() <= 190, "{cut}");
        assert_eq!(cut["properties"]["a"]["x-omitted-properties"], 1);
        assert_eq!(cut["properties"]["c"]["items"]["x-omitted-properties"], 1);
        assert_eq!(outline(&schema, 60).0, json!({ "type": "object", "x-omitted-properties": 2 }));
        let body = json!({ "required": true, "schema": schema });
        assert_eq!(outline(&body, 90).0["required"], true);
    }
}
