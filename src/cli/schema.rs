//! The command `schema`.

use std::io::{self, Write};
use std::time::Instant;

use serde_json::{Value, json};

use crate::cli::arguments::SchemaArguments;
use crate::cli::exit::Exit;
use crate::cli::messages::Messages;
use crate::cli::progress::ProgressMonitor;
use crate::cli::{Failure, open, options};
use crate::engine::{self, Analysis};
use crate::error::Error;
use crate::flow::text;
use crate::schema::Schemas;

/// Writes the schemas of all endpoints, or of one, or explains one place.
pub(super) fn schema(arguments: &SchemaArguments) -> Result<Exit, Failure> {
    let input = &arguments.input;
    let mut options = options(input)?;
    options.bodies = true;
    let start = Instant::now();
    let captures = open(input)?;
    let monitor = ProgressMonitor::new(input.progress, input.source.selection.quiet);
    let analysis = engine::analyze(&captures, &options, &monitor)?;
    monitor.finish();
    if let Some(schemas) = &analysis.schemas {
        let answer = answer(&analysis, schemas, arguments)?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        serde_json::to_writer_pretty(&mut out, &answer).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(Messages::new(&captures, input.source.selection.quiet)
        .report_analysis(&analysis, start.elapsed()))
}

fn answer(
    analysis: &Analysis,
    schemas: &Schemas,
    arguments: &SchemaArguments,
) -> Result<Value, Error> {
    let Some(name) = &arguments.endpoint else { return Ok(schemas.all(&analysis.report)) };
    let patterns = &analysis.report.patterns;
    let asked = patterns.iter().filter(|pattern| pattern.endpoint == *name || pattern.id == *name);
    let mut found = Vec::new();
    for pattern in asked {
        if let Some(path) = &arguments.explain {
            let reasons = schemas.explain(&pattern.id, path).ok_or_else(|| {
                let what = format!(
                    "--explain {path}: {name} has no such place; write request, query or a status, and then keys, as in \
                     200.items[].id"
                );
                Error::usage(text::printable(what.as_bytes()))
            })?;
            found.push(json!({ "host": pattern.host, "endpoint": pattern.endpoint, "path": path, "decisions": reasons }));
        } else if let Some(schema) = schemas.endpoint(&pattern.id) {
            found.push(json!({ "host": pattern.host, "endpoint": pattern.endpoint, "id": pattern.id, "messages": schema }));
        }
    }
    if found.is_empty() {
        let what = format!(
            "--endpoint {name}: there is no such endpoint; write it as analyze lists it, METHOD and path pattern"
        );
        return Err(Error::usage(text::printable(what.as_bytes())));
    }
    Ok(Value::Array(found))
}
