//! Clients over Streamable HTTP, with sessions and without, and the page of the operator.

mod access;
mod answers;
mod operator;
mod post;
mod routing_head;
mod sessions;
mod stateless;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::audit::now_micros;
use crate::error::Error;
use crate::gateway::Gateway;
use crate::gateway::era::{is_modern, version_of};
pub(crate) use crate::gateway::http::access::AccessSettings;
use crate::gateway::http::access::{Access, RefusedAccess};
use crate::gateway::http::answers::{
    EVENTS, accepts, header, json, refused_with, text, unauthorized, with_origin,
};
use crate::gateway::http::operator::OperatorPage;
use crate::gateway::http::post::{Posted, read_post};
use crate::gateway::http::routing_head::{RoutingHead, SESSION};
use crate::gateway::http::sessions::Sessions;
use crate::gateway::http::stateless::StatelessHubs;
use crate::gateway::tool_call::Caller;
use crate::jsonrpc::{Message, MessageKind};
use crate::serve::{AnswerBody, accept};

/// The most connections at once; more wait.
const MAX_CONNECTIONS: usize = 4096;

/// Time for which a connection may be idle, and in which a head must have come.
const MAX_HEAD_TIME: Duration = Duration::from_secs(15);

/// How often sessions are looked for that are idle or whose grants were revoked.
const SWEEP: Duration = Duration::from_secs(2);

/// The path of the protocol.
const ENDPOINT: &str = "/mcp";

/// The error code for headers that contradict the request whose content they repeat.
const HEADER_MISMATCH: i32 = -32020;

/// The state that all HTTP connections of a gateway share.
struct HttpSite {
    gateway: Arc<Gateway>,
    access: Access,
    sessions: Sessions,
    stateless: StatelessHubs,
    page: OperatorPage,
    /// When a refusal without a caller was logged last, in microseconds since 1970.
    last_refusal: AtomicI64,
}

/// A site that listens.
pub(super) struct ListeningSite {
    site: Arc<HttpSite>,
    listener: TcpListener,
    address: SocketAddr,
}

impl ListeningSite {
    /// Listens on an address.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be listened on, or if nobody or everybody could call there.
    pub(super) fn open(gateway: Arc<Gateway>, settings: AccessSettings) -> Result<Self, Error> {
        let asked = settings.address;
        let listen = || -> std::io::Result<(TcpListener, SocketAddr)> {
            let listener = TcpListener::bind(asked)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) =
            listen().map_err(|error| Error::io(&asked.to_string(), "listen on", error))?;
        let access = Access::new(settings, address, Arc::clone(&gateway))?;
        let no_chance = || {
            Error::usage(
                "the random generator of the system fails, so no token can be made; try again",
            )
        };
        let token = super::grants::new_token().ok_or_else(no_chance)?;
        let (sessions, stateless) = (Sessions::new(&gateway), StatelessHubs::new(&gateway));
        let page = OperatorPage::new(token);
        let last_refusal = AtomicI64::new(0);
        let site = Arc::new(HttpSite { gateway, access, sessions, stateless, page, last_refusal });
        Ok(Self { site, listener, address })
    }

    /// The message to the operator at the start: both addresses and the token.
    pub(super) fn greeting(&self) -> String {
        let address = self.address;
        let token = self.site.page.token();
        format!(
            "listening on http://{address}{ENDPOINT}; the page of the operator is http://{address}/#{token}"
        )
    }

    /// Returns a function that ends all sessions.
    pub(super) fn session_closer(&self) -> impl Fn() + use<> {
        let site = Arc::clone(&self.site);
        move || site.end_unused(&|_| false)
    }

    /// Serves until the task is dropped. Must be called within a runtime.
    pub(super) async fn serve(self) {
        let Self { site, listener, .. } = self;
        let sweeper = Arc::clone(&site);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                let holds = sweeper.access.identities();
                sweeper.end_unused(&|identity| {
                    holds.as_ref().is_none_or(|all| all.contains(identity))
                });
            }
        });
        accept(listener, MAX_CONNECTIONS, MAX_HEAD_TIME, move |request| {
            let site = Arc::clone(&site);
            async move { site.answer(request).await }
        })
        .await;
    }
}

impl HttpSite {
    /// Ends idle sessions, and sessions of identities without a valid grant.
    fn end_unused(&self, holds: &dyn Fn(&str) -> bool) {
        self.sessions.end_unused(holds);
        self.stateless.end_unused(holds);
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        if let Err(why) = self.access.check_host_and_origin(&request) {
            self.note_refusal(why);
            return text(StatusCode::FORBIDDEN, why);
        }
        let origin = self.access.foreign_origin(&request);
        let answer = match &origin {
            Some(_) if request.method() == Method::OPTIONS => text(StatusCode::NO_CONTENT, ""),
            _ => self.answer_allowed(request).await,
        };
        match origin {
            Some(origin) => with_origin(answer, origin),
            None => answer,
        }
    }

    /// Logs a refusal that is about no caller, one in a second at most: nobody is to fill the log without a grant.
    fn note_refusal(&self, why: &str) {
        let now = now_micros();
        let last = self.last_refusal.load(Ordering::Relaxed);
        if now - last > 1_000_000 {
            self.last_refusal.store(now, Ordering::Relaxed);
            self.gateway.rulings.note_refusal(&Caller::default(), why.trim_end());
        }
    }

    async fn answer_allowed(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        match request.uri().path() {
            ENDPOINT => {
                if request.uri().query().is_some() {
                    let why = "this address takes no query; a token belongs in the header Authorization\n";
                    self.note_refusal(why);
                    return text(StatusCode::BAD_REQUEST, why);
                }
                match self.access.caller(&request) {
                    Ok(caller) => self.answer_client(request, caller).await,
                    Err(RefusedAccess::NoGrant) => {
                        self.note_refusal("a request without a grant that holds");
                        unauthorized()
                    }
                    Err(RefusedAccess::NoStore) => text(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "the store of the grants cannot be read\n",
                    ),
                }
            }
            path if (path == "/" || path.starts_with("/operator/")) && self.access.is_local() => {
                self.page.answer(request, &self.gateway, &self.sessions).await
            }
            _ => text(StatusCode::NOT_FOUND, "there is nothing here but /mcp\n"),
        }
    }

    async fn answer_client(
        &self,
        request: Request<Incoming>,
        caller: Caller,
    ) -> Response<AnswerBody> {
        let method = request.method().clone();
        if method == Method::POST {
            return match read_post(request, caller).await {
                // The body took its time, in which the grant may have been revoked.
                Ok((posted, _)) if !self.access.still_holds(&posted.caller) => unauthorized(),
                Ok((posted, head)) if head.has_repeated => {
                    let why = "a header that says what a message is appears twice";
                    self.gateway.rulings.note_refusal(&posted.caller, why);
                    refused_with(&posted.message, StatusCode::BAD_REQUEST, HEADER_MISMATCH, why)
                }
                Ok((posted, head)) => self.handle_message(posted, head).await,
                Err(refused) => {
                    if let Some((caller, why)) = &refused.logged {
                        self.gateway.rulings.note_refusal(caller, why);
                    }
                    refused.response
                }
            };
        }
        let session = header(&request, &SESSION).and_then(|id| self.sessions.find(id, &caller));
        let is_known = session.is_some();
        match (method, session) {
            (Method::GET, Some(session)) if accepts(&request, EVENTS) => session.listen(),
            (Method::GET, Some(_)) => text(
                StatusCode::NOT_ACCEPTABLE,
                "this is a stream of events; accept text/event-stream\n",
            ),
            (Method::DELETE, Some(session)) => {
                self.sessions.end(&session);
                text(StatusCode::OK, "")
            }
            (Method::GET | Method::DELETE, None) if request.headers().contains_key(&SESSION) => {
                text(StatusCode::NOT_FOUND, "there is no such session; initialize another one\n")
            }
            _ => {
                let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "");
                let allowed = if is_known { "GET, POST, DELETE" } else { "POST" };
                refused.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
                refused
            }
        }
    }

    /// Answers a message by the era of the protocol that it is of.
    async fn handle_message(&self, posted: Posted, head: RoutingHead) -> Response<AnswerBody> {
        let params = &posted.whole["params"];
        let said = version_of(params).filter(|version| is_modern(version));
        let is_modern_head = head.version.as_deref().is_some_and(is_modern);
        if said.is_none() && !is_modern_head || posted.message.method() == Some("initialize") {
            return self.sessions.take(posted, head.session.as_deref()).await;
        }
        if let MessageKind::Request { id, .. } = &posted.message.kind
            && let Some(why) = head.mismatch(&posted.message, params)
        {
            self.gateway.rulings.note_refusal(&posted.caller, &why);
            let answer = Message::error(id.clone(), HEADER_MISMATCH, &why, None);
            return json(StatusCode::BAD_REQUEST, answer);
        }
        self.stateless.take(posted).await
    }
}
