//! The command `drift`.

use std::time::Instant;

use crate::cli::arguments::DriftArguments;
use crate::cli::exit::Exit;
use crate::cli::findings::write_findings;
use crate::cli::messages::{Messages, complain};
use crate::cli::progress::ProgressMonitor;
use crate::cli::{Failure, open, options};
use crate::description::ApiDescription;
use crate::engine;
use crate::error::Error;
use crate::output::format_count;

/// Notes about the description that are said one by one.
const MAX_NOTES: usize = 5;

/// Compares captures with a description.
pub(super) fn drift(arguments: &DriftArguments) -> Result<Exit, Failure> {
    let input = &arguments.input;
    let options = options(input)?;
    if options.limit.is_some() {
        return Err(Error::usage("drift compares all flows; leave --limit out").into());
    }
    let mut api = ApiDescription::open(&arguments.api)?;
    if let Some(server) = &arguments.server {
        api.set_server(server)?;
    }
    let start = Instant::now();
    let captures = open(input)?;
    let is_quiet = input.source.selection.quiet;
    let monitor = ProgressMonitor::new(input.progress, is_quiet);
    let mut comparison = engine::drift(&captures, &api, &options, &monitor)?;
    monitor.finish();
    let exit = Messages::new(&captures, is_quiet).report_comparison(&comparison, start.elapsed());
    if !is_quiet {
        for note in api.notes().iter().take(MAX_NOTES) {
            complain(note);
        }
        if let Some(more) = api.notes().len().checked_sub(MAX_NOTES).filter(|more| *more > 0) {
            complain(&format!(
                "{} about the description (see --format json)",
                format_count(more as u64, "more note")
            ));
        }
    }
    if comparison.used > 0 && comparison.report.totals.get("flows_of_api") == Some(&0) {
        let servers: Vec<&str> = api.servers.iter().take(3).map(|server| &*server.url).collect();
        let what = format!(
            "none of {} is for a server of the description ({}); name the one that was captured with --server URL",
            format_count(comparison.used, "flow"),
            servers.join(", ")
        );
        return Err(Error::usage(crate::flow::text::printable(what.as_bytes())).into());
    }
    let findings = &arguments.findings;
    let found = write_findings(&mut comparison.report, findings, arguments.coverage, is_quiet)?;
    // What could not be read is worse than what was found.
    Ok(if exit == Exit::Done { found } else { exit })
}
