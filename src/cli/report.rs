//! The command `report`.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use crate::cli::arguments::ReportArguments;
use crate::cli::exit::Exit;
use crate::cli::messages::Messages;
use crate::cli::progress::ProgressMonitor;
use crate::cli::{Failure, open, options, refuse_captures, select};
use crate::engine::{self, Analysis};
use crate::error::Error;
use crate::output::{Output, Page};

/// Writes the page of a report.
pub(super) fn report(arguments: &ReportArguments) -> Result<Exit, Failure> {
    let input = &arguments.input;
    let mut options = options(input)?;
    options.bodies = true;
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
    let monitor = ProgressMonitor::new(input.progress, input.source.selection.quiet);
    let mut analysis = engine::analyze(&captures, &options, &monitor)?;
    monitor.finish();
    select(&mut analysis, &arguments.selection);
    let page = page_of(&analysis, analysis.problems(&captures));
    if let Some(path) = &arguments.output {
        let name = path.display().to_string();
        let file = File::create(path).map_err(|error| Error::io(&name, "write", error))?;
        let mut out = io::BufWriter::new(file);
        let written = page.write(&analysis.report, &mut out).and_then(|()| out.flush());
        written.map_err(|error| Error::io(&name, "write", error))?;
    } else {
        let mut out = io::BufWriter::new(io::stdout().lock());
        page.write(&analysis.report, &mut out)?;
        out.flush()?;
    }
    Ok(Messages::new(&captures, input.source.selection.quiet).after(&analysis, start.elapsed()))
}

fn page_of(analysis: &Analysis, problems: Vec<String>) -> Page {
    let mut page = Page { problems, ..Page::default() };
    if let Some(schemas) = &analysis.schemas {
        for pattern in &analysis.report.patterns {
            if let Some(messages) = schemas.endpoint(&pattern.id) {
                page.schemas.insert(pattern.id.clone(), messages);
            }
        }
    }
    page
}
