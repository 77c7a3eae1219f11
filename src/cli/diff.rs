//! The command `diff`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::capture::Captures;
use crate::cli::arguments::DiffArguments;
use crate::cli::exit::Exit;
use crate::cli::findings::write_findings;
use crate::cli::messages::{Messages, complain};
use crate::cli::progress::ProgressMonitor;
use crate::cli::{Failure, source_options};
use crate::description::ApiDescription;
use crate::diff::{DiffOptions, OwnedDiffSide};
use crate::engine;
use crate::error::Error;

/// Compares two sides.
pub(super) fn diff(arguments: &DiffArguments) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let before = read_side(&arguments.before, &arguments.also_before, arguments, &mut exit)?;
    let after = read_side(&arguments.after, &arguments.also_after, arguments, &mut exit)?;
    let options = DiffOptions {
        min_confidence: if arguments.all { 0.0 } else { arguments.min_confidence },
        report: source_options(&arguments.selection)?.report,
    };
    let mut report = crate::diff::diff(before.side(), after.side(), &options);
    let is_quiet = arguments.selection.quiet;
    if !is_quiet {
        report.notes.iter().take(5).for_each(|note| complain(note));
        if report.totals.get("unlikely_changes").is_some_and(|count| *count > 0) {
            complain(
                "changes that may be chance, as where little was seen, are left out; --all shows them",
            );
        }
    }
    let found = write_findings(&mut report, &arguments.findings, false, is_quiet)?;
    Ok(if exit == Exit::Done { found } else { exit })
}

fn read_side(
    path: &Path,
    also: &[PathBuf],
    arguments: &DiffArguments,
    exit: &mut Exit,
) -> Result<OwnedDiffSide, Failure> {
    if ApiDescription::is_at(path) {
        if let Some(other) = also.first() {
            let what = format!(
                "{}: this is a description, which is a side alone; leave {} out",
                path.display(),
                other.display()
            );
            return Err(Error::usage(crate::flow::text::printable(what.as_bytes())).into());
        }
        return Ok(OwnedDiffSide::Described(Box::new(ApiDescription::open(path)?)));
    }
    let mut options = source_options(&arguments.selection)?;
    options.bodies = true;
    let start = Instant::now();
    let paths: Vec<&Path> =
        std::iter::once(path).chain(also.iter().map(PathBuf::as_path)).collect();
    let captures = Captures::open(&paths, arguments.selection.input_format.into())?;
    let monitor = ProgressMonitor::new(arguments.progress, arguments.selection.quiet);
    let observed = engine::observe(&captures, &options, &monitor)?;
    monitor.finish();
    let messages = Messages::new(&captures, arguments.selection.quiet);
    let own = messages.report_observation(&observed, start.elapsed());
    // A side without any flow would make everything gone.
    if own != Exit::Done {
        *exit = Exit::Error;
    }
    Ok(OwnedDiffSide::Observed(Box::new(observed.patterns)))
}
