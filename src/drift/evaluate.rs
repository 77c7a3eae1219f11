//! Evaluates a value against a compiled schema (JSON Schema 2020-12, and what OpenAPI 3.0 has instead).

mod branches;
mod objects;

use crate::description::format::CheckedFormat;
use crate::description::pattern::PatternRule;
use crate::description::schema::{ListRules, NumberRules, SchemaId, SchemaSet, TextRules};
use crate::drift::rule::DriftRule;
use crate::drift::value::MessageValue;
use crate::math::TWO_TO_63;
use crate::report::masked;

/// Maximum number of problems reported for one value.
const MAX_ISSUES: usize = 64;

/// Schemas that may apply to one value through references and combinations.
const MAX_IN_PLACE: u32 = 48;

/// Step budget of one value: a base, and further steps for each of its parts.
const MAX_BASE_STEPS: u64 = 20_000;
const MAX_STEPS_PER_NODE: u64 = 500;

/// Direction of a message, which decides who has to send `readOnly` and `writeOnly` properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum MessageDirection {
    Request,
    Response,
}

/// One way in which a value does not fit its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SchemaIssue {
    pub(crate) rule: DriftRule,
    /// The place in the message: `items[].name`; empty for the whole.
    pub(crate) place: String,
    /// A sentence about what the schema demands; it has no value of the message.
    pub(crate) stated: String,
    pub(crate) schema: SchemaId,
}

/// A set of schemas, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SchemaMarks(Vec<u64>);

impl SchemaMarks {
    pub(crate) fn insert(&mut self, id: SchemaId) {
        let (word, bit) = (id.0 as usize / 64, id.0 % 64);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << bit;
    }

    pub(crate) fn contains(&self, id: SchemaId) -> bool {
        self.0.get(id.0 as usize / 64).is_some_and(|word| word >> (id.0 % 64) & 1 == 1)
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            *own |= other;
        }
    }
}

/// The result of an evaluation.
#[derive(Debug, Default)]
pub(crate) struct Evaluation {
    pub(crate) issues: Vec<SchemaIssue>,
    /// True if the value does not fit: [`issues`](Self::issues) also has what is merely not described.
    pub(crate) is_invalid: bool,
    /// True if the evaluation was too expensive and ended early.
    pub(crate) is_unfinished: bool,
}

/// A step of the way to a place in a message.
#[derive(Clone, Copy)]
enum PlaceStep<'v> {
    Property(&'v str),
    /// A key that is data.
    Key,
    Item,
}

struct Evaluator<'s, 'v> {
    set: &'s SchemaSet,
    direction: MessageDirection,
    way: Vec<PlaceStep<'v>>,
    /// Schemas that applied to the values that are being evaluated; each value has a part at the end.
    applied: Vec<SchemaId>,
    marks: Option<&'s mut SchemaMarks>,
    out: Evaluation,
    /// Whether issues are described, or only that there is one.
    is_quick: bool,
    in_place: u32,
    /// Whether a schema that applied to the present value does not name all of its members.
    has_unnamed: bool,
    steps: u64,
}

/// Evaluates a value; marks the schemas that applied.
pub(crate) fn evaluate(
    set: &SchemaSet,
    schema: SchemaId,
    value: &MessageValue<'_>,
    direction: MessageDirection,
    marks: &mut SchemaMarks,
) -> Evaluation {
    let mut evaluator = Evaluator {
        set,
        direction,
        way: Vec::new(),
        applied: Vec::new(),
        marks: Some(marks),
        out: Evaluation::default(),
        is_quick: false,
        in_place: 0,
        has_unnamed: false,
        steps: MAX_BASE_STEPS + MAX_STEPS_PER_NODE * value.nodes(),
    };
    evaluator.evaluate_value(schema, value);
    evaluator.out
}

impl<'v> Evaluator<'_, 'v> {
    fn fail_with(&mut self, rule: DriftRule, schema: SchemaId, stated: impl FnOnce() -> String) {
        self.out.is_invalid = true;
        self.record_issue(rule, schema, stated);
    }

    /// Records an issue that does not make the value invalid.
    fn record_issue(&mut self, rule: DriftRule, schema: SchemaId, stated: impl FnOnce() -> String) {
        if self.is_quick || self.out.issues.len() >= MAX_ISSUES {
            return;
        }
        let place = self.place();
        let is_known = |issue: &SchemaIssue| {
            issue.rule == rule && issue.place == place && issue.schema == schema
        };
        if !self.out.issues.iter().any(is_known) {
            self.out.issues.push(SchemaIssue { rule, place, stated: stated(), schema });
        }
    }

    fn place(&self) -> String {
        let mut place = String::new();
        for step in &self.way {
            match step {
                PlaceStep::Item => place.push_str("[]"),
                PlaceStep::Key => place.push_str("{}"),
                PlaceStep::Property(name) => {
                    if !place.is_empty() {
                        place.push('.');
                    }
                    place.push_str(&masked::property_name(name.as_bytes(), 1));
                }
            }
        }
        place
    }

    /// Uses up one step; true if evaluation goes on.
    fn spend_step(&mut self) -> bool {
        if self.steps == 0 {
            self.out.is_unfinished = true;
            return false;
        }
        self.steps -= 1;
        !(self.is_quick && self.out.is_invalid)
    }

    /// Evaluates a value of its own: the message, a property, an item.
    fn evaluate_value(&mut self, schema: SchemaId, value: &'v MessageValue<'_>) {
        let start = self.applied.len();
        let outer = std::mem::take(&mut self.in_place);
        let outer_unnamed = std::mem::take(&mut self.has_unnamed);
        self.apply_schema(schema, value);
        if let MessageValue::Object(members) = value
            && self.has_unnamed
        {
            self.report_undescribed(start, members);
        }
        self.applied.truncate(start);
        self.in_place = outer;
        self.has_unnamed = outer_unnamed;
    }

    fn evaluate_value_at(
        &mut self,
        step: PlaceStep<'v>,
        schema: SchemaId,
        value: &'v MessageValue<'_>,
    ) {
        self.way.push(step);
        self.evaluate_value(schema, value);
        self.way.pop();
    }

    /// Evaluates one more schema that applies to the present value.
    fn apply_schema(&mut self, id: SchemaId, value: &'v MessageValue<'_>) {
        if !self.spend_step() || self.in_place >= MAX_IN_PLACE {
            self.out.is_unfinished |= self.in_place >= MAX_IN_PLACE;
            return;
        }
        self.in_place += 1;
        self.applied.push(id);
        if let Some(marks) = &mut self.marks {
            marks.insert(id);
        }
        let set = self.set;
        let schema = set.get(id);
        if schema.is_nullable && *value == MessageValue::Null {
            self.in_place -= 1;
            return;
        }
        if let Some(target) = schema.reference {
            self.apply_schema(target, value);
        }
        self.check_own_rules(id, value);
        if let Some(branches) = &schema.branches {
            self.evaluate_branches(id, branches, value);
        }
        self.in_place -= 1;
    }

    /// Checks a schema's own rules, not those of schemas that it refers to.
    fn check_own_rules(&mut self, id: SchemaId, value: &'v MessageValue<'_>) {
        let set = self.set;
        let schema = set.get(id);
        if schema.is_never {
            self.fail_with(DriftRule::ForbiddenProperty, id, || {
                "nothing is allowed here".to_owned()
            });
            return;
        }
        if !schema.kinds.intersects(value.kind()) {
            let rule = if *value == MessageValue::Null {
                DriftRule::NullNotAllowed
            } else {
                DriftRule::WrongKind
            };
            let seen = value.kind().names().concat();
            self.fail_with(rule, id, || {
                format!(
                    "the schema states {}, and the value is {seen}",
                    schema.kinds.names().join(" or ")
                )
            });
            return;
        }
        if let Some(values) = &schema.values
            && !values.iter().any(|known| value.equals(known))
        {
            let rule = if *value == MessageValue::Null {
                DriftRule::NullNotAllowed
            } else {
                DriftRule::OutsideEnum
            };
            self.fail_with(rule, id, || format!("the description lists {} values", values.len()));
        }
        match value {
            MessageValue::Text(text) => {
                if let Some(rules) = &schema.text {
                    self.check_string(id, rules, text);
                }
            }
            MessageValue::Integer(_) | MessageValue::Number(_) => {
                if let (Some(rules), Some(number)) = (&schema.number, value.as_number()) {
                    self.check_number(id, rules, value, number);
                }
            }
            MessageValue::List(items) => {
                if let Some(rules) = &schema.list {
                    self.check_list(id, rules, items);
                }
            }
            MessageValue::Object(members) => {
                if let Some(rules) = &schema.object {
                    self.check_object(id, rules, members, value);
                }
            }
            MessageValue::Null | MessageValue::Boolean(_) => {}
        }
    }

    /// Whether a text matches a pattern. What would take too long counts as if it did.
    fn matches(&mut self, pattern: &PatternRule, text: &str) -> bool {
        let matches = pattern.matches(text);
        self.out.is_unfinished |= matches.is_none();
        matches.unwrap_or(true)
    }

    fn check_string(&mut self, id: SchemaId, rules: &TextRules, text: &str) {
        if let Some(format) = rules.format
            && !format.accepts(text)
        {
            self.fail_with(DriftRule::WrongFormat, id, || {
                format!("the schema states the format {}", format.name())
            });
        }
        if let Some(pattern) = &rules.pattern
            && !self.matches(pattern, text)
        {
            self.fail_with(DriftRule::OutOfBounds, id, || "the pattern does not match".to_owned());
        }
        if rules.min_length > 0 || rules.max_length.is_some() {
            let length = text.chars().count() as u64;
            if length < rules.min_length || rules.max_length.is_some_and(|most| length > most) {
                self.fail_with(DriftRule::OutOfBounds, id, || {
                    format!(
                        "the schema states {}",
                        bounds(rules.min_length, rules.max_length, "character")
                    )
                });
            }
        }
    }

    fn check_number(
        &mut self,
        id: SchemaId,
        rules: &NumberRules,
        value: &MessageValue<'_>,
        number: f64,
    ) {
        let is_outside = rules.minimum.is_some_and(|least| number < least)
            || rules.maximum.is_some_and(|most| number > most)
            || rules.exclusive_minimum.is_some_and(|least| number <= least)
            || rules.exclusive_maximum.is_some_and(|most| number >= most);
        if is_outside {
            self.fail_with(DriftRule::OutOfBounds, id, || {
                "the number is beyond the bound".to_owned()
            });
        }
        if let Some(of) = rules.multiple_of {
            let times = number / of;
            if (times - times.round()).abs() > 1e-9 * times.abs().max(1.0) {
                self.fail_with(DriftRule::OutOfBounds, id, || {
                    format!("the schema states multiples of {of}")
                });
            }
        }
        let fits = match (rules.format, value) {
            (Some(CheckedFormat::Int32), MessageValue::Integer(number)) => {
                i32::try_from(*number).is_ok()
            }
            // `1.0` is an integer for JSON Schema.
            (Some(CheckedFormat::Int32), MessageValue::Number(number)) => {
                number.fract() != 0.0
                    || (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(number)
            }
            (Some(CheckedFormat::Int64), MessageValue::Number(number)) => {
                number.fract() != 0.0 || number.abs() < TWO_TO_63
            }
            _ => true,
        };
        if !fits {
            self.fail_with(DriftRule::WrongFormat, id, || {
                "the number does not fit the stated integer format".to_owned()
            });
        }
    }

    fn check_list(&mut self, id: SchemaId, rules: &ListRules, items: &'v [MessageValue<'_>]) {
        let length = items.len() as u64;
        if length < rules.min_items || rules.max_items.is_some_and(|most| length > most) {
            self.fail_with(DriftRule::OutOfBounds, id, || {
                format!("the schema states {}", bounds(rules.min_items, rules.max_items, "item"))
            });
        }
        for (index, item) in items.iter().enumerate() {
            if let Some(schema) = rules.first.get(index).copied().or(rules.rest) {
                self.evaluate_value_at(PlaceStep::Item, schema, item);
            } else if let Some(schema) = rules.unevaluated {
                self.evaluate_value_at(PlaceStep::Item, schema, item);
            }
            if self.out.is_unfinished {
                return;
            }
        }
        if rules.is_unique && has_equal_items(items) {
            self.fail_with(DriftRule::OutOfBounds, id, || {
                "the schema states that no two items are equal".to_owned()
            });
        }
        if let Some((schema, least, most)) = rules.contains {
            let fitting = items.iter().filter(|item| self.fits(schema, item)).count() as u64;
            if fitting < least || most.is_some_and(|most| fitting > most) {
                self.fail_with(DriftRule::OutOfBounds, id, || {
                    format!("the schema states {} that fit `contains`", bounds(least, most, "item"))
                });
            }
        }
    }

    /// True if a value fits a schema.
    fn fits(&mut self, schema: SchemaId, value: &MessageValue<'_>) -> bool {
        let mut quick = Evaluator {
            set: self.set,
            direction: self.direction,
            way: Vec::new(),
            applied: Vec::new(),
            marks: None,
            out: Evaluation::default(),
            is_quick: true,
            in_place: self.in_place,
            has_unnamed: false,
            steps: self.steps,
        };
        quick.apply_schema(schema, value);
        self.steps = quick.steps;
        self.out.is_unfinished |= quick.out.is_unfinished;
        !quick.out.is_invalid
    }
}

fn bounds(least: u64, most: Option<u64>, what: &str) -> String {
    let plural = if what == "property" { "properties".to_owned() } else { format!("{what}s") };
    match most {
        Some(most) => format!("{least} to {most} {plural}"),
        None => format!("at least {least} {plural}"),
    }
}

/// True if two items are equal. Long lists are not searched: it takes quadratic time.
fn has_equal_items(items: &[MessageValue<'_>]) -> bool {
    const MAX_COMPARED_ITEMS: usize = 256;
    let items = &items[..items.len().min(MAX_COMPARED_ITEMS)];
    items.iter().enumerate().any(|(index, item)| items[..index].contains(item))
}
