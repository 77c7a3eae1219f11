//! Protocol handler: lists the tools, authorizes calls, logs them, and answers them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ElicitRequest, ElicitRequestParams, ElicitResult,
    ElicitationAction, ElicitationSchema, Implementation, InputRequest, InputRequiredResult,
    ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{Peer, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use tokio::sync::watch;

use crate::audit::{self, AuditEntry, AuditLog};
use crate::engine::Progress;
use crate::mcp::authorization::{Authorizer, CallDecision, MAX_APPROVAL_TIME, RuledDecision};
use crate::mcp::messages;
use crate::mcp::tools::{Answer, NAMES, ToolHandler, definitions, translate_call};
use crate::policy::shown_identity;

/// Minimum time between two progress notifications.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Name in the audit log for a tool that does not exist. The requested name is not logged.
const UNKNOWN: &str = "(unknown)";

/// Key of the approval question among the input requests.
const APPROVAL: &str = "approval";

/// Serves one client on stdio.
#[derive(Clone)]
pub(super) struct Server {
    inner: Arc<ServerState>,
}

struct ServerState {
    tools: ToolHandler,
    definitions: Vec<Tool>,
    gate: Authorizer,
    audit: Option<AuditLog>,
    is_ending: AtomicBool,
    /// Progress of the current read, shared by all calls that wait for it.
    progress: watch::Sender<Option<Progress>>,
}

impl ServerState {
    fn go_on(&self, progress: &Progress) -> bool {
        self.progress.send_replace(Some(*progress));
        !self.is_ending.load(Ordering::Relaxed)
    }
}

/// One tool call in progress.
struct Call {
    identity: String,
    tool: &'static str,
    request: CallToolRequestParams,
    context: RequestContext<RoleServer>,
    start: Instant,
}

/// Outcome of authorization, after any user approval.
enum CallOutcome {
    /// Answer the call. The decision is logged.
    Open(&'static str),
    /// Refuse the call with this message to the agent. The decision is logged.
    Closed(&'static str, String),
    /// The client must ask the user and repeat the call.
    Ask(Box<InputRequiredResult>),
    /// Refuse the call as one of a tool that is not there.
    Hidden,
}

impl Server {
    pub(super) fn new(tools: ToolHandler, gate: Authorizer, audit: Option<AuditLog>) -> Self {
        let definitions = definitions();
        let is_ending = AtomicBool::new(false);
        let progress = watch::Sender::new(None);
        Self {
            inner: Arc::new(ServerState { tools, definitions, gate, audit, is_ending, progress }),
        }
    }

    /// Reads the captures before the first question.
    pub(super) fn start_reading(&self) {
        self.inner.tools.read_ahead(&|progress: &Progress| self.inner.go_on(progress));
    }

    /// Stops a read that is still running.
    pub(super) fn end(&self) {
        self.inner.is_ending.store(true, Ordering::Relaxed);
    }

    /// Authorizes a call. If the policy requires approval, asks the user in the way that the client's protocol version
    /// supports. Gives the rule that decided, too.
    async fn authorize(&self, call: &Call) -> (CallOutcome, String) {
        let gate = &self.inner.gate;
        let closed = |(decision, rule): RuledDecision, allowed| {
            let outcome = match decision {
                CallDecision::Allow => CallOutcome::Open(allowed),
                CallDecision::Deny(why) => CallOutcome::Closed("deny", why),
                CallDecision::Limited(why) => CallOutcome::Closed("rate_limited", why),
                CallDecision::Hidden => CallOutcome::Hidden,
                CallDecision::Ask => {
                    CallOutcome::Closed("approval_unavailable", messages::NEEDS_APPROVAL.to_owned())
                }
            };
            (outcome, rule)
        };
        let arguments = Value::Object(call.request.arguments.clone().unwrap_or_default());
        let (decision, rule) = gate.decide(&call.identity, call.tool, &arguments);
        if decision != CallDecision::Ask {
            return closed((decision, rule), "allow");
        }
        let approved = || closed(gate.approved(&call.identity, call.tool, &arguments), "approved");
        let refused = |decision, why: &str| CallOutcome::Closed(decision, why.to_owned());
        let is_stateless = call
            .context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        if is_stateless && let Some(handle) = &call.request.request_state {
            let was_asked = gate.take_question(handle, &call.approval_key());
            return if was_asked && call.was_approved() {
                approved()
            } else {
                (refused("declined", messages::DECLINED), rule)
            };
        }
        let effective_arguments =
            match ToolHandler::effective_arguments(call.tool, call.request.arguments.clone()) {
                Ok(effective_arguments) => effective_arguments,
                // Do not ask the user about a call whose arguments are invalid.
                Err(why) => return (CallOutcome::Closed("invalid", why), rule),
            };
        let Some(question) = self.question(call, &effective_arguments) else {
            return (refused("approval_unavailable", messages::NEEDS_APPROVAL), rule);
        };
        if is_stateless {
            let asked = InputRequest::Elicitation(ElicitRequest::new(question));
            let handle = gate.ask(call.approval_key());
            let required =
                InputRequiredResult::new(Some([(APPROVAL.to_owned(), asked)].into()), Some(handle));
            return (CallOutcome::Ask(Box::new(required)), rule);
        }
        let answer = tokio::select! {
            answer = call.context.peer.create_elicitation_with_timeout(question, Some(MAX_APPROVAL_TIME)) => answer,
            () = call.context.ct.cancelled() => {
                return (refused("canceled", messages::DECLINED), rule);
            }
        };
        match answer {
            Ok(ElicitResult { action: ElicitationAction::Accept, .. }) => approved(),
            _ => (refused("declined", messages::DECLINED), rule),
        }
    }

    /// Builds the approval question for the user, or returns `None` if the client does not support elicitation. `asked`
    /// are the effective arguments of the call.
    fn question(&self, call: &Call, asked: &str) -> Option<ElicitRequestParams> {
        let declared =
            call.context.client_capabilities().and_then(|capabilities| capabilities.elicitation);
        let can_ask = declared
            .is_some_and(|elicitation| elicitation.form.is_some() || elicitation.url.is_none());
        if !can_ask {
            return None;
        }
        let why = self.inner.gate.reason(&call.identity, call.tool);
        let why = why.map(|why| format!(" The operator says: {why}")).unwrap_or_default();
        Some(ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: format!("Allow one call of {} with the arguments {asked}?{why}", call.tool),
            requested_schema: ElicitationSchema::new(std::collections::BTreeMap::new()),
        })
    }

    /// Writes a call to the audit log. If that fails, returns an error in place of the answer.
    async fn log_or_refuse(
        &self,
        call: &Call,
        decision: (&'static str, String),
        answer: Answer,
    ) -> Answer {
        if self.log_call(call, decision, &answer).await {
            answer
        } else {
            Answer::error(messages::NO_AUDIT)
        }
    }

    /// Writes a call to the audit log, if there is one. Returns false if that fails.
    async fn log_call(
        &self,
        call: &Call,
        (decision, rule): (&'static str, String),
        answer: &Answer,
    ) -> bool {
        if self.inner.audit.is_none() {
            return true;
        }
        let (inner, identity, tool) = (Arc::clone(&self.inner), call.identity.clone(), call.tool);
        let arguments = audit::arguments(call.request.arguments.as_ref());
        let duration = call.start.elapsed().as_secs_f64();
        let (bytes, is_error) = (answer.bytes, answer.result.is_error == Some(true));
        let written = tokio::task::spawn_blocking(move || {
            let entry = AuditEntry {
                time: audit::now(),
                identity: &identity,
                tool,
                arguments,
                decision,
                rule: &rule,
                duration,
                bytes,
                is_error,
            };
            inner.audit.as_ref().is_none_or(|log| log.add(&entry).is_ok())
        });
        written.await.unwrap_or(false)
    }

    /// Answers a call from the cache, or on a thread that may block on the disk.
    async fn answer(&self, call: &Call) -> Answer {
        if let Some(known) =
            self.inner.tools.cached_answer(call.tool, call.request.arguments.as_ref())
        {
            return known;
        }
        let (inner, tool) = (Arc::clone(&self.inner), call.tool);
        let arguments = call.request.arguments.clone();
        let teller = call.context.meta.get_progress_token().map(|token| {
            let progress = self.inner.progress.subscribe();
            tokio::spawn(tell_progress(call.context.peer.clone(), token, progress))
        });
        let answered = tokio::task::spawn_blocking(move || {
            inner.tools.call(tool, arguments, &|progress: &Progress| inner.go_on(progress))
        });
        let answer = answered.await.unwrap_or_else(|_| Answer::error(messages::FAILED));
        if let Some(teller) = teller {
            teller.abort();
        }
        answer
    }
}

impl Call {
    /// Returns the text by which an approval is matched to its call: client, tool and arguments.
    fn approval_key(&self) -> String {
        let arguments = self
            .request
            .arguments
            .as_ref()
            .map(|arguments| serde_json::to_string(arguments).unwrap_or_default());
        format!("{}\n{}\n{}", self.identity, self.tool, arguments.unwrap_or_default())
    }

    /// Returns `true` if the client reports that the user accepted.
    fn was_approved(&self) -> bool {
        let answer =
            self.request.input_responses.as_ref().and_then(|answers| answers.get(APPROVAL));
        let answer =
            answer.and_then(|answer| serde_json::from_value::<ElicitResult>(answer.clone()).ok());
        answer.is_some_and(|answer| answer.action == ElicitationAction::Accept)
    }
}

/// Sends progress notifications to the client, at most one per `PROGRESS_EVERY`.
async fn tell_progress(
    peer: Peer<RoleServer>,
    token: rmcp::model::ProgressToken,
    mut progress: watch::Receiver<Option<Progress>>,
) {
    let mut last = 0;
    while progress.changed().await.is_ok() {
        let Some(now) = *progress.borrow_and_update() else { continue };
        if now.bytes > last {
            last = now.bytes;
            #[expect(clippy::cast_precision_loss, reason = "a number of bytes for people")]
            let mut words = ProgressNotificationParam::new(token.clone(), now.bytes as f64);
            #[expect(clippy::cast_precision_loss, reason = "a number of bytes for people")]
            if let Some(total) = now.total_bytes.filter(|total| *total >= now.bytes) {
                words = words.with_total(total as f64);
            }
            if peer.notify_progress(words.with_message("bytes of the captures read")).await.is_err()
            {
                return;
            }
        }
        tokio::time::sleep(PROGRESS_EVERY).await;
    }
}

/// Returns the name that the client gives itself, shortened and without invisible characters.
fn identity_of(context: &RequestContext<RoleServer>) -> String {
    let name = context.client_info().map(|client| client.name).unwrap_or_default();
    shown_identity(&name)
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(
                Implementation::new("api-patterns", env!("CARGO_PKG_VERSION"))
                    .with_title("api-patterns"),
            )
            .with_instructions(messages::INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let identity = identity_of(&context);
        let listed = self
            .inner
            .definitions
            .iter()
            .filter(|tool| self.inner.gate.lists(&identity, &tool.name));
        Ok(ListToolsResult::with_all_items(listed.cloned().collect()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.inner.definitions.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        mut request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if let Some((tool, arguments)) = translate_call(&request.name, request.arguments.as_ref()) {
            request.name = tool.into();
            request.arguments = Some(arguments);
        }
        let identity = identity_of(&context);
        let tool = NAMES.into_iter().find(|name| *name == request.name);
        let start = Instant::now();
        let call = Call { identity, tool: tool.unwrap_or(UNKNOWN), request, context, start };
        let (outcome, rule) = match tool {
            Some(_) => self.authorize(&call).await,
            None => (CallOutcome::Hidden, String::new()),
        };
        let (decision, answer) = match outcome {
            CallOutcome::Open(decision) => (decision, self.answer(&call).await),
            CallOutcome::Closed(decision, why) => (decision, Answer::error(why)),
            CallOutcome::Hidden => {
                let listed = |name: &&str| self.inner.gate.lists(&call.identity, name);
                let listed: Vec<&str> = NAMES.into_iter().filter(listed).collect();
                let why = format!("there is no such tool; the tools are {}", listed.join(", "));
                let decision = if tool.is_some() { "hidden" } else { "unknown_tool" };
                let refused = Answer::error(why.clone());
                return if self.log_call(&call, (decision, rule), &refused).await {
                    Err(ErrorData::invalid_params(why, None))
                } else {
                    Ok(Answer::error(messages::NO_AUDIT).result.into())
                };
            }
            CallOutcome::Ask(required) => {
                let nothing =
                    Answer { bytes: 0, result: rmcp::model::CallToolResult::success(Vec::new()) };
                let written = self.log_or_refuse(&call, ("approval_asked", rule), nothing).await;
                return if written.result.is_error == Some(true) {
                    Ok(written.result.into())
                } else {
                    Ok((*required).into())
                };
            }
        };
        Ok(self.log_or_refuse(&call, (decision, rule), answer).await.result.into())
    }
}
