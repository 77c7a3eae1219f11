//! The models of both sides of a comparison.

use crate::diff::align::align;
use crate::diff::model::ApiModel;
use crate::diff::{DiffOptions, DiffSide, observed, stated};
use crate::patterns::Patterns;

/// The models of both sides, and sentences about what could not be compared.
pub(super) fn models(
    before: DiffSide<'_>,
    after: DiffSide<'_>,
    options: &DiffOptions,
) -> (ApiModel, ApiModel, Vec<String>) {
    let mut notes = Vec::new();
    for side in [before, after] {
        match side {
            DiffSide::Observed(patterns) if !patterns.has_bodies() => {
                notes.push(
                    "One state was made without bodies, and has nothing to compare: make it with bodies.".to_owned(),
                );
            }
            DiffSide::Described(api) => notes.extend_from_slice(api.notes()),
            DiffSide::Observed(_) => {}
        }
    }
    // Templates are decided once, from everything that was observed.
    let mut all = Patterns::with_bodies();
    for side in [before, after] {
        if let DiffSide::Observed(patterns) = side {
            all.merge(patterns.clone());
        }
    }
    let decision = all.decide(&options.report);
    let described = [before, after].into_iter().find_map(|side| match side {
        DiffSide::Described(api) => Some(api),
        DiffSide::Observed(_) => None,
    });
    let mut model = |side: DiffSide<'_>| match side {
        DiffSide::Observed(patterns) => {
            let (model, unassigned) = observed::model(patterns, &decision, described);
            if unassigned > 0 {
                notes.push(format!(
                    "{unassigned} requests are not compared, because their paths were not told apart in bounded memory."
                ));
            }
            model
        }
        DiffSide::Described(api) => stated::model(api),
    };
    let mut models = (model(before), model(after));
    match (before, after) {
        (DiffSide::Described(api), DiffSide::Observed(_)) => {
            align(api, &mut models.0, &mut models.1);
        }
        (DiffSide::Observed(_), DiffSide::Described(api)) => {
            align(api, &mut models.1, &mut models.0);
        }
        _ => {}
    }
    for model in [&models.0, &models.1] {
        let endpoints: u64 = model.foreign.values().sum();
        if endpoints > 0 {
            const MAX_NAMED: usize = 3;
            let mut named: Vec<&str> =
                model.foreign.keys().take(MAX_NAMED).map(String::as_str).collect();
            if model.foreign.len() > MAX_NAMED {
                named.push("and others");
            }
            let noun = if endpoints == 1 { "endpoint is" } else { "endpoints are" };
            notes.push(format!(
                "{endpoints} {noun} not compared, because the servers of the description do not have their hosts: {}",
                named.join(", ")
            ));
        }
    }
    (models.0, models.1, notes)
}
