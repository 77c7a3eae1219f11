//! The server for agents: `get_api_patterns` and `get_endpoint` over captures that an operator named, on stdio.
//!
//! A thin shell: questions go to the engine's views, answers are cut to what an agent can afford to read, and a policy says
//! who may ask. Conventions: <https://modelcontextprotocol.io/specification>.

mod answer;
mod arguments;
mod audit;
mod envelope;
mod gate;
mod page;
mod policy;
mod server;
mod tools;
mod wire;
mod words;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rmcp::ServiceExt;

use crate::capture::InputFormat;
use crate::capture::location::identity_of;
use crate::engine::Options;
use crate::error::Error;
use crate::mcp::audit::AuditLog;
use crate::mcp::gate::Gate;
use crate::mcp::policy::Policy;
use crate::mcp::server::Server;
use crate::mcp::tools::Tools;

/// How long a client that has gone may take to read what is left.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What the server serves, and to whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Files and folders; nothing else is ever read.
    pub(crate) captures: Vec<PathBuf>,
    pub(crate) format: InputFormat,
    /// What of them is seen at all, and how templates are decided.
    pub(crate) options: Options,
    pub(crate) policy: Option<PathBuf>,
    pub(crate) audit_log: Option<PathBuf>,
}

/// Serves the client on standard input and output until it goes. `complain` hands on what the operator should know.
///
/// # Errors
///
/// Where the policy cannot be used, the audit log cannot be written, or the client does not speak the protocol.
pub(crate) fn serve(
    settings: Settings,
    complain: impl Fn(&str) + Send + Sync + 'static,
) -> Result<(), Error> {
    if settings.captures.iter().any(|path| path.as_os_str() == "-") {
        return Err(Error::usage(
            "standard input (-) is where the client speaks; name files or folders",
        ));
    }
    let policy = settings.policy.as_deref().map_or_else(|| Ok(Policy::open()), Policy::read)?;
    if let Some(log) = &settings.audit_log {
        check_apart(log, &settings.captures)?;
    }
    let audit = settings.audit_log.as_deref().map(AuditLog::open).transpose()?;
    let tools =
        Tools::new(settings.captures, settings.format, settings.options, Box::new(complain));
    if let Some(log) = &audit {
        check_is_own(log, settings.policy.as_deref(), &tools)?;
        log.end_line().map_err(|error| Error::io("the audit log", "write", error))?;
    }
    let server = Server::new(tools, Gate::new(policy), audit);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::usage(format!("the server cannot start: {error}")))?;
    let ended = runtime.block_on(async {
        let reader = server.clone();
        tokio::task::spawn_blocking(move || reader.look());
        let (input, output) = rmcp::transport::stdio_pipes();
        let (streams, writer) = wire::guarded(input, output);
        let running = match server.clone().serve(streams).await {
            Ok(running) => running,
            // A client that goes before it said a word is none.
            Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(_) => {
                return Err(Error::usage(
                    "what came on standard input does not begin as the Model Context Protocol does; start this from a client",
                ));
            }
        };
        let ended = running.waiting().await;
        // The last answers may be on their way; a client that does not read them is not waited for.
        tokio::time::timeout(LAST_WORDS, writer).await.ok();
        match ended {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::usage(format!("the server stopped: {error}"))),
        }
    });
    server.end();
    runtime.shutdown_background();
    ended
}

/// A log that is the policy, or a capture under another name, would change it.
fn check_is_own(log: &AuditLog, policy: Option<&Path>, tools: &Tools) -> Result<(), Error> {
    let failed = |error| Error::io("the audit log", "look at", error);
    let log = log.file().map_err(failed)?;
    let own = identity_of(&log.metadata().map_err(failed)?);
    let is_policy = policy
        .and_then(|path| std::fs::metadata(path).ok())
        .is_some_and(|metadata| identity_of(&metadata) == own);
    let what = match (is_policy, tools.has_capture(&log)) {
        (true, _) => "the policy",
        (false, true) => "one of the captures, under another name",
        (false, false) => return Ok(()),
    };
    Err(Error::usage(format!("the audit log is {what}; write it elsewhere")))
}

/// A log that is added to a capture, or lies among the captures, would be read as one.
fn check_apart(log: &Path, captures: &[PathBuf]) -> Result<(), Error> {
    let folder =
        log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let log = real(log).or_else(|| Some(real(folder)?.join(log.file_name()?)));
    let is_inside = |capture: &PathBuf| {
        log.as_ref().zip(real(capture)).is_some_and(|(log, capture)| log.starts_with(capture))
    };
    if captures.iter().any(is_inside) {
        return Err(Error::usage(
            "the audit log is one of the captures, or in a folder of them; write it elsewhere",
        ));
    }
    Ok(())
}
