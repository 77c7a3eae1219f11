//! Compares one exchange with the operation that it belongs to.

mod bodies;

use std::borrow::Cow;

use crate::description::ApiDescription;
use crate::description::cursor::DescriptionPlace;
use crate::description::operation::{
    ApiOperation, ApiParameter, ParameterPlace, ParameterStyle, StatusRange,
};
use crate::description::path_text::texts_between;
use crate::description::security::SecurityScheme;
use crate::drift::evaluate::{Evaluation, MessageDirection, SchemaMarks, evaluate};
use crate::drift::parameters::{FormPairs, pairs, value_of, value_of_text};
use crate::drift::rule::DriftRule;
use crate::drift::value::MessageValue;
use crate::flow::Flow;
use crate::flow::body::decode::BodyDecoder;
use crate::flow::headers::Headers;
use crate::report::masked;
use crate::shape::messages::media_type_of;

/// A difference between one exchange and the description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExchangeIssue {
    pub(crate) rule: DriftRule,
    /// The place in the exchange: `response 200 items[].name`, `query limit`.
    pub(crate) place: String,
    pub(crate) stated: String,
    pub(crate) source: Option<DescriptionPlace>,
}

/// The result of comparing one exchange with a description.
#[derive(Debug, Default)]
pub(crate) struct ExchangeVerdict {
    pub(crate) issues: Vec<ExchangeIssue>,
    /// Bodies that were compared with a schema.
    pub(crate) judged_bodies: u64,
    /// Bodies that fit no schema.
    pub(crate) invalid_bodies: u64,
    /// Bodies that could not be read, or were too expensive to judge.
    pub(crate) unjudged_bodies: u64,
    pub(crate) statuses: Vec<StatusRange>,
    /// Indices of the parameters that were sent.
    pub(crate) parameters: Vec<usize>,
}

/// Memory that is reused between exchanges.
#[derive(Debug, Default)]
pub(crate) struct ExchangeScratch {
    decoder: BodyDecoder,
}

/// Compares an exchange with its operation.
pub(crate) fn judge(
    api: &ApiDescription,
    operation: &ApiOperation,
    flow: &Flow<'_>,
    marks: &mut SchemaMarks,
    scratch: &mut ExchangeScratch,
) -> ExchangeVerdict {
    let mut judge = ExchangeJudge { api, operation, marks, out: ExchangeVerdict::default() };
    let status = flow.response.as_ref().map(|response| response.status);
    let status =
        status.and_then(|status| u16::try_from(status).ok()).filter(|status| *status >= 100);
    // A request that was refused, or made the server fail, says nothing about what is allowed.
    if status.is_some_and(|status| status < 400) {
        judge.judge_request(flow, scratch);
    }
    if operation.is_deprecated {
        judge.record_exchange_issue(
            DriftRule::DeprecatedUsed,
            "operation",
            String::new(),
            Some(&operation.place),
        );
    }
    if let (Some(status), Some(_)) = (status, &flow.response) {
        judge.judge_response(flow, status, scratch);
    }
    judge.out
}

struct ExchangeJudge<'a> {
    api: &'a ApiDescription,
    operation: &'a ApiOperation,
    marks: &'a mut SchemaMarks,
    out: ExchangeVerdict,
}

impl ExchangeJudge<'_> {
    fn record_exchange_issue(
        &mut self,
        rule: DriftRule,
        place: &str,
        stated: String,
        source: Option<&DescriptionPlace>,
    ) {
        let issue = ExchangeIssue {
            rule,
            place: crate::flow::text::printable(place.as_bytes()).into_owned(),
            stated,
            source: source.cloned(),
        };
        if !self.out.issues.contains(&issue) {
            self.out.issues.push(issue);
        }
    }

    /// Tells the issues of a value, which stands at a place of the exchange.
    fn add(&mut self, place: &str, evaluation: Evaluation) {
        for issue in evaluation.issues {
            let separator = if issue.place.is_empty() { "" } else { " " };
            let place = format!("{place}{separator}{}", issue.place);
            let source = self.api.schemas.place(issue.schema).clone();
            self.record_exchange_issue(issue.rule, &place, issue.stated, Some(&source));
        }
    }

    fn judge_parameter(&mut self, parameter: &ApiParameter, value: &MessageValue<'_>) {
        if let Some(schema) = parameter.schema {
            let place = format!("{} {}", parameter.location.name(), parameter.name);
            let found =
                evaluate(&self.api.schemas, schema, value, MessageDirection::Request, self.marks);
            self.add(&place, found);
        }
        if parameter.is_deprecated {
            let place = format!("{} {}", parameter.location.name(), parameter.name);
            self.record_exchange_issue(
                DriftRule::DeprecatedUsed,
                &place,
                String::new(),
                Some(&parameter.place),
            );
        }
    }

    fn judge_request(&mut self, flow: &Flow<'_>, scratch: &mut ExchangeScratch) {
        let operation = self.operation;
        let query = pairs(flow.query());
        self.judge_path_parameters(flow);
        self.judge_query_parameters(&query);
        for (index, parameter) in operation.parameters.iter().enumerate() {
            let sent = match parameter.location {
                ParameterPlace::Header => {
                    flow.request_headers.get(parameter.name.as_bytes()).map(<[u8]>::to_vec)
                }
                ParameterPlace::Cookie => cookie(flow.request_headers, &parameter.name),
                ParameterPlace::Path | ParameterPlace::Query => continue,
            };
            match sent {
                // Their values are described in other places.
                _ if parameter.location == ParameterPlace::Header
                    && is_described_elsewhere(&parameter.name) =>
                {
                    self.out.parameters.extend(sent.is_some().then_some(index));
                }
                Some(text) => {
                    self.out.parameters.push(index);
                    let text = String::from_utf8_lossy(&text).into_owned();
                    let value = value_of_text(&self.api.schemas, parameter, text.into());
                    self.judge_parameter(parameter, &value);
                }
                None if parameter.is_required => {
                    let place = format!("{} {}", parameter.location.name(), parameter.name);
                    let stated = "the parameter is required".to_owned();
                    self.record_exchange_issue(
                        DriftRule::MissingRequired,
                        &place,
                        stated,
                        Some(&parameter.place),
                    );
                }
                None => {}
            }
        }
        self.judge_credentials(flow, &query);
        self.judge_request_body(flow, scratch);
    }

    fn judge_path_parameters(&mut self, flow: &Flow<'_>) {
        let operation = self.operation;
        let segments = String::from_utf8_lossy(flow.path());
        let segments: Vec<&str> = segments.split('/').filter(|part| !part.is_empty()).collect();
        let template: Vec<&str> =
            operation.path.split('/').filter(|part| !part.is_empty()).collect();
        // Templates end where paths end; the base path is before them. Parameters with slashes are not judged.
        let Some(base) = segments.len().checked_sub(template.len()) else { return };
        if operation.spans_segments {
            return;
        }
        for (template, segment) in template.iter().zip(&segments[base..]) {
            let texts = texts_between(template);
            let [before, after] = &texts[..] else { continue };
            let segment = crate::description::decoded(segment);
            let value =
                segment.strip_prefix(&**before).and_then(|rest| rest.strip_suffix(&**after));
            let name = template.trim_start_matches(|letter| letter != '{');
            let name = name.trim_start_matches('{').split('}').next().unwrap_or_default();
            let known = operation.parameters.iter().enumerate().find(|(_, parameter)| {
                parameter.location == ParameterPlace::Path && parameter.name == name
            });
            let (Some(value), Some((index, parameter))) = (value, known) else { continue };
            self.out.parameters.push(index);
            let value = value_of_text(&self.api.schemas, parameter, Cow::Owned(value.to_owned()));
            self.judge_parameter(parameter, &value);
        }
    }

    fn judge_query_parameters(&mut self, query: &FormPairs<'_>) {
        let operation = self.operation;
        let mut is_used = vec![false; query.len()];
        let of_query = operation.parameters.iter().enumerate();
        let of_query = of_query.filter(|(_, own)| own.location == ParameterPlace::Query);
        for (index, parameter) in of_query {
            let value =
                value_of(&self.api.schemas, parameter, query, |index| is_used[index] = true);
            match value {
                Some(value) => {
                    self.out.parameters.push(index);
                    let is_empty = value == MessageValue::Text(Cow::Borrowed(""));
                    if !(is_empty && parameter.may_be_empty) {
                        self.judge_parameter(parameter, &value);
                    }
                }
                // Whether an object of parameters is there is not known when none of them is.
                None if parameter.is_required && parameter.style != ParameterStyle::Members => {
                    let place = format!("query {}", parameter.name);
                    let stated = "the parameter is required".to_owned();
                    self.record_exchange_issue(
                        DriftRule::MissingRequired,
                        &place,
                        stated,
                        Some(&parameter.place),
                    );
                }
                None => {}
            }
        }
        let credentials: Vec<&String> = operation
            .security
            .iter()
            .flatten()
            .filter_map(|scheme| match scheme {
                SecurityScheme::Query(name) => Some(name),
                _ => None,
            })
            .collect();
        for ((name, _), _) in query.iter().zip(&is_used).filter(|(_, is_used)| !**is_used) {
            if credentials.iter().any(|known| ***known == **name) {
                continue;
            }
            // A name that is itself a secret is not one that a description could have.
            let name = masked::word(name.as_bytes(), 1);
            if name == masked::MASK {
                continue;
            }
            let place = format!("query {name}");
            self.record_exchange_issue(
                DriftRule::UndocumentedParameter,
                &place,
                String::new(),
                Some(&operation.place),
            );
        }
    }

    fn judge_credentials(&mut self, flow: &Flow<'_>, query: &FormPairs<'_>) {
        let operation = self.operation;
        let was_sent = |scheme: &SecurityScheme| match scheme {
            SecurityScheme::Header(name) => flow.request_headers.get(name.as_bytes()).is_some(),
            SecurityScheme::Query(name) => query.iter().any(|(known, _)| **known == **name),
            SecurityScheme::Cookie(name) => cookie(flow.request_headers, name).is_some(),
            SecurityScheme::Http(wanted) => {
                let sent = flow.request_headers.get(b"authorization").unwrap_or_default();
                let scheme = sent.split(|byte| *byte == b' ').next().unwrap_or_default();
                scheme.eq_ignore_ascii_case(wanted.as_bytes())
            }
            SecurityScheme::Token => {
                flow.request_headers.get(b"authorization").is_some()
                    || query.iter().any(|(name, _)| name == "access_token")
            }
            SecurityScheme::Unknown => true,
        };
        let is_met = operation.security.iter().any(|needed| needed.iter().all(&was_sent));
        // Captures without any header say nothing about credentials.
        let has_headers = flow.request_headers.iter().next().is_some();
        if !operation.security.is_empty() && !is_met && has_headers {
            let each = operation.security.iter().map(|needed| {
                needed.iter().map(SecurityScheme::text).collect::<Vec<_>>().join(" and ")
            });
            let stated = format!("stated is {}", each.collect::<Vec<_>>().join(", or "));
            self.record_exchange_issue(
                DriftRule::SecurityNotSent,
                "security",
                stated,
                Some(&operation.place),
            );
        }
    }

    fn judge_request_body(&mut self, flow: &Flow<'_>, scratch: &mut ExchangeScratch) {
        let operation = self.operation;
        let body = flow.request_body;
        let is_sent = body.recorded_bytes().is_some_and(|bytes| bytes > 0);
        let content_type = flow.request_headers.get(b"content-type");
        let Some(stated) = &operation.body else {
            if is_sent && content_type.is_some() {
                let media_type = media_type_of(content_type);
                let place = format!("request body {}", shown(&media_type));
                let said = "no body is described".to_owned();
                self.record_exchange_issue(
                    DriftRule::UndocumentedMediaType,
                    &place,
                    said,
                    Some(&operation.place),
                );
            }
            return;
        };
        if !is_sent {
            // A capture without bodies does not say that there was none; a length of 0 does.
            let is_empty = body.recorded_bytes() == Some(0)
                || flow.request_headers.get(b"content-length") == Some(b"0");
            if stated.is_required && is_empty {
                let said = "the body is required".to_owned();
                self.record_exchange_issue(
                    DriftRule::MissingRequired,
                    "request body",
                    said,
                    Some(&stated.place),
                );
            }
            return;
        }
        match scratch.decoder.decode(body, flow.request_headers) {
            Ok(Some(bytes)) => {
                self.judge_body(
                    "request body",
                    MessageDirection::Request,
                    &stated.contents,
                    content_type,
                    bytes,
                    &stated.place,
                );
            }
            Ok(None) => {}
            Err(_) => self.out.unjudged_bodies += 1,
        }
    }

    fn judge_response(&mut self, flow: &Flow<'_>, status: u16, scratch: &mut ExchangeScratch) {
        let Some(response) = &flow.response else { return };
        let operation = self.operation;
        let Some(stated) = operation.response(status) else {
            let place = format!("response {status}");
            self.record_exchange_issue(
                DriftRule::UndocumentedStatus,
                &place,
                String::new(),
                Some(&operation.place),
            );
            return;
        };
        self.out.statuses.push(stated.statuses);
        let is_sent = response.body.recorded_bytes().is_some_and(|bytes| bytes > 0);
        let has_none = matches!(status, 100..=199 | 204 | 304) || operation.method == "HEAD";
        if !is_sent || has_none {
            return;
        }
        let place = format!("response {status}");
        match scratch.decoder.decode(response.body, response.headers) {
            Ok(Some(bytes)) => {
                let content_type = response.content_type();
                self.judge_body(
                    &place,
                    MessageDirection::Response,
                    &stated.contents,
                    content_type,
                    bytes,
                    &stated.place,
                );
            }
            Ok(None) => {}
            Err(_) => self.out.unjudged_bodies += 1,
        }
    }
}

/// Headers that OpenAPI describes in other places than parameters (OpenAPI 3.1, parameter object).
fn is_described_elsewhere(name: &str) -> bool {
    ["accept", "content-type", "authorization"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// A media type as it is shown.
fn shown(media_type: &str) -> Cow<'_, str> {
    if media_type.is_empty() {
        return Cow::Borrowed("without a type");
    }
    masked::media_type(media_type.as_bytes(), 1)
}

/// The value of a cookie.
fn cookie(headers: Headers<'_>, name: &str) -> Option<Vec<u8>> {
    headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(b"cookie")).find_map(
        |(_, value)| {
            value?.split(|byte| *byte == b';').find_map(|pair| {
                let pair = pair.trim_ascii();
                let at = memchr::memchr(b'=', pair)?;
                (&pair[..at] == name.as_bytes()).then(|| pair[at + 1..].to_vec())
            })
        },
    )
}
