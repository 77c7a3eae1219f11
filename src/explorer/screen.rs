//! The terminal: taken over for the exploration, and given back however that ends.

use std::io;
use std::panic;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, DisableMouseCapture, EnableMouseCapture};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::explorer::app::Explorer;

/// Longest time until a signal, or what was added to a capture, is noticed.
const TICK: Duration = Duration::from_millis(100);

/// The terminal in the state that the explorer needs; dropped, it is as before.
struct TerminalGuard;

impl TerminalGuard {
    fn enter() -> io::Result<Self> {
        enable_raw_mode()?;
        let guard = Self;
        execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture)?;
        // A panic is told on the screen that people see afterwards.
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |what| {
            restore();
            tell(what);
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
    execute!(io::stdout(), DisableMouseCapture, LeaveAlternateScreen).unwrap_or_default();
    execute!(io::stdout(), ratatui::crossterm::cursor::Show).unwrap_or_default();
    disable_raw_mode().unwrap_or_default();
}

/// Explores until people quit, or `is_over` says so. A capture that grows is looked at every `interval`.
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
    let mut next = Instant::now() + interval;
    terminal.draw(|frame| explorer.draw(frame))?;
    while !is_over() {
        let mut is_changed = false;
        if event::poll(TICK)? {
            if !explorer.handle(&event::read()?) {
                break;
            }
            is_changed = true;
        }
        if Instant::now() >= next {
            next = Instant::now() + interval;
            is_changed |= explorer.poll();
        }
        // Events that came at once are drawn once.
        if is_changed && !event::poll(Duration::ZERO)? {
            terminal.draw(|frame| explorer.draw(frame))?;
        }
    }
    drop(guard);
    Ok(())
}
