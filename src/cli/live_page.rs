//! `report --follow`: the page of a capture that grows, served to a browser.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::arguments::ReportArguments;
use crate::cli::exit::Exit;
use crate::cli::follow::{TICK, await_capture};
use crate::cli::messages::{Messages, complain};
use crate::cli::progress::{ProgressMonitor, is_interrupted};
use crate::cli::report::{page_of, write_file};
use crate::cli::{Failure, open_captures, options, refuse_captures, select};
use crate::engine::{Analysis, Change, Follower};
use crate::error::Error;
use crate::output::Output;
use crate::serve::PageServer;

/// A page is made again after this many times the time that making it took, so that it takes a tenth of a processor at most.
const REFRESH_FACTOR: u32 = 10;

/// Serves the page until Ctrl-C, and writes it to the output at the end.
pub(super) fn serve(arguments: &ReportArguments) -> Result<Exit, Failure> {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let address = arguments.live.listen.unwrap_or(any_port);
    let input = &arguments.input;
    let is_quiet = input.source.selection.quiet;
    if let Some(output) = &arguments.output {
        refuse_captures("--output", output, &input.source.captures)?;
    }
    let mut options = options(input)?;
    options.bodies = true;
    options.report.near_misses = true;
    let start = Instant::now();
    let monitor = ProgressMonitor::new(input.progress, is_quiet);
    let Some(path) = await_capture(&input.source.captures, is_quiet)? else {
        return Ok(Exit::Nothing);
    };
    let selection = &input.source.selection;
    let mut follower = Follower::open(&path, selection.input_format.into(), options)?;
    let captures = open_captures(std::slice::from_ref(&path), selection)?;
    follower.poll(&monitor)?;
    monitor.finish();
    let page_bytes = |mut analysis: Analysis, is_live: bool| {
        select(&mut analysis, &arguments.selection);
        let mut page = page_of(&analysis, analysis.problems(&captures));
        page.is_live = is_live;
        let mut bytes = Vec::new();
        page.write(&analysis.report, &mut bytes).map(|()| bytes)
    };
    let mut made = Instant::now();
    let server = PageServer::start(address, page_bytes(follower.analysis(), true)?)
        .map_err(|error| Error::io(&address.to_string(), "listen on", error))?;
    let mut cost = made.elapsed();
    complain(&format!("the page is at http://{}/; Ctrl-C ends", server.address()));
    let interval = Duration::from_secs_f64(arguments.live.interval);
    let mut next = Instant::now() + interval;
    let (mut is_old, mut problem) = (false, String::new());
    while !is_interrupted() {
        thread::sleep(TICK);
        if Instant::now() >= next {
            next = Instant::now() + interval;
            match follower.poll(&monitor) {
                Ok(change) => {
                    is_old |= change != Change::Nothing;
                    problem.clear();
                }
                // It may be readable again; until then it is said once.
                Err(error) if problem != error.to_string() => {
                    problem = error.to_string();
                    complain(&problem);
                }
                Err(_) => {}
            }
        }
        if is_old && made.elapsed() >= cost * REFRESH_FACTOR {
            made = Instant::now();
            server.replace(page_bytes(follower.analysis(), true)?);
            cost = made.elapsed();
            is_old = false;
        }
    }
    let analysis = follower.finish()?;
    let exit = Messages::new(&captures, is_quiet).report_analysis(&analysis, start.elapsed());
    if let Some(output) = &arguments.output {
        let bytes = page_bytes(analysis, false)?;
        write_file(output, |out| out.write_all(&bytes))?;
    }
    Ok(exit)
}
