//! One exchange of a Charles session saved as JSON (`.chlsj`). The format is not documented, so
//! this reader is based on recorded files.

use std::borrow::Cow;

use crate::capture::fields::{Text, integer, read_pairs};
use crate::capture::har::entry::HarEntry;
use crate::capture::json::{JsonError, JsonReader};
use crate::flow::json_string::JsonString;
use crate::flow::{Body, Outcome};

/// The parts of a URL, which Charles stores separately.
#[derive(Default)]
struct CharlesUrl<'a> {
    scheme: Text<'a>,
    host: Text<'a>,
    port: Text<'a>,
    path: Text<'a>,
    query: Text<'a>,
}

/// Reads an exchange. It has no URL if it has no host.
pub(super) fn read(bytes: &[u8]) -> Result<HarEntry<'_>, JsonError> {
    let mut entry = HarEntry::default();
    let mut place = CharlesUrl::default();
    JsonReader::new(bytes).members(|key, json| {
        match key {
            b"method" => entry.method = json.text()?,
            b"scheme" => place.scheme = json.text()?,
            b"host" => place.host = json.text()?,
            b"actualPort" | b"port" => place.port = json.scalar()?.or(place.port.take()),
            b"path" => place.path = json.text()?,
            b"query" => place.query = json.text()?,
            b"status" => {
                let has_failed = json.text()?.is_some_and(|status| &*status == b"EXCEPTION");
                entry.outcome = if has_failed { Outcome::Failed } else { Outcome::Completed };
            }
            b"times" => read_one(json, b"start", &mut entry.started)?,
            b"durations" => read_one(json, b"total", &mut entry.milliseconds)?,
            b"request" => read_request(json, &mut entry)?,
            b"response" => read_response(json, &mut entry)?,
            _ => {}
        }
        Ok(())
    })?;
    entry.url = place.url(entry.method.as_deref());
    Ok(entry)
}

impl CharlesUrl<'_> {
    fn url(&self, method: Option<&[u8]>) -> Option<Cow<'static, [u8]>> {
        let host = self.host.as_deref()?;
        let port = self.port.as_deref().and_then(integer).filter(|port| *port > 0);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        if method.is_some_and(|method| method.eq_ignore_ascii_case(b"CONNECT")) {
            return Some(Cow::Owned([host, port.as_bytes()].concat()));
        }
        let scheme = self.scheme.as_deref().unwrap_or(b"https");
        let path = self.path.as_deref().unwrap_or(b"/");
        let mut url = [scheme, b"://", host, port.as_bytes(), path].concat();
        if let Some(query) = self.query.as_deref().filter(|query| !query.is_empty()) {
            url.push(b'?');
            url.extend_from_slice(query);
        }
        Some(Cow::Owned(url))
    }
}

fn read_one<'a>(
    json: &mut JsonReader<'a>,
    name: &[u8],
    value: &mut Text<'a>,
) -> Result<(), JsonError> {
    json.members(|key, json| {
        if key == name {
            *value = json.scalar()?;
        }
        Ok(())
    })
}

/// Reads the text of a body, and whether it is in Base64.
fn read_body<'a>(json: &mut JsonReader<'a>) -> Result<(Option<JsonString<'a>>, bool), JsonError> {
    let (mut text, mut is_base64) = (None, false);
    json.members(|key, json| {
        match key {
            b"text" => text = json.raw_text()?,
            // Charles stores a body that is not text under this key.
            b"encoded" => {
                text = json.raw_text()?;
                is_base64 = text.is_some();
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok((text, is_base64))
}

fn read_request<'a>(json: &mut JsonReader<'a>, entry: &mut HarEntry<'a>) -> Result<(), JsonError> {
    json.members(|key, json| match key {
        b"header" => json.members(|key, json| {
            if key == b"headers" {
                read_pairs(json, &mut entry.request_headers)?;
            }
            Ok(())
        }),
        b"body" => {
            entry.request_body = read_body(json)?.0.map(Body::json_text).unwrap_or_default();
            Ok(())
        }
        _ => Ok(()),
    })
}

fn read_response<'a>(json: &mut JsonReader<'a>, entry: &mut HarEntry<'a>) -> Result<(), JsonError> {
    json.members(|key, json| {
        entry.has_response = true;
        match key {
            b"status" => entry.status = json.scalar()?,
            b"mimeType" => entry.media_type = json.text()?,
            b"sizes" => read_one(json, b"body", &mut entry.body_size)?,
            b"body" => (entry.response_text, entry.is_base64) = read_body(json)?,
            b"header" => json.members(|key, json| {
                if key == b"headers" {
                    read_pairs(json, &mut entry.response_headers)?;
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })
}
