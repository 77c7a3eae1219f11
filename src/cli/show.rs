//! The command `show`.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::capture::Captures;
use crate::cli::arguments::ShowArguments;
use crate::cli::exit::Exit;
use crate::cli::messages::complain;
use crate::cli::progress::ProgressMonitor;
use crate::cli::{Failure, open_captures, refuse_captures, source_options};
use crate::engine::{self, ExchangeQuery, Options};
use crate::error::Error;
use crate::flow::text;
use crate::output::{
    ExchangeCurl, ExchangeDump, ExchangeHar, ExchangeJson, ExchangeOutput, ExchangeText,
    format_count,
};
use crate::report::exchange::Secrets;

/// Shows single requests, or writes those of an endpoint to a file.
pub(super) fn show(arguments: &ShowArguments) -> Result<Exit, Failure> {
    let (paths, query) = paths_and_query(arguments)?;
    let options = source_options(&arguments.selection)?;
    let captures = open_captures(&paths, &arguments.selection)?;
    let monitor = ProgressMonitor::new(arguments.progress, arguments.selection.quiet);
    let secrets = if arguments.reveal { Secrets::Revealed } else { Secrets::Masked };
    if let Some(output) = &arguments.write {
        refuse_captures("--write", output, &paths)?;
        let is_dump = output.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("mitm"));
        // Records of dumps can be copied whole; what is masked, or comes from elsewhere, is written anew.
        let copies = is_dump && arguments.reveal && captures.first_other_than_dump().is_none();
        let count = if copies {
            write_dump(&captures, &options, &query, output, &monitor)?
        } else {
            let found = engine::exchanges(&captures, &options, &query, secrets, &monitor)?;
            let form: &dyn ExchangeOutput = if is_dump { &ExchangeDump } else { &ExchangeHar };
            write_whole(output, |out| form.write(&found, out).map_err(Failure::Output))?;
            found.len() as u64
        };
        monitor.finish();
        if !arguments.selection.quiet {
            let what = format!("{} written to {}", format_count(count, "flow"), output.display());
            complain(&text::printable(what.as_bytes()));
        }
        return Ok(report_refused(&captures));
    }
    let found = engine::exchanges(&captures, &options, &query, secrets, &monitor)?;
    monitor.finish();
    let form: &dyn ExchangeOutput = if arguments.form.curl {
        &ExchangeCurl
    } else if arguments.form.har {
        &ExchangeHar
    } else if arguments.form.json {
        &ExchangeJson
    } else {
        &ExchangeText
    };
    let mut out = BufWriter::new(io::stdout().lock());
    form.write(&found, &mut out)?;
    out.flush()?;
    Ok(report_refused(&captures))
}

/// Says which captures cannot be read.
fn report_refused(captures: &Captures) -> Exit {
    captures.refused().iter().for_each(|error| complain(&error.to_string()));
    if captures.refused().is_empty() { Exit::Done } else { Exit::Error }
}

/// Splits the captures from the id, which is the last argument if no endpoint is named.
fn paths_and_query(arguments: &ShowArguments) -> Result<(Vec<PathBuf>, ExchangeQuery), Error> {
    let mut paths = arguments.captures.clone();
    if let Some(endpoint) = &arguments.endpoint {
        let default = if arguments.write.is_some() { u32::MAX } else { 1 };
        let newest = arguments.newest.unwrap_or(default) as usize;
        return Ok((paths, ExchangeQuery::Endpoint { endpoint: endpoint.clone(), newest }));
    }
    let last = paths.pop().filter(|_| !paths.is_empty());
    let id = last.ok_or_else(|| {
        Error::usage("show needs a capture and the id of a flow, as in show dump.mitm ID, or --endpoint ENDPOINT")
    })?;
    Ok((paths, ExchangeQuery::Id(id.to_string_lossy().into_owned())))
}

fn write_dump(
    captures: &Captures,
    options: &Options,
    query: &ExchangeQuery,
    output: &Path,
    monitor: &ProgressMonitor,
) -> Result<u64, Failure> {
    let copied = write_whole(output, |out| {
        engine::copy_records(captures, options, query, monitor, out).map_err(Failure::from)
    })?;
    if copied.too_large > 0 {
        let what = "too large to be copied, and left out";
        complain(&format!("{} {what}", format_count(copied.too_large, "flow is")));
    }
    Ok(copied.written)
}

/// Writes a file that appears when everything is written, so that a run that fails leaves none, and that only its owner can read,
/// because captures hold secrets. What had the name before, also by a hard link, stays as it is elsewhere.
fn write_whole<T>(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = path.display().to_string();
    let failed = |error| Error::io(&name, "write to", error);
    let mut file =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    let written = {
        let mut out = BufWriter::new(&mut file);
        // The answer is this file, so what fails is said of it.
        let written = write(&mut out).map_err(|failure| match failure {
            Failure::Output(error) => Failure::Input(failed(error)),
            input @ Failure::Input(_) => input,
        })?;
        out.flush().map_err(failed)?;
        written
    };
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(written)
}
