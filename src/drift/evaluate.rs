//! Evaluates a value against a compiled schema (JSON Schema 2020-12, and what OpenAPI 3.0 has instead).

use crate::description::format::CheckedFormat;
use crate::description::schema::{
    Branches, ListRules, NumberRules, ObjectRules, SchemaId, SchemaSet, TextRules,
};
use crate::drift::rule::DriftRule;
use crate::drift::value::JsonValue;
use crate::report::masked;

/// Problems of one value that are told.
const MAX_ISSUES: usize = 64;

/// Schemas that may apply to one value through references and combinations.
const MAX_IN_PLACE: u32 = 48;

/// Steps for one value and its parts: so many, and so many more for each part.
const BASE_STEPS: u64 = 20_000;
const STEPS_PER_NODE: u64 = 500;

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
    /// What was stated, in words, without a value of the message.
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

/// The properties of a schema, looked up in the order of their names.
struct NamedProperties<'s> {
    rules: &'s ObjectRules,
    /// Both sides are sorted, so that one walk finds all; `None` where a few names are looked up among many.
    walk: Option<std::iter::Peekable<std::collections::btree_map::Iter<'s, Box<str>, SchemaId>>>,
}

impl<'s> NamedProperties<'s> {
    fn new(rules: &'s ObjectRules, names: usize) -> Self {
        let is_walk = names * 8 >= rules.properties.len();
        Self { rules, walk: is_walk.then(|| rules.properties.iter().peekable()) }
    }

    /// The schema of a property. Names must come sorted.
    fn find(&mut self, name: &str) -> Option<SchemaId> {
        let Some(walk) = &mut self.walk else { return self.rules.properties.get(name).copied() };
        while let Some((known, schema)) = walk.peek() {
            match (***known).cmp(name) {
                std::cmp::Ordering::Less => drop(walk.next()),
                std::cmp::Ordering::Equal => return Some(**schema),
                std::cmp::Ordering::Greater => return None,
            }
        }
        None
    }
}

/// Evaluates a value; marks the schemas that applied.
pub(crate) fn evaluate(
    set: &SchemaSet,
    schema: SchemaId,
    value: &JsonValue<'_>,
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
        steps: BASE_STEPS + STEPS_PER_NODE * value.nodes(),
    };
    evaluator.value(schema, value);
    evaluator.out
}

impl<'v> Evaluator<'_, 'v> {
    fn issue(&mut self, rule: DriftRule, schema: SchemaId, stated: impl FnOnce() -> String) {
        self.out.is_invalid = true;
        self.tell(rule, schema, stated);
    }

    /// Tells something that does not make the value invalid.
    fn tell(&mut self, rule: DriftRule, schema: SchemaId, stated: impl FnOnce() -> String) {
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
                    place.push_str(&masked::word(name.as_bytes(), 1));
                }
            }
        }
        place
    }

    /// True if evaluating is to go on.
    fn goes_on(&mut self) -> bool {
        if self.steps == 0 {
            self.out.is_unfinished = true;
            return false;
        }
        self.steps -= 1;
        !(self.is_quick && self.out.is_invalid)
    }

    /// Evaluates a value of its own: the message, a property, an item.
    fn value(&mut self, schema: SchemaId, value: &'v JsonValue<'_>) {
        let start = self.applied.len();
        let outer = std::mem::take(&mut self.in_place);
        let outer_unnamed = std::mem::take(&mut self.has_unnamed);
        self.in_place(schema, value);
        if let JsonValue::Object(members) = value
            && self.has_unnamed
        {
            self.undescribed(start, members);
        }
        self.applied.truncate(start);
        self.in_place = outer;
        self.has_unnamed = outer_unnamed;
    }

    fn value_at(&mut self, step: PlaceStep<'v>, schema: SchemaId, value: &'v JsonValue<'_>) {
        self.way.push(step);
        self.value(schema, value);
        self.way.pop();
    }

    /// Evaluates one more schema that applies to the present value.
    fn in_place(&mut self, id: SchemaId, value: &'v JsonValue<'_>) {
        if !self.goes_on() || self.in_place >= MAX_IN_PLACE {
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
        if schema.is_nullable && *value == JsonValue::Null {
            self.in_place -= 1;
            return;
        }
        if let Some(target) = schema.reference {
            self.in_place(target, value);
        }
        self.own_rules(id, value);
        if let Some(branches) = &schema.branches {
            self.branches(id, branches, value);
        }
        self.in_place -= 1;
    }

    /// The rules of a schema without those that it refers to or combines.
    fn own_rules(&mut self, id: SchemaId, value: &'v JsonValue<'_>) {
        let set = self.set;
        let schema = set.get(id);
        if schema.is_never {
            self.issue(DriftRule::ForbiddenProperty, id, || "nothing is allowed here".to_owned());
            return;
        }
        if !schema.kinds.has(value.kind()) {
            let rule = if *value == JsonValue::Null {
                DriftRule::NullNotAllowed
            } else {
                DriftRule::WrongKind
            };
            let seen = value.kind().names().concat();
            self.issue(rule, id, || {
                format!("stated is {}, seen was {seen}", schema.kinds.names().join(" or "))
            });
            return;
        }
        if let Some(values) = &schema.values
            && !values.iter().any(|known| value.equals(known))
        {
            let rule = if *value == JsonValue::Null {
                DriftRule::NullNotAllowed
            } else {
                DriftRule::OutsideEnum
            };
            self.issue(rule, id, || format!("the description lists {} values", values.len()));
        }
        match value {
            JsonValue::Text(text) => {
                if let Some(rules) = &schema.text {
                    self.text(id, rules, text);
                }
            }
            JsonValue::Integer(_) | JsonValue::Number(_) => {
                if let (Some(rules), Some(number)) = (&schema.number, value.as_number()) {
                    self.number(id, rules, value, number);
                }
            }
            JsonValue::List(items) => {
                if let Some(rules) = &schema.list {
                    self.list(id, rules, items);
                }
            }
            JsonValue::Object(members) => {
                if let Some(rules) = &schema.object {
                    self.object(id, rules, members, value);
                }
            }
            JsonValue::Null | JsonValue::Boolean(_) => {}
        }
    }

    fn text(&mut self, id: SchemaId, rules: &TextRules, text: &str) {
        if let Some(format) = rules.format
            && !format.accepts(text)
        {
            self.issue(DriftRule::WrongFormat, id, || {
                format!("stated is format {}", format.name())
            });
        }
        if let Some(pattern) = &rules.pattern
            && !pattern.is_match(text)
        {
            self.issue(DriftRule::OutOfBounds, id, || "the pattern does not match".to_owned());
        }
        if rules.least > 0 || rules.most.is_some() {
            let length = text.chars().count() as u64;
            if length < rules.least || rules.most.is_some_and(|most| length > most) {
                self.issue(DriftRule::OutOfBounds, id, || {
                    format!("stated are {}", bounds(rules.least, rules.most, "character"))
                });
            }
        }
    }

    fn number(&mut self, id: SchemaId, rules: &NumberRules, value: &JsonValue<'_>, number: f64) {
        let is_outside = rules.minimum.is_some_and(|least| number < least)
            || rules.maximum.is_some_and(|most| number > most)
            || rules.above.is_some_and(|least| number <= least)
            || rules.below.is_some_and(|most| number >= most);
        if is_outside {
            self.issue(DriftRule::OutOfBounds, id, || "the number is beyond the bound".to_owned());
        }
        if let Some(of) = rules.multiple_of {
            let times = number / of;
            if (times - times.round()).abs() > 1e-9 * times.abs().max(1.0) {
                self.issue(DriftRule::OutOfBounds, id, || format!("stated are multiples of {of}"));
            }
        }
        let fits = match (rules.format, value) {
            (Some(CheckedFormat::Int32), JsonValue::Integer(number)) => {
                i32::try_from(*number).is_ok()
            }
            (Some(CheckedFormat::Int32 | CheckedFormat::Int64), JsonValue::Number(number)) => {
                number.fract() != 0.0
            }
            _ => true,
        };
        if !fits {
            self.issue(DriftRule::WrongFormat, id, || {
                "the number does not fit the stated integer format".to_owned()
            });
        }
    }

    fn list(&mut self, id: SchemaId, rules: &ListRules, items: &'v [JsonValue<'_>]) {
        let length = items.len() as u64;
        if length < rules.least || rules.most.is_some_and(|most| length > most) {
            self.issue(DriftRule::OutOfBounds, id, || {
                format!("stated are {}", bounds(rules.least, rules.most, "item"))
            });
        }
        for (index, item) in items.iter().enumerate() {
            if let Some(schema) = rules.first.get(index).copied().or(rules.rest) {
                self.value_at(PlaceStep::Item, schema, item);
            } else if let Some(schema) = rules.unevaluated {
                self.value_at(PlaceStep::Item, schema, item);
            }
            if self.out.is_unfinished {
                return;
            }
        }
        if rules.is_unique && has_equal_items(items) {
            self.issue(DriftRule::OutOfBounds, id, || "stated are items that differ".to_owned());
        }
        if let Some((schema, least, most)) = rules.contains {
            let fitting = items.iter().filter(|item| self.fits(schema, item)).count() as u64;
            if fitting < least || most.is_some_and(|most| fitting > most) {
                self.issue(DriftRule::OutOfBounds, id, || {
                    format!("stated are {} of a kind", bounds(least, most, "item"))
                });
            }
        }
    }

    fn object(
        &mut self,
        id: SchemaId,
        rules: &ObjectRules,
        members: &'v [(std::borrow::Cow<'_, str>, JsonValue<'_>)],
        value: &'v JsonValue<'_>,
    ) {
        let length = members.len() as u64;
        if length < rules.least || rules.most.is_some_and(|most| length > most) {
            self.issue(DriftRule::OutOfBounds, id, || {
                format!("stated are {}", bounds(rules.least, rules.most, "property"))
            });
        }
        for name in &rules.required {
            self.require(id, rules, name, value);
        }
        for (name, required) in &rules.dependent_required {
            if value.member(name).is_some() {
                required.iter().for_each(|required| self.require(id, rules, required, value));
            }
        }
        for (name, schema) in &rules.dependent_schemas {
            if value.member(name).is_some() {
                self.in_place(*schema, value);
            }
        }
        let mut named = NamedProperties::new(rules, members.len());
        for (name, member) in members {
            let mut is_named = false;
            if let Some(schema) = named.find(name) {
                self.value_at(PlaceStep::Property(name), schema, member);
                is_named = true;
            } else {
                self.has_unnamed = true;
            }
            for (pattern, schema) in &rules.patterns {
                if pattern.is_match(name) {
                    self.value_at(PlaceStep::Key, *schema, member);
                    is_named = true;
                }
            }
            if let Some(additional) = rules.additional.filter(|_| !is_named) {
                let is_never = self.set.get(additional).is_never;
                let step = if is_never { PlaceStep::Property(name) } else { PlaceStep::Key };
                self.value_at(step, additional, member);
            }
            if let Some(names) = rules.names
                && !self.fits(names, &JsonValue::Text(std::borrow::Cow::Borrowed(name)))
            {
                self.issue(DriftRule::OutOfBounds, id, || {
                    "the name of a property is not one of those that are allowed".to_owned()
                });
            }
            if self.out.is_unfinished {
                return;
            }
        }
    }

    fn require(&mut self, id: SchemaId, rules: &ObjectRules, name: &str, value: &JsonValue<'_>) {
        if value.member(name).is_some() || self.is_for_others(rules, name) {
            return;
        }
        self.out.is_invalid = true;
        if self.is_quick {
            return;
        }
        let mut place = self.place();
        if !place.is_empty() {
            place.push('.');
        }
        place.push_str(name);
        let issue = SchemaIssue {
            rule: DriftRule::MissingRequired,
            place,
            stated: "the property is required".to_owned(),
            schema: id,
        };
        if self.out.issues.len() < MAX_ISSUES && !self.out.issues.contains(&issue) {
            self.out.issues.push(issue);
        }
    }

    /// True if a property is sent in the other direction only.
    fn is_for_others(&self, rules: &ObjectRules, name: &str) -> bool {
        let Some(property) = rules.properties.get(name) else { return false };
        let behind = self.set.behind_references(*property);
        [*property, behind].into_iter().any(|id| {
            let schema = self.set.get(id);
            match self.direction {
                MessageDirection::Request => schema.is_read_only,
                MessageDirection::Response => schema.is_write_only,
            }
        })
    }

    fn branches(&mut self, id: SchemaId, branches: &Branches, value: &'v JsonValue<'_>) {
        for all in &branches.all {
            self.in_place(*all, value);
        }
        if !branches.any.is_empty() {
            self.any_of(id, branches, &branches.any, value);
        }
        if !branches.one.is_empty() {
            let fitting = self.any_of(id, branches, &branches.one, value);
            if fitting > 1 {
                self.issue(DriftRule::SeveralBranches, id, || {
                    format!("{fitting} schemas of oneOf fit; it allows one")
                });
            }
        }
        if let Some(not) = branches.not
            && self.fits(not, value)
        {
            self.issue(DriftRule::OutOfBounds, id, || "the schema in `not` fits".to_owned());
        }
        if let Some((condition, then, otherwise)) = branches.condition {
            let next = if self.fits(condition, value) { then } else { otherwise };
            if let Some(next) = next {
                self.in_place(next, value);
            }
        }
    }

    /// Evaluates the branches that fit, or the one that fits best. Returns how many fit.
    fn any_of(
        &mut self,
        id: SchemaId,
        branches: &Branches,
        group: &[SchemaId],
        value: &'v JsonValue<'_>,
    ) -> usize {
        let fitting: Vec<SchemaId> =
            group.iter().copied().filter(|branch| self.fits(*branch, value)).collect();
        self.fitting_branches(&fitting, value);
        if fitting.is_empty() && self.goes_on() {
            self.out.is_invalid = true;
            if !self.is_quick {
                self.best_branch(id, branches, group, value);
            }
        }
        fitting.len()
    }

    /// Evaluates several branches that fit. What one of them describes is described.
    fn fitting_branches(&mut self, fitting: &[SchemaId], value: &'v JsonValue<'_>) {
        let before = self.out.issues.len();
        let mut of_all: Option<Vec<SchemaIssue>> = None;
        for branch in fitting {
            self.in_place(*branch, value);
            let own = self.out.issues.split_off(before.min(self.out.issues.len()));
            let is_shared = |issue: &SchemaIssue| {
                own.iter().any(|other| other.rule == issue.rule && other.place == issue.place)
            };
            of_all = Some(match of_all {
                Some(all) => all.into_iter().filter(is_shared).collect(),
                None => own,
            });
        }
        self.out.issues.extend(of_all.into_iter().flatten());
    }

    /// Tells the issues of the branch that was most probably meant; if none stands out, that no branch fits.
    fn best_branch(
        &mut self,
        id: SchemaId,
        branches: &Branches,
        group: &[SchemaId],
        value: &'v JsonValue<'_>,
    ) {
        if *value == JsonValue::Null {
            self.issue(DriftRule::NullNotAllowed, id, || "no schema allows null here".to_owned());
            return;
        }
        let named = branches.discriminator.as_ref().and_then(|(name, by_value)| {
            match value.member(name)? {
                JsonValue::Text(text) => by_value.get(&**text).copied(),
                _ => None,
            }
        });
        let possible: Vec<SchemaId> = group
            .iter()
            .copied()
            .filter(|branch| self.set.kinds(*branch).has(value.kind()))
            .collect();
        if possible.is_empty() {
            let kinds = group.iter().map(|branch| self.set.kinds(*branch));
            let stated = kinds.reduce(crate::description::schema::KindSet::or);
            let seen = value.kind().names().concat();
            self.issue(DriftRule::WrongKind, id, || {
                let stated = stated.map(|kinds| kinds.names().join(" or ")).unwrap_or_default();
                format!("stated is {stated}, seen was {seen}")
            });
            return;
        }
        let meant = named.or(if possible.len() == 1 { possible.first().copied() } else { None });
        let best = meant.or_else(|| {
            let scored = possible.iter().map(|branch| (self.trial(*branch, value), *branch));
            let mut scored: Vec<((usize, usize), SchemaId)> = scored.collect();
            scored.sort_by_key(|(score, _)| *score);
            match scored[..] {
                // Two branches that fit equally badly: neither is what was meant.
                [(first, _), (second, _), ..] if first == second => None,
                [((_, _), branch), ..] => Some(branch),
                [] => None,
            }
        });
        match best {
            Some(branch) => self.in_place(branch, value),
            None => self
                .issue(DriftRule::NoBranch, id, || format!("none of {} schemas fits", group.len())),
        }
    }

    /// How badly a branch fits: tags that are other ones, and all issues.
    fn trial(&mut self, branch: SchemaId, value: &'v JsonValue<'_>) -> (usize, usize) {
        let marks = self.marks.take();
        let before = std::mem::take(&mut self.out);
        let start = self.applied.len();
        self.in_place(branch, value);
        self.applied.truncate(start);
        let trial = std::mem::replace(&mut self.out, before);
        self.out.is_unfinished |= trial.is_unfinished;
        self.marks = marks;
        let tags = trial.issues.iter().filter(|issue| issue.rule == DriftRule::OutsideEnum).count();
        let other = trial
            .issues
            .iter()
            .filter(|issue| issue.rule.severity() > crate::finding::Severity::Info);
        (tags, other.count())
    }

    /// True if a value fits a schema.
    fn fits(&mut self, schema: SchemaId, value: &JsonValue<'_>) -> bool {
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
        quick.in_place(schema, value);
        self.steps = quick.steps;
        self.out.is_unfinished |= quick.out.is_unfinished;
        !quick.out.is_invalid
    }

    /// Tells the members that no schema that applied describes.
    fn undescribed(
        &mut self,
        start: usize,
        members: &'v [(std::borrow::Cow<'_, str>, JsonValue<'_>)],
    ) {
        let applied: Vec<SchemaId> = self.applied[start..].to_vec();
        let set = self.set;
        let rules: Vec<(SchemaId, &ObjectRules)> =
            applied.iter().filter_map(|id| Some((*id, set.get(*id).object.as_deref()?))).collect();
        let unevaluated = rules.iter().find_map(|(_, rules)| rules.unevaluated);
        let is_free = |(_, rules): &(SchemaId, &ObjectRules)| {
            rules.additional.is_some_and(|additional| !set.get(additional).is_never)
        };
        let Some((owner, _)) = rules.iter().find(|(_, rules)| !rules.properties.is_empty()) else {
            return;
        };
        if self.is_quick && unevaluated.is_none() || rules.iter().any(is_free) {
            return;
        }
        for (name, member) in members {
            let is_described = rules.iter().any(|(_, rules)| {
                rules.properties.contains_key(&**name)
                    || rules.patterns.iter().any(|(pattern, _)| pattern.is_match(name))
                    || rules.additional.is_some()
            });
            if is_described {
                continue;
            }
            if let Some(schema) = unevaluated {
                self.value_at(PlaceStep::Property(name), schema, member);
            } else {
                // A name that is itself a secret is not one that a description could have.
                if masked::word(name.as_bytes(), 1) != masked::MASK {
                    self.way.push(PlaceStep::Property(name));
                    self.tell(DriftRule::UndocumentedProperty, *owner, String::new);
                    self.way.pop();
                }
            }
        }
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
fn has_equal_items(items: &[JsonValue<'_>]) -> bool {
    const MOST: usize = 256;
    let items = &items[..items.len().min(MOST)];
    items.iter().enumerate().any(|(index, item)| items[..index].contains(item))
}
