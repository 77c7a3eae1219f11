//! The fields of messages, as people read them: one line each.

/// A place in the messages of an endpoint, and what stands there.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MessageField {
    /// Where it is: `request` or a status, and then keys; `[]` are the items of a list, `*` the values of a map:
    /// `200.items[].id`.
    pub path: String,
    /// The kinds of its values: `integer`, `string or null`.
    pub kind: String,
    /// The format of its strings: `uuid`, `date-time`.
    pub format: Option<String>,
    /// The values that its strings are confined to; empty if they are free.
    pub values: Vec<String>,
    /// The share of the objects that have this field, 0 to 1; `None` for what is not a field of an object.
    pub presence: Option<f64>,
    /// Whether the schema requires it.
    pub is_required: bool,
    /// The share of its values that are null, 0 to 1.
    pub nulls: f64,
    /// Kinds of secret or personal content: `email`.
    pub sensitive: Vec<String>,
}

/// The most values of an enumeration that a line has.
const MAX_VALUES: usize = 6;

impl MessageField {
    /// The kinds, formats and shares of the values in words: `string (uuid), in 80 %, null in 5 %`.
    ///
    /// ```
    /// use api_patterns::{Body, Flow, Patterns, ReportOptions};
    ///
    /// let mut flow = Flow::new("PUT", "https://api.example.com/users/7").unwrap();
    /// flow.request_body = Body::decoded(br#"{"name": "x"}"#);
    /// let mut patterns = Patterns::with_bodies();
    /// patterns.observe(&flow);
    /// let (decision, schemas) = patterns.decide_with_schemas(&ReportOptions::default());
    /// let (fields, more) = schemas.unwrap().fields(&decision.report.patterns[0].id, 10);
    /// assert_eq!((&*fields[1].path, &*fields[1].in_words()), ("request.name", "string or null?"));
    /// assert_eq!(more, 0);
    /// ```
    pub fn in_words(&self) -> String {
        let shown: Vec<&str> = self.values.iter().take(MAX_VALUES).map(|it| &**it).collect();
        let more = self.values.len() - shown.len();
        let parts = [
            Some(self.kind.clone()),
            self.format.as_ref().map(|format| format!(" ({format})")),
            (self.presence.is_some() && !self.is_required).then(|| "?".to_owned()),
            (!shown.is_empty()).then(|| format!(": {}", shown.join(" | "))),
            (more > 0).then(|| format!(" | {more} more")),
            self.presence
                .filter(|share| *share < 1.0)
                .map(|share| format!(", in {}", percent(share))),
            (self.nulls > 0.0).then(|| format!(", null in {}", percent(self.nulls))),
            (!self.sensitive.is_empty())
                .then(|| format!(", sensitive: {}", self.sensitive.join(", "))),
        ];
        parts.into_iter().flatten().collect()
    }
}

/// A share in percent, which is neither 0 nor 100 if the share is neither.
fn percent(share: f64) -> String {
    match share * 100.0 {
        below if below < 1.0 => "under 1 %".to_owned(),
        above if above > 99.0 && above < 100.0 => "over 99 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::MessageField;

    #[test]
    fn shares_that_are_nearly_none_or_all_are_not_shown_as_such() {
        let field = MessageField {
            kind: "string or null".to_owned(),
            presence: Some(0.999),
            nulls: 0.001,
            values: (0..8).map(|number| number.to_string()).collect(),
            ..MessageField::default()
        };
        let words =
            "string or null?: 0 | 1 | 2 | 3 | 4 | 5 | 2 more, in over 99 %, null in under 1 %";
        assert_eq!(field.in_words(), words);
    }
}
