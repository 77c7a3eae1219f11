//! Compares the bodies of an exchange with the schemas of their media types.

use std::borrow::Cow;

use crate::description::cursor::DescriptionPlace;
use crate::description::operation::{ApiContent, stated_media_type};
use crate::description::schema::SchemaId;
use crate::drift::evaluate::{MessageDirection, evaluate};
use crate::drift::exchange::{ExchangeJudge, shown};
use crate::drift::parameters::{coerce_to_schema, form_value, pairs};
use crate::drift::rule::DriftRule;
use crate::drift::value::MessageValue;
use crate::flow::body::decode::to_utf8;
use crate::flow::body::media::BodySyntax;
use crate::limits;
use crate::shape::form::{FILE_CONTENT, multipart};
use crate::shape::messages::media_type_of;

impl ExchangeJudge<'_> {
    /// Compares a body with the schema of its media type.
    pub(super) fn judge_body(
        &mut self,
        place: &str,
        direction: MessageDirection,
        contents: &[ApiContent],
        content_type: Option<&[u8]>,
        bytes: Cow<'_, [u8]>,
        source: &DescriptionPlace,
    ) {
        if bytes.trim_ascii().is_empty() {
            return;
        }
        let media_type = media_type_of(content_type);
        let Some(content) = content_for(contents, &media_type) else {
            let place = format!("{place} {}", shown(&media_type));
            self.record_exchange_issue(
                DriftRule::UndocumentedMediaType,
                &place,
                String::new(),
                Some(source),
            );
            return;
        };
        let Some(schema) = content.schema else { return };
        let syntax = BodySyntax::of(content_type, &bytes);
        let text = to_utf8(bytes, content_type);
        let place = if contents.len() > 1 {
            format!("{place} {}", content.media_type)
        } else {
            place.to_owned()
        };
        match syntax {
            Some(BodySyntax::Json) => match MessageValue::parse(&text) {
                Some(value) => self.judge_body_value(&place, schema, &value, direction),
                None => self.judge_malformed(&place, &text, content),
            },
            Some(BodySyntax::JsonLines) => self.judge_lines(&place, schema, &text, direction),
            Some(BodySyntax::EventStream) => {}
            Some(BodySyntax::Form) => {
                let value = form_value(&self.api.schemas, Some(schema), pairs(&text));
                self.judge_body_value(&place, schema, &value, direction);
            }
            Some(BodySyntax::Multipart) => {
                let parts = multipart(&text, content_type.unwrap_or_default());
                let Some(parts) = parts else {
                    self.out.unjudged_bodies += 1;
                    return;
                };
                let pairs = parts
                    .into_iter()
                    .map(|(name, value)| (name, value.unwrap_or(Cow::Borrowed(FILE_CONTENT))));
                let value = form_value(&self.api.schemas, Some(schema), pairs.collect());
                self.judge_body_value(&place, schema, &value, direction);
            }
            None => {
                // Text is a string; content in bytes is not looked at.
                if media_type.starts_with("text/") {
                    let text = String::from_utf8_lossy(&text);
                    let value = coerce_to_schema(&self.api.schemas, Some(schema), text);
                    self.judge_body_value(&place, schema, &value, direction);
                }
            }
        }
    }

    /// Tells of a body that is not JSON although its type says so. One that only ends too early may be cut off in the capture.
    fn judge_malformed(&mut self, place: &str, text: &[u8], content: &ApiContent) {
        self.out.unjudged_bodies += 1;
        // Several values in one body are a stream.
        let mut values =
            serde_json::Deserializer::from_slice(text).into_iter::<serde::de::IgnoredAny>();
        let error = values.next().and_then(Result::err).filter(serde_json::Error::is_syntax);
        let is_at_end = |error: &serde_json::Error| {
            let is_break = |byte: &u8| *byte == b'\n';
            let last = text.rsplit(is_break).next().unwrap_or_default();
            text.split(is_break).count() == error.line()
                && error.column() >= last.trim_ascii_end().len()
        };
        if error.is_some_and(|error| !is_at_end(&error)) {
            let source = content.schema.map(|schema| self.api.schemas.place(schema).clone());
            let stated = "it is not JSON".to_owned();
            self.record_exchange_issue(DriftRule::MalformedBody, place, stated, source.as_ref());
        }
    }

    /// Compares each line as a separate value. A schema that is a list stands for all of them.
    fn judge_lines(
        &mut self,
        place: &str,
        schema: SchemaId,
        text: &[u8],
        direction: MessageDirection,
    ) {
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let lines = lines.filter(|line| !line.is_empty()).take(limits::MAX_LINES_OF_BODY);
        for line in lines {
            match MessageValue::parse(line) {
                Some(value) => self.judge_body_value(place, schema, &value, direction),
                None => self.out.unjudged_bodies += 1,
            }
        }
    }

    fn judge_body_value(
        &mut self,
        place: &str,
        schema: SchemaId,
        value: &MessageValue<'_>,
        direction: MessageDirection,
    ) {
        let found = evaluate(&self.api.schemas, schema, value, direction, self.marks);
        self.out.judged_bodies += 1;
        self.out.unjudged_bodies += u64::from(found.is_unfinished);
        self.out.invalid_bodies += u64::from(found.is_invalid);
        self.add(place, found);
    }
}

/// The content of a media type.
fn content_for<'c>(contents: &'c [ApiContent], media_type: &str) -> Option<&'c ApiContent> {
    let stated = contents.iter().map(|content| &*content.media_type);
    let found = stated_media_type(stated, media_type)?;
    contents.iter().find(|content| content.media_type == found)
}
