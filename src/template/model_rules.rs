//! The rules around the fitted model, each of which can be switched off to measure what it is worth.

/// A rule that is applied before, with or after the fitted part. docs/model.md says what each is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModelRule {
    /// Unmistakable kinds, keys in brackets and long numbers are values before the model is asked.
    Unmistakable,
    /// A value that is likely the only one of its place needs a high probability.
    OnlyOne,
    /// A word that is alone at its place needs a very high one.
    Alone,
    /// A few rare words with no id beside them need a high one.
    FewWords,
    /// Two likely values with names below them and no id beside them need a higher one.
    OnlyTwo,
    /// One to three small numbers near the root are versions, if what stands below them says so.
    Versions,
    /// Services and methods of gRPC are names.
    RemoteNames,
    /// Short numbers are values beside longer ones.
    ShortNumbers,
    /// Kept names that resemble folded ones are values where the folded ones are values.
    Folded,
    /// Names of files with different endings at several depths are one value.
    FileTrees,
    /// Values with extensions of their own are names of files.
    FileNames,
    /// A segment that only got 404 is not evidence where its siblings have other answers.
    NotFound,
    /// Siblings of which three and more are codes of one list, such as languages, are values.
    Codes,
    /// Siblings of which four and more differ in a number alone are values.
    Numbered,
    /// Names that begin with `_` or `$` are names of a system.
    SystemNames,
    /// A word that is asked for far more often than the ids beside it is a name.
    Keywords,
    /// Words of which most take a query name that no sibling takes are names of functions.
    QueryNames,
    /// Numbers with points near the root are versions where names stand below them.
    PointVersions,
    /// Between the first two stages a probability is moved away from one half.
    Sharpened,
    /// A text that is clearly a value, or clearly a name, at other places is one here as well.
    Elsewhere,
    /// Dates near the root are versions where names stand below each of them.
    DatedVersions,
}

impl ModelRule {
    /// All rules, in the order of declaration.
    #[cfg(any(test, feature = "training"))]
    pub(crate) const ALL: [Self; 21] = [
        Self::Unmistakable,
        Self::OnlyOne,
        Self::Alone,
        Self::FewWords,
        Self::OnlyTwo,
        Self::Versions,
        Self::RemoteNames,
        Self::ShortNumbers,
        Self::Folded,
        Self::FileTrees,
        Self::FileNames,
        Self::NotFound,
        Self::Codes,
        Self::Numbered,
        Self::SystemNames,
        Self::Keywords,
        Self::QueryNames,
        Self::PointVersions,
        Self::Sharpened,
        Self::Elsewhere,
        Self::DatedVersions,
    ];

    /// The name by which the rule is switched off, as in docs/model.md.
    #[cfg(any(test, feature = "training"))]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unmistakable => "unmistakable",
            Self::OnlyOne => "only-one",
            Self::Alone => "alone",
            Self::FewWords => "few-words",
            Self::OnlyTwo => "only-two",
            Self::Versions => "versions",
            Self::RemoteNames => "remote-names",
            Self::ShortNumbers => "short-numbers",
            Self::Folded => "folded",
            Self::FileTrees => "file-trees",
            Self::FileNames => "file-names",
            Self::NotFound => "not-found",
            Self::Codes => "codes",
            Self::Numbered => "numbered",
            Self::SystemNames => "system-names",
            Self::Keywords => "keywords",
            Self::QueryNames => "query-names",
            Self::PointVersions => "point-versions",
            Self::Sharpened => "sharpened",
            Self::Elsewhere => "elsewhere",
            Self::DatedVersions => "dated-versions",
        }
    }

    /// Whether the rule is applied, as it always is in what is shipped.
    #[cfg(not(feature = "training"))]
    #[inline]
    #[expect(clippy::unused_self, reason = "the call with the feature")]
    pub(crate) const fn is_on(self) -> bool {
        true
    }

    /// Whether the rule is applied.
    #[cfg(feature = "training")]
    #[inline]
    pub(crate) fn is_on(self) -> bool {
        OFF.load(std::sync::atomic::Ordering::Relaxed) & (1 << self as u32) == 0
    }

    /// Switches the rule off for the rest of the process.
    #[cfg(feature = "training")]
    pub(crate) fn switch_off(self) {
        OFF.fetch_or(1 << self as u32, std::sync::atomic::Ordering::Relaxed);
    }
}

/// One bit for each rule that is off.
#[cfg(feature = "training")]
static OFF: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_card_has_each_rule() {
        let card = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/model.md");
        let card = std::fs::read_to_string(card).unwrap();
        let rows: Vec<&str> = card
            .lines()
            .skip_while(|line| *line != "## Rules around the model")
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        assert_eq!(rows, ModelRule::ALL.map(ModelRule::name));
    }
}
