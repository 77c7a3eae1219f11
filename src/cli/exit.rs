//! Exit codes of the program.

use std::process::ExitCode;

/// Outcome of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Exit code 0: at least one endpoint was found.
    Done,
    /// Exit code 1: no flow matched, or a comparison found what it is to fail on.
    Nothing,
    /// Exit code 2: a usage or input error. Whatever could be read is still reported.
    Error,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Nothing => Self::from(1),
            Exit::Error => Self::from(2),
        }
    }
}
