//! The command `report`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use crate::cli::arguments::ReportArguments;
use crate::cli::exit::Exit;
use crate::cli::messages::Messages;
use crate::cli::progress::ProgressMonitor;
use crate::cli::{Failure, open, options, refuse_captures, select};
use crate::engine::{self, Analysis};
use crate::error::Error;
use crate::flow::text;
use crate::openapi::{OpenApiOptions, openapi_descriptions, operations_by_endpoint};
use crate::output::{Output, Page, PageEndpoint, PageViewer};
use crate::report::Report;
use crate::schema::Schemas;

/// Writes the page of a report.
pub(super) fn report(arguments: &ReportArguments) -> Result<Exit, Failure> {
    let input = &arguments.input;
    let mut options = options(input)?;
    options.bodies = true;
    options.report.near_misses = true;
    let start = Instant::now();
    let captures = open(input)?;
    match &arguments.output {
        Some(output) => refuse_captures("--output", output, &input.source.captures)?,
        None if io::stdout().is_terminal() => {
            let what = "a page is not for a terminal; name a file as in --output report.html";
            return Err(Error::usage(what).into());
        }
        None => {}
    }
    let viewer = viewer_of(arguments)?;
    let monitor = ProgressMonitor::new(input.progress, input.source.selection.quiet);
    let mut analysis = engine::analyze(&captures, &options, &monitor)?;
    monitor.finish();
    select(&mut analysis, &arguments.selection);
    let mut page = page_of(&analysis, analysis.problems(&captures));
    if let Some((_, file)) = &viewer {
        page.viewer = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    }
    if let Some(path) = &arguments.output {
        write_file(path, |out| page.write(&analysis.report, out))?;
    } else {
        let mut out = io::BufWriter::new(io::stdout().lock());
        page.write(&analysis.report, &mut out)?;
        out.flush()?;
    }
    if let Some((viewer, file)) = viewer {
        let described = match &analysis.schemas {
            Some(schemas) => described(&analysis.report, schemas),
            None => Vec::new(),
        };
        write_file(&file, |out| viewer.write(&described, out))?;
    }
    Ok(Messages::new(&captures, input.source.selection.quiet)
        .report_analysis(&analysis, start.elapsed()))
}

/// The most fields of an endpoint that a page lists.
const MAX_PAGE_FIELDS: usize = 12;

/// The page of an analysis, which has near misses, with the problems with its captures.
pub(super) fn page_of(analysis: &Analysis, problems: Vec<String>) -> Page {
    let mut page = Page { problems, timeline: analysis.timeline.clone(), ..Page::default() };
    let mut operations = match &analysis.schemas {
        Some(schemas) => operations_by_endpoint(&described(&analysis.report, schemas)),
        None => BTreeMap::new(),
    };
    for pattern in &analysis.report.patterns {
        let mut known = PageEndpoint::default();
        if let Some(schemas) = &analysis.schemas {
            (known.fields, known.more_fields) = schemas.fields(&pattern.id, MAX_PAGE_FIELDS);
        }
        known.near_misses = analysis.near_misses.get(&pattern.id).cloned().unwrap_or_default();
        let operation = operations.remove(&pattern.id);
        known.security = operation.as_ref().map(security_in_words).unwrap_or_default();
        let yaml = operation.and_then(|operation| serde_saphyr::to_string(&operation).ok());
        known.openapi = yaml.unwrap_or_default();
        page.endpoints.insert(pattern.id.clone(), known);
    }
    page
}

/// The security of the operation in a path item: alternatives, each the schemes that are needed together.
fn security_in_words(item: &Value) -> String {
    let operations = item.as_object().into_iter().flatten().map(|(_, methods)| methods);
    let operation = operations.filter_map(Value::as_object).flatten().map(|(_, it)| it).next();
    let Some(alternatives) = operation.and_then(|it| it["security"].as_array()) else {
        return String::new();
    };
    let words = alternatives.iter().filter_map(Value::as_object).map(|schemes| {
        let names: Vec<&str> = schemes.keys().map(String::as_str).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(" and ") }
    });
    words.collect::<Vec<_>>().join(" or ")
}

/// The OpenAPI descriptions with evidence.
fn described(report: &Report, schemas: &Schemas) -> Vec<(String, Value)> {
    let options = OpenApiOptions { evidence: true, ..OpenApiOptions::default() };
    openapi_descriptions(report, schemas, &options)
}

/// Writes a file that did not exist or is replaced.
pub(super) fn write_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    let name = path.display().to_string();
    let file = File::create(path).map_err(|error| Error::io(&name, "write", error))?;
    let mut out = io::BufWriter::new(file);
    let written = write(&mut out).and_then(|()| out.flush());
    written.map_err(|error| Error::io(&name, "write", error))
}

/// The viewer of the user, and the file that it is written to: `report.viewer.html` beside `report.html`.
fn viewer_of(arguments: &ReportArguments) -> Result<Option<(PageViewer, PathBuf)>, Error> {
    let (Some(script), Some(output)) = (&arguments.viewer, &arguments.output) else {
        return Ok(None);
    };
    let file = output.with_extension("viewer.html");
    refuse_captures("--output", &file, &arguments.input.source.captures)?;
    for written in [output, &file] {
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        if real(written).is_some() && real(written) == real(script) {
            let what = format!(
                "--output {}: the viewer would be overwritten; name another file",
                output.display()
            );
            return Err(Error::usage(text::printable(what.as_bytes())));
        }
    }
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|error| Error::io(&path.display().to_string(), "read", error))
    };
    // Swagger UI has a style sheet of its own.
    let style = script.with_file_name("swagger-ui.css");
    let is_swagger = script
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("swagger-ui") && style.is_file());
    let style = if is_swagger { read(&style)? } else { String::new() };
    let viewer = PageViewer { script: read(script)?, style };
    if !viewer.is_known() {
        let what = format!(
            "--viewer {}: this is not Redoc, Swagger UI or Scalar; give the file that they call standalone or bundle",
            script.display()
        );
        return Err(Error::usage(text::printable(what.as_bytes())));
    }
    Ok(Some((viewer, file)))
}
