//! Captures -> batches -> threads -> one state -> report; with progress, and a way to stop.

mod analysis;
mod collect;
mod feed;
mod filter;
mod flows;
mod follow;
mod label;
mod live;
mod newest;
mod options;
mod original;
mod problems;
mod progress;
mod run;
mod sequence;
mod split;
mod views;

pub use crate::engine::analysis::{Analysis, analyze};
pub use crate::engine::filter::Filter;
pub use crate::engine::flows::for_each_flow;
pub use crate::engine::follow::{Change, Follower};
pub use crate::engine::label::label;
pub use crate::engine::options::Options;
pub use crate::engine::original::{CompatAnswer, compat_answer};
pub use crate::engine::progress::{Monitor, Progress};
pub use crate::engine::split::{Split, observe_split, split};
pub use crate::engine::views::{LiveCaptures, Scope, View};
