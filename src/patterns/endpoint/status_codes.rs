//! Responses by status code.

use indexmap::IndexMap;

use crate::limits;
use crate::math::decimal;
use crate::patterns::aggregate::{Aggregate, Observation};
use crate::sketch::{BottomK, summary};

summary! {
    /// Number of responses per status code.
    pub(crate) struct StatusCodes {
        /// Keyed by the decimal code.
        responses: BottomK<u64, { limits::MAX_STATUS_CODES }>,
    }
}

impl StatusCodes {
    /// Number of responses with status 404.
    pub(crate) fn not_found(&self) -> u64 {
        self.count(|code| code == b"404")
    }

    /// Number of responses with status 400 to 499.
    pub(crate) fn client_errors(&self) -> u64 {
        self.count(|code| code.len() == 3 && code[0] == b'4')
    }

    fn count(&self, is_meant: impl Fn(&[u8]) -> bool) -> u64 {
        let meant = self.responses.iter().filter(|entry| is_meant(&entry.key));
        meant.map(|entry| entry.value).sum()
    }
}

impl Aggregate for StatusCodes {
    /// Number of responses per code, in numeric order.
    type Section = IndexMap<String, u64>;

    #[inline]
    fn observe(&mut self, seen: &mut Observation<'_>) {
        if let Some(response) = seen.response {
            let mut digits = [0; 20];
            let code = decimal(response.status.unsigned_abs(), &mut digits);
            *self.responses.entry(code) += 1;
        }
    }

    fn finish(self) -> IndexMap<String, u64> {
        let number = |code| std::str::from_utf8(code).ok()?.parse().ok();
        let entries = self.responses.iter();
        let mut codes: Vec<(u64, u64)> =
            entries.filter_map(|entry| Some((number(&entry.key)?, entry.value))).collect();
        codes.sort_unstable();
        codes.into_iter().map(|(code, count)| (code.to_string(), count)).collect()
    }
}
