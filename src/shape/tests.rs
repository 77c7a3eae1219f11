//! Laws of shapes: order, split and merging do not show; stored shapes come back; schemas accept what was observed.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::limits::MAX_ENDPOINT_SHAPE_NODES;
use crate::schema::graph::MessageContext;
use crate::schema::host::HostBuilder;
use crate::schema::names::EntityNames;
use crate::schema::prior::Prior;
use crate::schema::schema_of_json;
use crate::shape::form::observe_form;
use crate::shape::items::Items;
use crate::shape::observe::{SampledValues, observe_json};
use crate::shape::{Caps, MAX_DEPTH, Shape};
use crate::sketch::Merge;
use crate::template::property_rules::PropertyDecision;

/// JSON as APIs write it, with names and values that every decision stumbles over.
fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just(String::new()),
        prop::sample::select(vec![
            "open", "closed", "A", "B", "User", "Org", "(file)", "x y", "null"
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec![
            "2024-02-29T12:30:00Z",
            "2024-02-29 12:30:00",
            "2024-02-29",
            "550e8400-e29b-41d4-a716-446655440000",
            "https://h.example/a",
            "a@b.example",
            "192.0.2.1",
            "::1",
            "17",
            "4111111111111111",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,60}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1000_i32..1000).prop_map(|number| json!(f64::from(number) / 8.0)),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        let key = prop_oneof![
            prop::sample::select(vec![
                "id",
                "type",
                "status",
                "name",
                "items",
                "kind",
                "created_at"
            ])
            .prop_map(str::to_owned),
            "[a-c]{1,2}|[0-9]{1,4}|\\PC{0,3}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..10)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn shape_of(values: &[Value]) -> Shape {
    let mut shape = Shape::default();
    for value in values {
        observe_json(&mut shape, value.to_string().as_bytes(), &mut 0, SampledValues::All).unwrap();
    }
    shape
}

/// Queries with lists in one string, repeated names and text.
fn query() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop::sample::select(vec!["ids", "fields", "q", "tags[]", "page"]);
    let item = prop::sample::select(vec![
        "1",
        "25",
        "2.5",
        "id",
        "user/name",
        "-created_at",
        "true",
        "",
        "550e8400-e29b-41d4-a716-446655440000",
        "2024-02-29",
        "a b",
        "xkcdqwrtzpl",
        "a|b",
    ]);
    let separator = prop::sample::select(vec![",", ",", ",", "|", " "]);
    let value = (prop::collection::vec(item, 1..4), separator);
    prop::collection::vec((name, value), 0..4).prop_map(|pairs| {
        pairs.into_iter().map(|(name, (items, by))| (name.to_owned(), items.join(by))).collect()
    })
}

fn shape_of_queries(queries: &[Vec<(String, String)>]) -> Shape {
    let mut shape = Shape::default();
    for pairs in queries {
        let text =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        observe_form(&mut shape, text.as_bytes());
    }
    shape
}

/// A text as a value of the kind that a schema says it is written as.
fn as_said(text: &str, schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("integer" | "number" | "boolean") => serde_json::from_str(text).unwrap(),
        _ => Value::from(text),
    }
}

/// A parameter as a value, read with the style that its schema states.
fn parameter(values: &[&str], is_list: bool, schema: &Value) -> Value {
    let separator = match schema["x-style"].as_str() {
        Some("form") => ',',
        Some("pipeDelimited") => '|',
        Some(_) => ' ',
        None if is_list => {
            return values.iter().map(|text| as_said(text, &schema["items"])).collect();
        }
        None => return as_said(values[0], schema),
    };
    values[0].split(separator).map(|text| as_said(text, &schema["items"])).collect()
}

fn cut(mut shape: Shape, level: u8) -> Shape {
    shape.cut(Caps::at(level));
    shape
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn order_and_split_do_not_show(values in prop::collection::vec(value(), 0..14), split in 0_usize..14, level in 0_u8..=Caps::MAX_LEVEL) {
        let split = split.min(values.len());
        let whole = shape_of(&values);
        let mut backwards = values[split..].to_vec();
        backwards.reverse();
        let mut merged = shape_of(&backwards);
        merged.merge(shape_of(&values[..split]));
        prop_assert_eq!(&merged, &whole);
        // A part that was cut before is cut again.
        let mut cut_first = cut(shape_of(&backwards), level);
        cut_first.merge(shape_of(&values[..split]));
        prop_assert_eq!(cut(cut_first, level), cut(whole.clone(), level));
        let bytes = postcard::to_stdvec(&whole).unwrap();
        let back: Shape = postcard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&back, &whole);
        prop_assert_eq!(postcard::to_stdvec(&back).unwrap(), bytes);
    }

    /// The laws of shapes and of schemas for queries, whose lists are read as their style says.
    #[test]
    fn queries_are_accepted_as_their_styles_say(queries in prop::collection::vec(query(), 1..12), times in 1_usize..6, split in 0_usize..12) {
        let queries: Vec<_> = std::iter::repeat_n(&queries, times).flatten().cloned().collect();
        let whole = shape_of_queries(&queries);
        let split = split.min(queries.len());
        let mut merged = shape_of_queries(&queries[split..]);
        merged.merge(shape_of_queries(&queries[..split]));
        prop_assert_eq!(&merged, &whole);
        let bytes = postcard::to_stdvec(&whole).unwrap();
        prop_assert_eq!(postcard::to_stdvec(&merged).unwrap(), &*bytes);
        prop_assert_eq!(&postcard::from_bytes::<Shape>(&bytes).unwrap(), &whole);
        let mut builder = HostBuilder::default();
        let names = EntityNames::default();
        let rules = |_: &[&str]| PropertyDecision::default();
        let message = MessageContext { names: &names, is_request: true, is_text: true, caps: Caps::at(0), rules: &rules };
        let place = builder.add(whole, &message);
        let prior = Prior::default();
        let schema = builder.build(&[], &prior).schema(&prior, place, true);
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        for query in &queries {
            let mut read = Map::new();
            for (name, _) in query {
                let values: Vec<&str> = query.iter().filter(|(also, _)| also == name).map(|(_, value)| &**value).collect();
                let is_list = values.len() > 1 || name.ends_with("[]");
                read.insert(name.clone(), parameter(&values, is_list, &schema["properties"][name]));
            }
            let read = Value::Object(read);
            prop_assert!(validator.is_valid(&read), "{} refuses {}", schema, read);
        }
    }

    /// The law of schemas: every observed value is accepted, whatever was decided.
    #[test]
    fn schemas_accept_what_was_observed(values in prop::collection::vec(value(), 1..14), times in 1_usize..8) {
        let texts: Vec<Vec<u8>> = values.iter().map(|value| value.to_string().into_bytes()).collect();
        let repeated = std::iter::repeat_n(&texts, times).flatten().map(Vec::as_slice);
        let (schema, unread) = schema_of_json(repeated);
        prop_assert_eq!(unread, 0);
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        for value in &values {
            prop_assert!(validator.is_valid(value), "{} refuses {}", schema, value);
        }
    }

    /// Texts that end in the middle change nothing about which fields are required.
    #[test]
    fn broken_texts_are_refused_and_harmless(values in prop::collection::vec(value(), 1..8), end in 0_usize..100) {
        let whole = shape_of(&values);
        let mut shape = whole.clone();
        for value in &values {
            let text = value.to_string();
            let at = (0..=text.len() * end / 100).rev().find(|at| text.is_char_boundary(*at));
            let cut = &text[..at.unwrap_or(0)];
            let is_whole = serde_json::from_str::<Value>(cut).is_ok();
            prop_assert_eq!(observe_json(&mut shape, cut.as_bytes(), &mut 0, SampledValues::All).is_ok(), is_whole);
            if is_whole {
                return Ok(());
            }
        }
        let counts = |shape: &Shape| shape.fields.as_ref().map(|fields| {
            (fields.count, fields.iter().map(|(_, key, field)| (key.to_vec(), field.present)).filter(|(_, present)| *present > 0).collect::<Vec<_>>())
        });
        let counts = [&shape, &whole].map(|shape| counts(shape).filter(|(count, _)| *count > 0));
        prop_assert_eq!(&counts[0], &counts[1]);
    }
}

#[test]
fn no_secret_and_no_long_value_is_in_a_state() {
    let secrets = [
        "hunter2pass9x",
        "4111 1111 1111 1111",
        "somebody@example.com",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "xkcdqwrtzpl",
        "+49 170 1234567",
        "DE89370400440532013000",
        "a8f3k2m9q1z7",
    ];
    let mut shape = Shape::default();
    for secret in secrets {
        let text =
            json!({ "a": secret, secret: 1, "type": secret, "b": [secret], "c": "z".repeat(49) })
                .to_string();
        observe_json(&mut shape, text.as_bytes(), &mut 0, SampledValues::All).unwrap();
    }
    // Plain words, which the name of the field makes a secret or personal.
    let by_name = ["correct-horse-battery", "Wilhelmina"];
    let text = json!({ "password": by_name[0], "tokens": [by_name[0]], "api_token": [by_name[0]], "first_name": by_name[1] });
    observe_json(&mut shape, text.to_string().as_bytes(), &mut 0, SampledValues::All).unwrap();
    observe_form(&mut shape, b"client_secret=correct-horse-battery&lastName=Wilhelmina");
    let bytes = postcard::to_stdvec(&shape).unwrap();
    for secret in secrets.into_iter().chain(by_name) {
        assert!(memchr::memmem::find(&bytes, secret.as_bytes()).is_none(), "{secret}");
    }
    assert!(memchr::memmem::find(&bytes, &[b'z'; 49]).is_none());
}

#[test]
fn half_a_surrogate_pair_is_read_and_never_stated() {
    let texts: Vec<String> = (0..30)
        .map(|n| {
            format!(
                r#"{{"status": "{}", "b": "\\ud83d\\ude00 \\\\ud800"}}"#,
                ["on", "off", r"x\ud800", r"\udc00\ud83d"][n % 4]
            )
        })
        .collect();
    let (schema, unread) = schema_of_json(texts.iter().map(String::as_bytes));
    assert_eq!((unread, &schema["properties"]["status"]["enum"]), (0, &Value::Null), "{schema}");
    assert_eq!(schema["properties"]["b"]["type"], "string");
}

#[test]
fn shapes_nested_more_deeply_than_any_observation_are_refused() {
    let nested = |depth: usize| {
        let mut shape = Shape { trues: 1, ..Shape::default() };
        for _ in 0..depth {
            let items = Items { count: 1, item: shape, ..Items::default() };
            shape = Shape { items: Some(Box::new(items)), ..Shape::default() };
        }
        postcard::to_stdvec(&shape).unwrap()
    };
    let read = |bytes: &[u8]| postcard::from_bytes::<Shape>(bytes);
    assert!(read(&nested(MAX_DEPTH)).is_ok());
    assert!(read(&nested(MAX_DEPTH + 2)).is_err());
    // The count is right again after a refusal.
    assert!(read(&nested(MAX_DEPTH)).is_ok());
    let many = Shape { nulls: crate::limits::MAX_COUNT + 1, ..Shape::default() };
    assert!(read(&postcard::to_stdvec(&many).unwrap()).is_err());
}

#[test]
fn deep_and_wide_values_are_bounded() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let mut shape = Shape::default();
    observe_json(&mut shape, deep.as_bytes(), &mut 0, SampledValues::All).unwrap();
    assert!(shape.nodes() < 40);
    let wide: Map<String, Value> =
        (0..200_000).map(|n| (format!("key{n}"), json!({ "a": n }))).collect();
    observe_json(
        &mut shape,
        Value::Object(wide).to_string().as_bytes(),
        &mut 0,
        SampledValues::All,
    )
    .unwrap();
    assert!(shape.nodes() < 400, "{}", shape.nodes());
    let mut level = 0;
    shape.fit(20, &mut level);
    assert!(shape.nodes() <= 20 && level > 0);
}

/// A body of many different objects: each has own keys, so that nothing of it repeats.
fn flood(seed: u32, objects: u32) -> Value {
    let inner = |n: u32| -> Value {
        (0..60).map(|key| (format!("k{seed}_{n}_{key}"), json!({ "a": n, "b": [key] }))).collect()
    };
    Value::Object((0..objects).map(|n| (format!("o{seed}_{n}"), inner(n))).collect())
}

#[test]
fn a_body_that_is_too_wide_is_cut_while_it_is_read() {
    // Each level has at most 128 keys, so it takes three to have many nodes.
    let wide = Value::Object((0..40).map(|n| (format!("w{n}"), flood(n, 60))).collect());
    let text = wide.to_string();
    assert!(text.len() > 4 << 20, "{}", text.len());
    let (mut shape, mut level) = (Shape::default(), 0);
    observe_json(&mut shape, text.as_bytes(), &mut level, SampledValues::All).unwrap();
    // 144,000 objects and lists, and as many numbers.
    assert!(level > 0 && shape.nodes() < 100_000, "{level} {}", shape.nodes());
    shape.fit(MAX_ENDPOINT_SHAPE_NODES, &mut level);
    // The level is that of a shape that was cut at the end only.
    let (schema, unread) = schema_of_json([text.as_bytes()]);
    assert_eq!(unread, 0);
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    assert!(validator.is_valid(&wide));
    let halves: Vec<String> = (0..2)
        .map(|half| {
            Value::Object(
                wide.as_object()
                    .unwrap()
                    .clone()
                    .into_iter()
                    .filter(|(key, _)| (key.len() + usize::from(key.as_bytes()[1])) % 2 == half)
                    .collect(),
            )
            .to_string()
        })
        .collect();
    let (one, _) = schema_of_json(halves.iter().map(String::as_bytes));
    let (other, _) = schema_of_json(halves.iter().rev().map(String::as_bytes));
    assert!(one == other, "the order of the bodies shows");
}
