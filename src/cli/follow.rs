//! `analyze --follow`: redraws the table in place on a terminal, or writes one JSON line per refresh.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthStr;

use crate::cli::arguments::{AnalyzeArguments, OutputFormat};
use crate::cli::exit::Exit;
use crate::cli::messages::{Messages, complain};
use crate::cli::progress::{ProgressMonitor, is_interrupted};
use crate::cli::{Failure, open_captures, options, output, select};
use crate::engine::{Analysis, Change, Follower};
use crate::error::Error;
use crate::flow::text;

/// Maximum time between two checks for Ctrl-C.
pub(super) const TICK: Duration = Duration::from_millis(50);

pub(super) fn follow(arguments: &AnalyzeArguments) -> Result<Exit, Failure> {
    let input = &arguments.input;
    let on_terminal = io::stdout().is_terminal();
    let format = arguments.format();
    if !matches!(format, OutputFormat::Table | OutputFormat::Json)
        || (format == OutputFormat::Table && !on_terminal)
    {
        let why = "--follow shows a table on a terminal, and a JSON line for each refresh with --format json or in a pipe";
        return Err(Error::usage(why).into());
    }
    let start = Instant::now();
    let terminal = ProgressMonitor::new(input.progress, true);
    let selection = &input.source.selection;
    let Some(path) = await_capture(&input.source.captures, selection.quiet)? else {
        return Ok(Exit::Nothing);
    };
    let mut follower = Follower::open(&path, selection.input_format.into(), options(input)?)?;
    let captures = open_captures(std::slice::from_ref(&path), selection)?;
    let interval = Duration::from_secs_f64(arguments.interval);
    let mut screen = Screen { lines: 0 };
    let mut is_first = true;
    let mut next = Instant::now();
    while !is_interrupted() {
        if Instant::now() < next {
            std::thread::sleep(TICK.min(next - Instant::now()));
            continue;
        }
        next = Instant::now() + interval;
        let change = follower.poll(&terminal)?;
        if is_first || change != Change::Nothing {
            show(&mut follower.analysis(), arguments, &mut screen)?;
            is_first = false;
        }
    }
    let mut analysis = follower.finish()?;
    if format == OutputFormat::Table {
        screen.clear()?;
        select(&mut analysis, &arguments.selection);
        output(arguments).write(&analysis.report, &mut io::stdout().lock())?;
    } else {
        show(&mut analysis, arguments, &mut screen)?;
    }
    Ok(Messages::new(&captures, selection.quiet).report_analysis(&analysis, start.elapsed()))
}

/// Waits for the one capture to follow, as `tail -F` does, and returns its path: the file that was named, or the only file of a
/// folder. Returns `None` if the user interrupted the wait.
///
/// # Errors
///
/// Fails if what was named is not one file or folder, and if the folder has several files.
pub(super) fn await_capture(
    captures: &[PathBuf],
    is_quiet: bool,
) -> Result<Option<PathBuf>, Error> {
    let [path] = captures else {
        return Err(Error::usage("--follow takes one capture"));
    };
    if path.as_os_str() == "-" {
        let why = "--follow takes a file; what comes through a pipe is read to its end without it";
        return Err(Error::usage(why));
    }
    let mut is_said = is_quiet;
    while !is_interrupted() {
        if path.is_dir() {
            if let Some(file) = only_file_of(path)? {
                return Ok(Some(file));
            }
        } else if path.exists() {
            return Ok(Some(path.clone()));
        }
        if !is_said {
            let name = path.display();
            let what = if path.is_dir() {
                format!("{name}: no capture yet, waiting for one in this folder; Ctrl-C ends")
            } else {
                format!("{name} is not there yet; waiting for it, Ctrl-C ends")
            };
            complain(&text::printable(what.as_bytes()));
            is_said = true;
        }
        std::thread::sleep(TICK);
    }
    Ok(None)
}

/// Returns the only file in a folder that is neither empty nor hidden, which is the capture to follow; `None` while there is no such
/// file.
fn only_file_of(folder: &Path) -> Result<Option<PathBuf>, Error> {
    let name = folder.display().to_string();
    let entries = std::fs::read_dir(folder).map_err(|error| Error::io(&name, "read", error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let is_hidden =
                path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            !is_hidden && path.metadata().is_ok_and(|file| file.is_file() && file.len() > 0)
        })
        .collect();
    if files.len() > 1 {
        return Err(Error::usage(format!(
            "--follow takes one file, and {name} has {}; name the capture in it, or serve the folder with api-patterns mcp, \
             which reads what is added",
            files.len()
        )));
    }
    Ok(files.pop())
}

fn show(
    analysis: &mut Analysis,
    arguments: &AnalyzeArguments,
    screen: &mut Screen,
) -> Result<(), Failure> {
    select(analysis, &arguments.selection);
    let format = arguments.format();
    if format == OutputFormat::Table {
        let mut text = Vec::new();
        output(arguments).write(&analysis.report, &mut text)?;
        return Ok(screen.draw(&String::from_utf8_lossy(&text), analysis)?);
    }
    let mut line = serde_json::to_vec(&analysis.report).map_err(io::Error::other)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    Ok(out.flush()?)
}

/// State of the terminal: how many rows are drawn.
struct Screen {
    lines: usize,
}

impl Screen {
    /// Replaces the drawn table. Lines for which the terminal has no room are left out and counted.
    fn draw(&mut self, table: &str, analysis: &Analysis) -> io::Result<()> {
        let totals = &analysis.report.totals;
        let (width, height) = terminal_size_now();
        let last = format!("{} flows, {} endpoints; Ctrl-C ends\n", totals.flows, totals.patterns);
        // Reserve one row for the count of hidden lines, the rows of the last line, and one for the cursor.
        let room = height.saturating_sub(2 + rows_of(&last, width));
        let mut text = String::new();
        let (mut rows, mut shown) = (0, 0);
        for line in table.lines() {
            if rows + rows_of(line, width) > room {
                break;
            }
            rows += rows_of(line, width);
            shown += 1;
            text.push_str(line);
            text.push('\n');
        }
        let hidden = table.lines().count() - shown;
        if hidden > 0 {
            let more = format!("... and {hidden} more lines\n");
            rows += rows_of(&more, width);
            text.push_str(&more);
        }
        self.clear()?;
        let mut out = io::stdout().lock();
        out.write_all((text + &last).as_bytes())?;
        self.lines = rows + rows_of(&last, width);
        out.flush()
    }

    fn clear(&mut self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.lines > 0 {
            // Move up to the first line and to column 1, then erase to the end of the screen (ECMA-48: CUU, CR, ED).
            write!(out, "\x1b[{}A\r\x1b[J", self.lines)?;
        }
        self.lines = 0;
        out.flush()
    }
}

/// Returns the width and height of the terminal in columns and rows, or 80 x 24 if it is unknown.
fn terminal_size_now() -> (usize, usize) {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map_or((80, 24), |(width, height)| {
        (usize::from(width.0).max(1), usize::from(height.0).max(1))
    })
}

/// Returns the number of terminal rows that a line takes when it wraps. Colour sequences have no width (ECMA-48: SGR).
fn rows_of(line: &str, width: usize) -> usize {
    let mut columns = 0;
    let mut rest = line.trim_end();
    while let Some(escape) = rest.find("\x1b[") {
        columns += rest[..escape].width();
        let after = &rest[escape + 2..];
        rest = after.find('m').map_or("", |end| &after[end + 1..]);
    }
    (columns + rest.width()).div_ceil(width).max(1)
}

#[cfg(test)]
mod tests {
    use super::rows_of;

    #[test]
    fn rows_count_what_is_seen() {
        assert_eq!(rows_of("", 10), 1);
        assert_eq!(rows_of("0123456789", 10), 1);
        assert_eq!(rows_of("0123456789x\n", 10), 2);
        assert_eq!(rows_of("\x1b[1m0123456789\x1b[0m", 10), 1);
    }
}
