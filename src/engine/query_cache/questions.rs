//! Questions about a view: why an endpoint is as it is, and what another tool would answer.

use std::sync::Arc;

use crate::compat::Redaction;
use crate::engine::batch_queue::locked;
use crate::engine::compat::{CompatAnswer, CompatRows};
use crate::engine::live::Live;
use crate::engine::progress::Monitor;
use crate::engine::query_cache::LiveCaptures;
use crate::engine::query_cache::cache_state::keep_last;
use crate::engine::query_cache::scope::Snapshot;
use crate::error::Error;
use crate::limits;
use crate::report::decision::Explanation;
use crate::report::masked;

impl LiveCaptures {
    /// Explains one endpoint of a view by its id, its name, a path or a URL: the pattern, and the decisions on its path that
    /// were close. An endpoint of an earlier view that is still kept is found as well. Returns `None` if no kept view has the
    /// endpoint.
    ///
    /// ```
    /// use api_patterns::{InputFormat, LiveCaptures, Options, Scope};
    ///
    /// let paths = vec!["fixtures/demo.mitm".into()];
    /// let captures = LiveCaptures::new(paths, InputFormat::Detect, Options::default());
    /// let view = captures.view(&Scope::default(), &())?;
    /// let id = &view.report.patterns[0].id;
    /// let explanation = captures.explain(&view, id).unwrap();
    /// assert_eq!(explanation.pattern.id, *id);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn explain(&self, view: &Snapshot, id: &str) -> Option<Explanation> {
        let has = |view: &Snapshot| view.report.patterns.iter().any(|pattern| pattern.id == id);
        let is_id = id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if has(view) || !is_id {
            return self.explain_in(view, id);
        }
        let other = locked(&self.known)
            .views
            .iter()
            .rev()
            .map(|(_, _, view)| Arc::clone(view))
            .find(|view| has(view));
        self.explain_in(&*other?, id)
    }

    fn explain_in(&self, view: &Snapshot, text: &str) -> Option<Explanation> {
        self.explanations(view, text).into_iter().next()
    }

    /// Explains the endpoints that a text means: a name, an id, a path or a URL. Empty if it means none.
    ///
    /// ```
    /// use api_patterns::{InputFormat, LiveCaptures, Options, Scope};
    ///
    /// let paths = vec!["fixtures/demo.mitm".into()];
    /// let captures = LiveCaptures::new(paths, InputFormat::Detect, Options::default());
    /// let view = captures.view(&Scope::default(), &())?;
    /// let found = captures.explanations(&view, "GET https://api.shop.example/v1/users/7");
    /// assert_eq!(found[0].pattern.endpoint, "GET /v1/users/{user_id}");
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn explanations(&self, view: &Snapshot, text: &str) -> Vec<Explanation> {
        let mut options = self.options.clone();
        options.report.explain = Some(text.to_owned());
        options.decide(&view.state).explanations
    }

    /// Returns the compat answer about the current captures. Captured words are changed if they
    /// would control a terminal, are longer than 240 bytes, or look like a secret.
    ///
    /// ```
    /// use api_patterns::{InputFormat, LiveCaptures, Options};
    ///
    /// let paths = vec!["fixtures/demo.mitm".into()];
    /// let captures = LiveCaptures::new(paths, InputFormat::Detect, Options::default());
    /// let answer = captures.compat_answer(None, Some(10), &())?;
    /// assert_eq!(answer.flows, 10);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails as [`view`](Self::view) does, and if the original tool raises an exception for a flow.
    pub fn compat_answer(
        &self,
        domain: Option<&str>,
        limit: Option<i64>,
        monitor: &dyn Monitor,
    ) -> Result<CompatAnswer, Error> {
        let known = &mut *self.wait(monitor)?;
        known.all.refresh(monitor)?;
        let key = (known.all.generation(), domain.map(str::to_owned), limit);
        if let Some((_, answer)) = known.answers.iter().find(|(asked, _)| *asked == key) {
            return Result::clone(answer);
        }
        let live = known.original.get_or_insert_with(|| {
            Live::new(self.paths.clone(), self.format, self.options.clone(), CompatRows::default)
        });
        live.refresh(monitor)?;
        let rows = live.total();
        // The original tool holds every flow in memory. If there are many flows, read them again
        // the next time.
        if rows.len() > limits::MAX_CACHED_COMPAT_ROWS {
            known.original = None;
        }
        let answer = rows.answer(
            domain,
            limit,
            Some(Redaction {
                word: |word, requests| {
                    let shown = masked::short_word(word, requests, limits::MAX_SHOWN_BYTES);
                    shown.into_owned().into_bytes()
                },
                id: |id| masked::flow_id(id).into_owned().into_bytes(),
            }),
        );
        keep_last(&mut known.answers, (key, Arc::new(answer.clone())), limits::MAX_CACHED_REPORTS);
        answer
    }
}
