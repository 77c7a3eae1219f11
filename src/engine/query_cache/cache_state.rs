//! The state of a query cache: what was read of the captures, the snapshots that were decided from it, and the answers of compat.

use std::sync::Arc;

use crate::engine::compat::{CompatAnswer, CompatRows};
use crate::engine::live::Live;
use crate::engine::query_cache::scope::{Scope, Snapshot};
use crate::engine::top_flows::NewestFlows;
use crate::error::Error;
use crate::limits;
use crate::patterns::Patterns;
use crate::schema::Schemas;

pub(super) struct CacheState {
    pub(super) all: Live<Patterns>,
    /// The newest flows, once a query requested some.
    pub(super) recent: Option<Live<NewestFlows>>,
    /// States of narrower scopes that were requested, the most recently used last.
    pub(super) narrow: Vec<(Scope, ScopedState)>,
    pub(super) original: Option<Live<CompatRows>>,
    /// Views that were decided, the newest last.
    pub(super) views: Vec<(Scope, u64, Arc<Snapshot>)>,
    pub(super) answers: Vec<((u64, Option<String>, Option<i64>), Arc<Result<CompatAnswer, Error>>)>,
}

/// The bodies of the captures, from the first query for schemas on.
#[derive(Default)]
pub(super) struct BodyCache {
    pub(super) state: Option<Live<Patterns>>,
    /// The schemas of a generation of the state.
    pub(super) decided: Option<(u64, Arc<Schemas>)>,
}

pub(super) enum ScopedState {
    Newest(Live<NewestFlows>),
    Patterns(Live<Patterns>),
}

impl CacheState {
    pub(super) fn view(&self, scope: &Scope, generation: u64) -> Option<Arc<Snapshot>> {
        let found = self.views.iter().find(|(asked, at, _)| asked == scope && *at == generation);
        found.map(|(_, _, view)| Arc::clone(view))
    }

    pub(super) fn keep(&mut self, scope: Scope, generation: u64, view: Snapshot) -> Arc<Snapshot> {
        let view = Arc::new(view);
        self.views.push((scope, generation, Arc::clone(&view)));
        if self.views.len() > limits::MAX_CACHED_REPORTS {
            // Every query requests the view of everything first, so keep it.
            let is_needed = |(scope, at, _): &(Scope, u64, Arc<Snapshot>)| {
                *scope == Scope::default() && *at == self.all.generation()
            };
            let first = self.views.iter().position(|view| !is_needed(view)).unwrap_or_default();
            self.views.remove(first);
        }
        view
    }
}

pub(super) fn keep_last<T>(list: &mut Vec<T>, entry: T, most: usize) {
    list.push(entry);
    if list.len() > most {
        list.remove(0);
    }
}
