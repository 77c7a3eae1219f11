//! Servers that are programs: started, watched, and ended with the session.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

use crate::flow::text;
use crate::gateway::OperatorMessages;
use crate::gateway::link::{FromServer, Link, MAX_QUEUED, read_messages, write_lines};

/// Time that a program has to end by itself after its input ended, and again after it was asked to.
const MAX_EXIT_TIME: Duration = Duration::from_secs(2);

/// Time in which what a program wrote before it ended must have been read.
const MAX_LEFTOVER_TIME: Duration = Duration::from_millis(500);

/// The longest part of a line of standard error that is shown at once, in bytes.
const MAX_COMPLAINT_BYTES: u64 = 4096;

/// Programs that were started, and connections to servers, that have not ended.
static RUNNING: Semaphore = Semaphore::const_new(MAX_RUNNING);

/// The most programs at once.
const MAX_RUNNING: usize = 1000;

/// Waits until all programs that were started have ended, which they do when their sessions have.
pub(super) async fn wait_for_all() {
    // The semaphore is never closed, so acquiring cannot fail.
    drop(RUNNING.acquire_many(u32::try_from(MAX_RUNNING).unwrap_or(u32::MAX)).await);
}

/// Takes one of the [`MAX_RUNNING`] permits to run a program or a connection; [`wait_for_all`] waits until all are back.
/// `None` if none is left.
pub(super) fn acquire_permit() -> Option<SemaphorePermit<'static>> {
    RUNNING.try_acquire().ok()
}

/// Starts a program and gives the connection to it. Must be called within a runtime.
///
/// # Errors
///
/// Fails with a sentence if the program cannot be started.
pub(super) fn start(command: &[OsString], complain: &OperatorMessages) -> Result<Link, String> {
    let shown =
        |program: &OsString| text::printable(program.to_string_lossy().as_bytes()).into_owned();
    let [program, arguments @ ..] = command else {
        return Err("no server was named".to_owned());
    };
    let mut start = Command::new(program);
    start.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    start.kill_on_drop(true);
    // A group of its own: signals of the terminal are for the gateway, which ends all that the program started.
    #[cfg(unix)]
    start.process_group(0);
    let running = acquire_permit().ok_or("too many servers are running; end some sessions")?;
    let mut child = start.spawn().map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "there is no such program here or on the search path; install it or name its path"
                    .to_owned()
            }
            _ => error.to_string(),
        };
        format!("the server {} cannot be started: {why}", shown(program))
    })?;
    let (Some(input), Some(output), Some(errors)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err("the pipes of the server could not be opened; try again".to_owned());
    };
    let (outgoing, to_server) = mpsc::channel(MAX_QUEUED);
    let (from_server, incoming) = mpsc::channel(MAX_QUEUED);
    let name = program.to_string_lossy().into_owned();
    let group = child.id();
    tokio::spawn(pass_on_errors(errors, complain.clone()));
    let writer = tokio::spawn(write_lines(input, to_server));
    tokio::spawn(async move {
        {
            let reading = read_messages(output, &from_server);
            tokio::pin!(reading);
            tokio::select! {
                () = &mut reading => {}
                // What it started may hold its output open. What it wrote before it ended is read all the same.
                _ = child.wait() => {
                    tokio::time::timeout(MAX_LEFTOVER_TIME, reading).await.unwrap_or_default();
                }
                // The session is over: the input of the program ended when the writer did.
                () = from_server.closed() => {}
            }
        }
        let is_dropped = from_server.is_closed();
        if !is_dropped {
            // What is left to be written has nobody who reads it.
            writer.abort();
        }
        let status = end(child, group).await;
        drop(running);
        let name = text::printable(name.as_bytes()).into_owned();
        let why = format!("the server {name} ended ({status})");
        from_server.send(FromServer::Ended(why)).await.unwrap_or_default();
    });
    Ok(Link { outgoing, incoming })
}

/// Waits for a program to end, asks it to, and ends it and all that it started.
async fn end(mut child: Child, group: Option<u32>) -> String {
    let mut status = tokio::time::timeout(MAX_EXIT_TIME, child.wait()).await;
    if status.is_err() {
        signal(group, false);
        status = tokio::time::timeout(MAX_EXIT_TIME, child.wait()).await;
    }
    // Also what the program left behind.
    signal(group, true);
    if status.is_err() {
        child.start_kill().unwrap_or_default();
        status = Ok(child.wait().await);
    }
    match status {
        Ok(Ok(status)) => status.to_string(),
        _ => "no exit status".to_owned(),
    }
}

/// Asks all processes of a group to end, or ends them.
#[cfg(unix)]
fn signal(group: Option<u32>, is_final: bool) {
    use rustix::process::{Pid, Signal, kill_process_group};

    let group = group.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        let signal = if is_final { Signal::KILL } else { Signal::TERM };
        // A group without processes is what is wanted.
        kill_process_group(group, signal).unwrap_or_default();
    }
}

#[cfg(not(unix))]
fn signal(_group: Option<u32>, _is_final: bool) {}

/// Passes on standard error line by line, marked, and without what could act on a terminal.
async fn pass_on_errors(errors: impl AsyncRead + Unpin, complain: OperatorMessages) {
    let mut errors = BufReader::new(errors);
    loop {
        let mut line = Vec::new();
        match (&mut errors).take(MAX_COMPLAINT_BYTES).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => complain(&format!("server: {}", text::printable(line.trim_ascii_end()))),
        }
    }
}
