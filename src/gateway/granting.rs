//! Making, listing and ending grants, for the command line.

use std::path::Path;
use std::time::Duration;

use crate::audit::now_micros;
use crate::error::Error;
use crate::gateway::grants::{Grant, new_token};
use crate::gateway::open_store;
use crate::gateway::store::StoreFailure;
use crate::policy::shown_identity;

/// The longest time after which a grant may expire, in days.
const MAX_DAYS: u64 = 3650;

fn failed(StoreFailure(error): StoreFailure) -> Error {
    Error::usage(format!("the store of the grants cannot be used: {error}"))
}

/// Makes a grant for a client and gives its token, which is kept nowhere. `overlap` ends the grants that the client has after that
/// time; without it, a client that has one is refused.
///
/// # Errors
///
/// Fails if the store does, if the name cannot be used, or if the client has a grant and it is not to be replaced.
pub(crate) fn make_grant(
    store: Option<&Path>,
    name: &str,
    expires: Option<Duration>,
    overlap: Option<Duration>,
) -> Result<String, Error> {
    if name.is_empty() || shown_identity(name) != name {
        return Err(Error::usage(
            "the name of a grant is a short text without invisible characters, as in alice-laptop",
        ));
    }
    if expires.is_some_and(|after| after > Duration::from_secs(MAX_DAYS * 86_400)) {
        return Err(Error::usage(
            "a grant expires in ten years at most; leave --expires out for one that does not",
        ));
    }
    let store = open_store(store)?;
    let now = now_micros();
    let known = store.grants(now).map_err(failed)?.into_iter().any(|grant| grant.name == name);
    match overlap {
        Some(after) => {
            store.end_grants(name, now, after).map_err(failed)?;
        }
        None if known => {
            return Err(Error::usage(format!(
                "{name} has a grant; replace it with --rotate, or end it with api-patterns gateway revoke {name}"
            )));
        }
        None => {}
    }
    let token = new_token().ok_or_else(|| {
        Error::usage("the random generator of the system fails, so no token can be made; try again")
    })?;
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let expires = expires.map(|after| now.saturating_add(micros(after)));
    store
        .add_grant(&Grant { name: name.to_owned(), created: now, expires }, &token)
        .map_err(failed)?;
    Ok(token)
}

/// Ends all grants of a client.
///
/// # Errors
///
/// Fails if the store does, or if the client has no grant.
pub(crate) fn revoke_grants(store: Option<&Path>, name: &str) -> Result<usize, Error> {
    let ended =
        open_store(store)?.end_grants(name, now_micros(), Duration::ZERO).map_err(failed)?;
    if ended == 0 {
        return Err(Error::usage(format!("{} has no grant", shown_identity(name))));
    }
    Ok(ended)
}

/// The grants that hold.
///
/// # Errors
///
/// Fails if the store does.
pub(crate) fn list_grants(store: Option<&Path>) -> Result<Vec<Grant>, Error> {
    open_store(store)?.grants(now_micros()).map_err(failed)
}
