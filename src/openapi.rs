//! OpenAPI descriptions of the captured APIs, one for each host.
//!
//! A description states what was observed and decided: paths from templates, parameters, bodies and answers from schemas,
//! security from the credentials that were sent, refused and asked for. It has no captured value but enumerated ones.

mod client_names;
mod cycles;
mod dialect;
mod document;
mod duplicates;
mod examples;
mod links;
#[cfg(feature = "cli")]
pub(crate) mod merge;
mod names;
mod operation;
mod parameters;
mod security;
mod servers;
mod verbs;

#[cfg(feature = "cli")]
use std::collections::BTreeMap;

use serde_json::Value;
#[cfg(feature = "cli")]
use serde_json::json;

use crate::report::{Pattern, Report};
use crate::schema::Schemas;

/// The version of OpenAPI that a description is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenApiVersion {
    /// OpenAPI 3.0.3, for tools that do not read 3.1.
    V3_0,
    /// OpenAPI 3.1.0, whose schemas are JSON Schema 2020-12.
    #[default]
    V3_1,
}

/// Options of an OpenAPI description.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenApiOptions {
    /// The version of OpenAPI.
    pub version: OpenApiVersion,
    /// Whether counts, confidence and reasons are added as `x-evidence`.
    pub evidence: bool,
    /// Whether parameters and media types get an `example`, which is made of kinds and formats: no captured value but
    /// enumerated ones.
    pub synthetic_examples: bool,
    /// Whether schemas say what was seen beside what was decided, for a merge.
    pub(crate) observations: bool,
}

/// The part of each endpoint in descriptions that were made with [evidence](OpenApiOptions::evidence), by
/// [`Pattern::id`](crate::Pattern::id): its path item with one operation, without evidence.
#[cfg(feature = "cli")]
pub(crate) fn operations_by_endpoint(described: &[(String, Value)]) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let objects = |value: &'_ Value| value.as_object().cloned().unwrap_or_default();
    for (_, api) in described {
        for (path, item) in objects(&api["paths"]) {
            for (method, mut operation) in objects(&item) {
                let Some(evidence) =
                    operation.as_object_mut().and_then(|it| it.remove("x-evidence"))
                else {
                    continue;
                };
                let part = json!({ &path: { method: operation } });
                for id in evidence["ids"].as_array().into_iter().flatten().filter_map(Value::as_str)
                {
                    found.insert(id.to_owned(), part.clone());
                }
            }
        }
    }
    found
}

/// Describes each host of a report, in the order of the report: the host and its OpenAPI description.
///
/// ```
/// use api_patterns::{Captures, InputFormat, OpenApiOptions, Options, analyze, openapi_descriptions};
///
/// let captures = Captures::open(&["fixtures/demo.mitm"], InputFormat::Detect)?;
/// let mut options = Options::default();
/// options.bodies = true;
/// let analysis = analyze(&captures, &options, &())?;
/// let schemas = analysis.schemas.unwrap();
/// let described = openapi_descriptions(&analysis.report, &schemas, &OpenApiOptions::default());
/// let (host, api) = &described[0];
/// assert_eq!(host, "api.shop.example");
/// assert_eq!(api["paths"]["/v1/users"]["get"]["operationId"], "listUsers");
/// # Ok::<(), api_patterns::Error>(())
/// ```
pub fn openapi_descriptions(
    report: &Report,
    schemas: &Schemas,
    options: &OpenApiOptions,
) -> Vec<(String, Value)> {
    let mut hosts: Vec<(&str, Vec<&Pattern>)> = Vec::new();
    for pattern in &report.patterns {
        match hosts.iter_mut().find(|(host, _)| *host == pattern.host) {
            Some((_, patterns)) => patterns.push(pattern),
            None => hosts.push((&pattern.host, vec![pattern])),
        }
    }
    let described = hosts.iter().map(|(host, patterns)| {
        let mut api = document::describe(host, patterns, &hosts, schemas, *options);
        if options.synthetic_examples {
            examples::add_examples(&mut api);
        }
        ((*host).to_owned(), api)
    });
    described.collect()
}
