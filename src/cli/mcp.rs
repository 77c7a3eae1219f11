//! The command `mcp`.

use crate::cli::arguments::McpArguments;
use crate::cli::exit::Exit;
use crate::cli::{Failure, messages, source_options};
use crate::mcp::{Settings, serve};

/// Serves agents on standard input and output, or over HTTP.
pub(super) fn mcp(arguments: &McpArguments) -> Result<Exit, Failure> {
    let source = &arguments.source;
    let settings = Settings {
        captures: source.captures.clone(),
        format: source.selection.input_format.into(),
        options: source_options(&source.selection)?,
        policy: arguments.policy.clone(),
        audit_log: arguments.audit_log.clone(),
    };
    let is_quiet = source.selection.quiet;
    let complain = move |what: &str| {
        if !is_quiet {
            messages::complain(what);
        }
    };
    #[cfg(feature = "gateway")]
    if let Some(access) = super::gateway::access(&arguments.listen, "") {
        let local = super::gateway::local(settings, arguments, complain)?;
        crate::gateway::serve_http(local, access, &super::gateway::complaints())?;
        return Ok(Exit::Done);
    }
    serve(settings, complain)?;
    Ok(Exit::Done)
}
