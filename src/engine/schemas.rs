//! The second pass over captures, which observes the bodies of each endpoint after the templates
//! were decided.

use std::sync::Arc;

use crate::capture::{CaptureItem, Captures};
use crate::engine::filter::Filter;
use crate::engine::options::Options;
use crate::engine::progress::Monitor;
use crate::engine::run::run;
use crate::error::Error;
use crate::patterns::{ScalarSet, encoded_path, segments};
use crate::report::decision::Decision;
use crate::schema::{Schemas, number_of};
use crate::shape::messages::BodyScratch;
use crate::shape::store::ShapeStore;
use crate::sketch::Merge;

/// The state that one thread fills.
struct Observer {
    store: ShapeStore,
    scratch: BodyScratch,
}

/// Observes the messages of all flows that the options select, by the endpoints of a decision.
pub(super) fn observe_shapes(
    captures: &Captures,
    options: &Options,
    monitor: &dyn Monitor,
    decision: &Decision,
    paths: Option<&Arc<ScalarSet>>,
) -> Result<Schemas, Error> {
    let filter = Filter::new(options);
    let visit = |observer: &mut Observer, _: usize, _: u64, found: CaptureItem<'_>| {
        let Ok(flow) = filter.check(&found) else { return };
        let Some(id) = decision.routes.label(flow).and_then(|label| number_of(&label.id)) else {
            return;
        };
        let response = flow.response.as_ref().and_then(|response| response.body.recorded_bytes());
        let bytes = [flow.request_body.recorded_bytes(), response].into_iter().flatten().sum();
        let path = encoded_path(flow);
        let messages = observer.store.endpoint(id, bytes);
        messages.observe(flow, flow.query(), segments(&path), &mut observer.scratch);
    };
    let new_observer = || Observer {
        store: ShapeStore::default(),
        scratch: BodyScratch::with_paths(paths.cloned()),
    };
    let outcome = run(captures, options, monitor, new_observer, visit)?;
    let mut all = ShapeStore::default();
    for observer in outcome.states {
        all.merge(observer.store);
    }
    Ok(Schemas::new(all, decision))
}
