//! Conditions on the arguments of a call.

use regex::Regex;
use serde_json::Value;

/// The longest text that a regular expression looks at, in bytes; what is longer cannot be judged.
const MAX_TEXT_BYTES: usize = 1 << 16;

/// A place in the arguments: `args.items[0].id`, or `args.items[*].id` for that of every item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ArgumentPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    /// Every item of a list.
    Each,
}

/// What a condition says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Holds,
    Fails,
    /// The value is of a kind that the operator is not about.
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
    Lt(f64),
    Lte(f64),
    Gt(f64),
    Gte(f64),
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
            steps.push(Step::Key(key.to_owned()));
            while !rest.is_empty() {
                let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
                steps.push(match index {
                    "*" => Step::Each,
                    number => Step::Index(number.parse().ok()?),
                });
                rest = after;
            }
        }
        Some(Self(steps))
    }

    /// The values at the place, in their order; `None` for each that is not there. Empty for every item of an empty list.
    pub(super) fn select<'v>(&self, arguments: &'v Value) -> Vec<Option<&'v Value>> {
        let mut values = vec![Some(arguments)];
        for step in &self.0 {
            values = match step {
                Step::Key(key) => values.iter().map(|it| it.and_then(|it| it.get(key))).collect(),
                Step::Index(index) => {
                    values.iter().map(|it| it.and_then(|it| it.get(index))).collect()
                }
                Step::Each => values
                    .iter()
                    .flat_map(|it| match it.and_then(Value::as_array) {
                        Some(items) => items.iter().map(Some).collect(),
                        None => vec![None],
                    })
                    .collect(),
            };
        }
        values
    }
}

impl Condition {
    /// True if it holds of every value at the place.
    pub(super) fn holds(&self, arguments: &Value) -> bool {
        let values = self.path.select(arguments);
        values.into_iter().all(|value| self.operator.judge(value) == Judgement::Holds)
    }

    /// True if it holds of a value at the place, or cannot be judged.
    pub(super) fn may_hold(&self, arguments: &Value) -> bool {
        let values = self.path.select(arguments);
        values.into_iter().any(|value| self.operator.judge(value) != Judgement::Fails)
    }
}

fn judged(holds: bool) -> Judgement {
    if holds { Judgement::Holds } else { Judgement::Fails }
}

impl Operator {
    /// Of what is not there, only what is about absence holds: `neq`, `not_in`, and `exists` with false.
    fn judge(&self, value: Option<&Value>) -> Judgement {
        let Some(value) = value else {
            let is_absence = matches!(self, Self::Neq(_) | Self::NotIn(_) | Self::Exists(false));
            return judged(is_absence);
        };
        match self {
            Self::Eq(wanted) => judged(is_equal(value, wanted)),
            Self::Neq(wanted) => judged(!is_equal(value, wanted)),
            Self::In(wanted) => judged(wanted.iter().any(|one| is_equal(value, one))),
            Self::NotIn(wanted) => judged(!wanted.iter().any(|one| is_equal(value, one))),
            Self::Lt(bound) => compared(value, |number| number < *bound),
            Self::Lte(bound) => compared(value, |number| number <= *bound),
            Self::Gt(bound) => compared(value, |number| number > *bound),
            Self::Gte(bound) => compared(value, |number| number >= *bound),
            Self::Regex(pattern) => match value.as_str() {
                Some(text) if text.len() <= MAX_TEXT_BYTES => judged(pattern.is_match(text)),
                _ => Judgement::Unknown,
            },
            Self::Contains(wanted) => match (value, wanted) {
                (Value::String(text), Value::String(part)) => judged(text.contains(&**part)),
                (Value::Array(items), _) => judged(items.iter().any(|it| is_equal(it, wanted))),
                _ => Judgement::Unknown,
            },
            Self::Exists(wanted) => judged(*wanted),
        }
    }
}

fn compared(value: &Value, holds: impl Fn(f64) -> bool) -> Judgement {
    value.as_f64().map_or(Judgement::Unknown, |number| judged(holds(number)))
}

/// Equality of JSON, in which numbers are equal by their value: 1 and 1.0.
fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(first), Value::Number(second)) => {
            first == second
                || (first.is_f64() || second.is_f64()) && first.as_f64() == second.as_f64()
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
