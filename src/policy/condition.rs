//! Conditions on the arguments of a call.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::{Map, Number, Value};

use crate::jsonrpc::first_variant;

/// The longest text that a regular expression looks at, in bytes; what is longer cannot be judged.
const MAX_TEXT_BYTES: usize = 1 << 16;

/// A place in the arguments: `args.items[0].id`, or `args.items[*].id` for that of every item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ArgumentPath {
    /// As it was written.
    pub(super) text: String,
    steps: Vec<ArgumentStep>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ArgumentStep {
    Key(String),
    Index(usize),
    /// Every item of a list.
    Each,
}

/// The value at a place in the arguments, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found<'v> {
    Value(&'v Value),
    /// No value, or null: tools treat both as absent.
    Absent,
    /// Something before the place is of another kind than the path says, such as a text where a list is expected, or there are
    /// two keys that some readers take for one.
    WrongKind,
}

/// The result of a condition for one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Holds,
    Fails,
    /// The operator does not apply to values of this kind.
    Unknown,
}

/// A comparison of one place in the arguments.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) path: ArgumentPath,
    pub(super) operator: Operator,
}

/// An operator with what it compares with.
#[derive(Clone, Debug)]
pub(super) enum Operator {
    /// Equal, as JSON; numbers by their value.
    Eq(Value),
    Neq(Value),
    In(Vec<Value>),
    NotIn(Vec<Value>),
    Lt(Number),
    Lte(Number),
    Gt(Number),
    Gte(Number),
    Regex(Regex),
    /// A text that has this text in it, or a list that has this item.
    Contains(Value),
    Exists(bool),
}

impl ArgumentPath {
    /// Reads a path; `None` if it does not begin with `args.` or is malformed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        for part in text.strip_prefix("args.")?.split('.') {
            let (key, mut rest) = part.find('[').map_or((part, ""), |at| part.split_at(at));
            if key.is_empty() {
                return None;
            }
            steps.push(ArgumentStep::Key(key.to_owned()));
            while !rest.is_empty() {
                let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
                steps.push(match index {
                    "*" => ArgumentStep::Each,
                    number => ArgumentStep::Index(number.parse().ok()?),
                });
                rest = after;
            }
        }
        Some(Self { text: text.to_owned(), steps })
    }

    /// The values at the place, one for each item where the path is about every item; none for an empty list.
    pub(super) fn select<'v>(&self, arguments: &'v Value) -> Vec<Found<'v>> {
        let mut found = vec![Found::Value(arguments)];
        for step in &self.steps {
            found = found.into_iter().flat_map(|it| step.select(it)).collect();
        }
        let is_null = |it: &Found<'_>| *it == Found::Value(&Value::Null);
        found.into_iter().map(|it| if is_null(&it) { Found::Absent } else { it }).collect()
    }
}

impl ArgumentStep {
    fn select<'v>(&self, at: Found<'v>) -> Vec<Found<'v>> {
        let value = match at {
            Found::Value(Value::Null) | Found::Absent => return vec![Found::Absent],
            Found::WrongKind => return vec![Found::WrongKind],
            Found::Value(value) => value,
        };
        let one = |found: Option<&'v Value>| vec![found.map_or(Found::Absent, Found::Value)];
        match (self, value) {
            // A tool that does not tell case apart might take another key for this one.
            (Self::Key(key), Value::Object(object)) if has_variant(object, key) => {
                vec![Found::WrongKind]
            }
            (Self::Key(key), Value::Object(object)) => one(object.get(key)),
            (Self::Index(index), Value::Array(items)) => one(items.get(*index)),
            (Self::Each, Value::Array(items)) => items.iter().map(Found::Value).collect(),
            _ => vec![Found::WrongKind],
        }
    }
}

/// True if an object has a key that is not this one, but would be to a reader that does not tell case or width apart.
fn has_variant(object: &Map<String, Value>, key: &str) -> bool {
    object.len() > usize::from(object.contains_key(key))
        && first_variant(object.keys().map(|other| &**other), &[key]).is_some()
}

impl Condition {
    /// True if it holds of everything at the place.
    pub(super) fn holds(&self, arguments: &Value) -> bool {
        let found = self.path.select(arguments);
        found.into_iter().all(|it| self.operator.judge(it) == Judgement::Holds)
    }

    /// True if it holds of something at the place, or cannot be judged.
    pub(super) fn may_hold(&self, arguments: &Value) -> bool {
        let found = self.path.select(arguments);
        found.into_iter().any(|it| self.operator.judge(it) != Judgement::Fails)
    }
}

fn judgement_of(holds: bool) -> Judgement {
    if holds { Judgement::Holds } else { Judgement::Fails }
}

impl Operator {
    /// Judges a value. Of an absent value only `neq`, `not_in`, and `exists` with false hold.
    fn judge(&self, found: Found<'_>) -> Judgement {
        let value = match found {
            Found::Value(value) => value,
            Found::WrongKind => return Judgement::Unknown,
            Found::Absent => {
                return judgement_of(matches!(
                    self,
                    Self::Neq(_) | Self::NotIn(_) | Self::Exists(false)
                ));
            }
        };
        match self {
            Self::Eq(wanted) => judge_membership(value, std::slice::from_ref(wanted)),
            Self::Neq(wanted) => judge_membership(value, std::slice::from_ref(wanted)).reversed(),
            Self::In(wanted) => judge_membership(value, wanted),
            Self::NotIn(wanted) => judge_membership(value, wanted).reversed(),
            Self::Lt(bound) => compare(value, bound, Ordering::is_lt),
            Self::Lte(bound) => compare(value, bound, Ordering::is_le),
            Self::Gt(bound) => compare(value, bound, Ordering::is_gt),
            Self::Gte(bound) => compare(value, bound, Ordering::is_ge),
            Self::Regex(pattern) => match value.as_str() {
                Some(text) if text.len() <= MAX_TEXT_BYTES => judgement_of(pattern.is_match(text)),
                _ => Judgement::Unknown,
            },
            Self::Contains(wanted) => match (value, wanted) {
                (Value::String(text), Value::String(part)) => judgement_of(text.contains(&**part)),
                (Value::Array(items), _) => contains(items, wanted),
                _ => Judgement::Unknown,
            },
            Self::Exists(wanted) => judgement_of(*wanted),
        }
    }
}

impl Judgement {
    fn reversed(self) -> Self {
        match self {
            Self::Holds => Self::Fails,
            Self::Fails => Self::Holds,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// Whether a value is one of these. What a tool might take for one of them cannot be judged (`"false"` for false, `"5"` for 5), nor a
/// value of a kind that none of them has.
fn judge_membership(value: &Value, wanted: &[Value]) -> Judgement {
    if is_inexact(value) {
        return Judgement::Unknown;
    }
    if wanted.iter().any(|one| is_equal(value, one)) {
        return Judgement::Holds;
    }
    let has_kind = |one: &Value| std::mem::discriminant(one) == std::mem::discriminant(value);
    if !wanted.iter().any(has_kind) || wanted.iter().any(|one| may_be_taken_for(value, one)) {
        return Judgement::Unknown;
    }
    Judgement::Fails
}

/// True if a tool that converts arguments might take a value for another one.
fn may_be_taken_for(value: &Value, other: &Value) -> bool {
    let truth = |text: &str| match &*text.trim().to_lowercase() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    };
    match (value, other) {
        (Value::String(text), Value::Bool(one)) | (Value::Bool(one), Value::String(text)) => {
            truth(text) == Some(*one)
        }
        (Value::String(text), Value::Number(one)) | (Value::Number(one), Value::String(text)) => {
            text.trim().parse::<f64>().ok() == one.as_f64()
        }
        (Value::Bool(truth), Value::Number(one)) | (Value::Number(one), Value::Bool(truth)) => {
            one.as_f64() == Some(f64::from(u8::from(*truth)))
        }
        (Value::Array(items), Value::Array(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(a, b)| is_or_may_be(a, b))
        }
        (Value::Object(members), Value::Object(others)) => {
            members.len() == others.len()
                && members.iter().all(|(key, value)| {
                    others.get(key).is_some_and(|other| is_or_may_be(value, other))
                })
        }
        _ => false,
    }
}

fn is_or_may_be(value: &Value, other: &Value) -> bool {
    is_equal(value, other) || may_be_taken_for(value, other)
}

/// True for numbers that are held as a float which stands for several whole numbers, as 100000000000000000007 is.
fn is_inexact(value: &Value) -> bool {
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => {
            number.is_f64() && number.as_f64().is_some_and(|number| number.abs() >= MAX_EXACT)
        }
        Value::Array(items) => items.iter().any(is_inexact),
        Value::Object(members) => members.values().any(is_inexact),
        _ => false,
    }
}

fn contains(items: &[Value], wanted: &Value) -> Judgement {
    if items.iter().any(is_inexact) || is_inexact(wanted) {
        return Judgement::Unknown;
    }
    if items.iter().any(|item| is_equal(item, wanted)) {
        return Judgement::Holds;
    }
    let may_hold = items.iter().any(|item| may_be_taken_for(item, wanted));
    if may_hold { Judgement::Unknown } else { Judgement::Fails }
}

fn compare(value: &Value, bound: &Number, holds: impl Fn(Ordering) -> bool) -> Judgement {
    let Value::Number(number) = value else { return Judgement::Unknown };
    if is_inexact(value) {
        return Judgement::Unknown;
    }
    order(number, bound).map_or(Judgement::Unknown, |order| judgement_of(holds(order)))
}

/// The order of two numbers by their value: whole numbers exactly, also those that a float cannot tell apart.
fn order(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(first), Some(second)) => Some(first.cmp(&second)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// Equality of JSON, in which numbers are equal by their value: 1 and 1.0.
fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(first), Value::Number(second)) => {
            order(first, second) == Some(Ordering::Equal)
        }
        (Value::Array(first), Value::Array(second)) => {
            first.len() == second.len() && first.iter().zip(second).all(|(a, b)| is_equal(a, b))
        }
        (Value::Object(first), Value::Object(second)) => {
            first.len() == second.len()
                && first.iter().all(|(key, a)| second.get(key).is_some_and(|b| is_equal(a, b)))
        }
        _ => a == b,
    }
}
