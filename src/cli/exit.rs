//! What the exit code says.

use std::process::ExitCode;

/// The outcome of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// 0: an answer.
    Done,
    /// 1: nothing was found.
    Nothing,
    /// 2: a usage or input error; what could be read is answered for all the same.
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
