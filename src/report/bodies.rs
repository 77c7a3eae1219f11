//! Summaries of bodies in a report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A summary of the bodies of one direction, status and media type. The schema itself is in [`Schemas`](crate::Schemas).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodySummary {
    /// Number of bodies that the schema was decided from; 0 for a syntax that has no schema, such as an image.
    pub bodies: u64,
    /// Number of bodies that could not be read: too large, damaged, or not what their content type says.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreadable: u64,
    /// Kinds of the value at the top, sorted: `array`, `boolean`, `null`, `number`, `object`, `string`.
    pub kinds: Vec<String>,
    /// Number of named fields of the object at the top, or of the objects in the list at the top.
    pub properties: u64,
    /// Kinds of secret or personal content anywhere in it, sorted: `credential`, `email`, `iban`, `payment-card`,
    /// `person-name`, `phone`, `token`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensitive: Vec<String>,
}

/// Summaries by media type.
pub type BodySummaries = BTreeMap<String, BodySummary>;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
