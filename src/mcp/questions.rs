//! Questions about descriptions, credentials and changes: arguments, answers, and how these are made; a file for each.

mod auth;
mod compare;
mod openapi;

pub(super) use self::auth::{AuthAnswer, AuthQuestion, auth_answer};
pub(super) use self::compare::{CompareAnswer, CompareQuestion, compare_answer};
pub(super) use self::openapi::{OpenApiAnswer, OpenApiQuestion, openapi_answer};

/// Room for what an answer has beside its parts, in bytes.
const ROOM_OF_ANSWER: usize = 900;
