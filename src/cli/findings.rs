//! Writes findings, keeps baselines, and decides whether a run fails.

use std::io::{self, Write};
use std::path::Path;

use crate::cli::arguments::{FailOn, FindingsArguments, FindingsFormat};
use crate::cli::exit::Exit;
use crate::cli::messages::complain;
use crate::cli::{Failure, write_in_width};
use crate::error::Error;
use crate::finding::baseline::Baseline;
use crate::finding::{FindingReport, Severity};
use crate::output::{
    FindingsGithub, FindingsJson, FindingsJunit, FindingsMarkdown, FindingsOutput, FindingsSarif,
    FindingsText, format_count,
};

/// Marks what is known, writes the findings and the baseline, and returns whether there are findings that fail.
pub(super) fn write_findings(
    report: &mut FindingReport,
    arguments: &FindingsArguments,
    coverage: bool,
    is_quiet: bool,
) -> Result<Exit, Failure> {
    if let Some(path) = &arguments.baseline {
        let baseline = read_baseline(path, arguments.update_baseline)?;
        let gone = baseline.mark(report);
        if gone > 0 && !is_quiet && !arguments.update_baseline {
            let gone = format_count(gone as u64, "known finding");
            complain(&format!("{gone} did not come up again; --update-baseline leaves them out"));
        }
        if arguments.update_baseline {
            let json = Baseline::of(report).to_json();
            std::fs::write(path, json)
                .map_err(|error| Error::io(&path.display().to_string(), "write", error))?;
        }
    }
    let format: Box<dyn FindingsOutput> = match arguments.format {
        FindingsFormat::Text => Box::new(FindingsText { coverage }),
        FindingsFormat::Json => Box::new(FindingsJson),
        FindingsFormat::Sarif => Box::new(FindingsSarif),
        FindingsFormat::Junit => Box::new(FindingsJunit),
        FindingsFormat::Markdown => Box::new(FindingsMarkdown { coverage }),
        FindingsFormat::Github => Box::new(FindingsGithub),
    };
    if let Some(path) = &arguments.output {
        let mut text = Vec::new();
        format.write(report, &mut text)?;
        std::fs::write(path, text)
            .map_err(|error| Error::io(&path.display().to_string(), "write", error))?;
    } else {
        let mut out = io::BufWriter::new(io::stdout().lock());
        if matches!(arguments.format, FindingsFormat::Text) {
            write_in_width(&mut out, |out| format.write(report, out))?;
        } else {
            format.write(report, &mut out)?;
        }
        out.flush()?;
    }
    let least = match arguments.fail_on {
        FailOn::Error => Some(Severity::Error),
        FailOn::Warning => Some(Severity::Warning),
        FailOn::Info => Some(Severity::Info),
        FailOn::Never => None,
    };
    let fails = least.is_some_and(|least| report.worst().is_some_and(|worst| worst >= least));
    Ok(if fails && !arguments.update_baseline { Exit::Nothing } else { Exit::Done })
}

/// Reads a baseline. One that is about to be written need not be there.
fn read_baseline(path: &Path, may_be_new: bool) -> Result<Baseline, Error> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(json) => Baseline::parse(&name, &json),
        Err(error) if may_be_new && error.kind() == io::ErrorKind::NotFound => {
            Ok(Baseline::default())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let what =
                format!("--baseline {name}: there is no such file; --update-baseline writes one");
            Err(Error::usage(crate::flow::text::printable(what.as_bytes())))
        }
        Err(error) => Err(Error::io(&name, "read", error)),
    }
}
