//! MCP server that answers `get_api_patterns` and `get_endpoint` about captures named by the operator, over stdio.
//!
//! This module is a thin shell: the engine's query cache answers the questions, `paging` limits answers to a size
//! that an agent can afford to read, and `authorization` decides who may call which tool. Protocol:
//! <https://modelcontextprotocol.io/specification>.

mod answer;
mod arguments;
mod authorization;
mod compact;
mod messages;
mod paging;
mod questions;
mod server;
mod tools;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rmcp::ServiceExt;
#[cfg(feature = "gateway")]
use serde_json::{Map, Value};
#[cfg(feature = "gateway")]
use tokio::io::DuplexStream;

use crate::audit::AuditLog;
use crate::capture::InputFormat;
use crate::engine::Options;
use crate::error::Error;
#[cfg(feature = "gateway")]
use crate::error::OperatorMessages;
use crate::mcp::authorization::Authorizer;
use crate::mcp::server::Server;
pub(crate) use crate::mcp::tools::NAMES as TOOL_NAMES;
use crate::mcp::tools::ToolHandler;
use crate::policy::{KnownTools, Policy};

/// Time that a client which closed its input has to read the remaining answers.
const MAX_DRAIN_TIME: Duration = Duration::from_secs(2);

/// Configuration of the server: captures, analysis options, policy and audit log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Capture files and folders. The server never reads a capture outside of them.
    pub(crate) captures: Vec<PathBuf>,
    pub(crate) format: InputFormat,
    /// Filter of the flows, and options of template inference.
    pub(crate) options: Options,
    pub(crate) policy: Option<PathBuf>,
    pub(crate) audit_log: Option<PathBuf>,
}

/// Serves one client on standard input and output until it disconnects. `complain` receives messages for the operator.
///
/// # Errors
///
/// Returns an error if the policy cannot be used, if the audit log cannot be written, or if the client does not speak
/// the protocol.
pub(crate) fn serve(
    settings: Settings,
    complain: impl Fn(&str) + Send + Sync + 'static,
) -> Result<(), Error> {
    if settings.captures.iter().any(|path| path.as_os_str() == "-") {
        return Err(Error::usage(
            "standard input (-) has the messages of the client; name files or folders",
        ));
    }
    let policy = match &settings.policy {
        Some(path) => Policy::read(path, KnownTools::These(&TOOL_NAMES))?,
        None => Policy::allow_all(),
    };
    if let Some(log) = &settings.audit_log {
        check_apart(log, &settings.captures)?;
    }
    let audit = settings.audit_log.as_deref().map(|path| AuditLog::open(path, None)).transpose()?;
    let tools =
        ToolHandler::new(settings.captures, settings.format, settings.options, Box::new(complain));
    if let Some(log) = &audit {
        check_log_is_separate(log, settings.policy.as_deref(), &tools)?;
        log.end_line().map_err(|error| Error::io("the audit log", "write", error))?;
    }
    let server = Server::new(tools, Authorizer::new(policy), audit);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::usage(format!("the server cannot start: {error}")))?;
    let ended = runtime.block_on(async {
        let reader = server.clone();
        tokio::task::spawn_blocking(move || reader.start_reading());
        let (input, output) = rmcp::transport::stdio_pipes();
        let (streams, writer) = wire::guard_streams(input, output);
        let running = match server.clone().serve(streams).await {
            Ok(running) => running,
            // A client that disconnects before its first message is not an error.
            Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(_) => {
                return Err(Error::usage(
                    "standard input does not begin with a message of the Model Context Protocol; start this from a client",
                ));
            }
        };
        let ended = running.waiting().await;
        // Wait for the last answers to be written, but not for a client that does not read them.
        tokio::time::timeout(MAX_DRAIN_TIME, writer).await.ok();
        match ended {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::usage(format!("the server stopped: {error}"))),
        }
    });
    server.end();
    runtime.shutdown_background();
    ended
}

/// The server about captures in this process, for a gateway in front of it, which has the policy and the log.
#[cfg(feature = "gateway")]
pub(crate) struct LocalServer(Server);

#[cfg(feature = "gateway")]
impl LocalServer {
    /// Answers about captures as they are at each call. `complain` receives messages for the operator.
    ///
    /// # Errors
    ///
    /// Fails if the policy has rules for tools that are not there, or if the audit log is one of the captures.
    pub(crate) fn new(
        settings: Settings,
        complain: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        if let Some(path) = &settings.policy {
            Policy::read(path, KnownTools::These(&TOOL_NAMES))?;
        }
        if let Some(log) = &settings.audit_log {
            check_apart(log, &settings.captures)?;
        }
        let Settings { captures, format, options, policy, audit_log } = settings;
        let tools = ToolHandler::new(captures, format, options, Box::new(complain));
        if let Some(log) = audit_log {
            check_log_is_separate(&AuditLog::open(&log, None)?, policy.as_deref(), &tools)?;
        }
        Ok(Self(Server::new(tools, Authorizer::new(Policy::allow_all()), None)))
    }

    /// Serves one client until its input ends. Must be called within a runtime.
    pub(crate) fn serve(&self, input: DuplexStream, output: DuplexStream) {
        let server = self.0.clone();
        let (streams, _) = wire::guard_streams(input, output);
        tokio::spawn(async move {
            if let Ok(running) = server.serve(streams).await {
                running.waiting().await.ok();
            }
        });
    }
}

/// The tools of the server about captures, for a gateway that answers in the place of another server.
#[cfg(feature = "gateway")]
pub(crate) struct CaptureTools(ToolHandler);

#[cfg(feature = "gateway")]
impl CaptureTools {
    /// Answers from captures as they are at each call.
    pub(crate) fn new(captures: Vec<PathBuf>, complain: OperatorMessages) -> Self {
        let complain = Box::new(move |what: &str| complain(what));
        Self(ToolHandler::new(captures, InputFormat::Detect, Options::default(), complain))
    }

    /// The tool that answers to the name of a tool of mitmproxy-mcp, with the arguments that it takes.
    fn own_tool_call(
        tool: &str,
        arguments: &Map<String, Value>,
    ) -> Option<(&'static str, Map<String, Value>)> {
        match tool {
            "get_api_patterns" => Some(("get_api_patterns", arguments.clone())),
            _ => tools::translate_call(tool, Some(arguments)),
        }
    }

    /// The entry in a list of tools for a tool of mitmproxy-mcp.
    pub(crate) fn listing(tool: &str) -> Option<String> {
        let (own, _) = Self::own_tool_call(tool, &Map::new())?;
        let mut entry = tools::definitions().into_iter().find(|entry| entry.name == own)?;
        entry.name = tool.to_owned().into();
        serde_json::to_string(&entry).ok()
    }

    /// The result of a call of a tool of mitmproxy-mcp, and whether it is an error.
    pub(crate) fn answer(
        &self,
        tool: &str,
        arguments: &Map<String, Value>,
    ) -> Option<(Value, bool)> {
        let (own, arguments) = Self::own_tool_call(tool, arguments)?;
        let result = self.0.call(own, Some(arguments), &()).result;
        let is_error = result.is_error == Some(true);
        Some((serde_json::to_value(result).ok()?, is_error))
    }
}

/// Fails if the audit log is the same file as the policy or as a capture, for example through a link: appending to it
/// would change that file.
fn check_log_is_separate(
    log: &AuditLog,
    policy: Option<&Path>,
    tools: &ToolHandler,
) -> Result<(), Error> {
    let failed = |error| Error::io("the audit log", "look at", error);
    let log = log.file().map_err(failed)?;
    let own = log.try_clone().and_then(same_file::Handle::from_file).map_err(failed)?;
    let is_policy = policy
        .and_then(|path| same_file::Handle::from_path(path).ok())
        .is_some_and(|other| other == own);
    let what = match (is_policy, tools.has_capture(&log)) {
        (true, _) => "the policy",
        (false, true) => "one of the captures, under another name",
        (false, false) => return Ok(()),
    };
    Err(Error::usage(format!("the audit log is {what}; write it elsewhere")))
}

/// Fails if the audit log is a capture or is located in a folder of captures, where it would be read as a capture.
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
