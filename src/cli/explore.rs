//! The command `explore`.

use std::io::{self, IsTerminal};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::arguments::ExploreArguments;
use crate::cli::exit::Exit;
use crate::cli::follow::await_capture;
use crate::cli::messages::Messages;
use crate::cli::progress::{ProgressMonitor, is_interrupted};
use crate::cli::{Failure, is_colored, open, open_captures, options_with};
use crate::engine::{self, Analysis, Follower};
use crate::error::Error;
use crate::explorer::app::Explorer;
use crate::explorer::screen;
use crate::explorer::session::{ExplorerSession, Traffic};
use crate::template::user_rules::Rules;

/// Shows a report on the whole terminal.
pub(super) fn explore(arguments: &ExploreArguments) -> Result<Exit, Failure> {
    let input = &arguments.input;
    if !io::stdout().is_terminal() {
        let why = "explore needs a terminal; analyze and report write to files and pipes";
        return Err(Error::usage(why).into());
    }
    let selection = &input.source.selection;
    let rules_name = selection.rules.as_ref().map(|path| path.display().to_string());
    let rules_name = rules_name.unwrap_or_default();
    // A rules file may begin with what is written here.
    let rules_text = match &selection.rules {
        Some(path) if path.exists() => {
            std::fs::read_to_string(path).map_err(|error| Error::io(&rules_name, "read", error))?
        }
        _ => String::new(),
    };
    let rules = Rules::parse(&rules_name, &rules_text)?;
    let mut options = options_with(input, rules)?;
    if options.limit.is_some() {
        return Err(Error::usage("explore shows all flows; leave --limit out").into());
    }
    options.bodies = true;
    options.report.near_misses = true;
    let start = Instant::now();
    let monitor = ProgressMonitor::new(input.progress, selection.quiet);
    let (captures, traffic) = if arguments.follow {
        let Some(path) = await_capture(&input.source.captures, selection.quiet)? else {
            return Ok(Exit::Nothing);
        };
        let mut follower = Follower::open(&path, selection.input_format.into(), options.clone())?;
        follower.poll(&monitor)?;
        let captures = open_captures(std::slice::from_ref(&path), selection)?;
        (captures, Traffic::Followed(Box::new(follower)))
    } else {
        let captures = open(input)?;
        let observed = engine::observe(&captures, &options, &monitor)?;
        (captures, Traffic::Read(Arc::new(observed)))
    };
    monitor.finish();
    let session = ExplorerSession::new(traffic, options, &rules_name, rules_text);
    let read = start.elapsed();
    let captures = Rc::new(captures);
    if session.analysis.report.patterns.is_empty() && !arguments.follow {
        return Ok(
            Messages::new(&captures, selection.quiet).report_analysis(&session.analysis, read)
        );
    }
    let of_problems = Rc::clone(&captures);
    let problems_of = move |analysis: &Analysis| analysis.problems(&of_problems);
    let mut explorer = Explorer::new(session, is_colored(arguments.color), Box::new(problems_of));
    let interval = Duration::from_secs_f64(arguments.interval);
    screen::explore(&mut explorer, interval, &is_interrupted)?;
    let session = explorer.into_session();
    Ok(Messages::new(&captures, selection.quiet).report_analysis(&session.analysis, read))
}
