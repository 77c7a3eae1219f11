//! The rules by which traffic is compared with a description.

use crate::finding::Severity;

macro_rules! rules {
    ($($rule:ident $name:literal $severity:ident $about:literal)*) => {
        /// A rule of `drift`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum DriftRule { $(#[doc = $about] $rule,)* }

        impl DriftRule {
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$rule),*];

            /// The name of the rule in reports and baselines.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$rule => $name),* }
            }

            pub(crate) const fn severity(self) -> Severity {
                match self { $(Self::$rule => Severity::$severity),* }
            }

            /// A sentence about the rule, without its end.
            pub(crate) const fn about(self) -> &'static str {
                match self { $(Self::$rule => $about),* }
            }
        }
    };
}

rules! {
    UndocumentedHost "undocumented-host" Info "The description has no server with this host"
    UndocumentedEndpoint "undocumented-endpoint" Error "No path of the description fits these requests"
    UndocumentedAsset "undocumented-asset" Info "No path of the description fits these requests of pages and their parts"
    UndocumentedMethod "undocumented-method" Error "The path is described, and not with this method"
    UndocumentedStatus "undocumented-status" Warning "The operation has no answer with this status"
    UndocumentedMediaType "undocumented-media-type" Warning "This media type is not described"
    UndocumentedParameter "undocumented-parameter" Warning "This parameter is not described"
    UndocumentedProperty "undocumented-property" Info "This property is not described"
    ForbiddenProperty "forbidden-property" Error "The schema allows no such property"
    MalformedBody "malformed-body" Error "The body is not what its media type says"
    MissingRequired "missing-required" Error "Something that is required was not there"
    WrongKind "wrong-kind" Error "The value is of another type"
    NullNotAllowed "null-not-allowed" Error "The value was null, and may not be"
    WrongFormat "wrong-format" Warning "The value does not have this format"
    OutsideEnum "outside-enum" Error "The value is not one of those that are listed"
    OutOfBounds "out-of-bounds" Error "The value is beyond a stated bound, length or pattern"
    NoBranch "no-branch" Error "No schema of oneOf or anyOf fits"
    SeveralBranches "several-branches" Warning "More than one schema of oneOf fits"
    SecurityNotSent "security-not-sent" Error "A request without the required credentials was accepted"
    DeprecatedUsed "deprecated-used" Info "Something deprecated is still used"
    TemplateTooCoarse "template-too-coarse" Info "A parameter of this path stands for names of endpoints"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> =
            DriftRule::ALL.iter().map(|rule| rule.name()).collect();
        assert_eq!(names.len(), DriftRule::ALL.len());
    }
}
