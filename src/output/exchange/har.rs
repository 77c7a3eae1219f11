//! Exchanges as a HAR.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::output::exchange::{ExchangeOutput, header};
use crate::report::exchange::{BodyContent, Exchange, MessageBody};

/// Exchanges as a HAR 1.2 (<http://www.softwareishard.com/blog/har-12-spec/>).
#[derive(Clone, Copy, Debug, Default)]
pub struct ExchangeHar;

impl ExchangeOutput for ExchangeHar {
    fn write(&self, exchanges: &[Exchange], out: &mut dyn Write) -> io::Result<()> {
        let entries: Vec<Value> = exchanges.iter().map(entry).collect();
        let har = json!({"log": {
            "version": "1.2",
            "creator": {"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")},
            "entries": entries,
        }});
        serde_json::to_writer_pretty(&mut *out, &har)?;
        out.write_all(b"\n")
    }
}

fn entry(exchange: &Exchange) -> Value {
    let request = &exchange.request;
    let time = exchange.duration_ms.unwrap_or_default();
    let query = request.url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        json!({"name": name, "value": value})
    });
    let mut sent = json!({
        "method": request.method,
        "url": request.url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": pairs(&request.headers),
        "queryString": query.collect::<Vec<_>>(),
        "headersSize": -1,
        "bodySize": -1,
    });
    if request.body.content != BodyContent::Empty {
        let (text, encoding) = text_of(&request.body);
        sent["postData"] = json!({"mimeType": media_type(&request.body), "text": text});
        if let Some(encoding) = encoding {
            sent["postData"]["encoding"] = json!(encoding);
        }
    }
    let answer = exchange.response.as_ref().map_or_else(
        || {
            json!({
                "status": 0, "statusText": "", "httpVersion": "HTTP/1.1", "cookies": [], "headers": [],
                "content": {"size": 0, "mimeType": ""}, "redirectURL": "", "headersSize": -1, "bodySize": -1,
            })
        },
        |response| {
            let (text, encoding) = text_of(&response.body);
            let mut content = json!({"size": text.len(), "mimeType": media_type(&response.body), "text": text});
            if let Some(encoding) = encoding {
                content["encoding"] = json!(encoding);
            }
            json!({
                "status": response.status, "statusText": "", "httpVersion": "HTTP/1.1", "cookies": [],
                "headers": pairs(&response.headers), "content": content,
                "redirectURL": header(&response.headers, "location").unwrap_or_default(),
                "headersSize": -1, "bodySize": -1,
            })
        },
    );
    let mut entry = json!({
        // The start is required; a flow without one began at an unknown time.
        "startedDateTime": exchange.started.as_deref().unwrap_or("1970-01-01T00:00:00Z"),
        "time": time,
        "request": sent,
        "response": answer,
        "cache": {},
        "timings": {"send": 0, "wait": time, "receive": 0},
    });
    entry["_id"] = json!(exchange.id);
    if exchange.websocket {
        entry["_resourceType"] = json!("websocket");
    }
    if exchange.failed {
        entry["_error"] = json!("the exchange failed");
    }
    entry
}

fn pairs(headers: &[(String, String)]) -> Vec<Value> {
    headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn media_type(body: &MessageBody) -> &str {
    body.content_type.as_deref().unwrap_or_default()
}

/// The text of a body, and its encoding if it is not text.
fn text_of(body: &MessageBody) -> (String, Option<&'static str>) {
    match &body.content {
        BodyContent::Empty => (String::new(), None),
        BodyContent::Json { json } => (json.to_string(), None),
        BodyContent::Text { text } => (text.clone(), None),
        BodyContent::Bytes { base64 } => (base64.clone(), Some("base64")),
        BodyContent::Hidden { bytes, why } => {
            (format!("({bytes} bytes are not shown: {why})"), None)
        }
    }
}
