//! Compares what two descriptions demand of values beside their kinds: bounds, patterns, and whether objects are closed.

use crate::diff::compare::OperationComparison;
use crate::diff::model::{MessagePart, ModelPlace, PlaceModel, ValueLimit};
use crate::diff::rule::DiffRule;
use crate::flow::text;

impl OperationComparison<'_> {
    /// Compares the limits at one place. What traffic keeps to is not known, so that only two descriptions are compared.
    pub(super) fn compare_limits(
        &mut self,
        place: &ModelPlace,
        old: &PlaceModel,
        new: &PlaceModel,
    ) {
        if self.is_observed != (false, false) {
            return;
        }
        let keywords = old.limits.keys().chain(new.limits.keys());
        let keywords: std::collections::BTreeSet<&'static str> = keywords.copied().collect();
        for keyword in keywords {
            let (before, after) = (old.limits.get(keyword), new.limits.get(keyword));
            if before == after {
                continue;
            }
            let is_response = matches!(place.part, MessagePart::Response(_));
            let (narrowed, widened) = if is_response {
                (DiffRule::ResponseLimitNarrowed, DiffRule::ResponseLimitWidened)
            } else {
                (DiffRule::RequestLimitNarrowed, DiffRule::RequestLimitWidened)
            };
            let rule = if admits_less(before, after) { narrowed } else { widened };
            let shown =
                |limit: Option<&ValueLimit>| limit.map_or("none".to_owned(), ValueLimit::text);
            let detail = format!("{keyword} before {}, now {}", shown(before), shown(after));
            let detail = text::shortened(detail.as_bytes(), 160).into_owned();
            self.push_place_change(rule, place, detail, None, None, (Some(old), Some(new)));
        }
    }
}

/// True if the limit after takes values away that the one before admits.
fn admits_less(before: Option<&ValueLimit>, after: Option<&ValueLimit>) -> bool {
    match (before, after) {
        (Some(ValueLimit::AtLeast(before)), Some(ValueLimit::AtLeast(after))) => after > before,
        (Some(ValueLimit::AtMost(before)), Some(ValueLimit::AtMost(after))) => after < before,
        // Another pattern takes away, as far as is known.
        (_, after) => after.is_some(),
    }
}
