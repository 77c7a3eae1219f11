//! Runs over captures: batches of records are decoded by several threads into states, which are
//! merged into one state for the report. A run reports its progress and can be stopped.

mod analysis;
mod batch_queue;
mod compat;
mod copy_records;
#[cfg(feature = "descriptions")]
mod drift;
mod exchanges;
mod filter;
mod flows;
mod fold;
mod follow;
mod label;
mod live;
mod options;
mod problems;
mod progress;
mod query_cache;
mod reorder_buffer;
mod run;
mod schemas;
mod split;
mod top_flows;

pub use crate::engine::analysis::{Analysis, ObservedState, analyze, observe};
pub use crate::engine::compat::{CompatAnswer, compat_answer};
pub use crate::engine::copy_records::{CopiedRecords, copy_records};
#[cfg(feature = "descriptions")]
pub use crate::engine::drift::{Comparison, drift};
#[cfg(feature = "cli")]
pub(crate) use crate::engine::exchanges::unknown_endpoint;
pub use crate::engine::exchanges::{ExchangeQuery, exchanges};
pub use crate::engine::filter::Filter;
pub use crate::engine::flows::for_each_flow;
pub use crate::engine::follow::{Change, Follower};
pub use crate::engine::label::label;
pub use crate::engine::options::{LabelField, Options};
pub use crate::engine::progress::{Monitor, Progress};
pub use crate::engine::query_cache::{LiveCaptures, Scope, Snapshot};
pub use crate::engine::split::{Split, observe_split, split};
