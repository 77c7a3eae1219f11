//! Observes requests one by one, as a proxy or a server does, with their bodies, and asks for the endpoints and their schemas
//! at any time.
//!
//! ```sh
//! cargo run --example live
//! ```

use std::io::{self, Write};

use api_patterns::{Body, Flow, Patterns, ReportOptions, Response};

fn main() -> io::Result<()> {
    let mut patterns = Patterns::with_bodies();
    for id in 1001..1030 {
        let url = format!("https://shop.example/v1/users/{id}?fields=name");
        let answer = format!(r#"{{"id": {id}, "name": "Ada", "active": true}}"#);
        let Some(mut flow) = Flow::new("GET", &url) else { continue };
        flow.response = Some(Response {
            status: 200,
            content_type: Some(b"application/json"),
            body: Body::decoded(answer.as_bytes()),
            ..Response::default()
        });
        patterns.observe(&flow);
    }
    let (decision, schemas) = patterns.decide_with_schemas(&ReportOptions::default());
    let mut out = io::stdout().lock();
    for pattern in &decision.report.patterns {
        writeln!(out, "{} requests of {}", pattern.request_count, pattern.endpoint)?;
    }
    let Some(schemas) = schemas else { return Ok(()) };
    writeln!(out, "{:#}", schemas.all(&decision.report))
}
