//! Questions about schemas, descriptions, credentials, changes, places and samples: arguments, answers, and how these are made; a file for each.

mod auth;
mod compare;
mod explain;
mod openapi;
mod sample;
mod schema;
mod search;

pub(super) use self::auth::{AuthAnswer, AuthQuestion, auth_answer};
pub(super) use self::compare::{CompareAnswer, CompareQuestion, compare_answer};
pub(super) use self::explain::{ExplainAnswer, ExplainQuestion, explain_answer, no_endpoint};
pub(super) use self::openapi::{OpenApiAnswer, OpenApiQuestion, openapi_answer};
pub(super) use self::sample::{SampleAnswer, SampleQuestion, sample_answer};
pub(super) use self::schema::{SchemaAnswer, SchemaQuestion, schema_answer};
pub(super) use self::search::{SearchAnswer, SearchQuestion, search_answer};

/// Bytes reserved in an answer for members other than its parts.
const ROOM_OF_ANSWER: usize = 900;
