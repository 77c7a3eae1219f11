//! The command `state`.

use std::time::Instant;

use crate::cli::arguments::StateArguments;
use crate::cli::exit::Exit;
use crate::cli::messages::Messages;
use crate::cli::progress::ProgressMonitor;
use crate::cli::{Failure, open, options, refuse_captures};
use crate::engine;
use crate::error::Error;

/// Saves the state of captures.
pub(super) fn state(arguments: &StateArguments) -> Result<Exit, Failure> {
    let input = &arguments.input;
    let mut options = options(input)?;
    if options.limit.is_some() {
        return Err(Error::usage("a state has all flows; leave --limit out").into());
    }
    options.bodies = true;
    refuse_captures("--output", &arguments.output, &input.source.captures)?;
    let start = Instant::now();
    let captures = open(input)?;
    let is_quiet = input.source.selection.quiet;
    let monitor = ProgressMonitor::new(input.progress, is_quiet);
    let observed = engine::observe(&captures, &options, &monitor)?;
    monitor.finish();
    let name = arguments.output.display().to_string();
    std::fs::write(&arguments.output, observed.patterns.to_bytes())
        .map_err(|error| Error::io(&name, "write", error))?;
    Ok(Messages::new(&captures, is_quiet).report_observation(&observed, start.elapsed()))
}
