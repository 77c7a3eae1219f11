//! Objects: their properties, those that are required, and those that no schema describes.

use std::borrow::Cow;

use crate::description::schema::{ObjectRules, SchemaId};
use crate::drift::evaluate::{
    Evaluator, MAX_ISSUES, MessageDirection, PlaceStep, SchemaIssue, bounds,
};
use crate::drift::rule::DriftRule;
use crate::drift::value::MessageValue;
use crate::report::masked;

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

impl<'v> Evaluator<'_, 'v> {
    pub(super) fn check_object(
        &mut self,
        id: SchemaId,
        rules: &ObjectRules,
        members: &'v [(Cow<'_, str>, MessageValue<'_>)],
        value: &'v MessageValue<'_>,
    ) {
        let length = members.len() as u64;
        if length < rules.min_properties || rules.max_properties.is_some_and(|most| length > most) {
            self.fail_with(DriftRule::OutOfBounds, id, || {
                format!(
                    "stated are {}",
                    bounds(rules.min_properties, rules.max_properties, "property")
                )
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
                self.apply_schema(*schema, value);
            }
        }
        let mut named = NamedProperties::new(rules, members.len());
        for (name, member) in members {
            let mut is_named = false;
            if let Some(schema) = named.find(name) {
                self.evaluate_value_at(PlaceStep::Property(name), schema, member);
                is_named = true;
            } else {
                self.has_unnamed = true;
            }
            for (pattern, schema) in &rules.patterns {
                if self.matches(pattern, name) {
                    self.evaluate_value_at(PlaceStep::Key, *schema, member);
                    is_named = true;
                }
            }
            if let Some(additional) = rules.additional.filter(|_| !is_named) {
                let is_never = self.set.get(additional).is_never;
                let step = if is_never { PlaceStep::Property(name) } else { PlaceStep::Key };
                self.evaluate_value_at(step, additional, member);
            }
            if let Some(names) = rules.names
                && !self.fits(names, &MessageValue::Text(Cow::Borrowed(name)))
            {
                self.fail_with(DriftRule::OutOfBounds, id, || {
                    "the name of a property is not one of those that are allowed".to_owned()
                });
            }
            if self.out.is_unfinished {
                return;
            }
        }
    }

    pub(super) fn require(
        &mut self,
        id: SchemaId,
        rules: &ObjectRules,
        name: &str,
        value: &MessageValue<'_>,
    ) {
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
    pub(super) fn is_for_others(&self, rules: &ObjectRules, name: &str) -> bool {
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

    /// Reports the members that no applied schema describes.
    pub(super) fn report_undescribed(
        &mut self,
        start: usize,
        members: &'v [(Cow<'_, str>, MessageValue<'_>)],
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
                    || rules
                        .patterns
                        .iter()
                        .any(|(pattern, _)| pattern.matches(name).unwrap_or(true))
                    || rules.additional.is_some()
            });
            if is_described {
                continue;
            }
            if let Some(schema) = unevaluated {
                self.evaluate_value_at(PlaceStep::Property(name), schema, member);
            } else {
                // A name that is itself a secret is not one that a description could have.
                if masked::property_name(name.as_bytes(), 1) != masked::MASK {
                    self.way.push(PlaceStep::Property(name));
                    self.record_issue(DriftRule::UndocumentedProperty, *owner, String::new);
                    self.way.pop();
                }
            }
        }
    }
}
