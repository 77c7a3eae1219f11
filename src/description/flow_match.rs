//! Finds the operation that a flow belongs to: by its server, and then by its path.

use crate::description::ApiDescription;
use crate::description::routing::RouteMatch;
use crate::description::server::ApiServer;

/// The result of finding the operation of a flow in a description.
pub(crate) enum FlowMatch {
    Operation(usize),
    /// The path is described by this operation, and the method is not.
    OtherMethod(usize),
    /// The host is one of the API, and no path fits.
    NoPath,
    OtherHost,
}

/// Finds the operation of a flow. `host` is [`host_name`](crate::patterns::host_name) of it.
pub(crate) fn match_flow(api: &ApiDescription, host: &str, method: &str, path: &str) -> FlowMatch {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let mut found = FlowMatch::OtherHost;
    for server in api.servers.iter().filter(|server| server.has_host(host)) {
        // Whether a host is the one whose name is not shown is only known when a path fits.
        if matches!(found, FlowMatch::OtherHost) && !server.has_masked_host() {
            found = FlowMatch::NoPath;
        }
        match below(api, server, method, &segments) {
            RouteMatch::Operation(index)
                if api.operations[index].servers.is_none()
                    || own_server(api, index, host).is_some() =>
            {
                return FlowMatch::Operation(index);
            }
            RouteMatch::OtherMethod(index) => found = FlowMatch::OtherMethod(index),
            _ => {}
        }
    }
    // Operations with servers of their own.
    for (index, operation) in api.operations.iter().enumerate() {
        let own = operation.servers.iter().flatten().filter(|server| server.has_host(host));
        for server in own {
            if below(api, server, method, &segments) == RouteMatch::Operation(index) {
                return FlowMatch::Operation(index);
            }
        }
    }
    found
}

fn own_server<'a>(api: &'a ApiDescription, index: usize, host: &str) -> Option<&'a ApiServer> {
    api.operations[index].servers.as_ref()?.iter().find(|server| server.has_host(host))
}

fn below(api: &ApiDescription, server: &ApiServer, method: &str, segments: &[&str]) -> RouteMatch {
    server.without_base(segments).map_or(RouteMatch::None, |rest| api.routes.find(method, rest))
}
