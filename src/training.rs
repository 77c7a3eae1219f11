//! Interface for the scripts that fit the classifier: features of labelled traffic, and the output
//! of other models.
//!
//! Available with the feature `training`; not part of the stable API.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::flow::{Body, Flow, Response, text};
use crate::patterns::endpoint::Endpoint;
use crate::patterns::{Patterns, encoded_path, host_name, segments};
use crate::report::decision::build;
use crate::report::options::ReportOptions;
use crate::template::classifier::{
    Classification, Classifier, ModelClassifier, body_evidence, evidence,
};
use crate::template::context::SiblingSet;
use crate::template::context::bodies::{BODY_COUNT, BODY_NAMES};
use crate::template::decide::slot_of;
use crate::template::model::{Model, STAGES};
use crate::template::model_rules::ModelRule;
use crate::template::secret::Frequency;
use crate::template::segment::Segment;
use crate::template::vocabulary::Vocabulary;
use crate::template::{Part, Template};

/// The names of the rules around the model.
#[must_use]
pub fn rule_names() -> Vec<&'static str> {
    ModelRule::ALL.map(ModelRule::name).into()
}

/// Switches off one of the rules around the model, by its name, for the rest of the process. Returns `false` if no rule has the name.
#[must_use]
pub fn switch_off_rule(name: &str) -> bool {
    let rule = ModelRule::ALL.into_iter().find(|rule| rule.name() == name);
    rule.inspect(|rule| rule.switch_off()).is_some()
}

/// One labelled request.
#[derive(Debug, Deserialize)]
pub struct LabelledRequest {
    /// The method.
    pub method: String,
    /// The absolute URL.
    pub url: String,
    /// The status code of the response; `None` if there was no response.
    #[serde(default)]
    pub status: Option<i64>,
    /// The `Content-Type` header of the response, if known.
    #[serde(default)]
    pub content_type: Option<String>,
    /// The body of the request, if it was recorded.
    #[serde(default)]
    pub request_body: Option<String>,
    /// The body of the response, if it was recorded.
    #[serde(default)]
    pub response_body: Option<String>,
    /// The true path template, with `{…}` around parameters, if known.
    #[serde(default)]
    pub truth: Option<String>,
}

fn body_of(text: Option<&String>) -> Body<'_> {
    text.map_or(Body::default(), |text| Body::decoded(text.as_bytes()))
}

impl LabelledRequest {
    fn with_flow<R>(&self, use_it: impl FnOnce(&Flow<'_>) -> R) -> Option<R> {
        let mut flow = Flow::new(&self.method, &self.url)?;
        let content_type = self.content_type.as_ref().map(String::as_bytes);
        flow.response = self.status.map(|status| Response {
            status,
            content_type,
            body: body_of(self.response_body.as_ref()),
            ..Response::default()
        });
        flow.request_body = body_of(self.request_body.as_ref());
        Some(use_it(&flow))
    }
}

/// Parses labelled requests, one JSON object per line.
///
/// # Errors
///
/// Fails if a line is not a valid [`LabelledRequest`].
pub fn read(lines: &str) -> serde_json::Result<Vec<LabelledRequest>> {
    lines.lines().map(serde_json::from_str).collect()
}

/// Parses a model from the contents of its five files. The memory is leaked, so that it lives as
/// long as the program.
pub fn model(
    vocabulary: &str,
    characters: &str,
    weights: &str,
    trees: &str,
    bodies: &str,
) -> CustomModel {
    let forever = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let parsed = Vocabulary::parse(forever(vocabulary), forever(characters));
    let vocabulary: &'static Vocabulary = Box::leak(Box::new(parsed));
    CustomModel(Model::parse(vocabulary, weights, trees, bodies))
}

/// A classifier other than the shipped one.
#[derive(Debug)]
pub struct CustomModel(Model);

/// The feature names, in the order of the columns of [`samples`] after label and weight.
pub fn feature_names() -> &'static [&'static str] {
    crate::template::features::NAMES
}

/// The names of the body features, in the order of the columns of [`samples`] for the stages of
/// correction.
pub fn body_feature_names() -> &'static [&'static str] {
    BODY_NAMES
}

/// The path template that a model assigns to each request, in order; `None` for a request without
/// an endpoint.
pub fn templates(requests: &[LabelledRequest], model: &CustomModel) -> Vec<Option<String>> {
    let mut patterns = Patterns::with_body_evidence();
    for request in requests {
        request.with_flow(|flow| patterns.observe(flow));
    }
    let routes =
        build(&patterns, &ReportOptions::default(), &model.0, &ModelClassifier(&model.0)).routes;
    let label = |request: &LabelledRequest| {
        request.with_flow(|flow| Some(routes.label(flow)?.path_pattern.clone())).flatten()
    };
    requests.iter().map(label).collect()
}

/// The training matrix of one stage of the classifier: one row per segment with a known label.
/// Columns: label (1 = value, 0 = name), sample weight, features. The stages of correction by bodies
/// follow those by paths, and have the log odds by paths alone and their own features.
pub fn samples(requests: &[LabelledRequest], model: &CustomModel, stage: usize) -> Vec<Vec<f64>> {
    let mut patterns = Patterns::with_body_evidence();
    let mut truth = LabelClassifier {
        labels: BTreeMap::new(),
        rows: RefCell::new(Vec::new()),
        model: &model.0,
        stage,
    };
    for request in requests {
        request.with_flow(|flow| {
            if truth.learn(flow, request.truth.as_deref()) {
                patterns.observe(flow);
            }
        });
    }
    build(&patterns, &ReportOptions::default(), &model.0, &truth);
    truth.rows.into_inner()
}

/// Explains the classification of all candidate segments below one prefix (`place`: a path pattern
/// without a trailing slash). One line per segment: text, probabilities of the first and the last
/// stage by paths, requests, the 45 features with the largest contributions, and the features of
/// bodies.
pub fn explain(requests: &[LabelledRequest], model: &CustomModel, place: &str) -> Vec<String> {
    let mut patterns = Patterns::with_body_evidence();
    for request in requests {
        request.with_flow(|flow| patterns.observe(flow));
    }
    let judge = ExplainingClassifier {
        model: &model.0,
        place: place.to_owned(),
        lines: RefCell::new(Vec::new()),
    };
    build(&patterns, &ReportOptions::default(), &model.0, &judge);
    judge.lines.into_inner()
}

/// A classifier that decides as [`ModelClassifier`] does and records explanations for one prefix.
struct ExplainingClassifier<'m> {
    model: &'m Model,
    place: String,
    lines: RefCell<Vec<String>>,
}

impl Classifier<Endpoint> for ExplainingClassifier<'_> {
    fn judge(&self, place: &SiblingSet<'_, '_, Endpoint>) -> Vec<Classification> {
        if place.template.to_string() == self.place {
            let last = evidence(self.model, place, STAGES - 1);
            let first = evidence(self.model, place, 0);
            let mut bodies = body_evidence(self.model, place, 0).into_iter();
            for ((candidate, features), own) in place.candidates.iter().zip(last).zip(first) {
                let strongest: Vec<String> = self.model.strongest(&features)[..45]
                    .iter()
                    .map(|(name, weight)| format!("{name} {weight:+.1}"))
                    .collect();
                let bodies = bodies.next().map_or([0.0; BODY_COUNT], |(_, row)| row);
                let bodies: Vec<String> = BODY_NAMES
                    .iter()
                    .zip(bodies)
                    .filter(|(_, value)| *value != 0.0)
                    .map(|(name, value)| format!("{name} {value:.2}"))
                    .collect();
                self.lines.borrow_mut().push(format!(
                    "{} {:.2} {:.2} n={}: {}; bodies: {}",
                    text::printable(candidate.text),
                    self.model.probability(0, &own),
                    self.model.probability(STAGES - 1, &features),
                    candidate.requests(),
                    strongest.join(", "),
                    bodies.join(", ")
                ));
            }
        }
        ModelClassifier(self.model).judge(place)
    }
}

/// Maximum number of rows per label and trie node. Rows beyond it are sampled.
const MAX_ROWS_PER_LABEL: usize = 48;

/// A classifier that answers with the labels and records the features that the model would have
/// seen.
struct LabelClassifier<'m> {
    /// (structure of the parent template, segment) -> (requests in which it was a value, requests
    /// in which it was a name).
    labels: BTreeMap<(Vec<u8>, Vec<u8>), (u64, u64)>,
    rows: RefCell<Vec<Vec<f64>>>,
    model: &'m Model,
    stage: usize,
}

impl LabelClassifier<'_> {
    /// Records the labels of one request. Returns `false` if it has no usable label.
    fn learn(&mut self, flow: &Flow<'_>, truth: Option<&str>) -> bool {
        let Some(truth) = truth else { return false };
        let path = encoded_path(flow);
        let seen: Vec<&[u8]> = segments(&path).collect();
        let true_parts: Vec<&str> = truth.split('/').filter(|part| !part.is_empty()).collect();
        if seen.len() != true_parts.len() || host_name(flow).is_empty() {
            return false;
        }
        let mut template = Template::default();
        for (segment, part) in seen.iter().zip(true_parts) {
            let label = self.labels.entry((template.structure(), segment.to_vec())).or_default();
            let parsed = Segment::parse(segment);
            if part.contains('{') {
                label.0 += 1;
                let names = vec![String::new()];
                let frame = parsed.slot().into();
                template.parts.push(Part::Parameter { names, frame, rest: false });
            } else {
                label.1 += 1;
                template.parts.push(Part::literal(segment, Frequency::Often, 0));
            }
        }
        true
    }

    /// The majority label of a segment; `None` if it has none. `Some(true)` means value.
    fn label(&self, template: &Template, text: &[u8]) -> Option<bool> {
        // The labels were keyed by slots, so shared affixes found by the decision are removed
        // first.
        let mut template = template.clone();
        for part in &mut template.parts {
            if let Part::Parameter { frame, .. } = part {
                *frame = slot_of(frame).into();
            }
        }
        let (values, names) = self.labels.get(&(template.structure(), text.to_vec()))?;
        Some(values > names)
    }
}

impl Classifier<Endpoint> for LabelClassifier<'_> {
    fn judge(&self, place: &SiblingSet<'_, '_, Endpoint>) -> Vec<Classification> {
        let labels: Vec<Option<bool>> =
            place.candidates.iter().map(|c| self.label(place.template, c.text)).collect();
        let all: Vec<Vec<f64>> = if let Some(stage) = self.stage.checked_sub(STAGES) {
            let rows = body_evidence(self.model, place, stage).into_iter();
            rows.map(|(guess, row)| [&[guess], &row[..]].concat()).collect()
        } else {
            let features = evidence(self.model, place, self.stage);
            features.into_iter().map(|features| features.values).collect()
        };
        for (at, (label, features)) in labels.iter().zip(all).enumerate() {
            let Some(label) = label else { continue };
            let same = labels.iter().filter(|other| **other == Some(*label)).count();
            // Large groups with equal labels are sampled. A missed value costs one endpoint too
            // many, so a larger group weighs more than a single segment, but less than in
            // proportion to its size.
            let step = same.div_ceil(MAX_ROWS_PER_LABEL);
            if at % step > 0 {
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            let weight = (same as f64).powf(-0.4) * step as f64;
            let mut row = vec![f64::from(u8::from(*label)), weight];
            row.extend(features);
            self.rows.borrow_mut().push(row);
        }
        labels
            .into_iter()
            .map(|label| Classification {
                is_value: label == Some(true),
                probability: f64::from(u8::from(label == Some(true))),
                reason: "",
            })
            .collect()
    }
}
