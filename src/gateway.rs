//! Gateway in front of any server of the Model Context Protocol: no call of a tool reaches the server but by the rules.
//!
//! ```text
//! client -> stdio | http -> session (rules) -> bridge (eras) -> link: child | remote | local
//!                              |
//!                            ruling_queue: policy_file, store, audit log
//! ```
//!
//! Messages are relayed as text, and what is not about tools stays as its sender wrote it. The types of the SDK drop members that
//! they do not know, which a relay must not.

mod bridge;
mod child;
mod era;
mod event_stream;
pub(crate) mod granting;
mod grants;
mod http;
mod link;
mod negotiation;
mod own_answers;
mod policy_file;
mod random;
mod recent;
mod remote;
mod ruling_queue;
pub(crate) mod scan;
mod session;
mod stdio;
mod store;
mod tool_call;
mod tool_list;
mod upstream;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use crate::audit::AuditLog;
use crate::error::Error;
pub(crate) use crate::error::OperatorMessages;
use crate::flow::text;
pub(crate) use crate::gateway::http::AccessSettings;
use crate::gateway::http::ListeningSite;
pub(crate) use crate::gateway::own_answers::ANSWERED;
use crate::gateway::own_answers::{MITMPROXY_MCP, OwnAnswer, OwnAnswers};
use crate::gateway::policy_file::PolicyFile;
use crate::gateway::recent::RecentCalls;
pub(crate) use crate::gateway::remote::RemoteServer;
use crate::gateway::ruling_queue::{RulingParts, RulingQueue};
use crate::gateway::session::SessionEnd;
use crate::gateway::store::Store;
use crate::gateway::tool_call::Caller;
pub(crate) use crate::gateway::upstream::Upstream;
use crate::jsonrpc::Message;

/// The longest message of a client, in bytes.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// Time that a client which closed its input has to read the remaining answers.
const MAX_DRAIN_TIME: Duration = Duration::from_secs(2);

/// Time that programs and servers have to end when the gateway does.
const MAX_SHUTDOWN_TIME: Duration = Duration::from_secs(6);

/// How often the policy file is looked at while nobody calls, so that clients learn of other tools.
const POLICY_LOOKS: Duration = Duration::from_secs(1);

/// The most tools that the page of the operator shows.
const MAX_TOOLS: usize = 1000;

/// Configuration of a gateway.
pub(crate) struct GatewaySettings {
    pub(crate) upstream: Upstream,
    pub(crate) policy: Option<PathBuf>,
    pub(crate) audit: AuditSettings,
    /// The store; `None` for that of the user.
    pub(crate) store: Option<PathBuf>,
    /// Tools that the gateway answers; `None` for all that it can where the server is mitmproxy-mcp.
    pub(crate) answer: Option<Vec<String>>,
    /// Whether it answers in the words of this project.
    pub(crate) better: bool,
    /// The database of mitmproxy-mcp.
    pub(crate) database: PathBuf,
    /// Identity of the client on standard input, given by the operator.
    pub(crate) identity: String,
}

/// Configuration of the audit log.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditSettings {
    pub(crate) path: Option<PathBuf>,
    /// Whether values of arguments are logged.
    pub(crate) arguments: bool,
    /// Size in bytes from which the log is rotated.
    pub(crate) max_bytes: Option<u64>,
}

/// The state that all sessions of a gateway share: policy, store, audit log and server.
struct Gateway {
    upstream: Upstream,
    rulings: RulingQueue,
    store: Option<Arc<Store>>,
    own: OwnAnswers,
    /// Whether the gateway answers tools itself: known once the server has said what it is.
    answers_own: OnceLock<bool>,
    /// Names and descriptions of the tools, as the server listed them last.
    tools: Mutex<Vec<(String, String)>>,
    recent: Arc<RecentCalls>,
    /// What the operator calls clients without a grant.
    identity: String,
    /// The fingerprint of the policy that clients know of.
    edits: watch::Sender<Arc<str>>,
    complain: OperatorMessages,
}

impl Gateway {
    fn new(
        settings: GatewaySettings,
        is_watched: bool,
        complain: &OperatorMessages,
    ) -> Result<Self, Error> {
        let policy = Arc::new(PolicyFile::open(settings.policy.as_deref(), complain.clone())?);
        let audit = settings.audit.path.as_deref();
        let audit = audit.map(|path| AuditLog::open(path, settings.audit.max_bytes)).transpose()?;
        if let Some(log) = &audit {
            let database = Some(&settings.database);
            let others = [settings.policy.as_ref(), settings.store.as_ref(), database];
            check_log_is_separate(log, &others)?;
            log.end_line().map_err(|error| Error::io("the audit log", "write", error))?;
        }
        // Without a policy there is nothing to count, and on standard input there are no grants.
        let store = match settings.store {
            None if settings.policy.is_none() && !is_watched => None,
            path => Some(Arc::new(open_store(path.as_deref())?)),
        };
        let recent = Arc::new(RecentCalls::new(is_watched));
        let edits = watch::Sender::new(policy.current().fingerprint);
        let rulings = RulingQueue::start(RulingParts {
            policy,
            store: store.clone(),
            audit,
            recent: Arc::clone(&recent),
            logs_arguments: settings.audit.arguments,
            complain: complain.clone(),
        })?;
        let answers_own = OnceLock::new();
        let tools = match settings.answer {
            Some(tools) => {
                answers_own.set(true).unwrap_or_default();
                tools
            }
            None => ANSWERED.map(str::to_owned).to_vec(),
        };
        let own = OwnAnswers::new(settings.database, tools, settings.better, complain);
        let (upstream, tools) = (settings.upstream, Mutex::default());
        let (identity, complain) = (settings.identity, complain.clone());
        Ok(Self {
            upstream,
            rulings,
            store,
            own,
            answers_own,
            tools,
            recent,
            identity,
            edits,
            complain,
        })
    }

    /// Notes the name that the server gives itself.
    fn note_server_name(&self, server: &str) {
        self.answers_own.get_or_init(|| server == MITMPROXY_MCP);
    }

    fn answers_itself(&self, tool: &str) -> bool {
        self.answers_own.get() == Some(&true) && self.own.answers(tool)
    }

    fn answer_here(&self, tool: &str, arguments: &Value, is_modern: bool) -> Option<OwnAnswer> {
        self.own.answer(tool, arguments, is_modern)
    }

    /// The entry of a tool in a list, if it is another one than the server's.
    fn listing(&self, tool: &str, listed: &str) -> Option<String> {
        if self.answers_itself(tool) { self.own.listing(tool, listed) } else { None }
    }

    /// Remembers the tools of the server for the page of the operator.
    fn remember_tools(&self, answer: &Message) {
        let Some(result) = answer.member("result") else { return };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let tools = result["tools"].as_array().into_iter().flatten();
        let tools = tools.map(|tool| (text(&tool["name"]), text(&tool["description"])));
        let mut known = self.tools.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, description) in tools {
            let count = known.len();
            match known.iter_mut().find(|(known, _)| *known == name) {
                Some(tool) => tool.1 = description,
                None if count < MAX_TOOLS => known.push((name, description)),
                None => {}
            }
        }
    }

    /// Names and descriptions of the tools that the server has listed.
    fn known_tools(&self) -> Vec<(String, String)> {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells sessions when the policy changes.
    async fn watch_policy(&self) {
        loop {
            tokio::time::sleep(POLICY_LOOKS).await;
            let fingerprint = self.rulings.policy().fingerprint;
            self.edits.send_if_modified(|known| {
                let is_new = *known != fingerprint;
                *known = fingerprint;
                is_new
            });
        }
    }
}

/// Serves one client on standard input and output until it or the server ends.
///
/// # Errors
///
/// Fails if the policy, the log or the store cannot be used, and if the server cannot be started or ends before the client.
pub(crate) fn serve_stdio(
    settings: GatewaySettings,
    complain: &OperatorMessages,
) -> Result<(), Error> {
    let identity = settings.identity.clone();
    let gateway = Arc::new(Gateway::new(settings, false, complain)?);
    let runtime = runtime()?;
    let end = runtime.block_on(async {
        let watcher = Arc::clone(&gateway);
        tokio::spawn(async move { watcher.watch_policy().await });
        let (input, output) = rmcp::transport::stdio_pipes();
        let (client, writer) = stdio::open(input, output);
        let caller = Caller::new(identity);
        let end = tokio::select! {
            end = session::serve(Arc::clone(&gateway), caller, client) => end,
            () = wait_for_shutdown() => SessionEnd::Client,
        };
        // Wait for the last answers to be written, but not for a client that does not read them.
        tokio::time::timeout(MAX_DRAIN_TIME, writer).await.ok();
        // Programs that were started end by themselves, or are ended, and sessions of servers are ended.
        tokio::time::timeout(MAX_SHUTDOWN_TIME, child::wait_for_all()).await.unwrap_or_default();
        end
    });
    gateway.rulings.flush();
    runtime.shutdown_background();
    match end {
        SessionEnd::Client => Ok(()),
        SessionEnd::Server(why) => Err(Error::usage(why)),
    }
}

/// Serves clients over HTTP until the process is asked to end.
///
/// # Errors
///
/// Fails if the policy, the log or the store cannot be used, if the address cannot be listened on, and if nobody or everybody could
/// call there.
pub(crate) fn serve_http(
    settings: GatewaySettings,
    access: AccessSettings,
    complain: &OperatorMessages,
) -> Result<(), Error> {
    let gateway = Arc::new(Gateway::new(settings, true, complain)?);
    raise_open_file_limit();
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let site = ListeningSite::open(Arc::clone(&gateway), access)?;
        let end_sessions = site.session_closer();
        complain(&site.greeting());
        let watcher = Arc::clone(&gateway);
        tokio::spawn(async move { watcher.watch_policy().await });
        tokio::select! {
            () = site.serve() => {}
            () = wait_for_shutdown() => {}
        }
        end_sessions();
        tokio::time::timeout(MAX_SHUTDOWN_TIME, child::wait_for_all()).await.unwrap_or_default();
        Ok(())
    });
    gateway.rulings.flush();
    runtime.shutdown_timeout(MAX_DRAIN_TIME);
    ended
}

/// Lets the process have as many connections and programs as the system allows it.
fn raise_open_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};

        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).unwrap_or_default();
    }
}

/// Fails if the audit log is one of the other files, for example through a link: appending to it would change that file.
fn check_log_is_separate(log: &AuditLog, others: &[Option<&PathBuf>]) -> Result<(), Error> {
    let failed = |error| Error::io("the audit log", "look at", error);
    let own = same_file::Handle::from_file(log.file().map_err(failed)?).map_err(failed)?;
    let is_own =
        |path: &&PathBuf| same_file::Handle::from_path(path).is_ok_and(|other| other == own);
    match others.iter().flatten().copied().find(is_own) {
        Some(path) => {
            let name = text::printable(path.display().to_string().as_bytes()).into_owned();
            Err(Error::usage(format!(
                "the audit log is the file {name}, which is read; write it elsewhere"
            )))
        }
        None => Ok(()),
    }
}

/// Opens a store, or that of the user.
fn open_store(path: Option<&Path>) -> Result<Store, Error> {
    match path.map(Path::to_owned).or_else(store::default_path) {
        Some(path) => Store::open(&path),
        None => {
            Err(Error::usage("there is no home folder for the store; name a file with --store"))
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::usage(format!("the gateway cannot start: {error}")))
}

/// Waits until the operator or the system asks the process to end.
async fn wait_for_shutdown() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        // A file that may not grow is an error of the write, and not the end of the process (SIGXFSZ).
        let _listener = signal(SignalKind::from_raw(25));
        let (Ok(mut end), Ok(mut hang_up)) =
            (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
        else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = end.recv() => {}
            _ = hang_up.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    #[cfg(not(unix))]
    {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests;
