//! `analyze --follow`: the table drawn anew in place on a terminal, a JSON line a refresh in a pipe.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::cli::arguments::{AnalyzeArguments, OutputFormat};
use crate::cli::exit::Exit;
use crate::cli::messages::Messages;
use crate::cli::progress::{Terminal, is_interrupted};
use crate::cli::{Failure, options, output, terminal_height};
use crate::engine::{Analysis, Change, Follower};
use crate::error::Error;

/// How often Ctrl-C is looked for.
const TICK: Duration = Duration::from_millis(50);

pub(super) fn follow(arguments: &AnalyzeArguments) -> Result<Exit, Failure> {
    let input = &arguments.input;
    let [path] = &input.captures[..] else {
        return Err(Error::usage("--follow takes one capture").into());
    };
    if path.as_os_str() == "-" || path.is_dir() {
        let why = "--follow takes a file; what comes through a pipe is read to its end without it";
        return Err(Error::usage(why).into());
    }
    let on_terminal = io::stdout().is_terminal();
    let format = arguments.format();
    if !matches!(format, OutputFormat::Table | OutputFormat::Json)
        || (format == OutputFormat::Table && !on_terminal)
    {
        let why = "--follow shows a table on a terminal, and a JSON line for each refresh with --format json or in a pipe";
        return Err(Error::usage(why).into());
    }
    let start = Instant::now();
    let terminal = Terminal::new(input.progress, true);
    let mut follower = Follower::open(path, input.input_format.into(), options(input)?)?;
    let captures = crate::cli::open(input)?;
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
            show(&follower.analysis(), format, &mut screen)?;
            is_first = false;
        }
    }
    let analysis = follower.finish()?;
    if format == OutputFormat::Table {
        screen.clear()?;
        output(format).write(&analysis.report, &mut io::stdout().lock())?;
    } else {
        show(&analysis, format, &mut screen)?;
    }
    Ok(Messages::new(&captures, input.quiet).after(&analysis, start.elapsed()))
}

fn show(analysis: &Analysis, format: OutputFormat, screen: &mut Screen) -> Result<(), Failure> {
    if format == OutputFormat::Table {
        let mut text = Vec::new();
        output(format).write(&analysis.report, &mut text)?;
        return Ok(screen.draw(&String::from_utf8_lossy(&text), analysis)?);
    }
    let mut line = serde_json::to_vec(&analysis.report).map_err(io::Error::other)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    Ok(out.flush()?)
}

/// What stands on the terminal.
struct Screen {
    lines: usize,
}

impl Screen {
    /// Draws over what was drawn before; what the terminal has no room for is counted.
    fn draw(&mut self, table: &str, analysis: &Analysis) -> io::Result<()> {
        let totals = &analysis.report.totals;
        let room = terminal_height().unwrap_or(24).saturating_sub(3).max(4);
        let lines: Vec<&str> = table.lines().collect();
        let mut text: String = lines.iter().take(room).flat_map(|line| [*line, "\n"]).collect();
        let mut count = lines.len().min(room);
        if lines.len() > room {
            writeln!(text, "... and {} more lines", lines.len() - room).unwrap_or_default();
            count += 1;
        }
        writeln!(text, "{} flows, {} endpoints; Ctrl-C ends", totals.flows, totals.patterns)
            .unwrap_or_default();
        self.clear()?;
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        self.lines = count + 1;
        out.flush()
    }

    fn clear(&mut self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.lines > 0 {
            // Up to the first line, to its start, and clear what is below (ECMA-48: CUU, CR, ED).
            write!(out, "\x1b[{}A\r\x1b[J", self.lines)?;
        }
        self.lines = 0;
        out.flush()
    }
}
