//! The rules of a comparison of two sides.

use crate::finding::Severity;

macro_rules! rules {
    ($($rule:ident $name:literal $severity:ident $about:literal)*) => {
        /// A kind of change. Its severity says whether clients break: an error is a breaking change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) enum DiffRule { $(#[doc = $about] $rule,)* }

        impl DiffRule {
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$rule => $name),* }
            }

            pub(super) const fn severity(self) -> Severity {
                match self { $(Self::$rule => Severity::$severity),* }
            }

            pub(super) const fn about(self) -> &'static str {
                match self { $(Self::$rule => $about),* }
            }
        }
    };
}

rules! {
    EndpointRemoved "endpoint-removed" Error "The endpoint is gone"
    EndpointAdded "endpoint-added" Info "The endpoint is new"
    EndpointDeprecated "endpoint-deprecated" Info "The endpoint is deprecated now"
    ParameterRemoved "parameter-removed" Warning "The parameter is gone"
    ParameterAdded "parameter-added" Info "The parameter is new"
    RequiredParameterAdded "required-parameter-added" Error "The parameter is new, and required"
    ParameterBecameRequired "parameter-became-required" Error "The parameter is required now"
    ParameterBecameOptional "parameter-became-optional" Info "The parameter is optional now"
    RequestBodyBecameRequired "request-body-became-required" Error "The body of the request is required now"
    RequestBodyBecameOptional "request-body-became-optional" Info "The body of the request is optional now"
    RequestTypeRemoved "request-media-type-removed" Error "Requests of this media type are no longer taken"
    RequestTypeAdded "request-media-type-added" Info "Requests of this media type are new"
    RequestPropertyRemoved "request-property-removed" Warning "The property of the request is gone"
    RequestPropertyAdded "request-property-added" Info "The property of the request is new"
    RequiredRequestPropertyAdded "required-request-property-added" Error "The property of the request is new, and required"
    RequestPropertyBecameRequired "request-property-became-required" Error "The property of the request is required now"
    RequestPropertyBecameOptional "request-property-became-optional" Info "The property of the request is optional now"
    RequestKindNarrowed "request-type-narrowed" Error "Requests may no longer have this type"
    RequestKindWidened "request-type-widened" Info "Requests may have one more type"
    RequestValueRemoved "request-enum-value-removed" Error "Requests may no longer have this value"
    RequestValueAdded "request-enum-value-added" Info "Requests may have one more value"
    RequestLimitNarrowed "request-limit-narrowed" Error "Requests may no longer have all values that they could have"
    RequestLimitWidened "request-limit-widened" Info "Requests may have more values"
    ResponseStatusRemoved "response-status-removed" Error "This successful answer is gone"
    ResponseStatusAdded "response-status-added" Info "This answer is new"
    ErrorStatusRemoved "error-status-removed" Info "This answer is gone"
    ResponseTypeRemoved "response-media-type-removed" Error "Answers of this media type are gone"
    ResponseTypeAdded "response-media-type-added" Info "Answers of this media type are new"
    ResponsePropertyRemoved "response-property-removed" Error "The property of the answer is gone"
    ResponsePropertyAdded "response-property-added" Info "The property of the answer is new"
    ResponsePropertyBecameOptional "response-property-became-optional" Error "The property of the answer is not always there now"
    ResponsePropertyBecameRequired "response-property-became-required" Info "The property of the answer is always there now"
    ResponseKindWidened "response-type-widened" Error "Answers have one more type here"
    ResponseKindNarrowed "response-type-narrowed" Info "Answers no longer have this type here"
    ResponseBecameNullable "response-became-nullable" Error "Answers have null here now"
    ResponseValueAdded "response-enum-value-added" Warning "Answers have one more value here"
    ResponseValueRemoved "response-enum-value-removed" Info "Answers no longer have this value here"
    ResponseLimitWidened "response-limit-widened" Warning "Answers may have more values here"
    ResponseLimitNarrowed "response-limit-narrowed" Info "Answers have fewer values here"
    FormatChanged "format-changed" Warning "The format is another one"
    ServersChanged "servers-changed" Error "No server of before is one now"
    SecurityAdded "security-added" Error "Requests need a credential that they did not need"
    SecurityRemoved "security-removed" Info "Requests need no credential any more"
    SecurityChanged "security-changed" Warning "Requests need other credentials"
}
