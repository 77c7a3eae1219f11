//! The terminal: taken over for the exploration, and given back however that ends.

use std::io::{self, IsTerminal};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{
    self, DisableMouseCapture, EnableMouseCapture, Event, MouseEventKind,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::explorer::app::Explorer;

/// Longest time until a signal, or what was added to a capture, is noticed.
const TICK: Duration = Duration::from_millis(100);

/// Events that wait to be handled, at most; more wait in the terminal.
const MAX_EVENTS: usize = 256;

/// Whether the terminal is taken over. Leaving its other screen twice would move the cursor to where it was at first.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal in the state that the explorer needs; dropped, it is as before.
struct TerminalGuard;

impl TerminalGuard {
    fn enter() -> io::Result<Self> {
        enable_raw_mode()?;
        IS_TAKEN.store(true, Ordering::Relaxed);
        let guard = Self;
        execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture)?;
        // A panic of this thread is told on the screen that people see afterwards. Other threads say how they ended by their channels.
        let tell = panic::take_hook();
        let explorer = thread::current().id();
        panic::set_hook(Box::new(move |what| {
            if thread::current().id() == explorer {
                restore();
                tell(what);
            }
        }));
        Ok(guard)
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back. Where it is gone, there is nothing to restore.
pub(crate) fn restore() {
    if !IS_TAKEN.swap(false, Ordering::Relaxed) {
        return;
    }
    execute!(io::stdout(), DisableMouseCapture, LeaveAlternateScreen).unwrap_or_default();
    execute!(io::stdout(), ratatui::crossterm::cursor::Show).unwrap_or_default();
    disable_raw_mode().unwrap_or_default();
}

/// Explores until people quit, `is_over` says so, or the terminal is gone. A capture that grows is looked at every `interval`.
///
/// # Errors
///
/// Fails if the terminal cannot be used; it is given back.
pub(crate) fn explore(
    explorer: &mut Explorer,
    interval: Duration,
    is_over: &dyn Fn() -> bool,
) -> io::Result<()> {
    let guard = TerminalGuard::enter()?;
    let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let events = read_events()?;
    let mut next = Instant::now() + interval;
    terminal.draw(|frame| explorer.draw(frame))?;
    // Standard output is not a terminal any more once that was closed.
    while !is_over() && io::stdout().is_terminal() {
        let mut is_changed = false;
        match events.recv_timeout(TICK) {
            Ok(first) => {
                // Events that came at once are drawn once.
                let mut all = std::iter::once(first).chain(events.try_iter());
                if !all.all(|event| explorer.handle(&event)) {
                    break;
                }
                is_changed = true;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let is_due = Instant::now() >= next;
        if is_due {
            next = Instant::now() + interval;
        }
        is_changed |= explorer.take_updates(is_due);
        if is_changed {
            terminal.draw(|frame| explorer.draw(frame))?;
        }
    }
    drop(guard);
    Ok(())
}

/// Reads the events of the terminal in a thread of its own, because reading does not return when the terminal is closed. The thread
/// ends with the process.
fn read_events() -> io::Result<Receiver<Event>> {
    let (sender, receiver) = mpsc::sync_channel(MAX_EVENTS);
    let read = move || {
        while let Ok(event) = event::read() {
            if is_wanted(&event) && sender.send(event).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("keys".to_owned()).spawn(read)?;
    Ok(receiver)
}

/// False for movements of the mouse, which are many and change nothing.
fn is_wanted(event: &Event) -> bool {
    let Event::Mouse(mouse) = event else { return true };
    !matches!(mouse.kind, MouseEventKind::Moved | MouseEventKind::Drag(_) | MouseEventKind::Up(_))
}
