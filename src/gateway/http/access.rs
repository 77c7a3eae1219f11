//! Access over HTTP: checks the host, the origin and the grant of every request.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue, ORIGIN};

use crate::audit::now_micros;
use crate::error::Error;
use crate::gateway::Gateway;
use crate::gateway::tool_call::Caller;

/// Configuration of what is served over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct AccessSettings {
    pub(crate) address: SocketAddr,
    /// Other names of this machine that requests may have as their host, with the port if it is not the usual one.
    pub(crate) hosts: Vec<String>,
    /// Origins of pages whose scripts may call.
    pub(crate) origins: Vec<String>,
    /// Whether every program of this machine may call.
    pub(crate) without_grants: bool,
    /// What the operator calls clients without a grant.
    pub(crate) identity: String,
}

/// The reason why the caller of a request could not be identified.
pub(super) enum RefusedAccess {
    NoGrant,
    NoStore,
}

/// The rules of access.
pub(super) struct Access {
    hosts: Vec<String>,
    origins: Vec<String>,
    without_grants: Option<String>,
    is_local: bool,
    gateway: Arc<Gateway>,
}

impl Access {
    /// # Errors
    ///
    /// Fails if other machines could call without a grant, or if there is no grant at all.
    pub(super) fn new(
        settings: AccessSettings,
        address: SocketAddr,
        gateway: Arc<Gateway>,
    ) -> Result<Self, Error> {
        let is_local = address.ip().is_loopback();
        if settings.without_grants {
            if !is_local {
                return Err(Error::usage(
                    "--without-grants lets every program in, so that it is for this machine alone; give a loopback address, as in 127.0.0.1:8765",
                ));
            }
        } else {
            let store = gateway.store.as_ref();
            let grants = store.map(|store| store.grants(now_micros())).transpose();
            let grants = grants.map_err(|error| {
                Error::usage(format!("the store of the grants cannot be read: {}", error.0))
            })?;
            if grants.is_none_or(|grants| grants.is_empty()) {
                return Err(Error::usage(
                    "nobody has a grant to call over HTTP; make one with api-patterns gateway grant NAME, or let every program of this machine in with --without-grants",
                ));
            }
        }
        let mut hosts = settings.hosts;
        let port = address.port();
        // Browsers and clients leave out the port that is usual.
        let named = |name: String| {
            if port == 80 {
                vec![name.clone(), format!("{name}:80")]
            } else {
                vec![format!("{name}:{port}")]
            }
        };
        let name = if address.is_ipv6() {
            format!("[{}]", address.ip())
        } else {
            address.ip().to_string()
        };
        if !address.ip().is_unspecified() {
            hosts.extend(named(name));
        }
        if is_local {
            hosts.extend(named("localhost".to_owned()));
        }
        let origins = settings.origins;
        let without_grants = settings.without_grants.then_some(settings.identity);
        Ok(Self { hosts, origins, without_grants, is_local, gateway })
    }

    /// True if only this machine can connect.
    pub(super) fn is_local(&self) -> bool {
        self.is_local
    }

    /// Looks at the host that a request names, and at the page that it comes from: a page of another site could otherwise call by
    /// giving its name our address (DNS rebinding).
    pub(super) fn check_host_and_origin(
        &self,
        request: &Request<Incoming>,
    ) -> Result<(), &'static str> {
        let is_own = |host: &str| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        let mut hosts = request.headers().get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err("a request names one host\n");
        };
        let target = request.uri().authority();
        if !host.to_str().is_ok_and(is_own) || !target.is_none_or(|it| is_own(it.as_str())) {
            return Err("the host is not this gateway; name it with --allow-host if it is\n");
        }
        let mut origins = request.headers().get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Ok(()),
            (Some(origin), None) if origin.to_str().is_ok_and(|it| self.is_own_origin(it)) => {
                Ok(())
            }
            _ => {
                Err("pages of this origin may not call; name it with --allow-origin if they may\n")
            }
        }
    }

    fn is_own_origin(&self, origin: &str) -> bool {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        self.origins.iter().any(|known| known == origin)
            || host.is_some_and(|host| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)))
    }

    /// The origin of a request, if it is one of another site that may call.
    pub(super) fn foreign_origin(&self, request: &Request<Incoming>) -> Option<HeaderValue> {
        let origin = request.headers().get(ORIGIN)?;
        let text = origin.to_str().ok()?;
        self.origins.iter().any(|known| known == text).then(|| origin.clone())
    }

    /// False if a caller has no grant any more.
    pub(super) fn still_holds(&self, caller: &Caller) -> bool {
        self.without_grants.is_some()
            || self.identities().is_some_and(|names| names.contains(&caller.identity))
    }

    /// The names of the grants that hold; `None` where none is needed or the store cannot be read.
    pub(super) fn identities(&self) -> Option<BTreeSet<String>> {
        if self.without_grants.is_some() {
            return None;
        }
        let grants = self.gateway.store.as_ref()?.grants(now_micros()).ok()?;
        Some(grants.into_iter().map(|grant| grant.name).collect())
    }

    /// Identifies the caller of a request by its grant. Fails if the request has none or several, or if the store fails.
    pub(super) fn caller(&self, request: &Request<Incoming>) -> Result<Caller, RefusedAccess> {
        let caller = Caller::new;
        if let Some(identity) = &self.without_grants {
            return Ok(caller(identity.clone()));
        }
        let mut given = request.headers().get_all(AUTHORIZATION).iter();
        let (Some(given), None) = (given.next(), given.next()) else {
            return Err(RefusedAccess::NoGrant);
        };
        let given = given.to_str().ok().and_then(|given| given.split_once(' '));
        let token = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = token.map(|(_, token)| token.trim()).ok_or(RefusedAccess::NoGrant)?;
        let store = self.gateway.store.as_ref().ok_or(RefusedAccess::NoStore)?;
        let identity = store.client_of(token, now_micros()).map_err(|error| {
            (self.gateway.complain)(&format!(
                "the store of the grants cannot be read: {}",
                error.0
            ));
            RefusedAccess::NoStore
        })?;
        identity.map(caller).ok_or(RefusedAccess::NoGrant)
    }
}
