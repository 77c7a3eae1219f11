//! Bodies of JSON, a line each: one schema accepts them all, in any order.

#![no_main]

use serde_json::Value;

// Each line is a body. The schema of all accepts each, and does not depend on their order.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let texts: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').take(40).collect();
    let (schema, unread) = api_patterns::schema_of_json(texts.iter().copied());
    let (backwards, _) = api_patterns::schema_of_json(texts.iter().rev().copied());
    assert_eq!(schema, backwards);
    let values: Vec<Value> =
        texts.iter().filter_map(|text| serde_json::from_slice(text).ok()).collect();
    assert!(unread + values.len() as u64 <= texts.len() as u64);
    let validator = jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("a schema is valid");
    for value in &values {
        assert!(validator.is_valid(value), "{schema} refuses {value}");
    }
});
