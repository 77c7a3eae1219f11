//! Enumerations: strings of which the ones to come are among the ones that were seen.

use crate::shape::strings::Strings;

/// From this probability on strings are an enumeration.
pub(super) const IS_ENUM: f64 = 0.8;

/// Evidence about the values of one place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EnumEvidence {
    pub(crate) count: u64,
    pub(crate) distinct: u64,
    /// Values that were seen once.
    pub(crate) singletons: u64,
    /// Share of the values that are written as constants: one word in lower case, upper case, or joined by `_`, `-`, `.`.
    pub(crate) as_constants: f64,
    /// Whether the name of the field is one that names a choice.
    pub(crate) named_choice: bool,
    /// Whether the name of the field is one of free text or of ids.
    pub(crate) named_free: bool,
}

/// Last words of names whose values are a choice.
const CHOICES: [&str; 34] = [
    "type",
    "status",
    "state",
    "kind",
    "role",
    "visibility",
    "mode",
    "level",
    "action",
    "event",
    "category",
    "class",
    "method",
    "format",
    "permission",
    "permissions",
    "privacy",
    "scope",
    "severity",
    "priority",
    "reason",
    "result",
    "currency",
    "object",
    "policy",
    "source",
    "strategy",
    "plan",
    "tier",
    "direction",
    "unit",
    "operator",
    "algorithm",
    "typename",
];

/// Last words of names whose values are free.
const FREE: [&str; 30] = [
    "id",
    "name",
    "url",
    "uri",
    "title",
    "description",
    "date",
    "time",
    "at",
    "email",
    "login",
    "username",
    "path",
    "href",
    "text",
    "message",
    "content",
    "key",
    "token",
    "sha",
    "hash",
    "label",
    "body",
    "comment",
    "summary",
    "address",
    "city",
    "value",
    "note",
    "slug",
];

impl EnumEvidence {
    /// The evidence of strings at a field with this name; `None` if not every value is kept, so that an enumeration would
    /// refuse one that was seen.
    pub(crate) fn of(strings: &Strings, name: &str) -> Option<Self> {
        if !strings.is_closed() || strings.count == 0 {
            return None;
        }
        let values = || strings.values.iter();
        let is_constant = |text: &str| {
            let bytes = text.as_bytes();
            bytes[0].is_ascii_alphabetic()
                && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/".contains(byte))
                && !(text.contains('/') && text.contains('.'))
        };
        let words = crate::template::vocabulary::words_of(name.as_bytes());
        let last = words.last().map_or("", |word| &**word);
        let constants = values().filter(|value| is_constant(&value.text)).count();
        let distinct = strings.values.distinct();
        #[expect(clippy::cast_precision_loss, reason = "at most 24 values")]
        let as_constants = constants as f64 / (distinct.max(1)) as f64;
        Some(Self {
            count: strings.count,
            distinct: distinct + u64::from(strings.empty > 0),
            singletons: values().filter(|value| value.count == 1).count() as u64,
            as_constants,
            named_choice: CHOICES.contains(&last),
            named_free: FREE.contains(&last),
        })
    }

    /// The probability that values to come are among these. The rate of new values is estimated as Good and Turing do: the
    /// share of observations that were the only one of their value.
    #[expect(clippy::cast_precision_loss, reason = "counts of observations")]
    pub(crate) fn probability(&self) -> f64 {
        // One value alone says nothing of others.
        if self.count < 6 || !(2..=16).contains(&self.distinct) || self.as_constants < 1.0 {
            return 0.0;
        }
        let new_values = (self.singletons as f64 + 0.5) / (self.count as f64 + 1.0);
        let repeats = (self.count as f64 / self.distinct.max(1) as f64).ln();
        let score = -3.4 + 1.15 * repeats - 14.0 * new_values
            + if self.named_choice { 3.2 } else { 0.0 }
            - if self.named_free { 3.5 } else { 0.0 }
            + 0.6;
        1.0 / (1.0 + (-score).exp())
    }
}
