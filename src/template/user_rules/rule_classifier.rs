//! The classifier that applies the rules of a user.

use std::cell::RefCell;

use crate::flow::text;
use crate::template::classifier::{Classification, Classifier};
use crate::template::context::SiblingSet;
use crate::template::user_rules::{
    MatchedRules, PathRule, RuleKind, RuleSegment, Rules, fits_frame,
};
use crate::template::{Part, Template};

/// A classifier that applies the rules of one host, and delegates to another classifier where no
/// rule applies.
pub(crate) struct RuleClassifier<'r, T> {
    pub(crate) rules: &'r Rules,
    pub(crate) host: &'r str,
    pub(crate) inner: &'r dyn Classifier<T>,
    pub(crate) matched: &'r RefCell<MatchedRules>,
}

impl<T> RuleClassifier<'_, T> {
    /// The rules of a kind for this host whose path matches the template so far. Returns (index,
    /// rule, next segment).
    fn next<'a>(
        &'a self,
        kind: RuleKind,
        template: &'a Template,
    ) -> impl Iterator<Item = (usize, &'a PathRule, &'a RuleSegment)> {
        let rules = self.rules.paths.iter().enumerate().filter(move |(_, rule)| {
            rule.kind == kind && rule.host.as_deref().is_none_or(|host| host == self.host)
        });
        rules.filter_map(|(i, rule)| {
            let next = rule.segments.get(template.parts.len())?;
            let leads_here = rule
                .segments
                .iter()
                .zip(&template.parts)
                .all(|(pattern, part)| fits(pattern, part));
            leads_here.then_some((i, rule, next))
        })
    }

    /// Returns `true` if the next segment of a rule is its last.
    fn is_last(rule: &PathRule, template: &Template) -> bool {
        rule.segments.len() == template.parts.len() + 1
    }

    /// Records that a rule matched.
    fn mark(&self, i: usize) {
        self.matched.borrow_mut().rules.insert(i);
    }
}

/// Returns `true` if the frame of a rule is more specific than a suffix, so that segments must be
/// matched against it.
fn is_pinned(frame: &[u8]) -> bool {
    !frame.starts_with(b"\0") || memchr::memchr_iter(0, frame).count() > 1
}

/// Returns `true` if the frame of a rule denotes a decided frame. A rule may omit the prefix that
/// all values share.
fn is_meant(frame: &[u8], found: &[u8]) -> bool {
    let suffix = |frame: &'_ [u8]| frame.iter().rposition(|byte| *byte == 0).unwrap_or(0);
    frame == found || (frame.starts_with(b"\0") && *frame == found[suffix(found)..])
}

/// Returns `true` if a segment of a rule matches a segment of a template.
fn fits(pattern: &RuleSegment, part: &Part) -> bool {
    match (pattern, part) {
        (RuleSegment::Any, _) => true,
        (RuleSegment::Literal(wanted), Part::Literal { text, .. }) => {
            text::printable(text) == *wanted
        }
        (RuleSegment::Parameter { frame, .. }, Part::Parameter { frame: have, .. }) => {
            is_meant(frame, have)
        }
        _ => false,
    }
}

impl<T> Classifier<T> for RuleClassifier<'_, T> {
    fn judge(&self, place: &SiblingSet<'_, '_, T>) -> Vec<Classification> {
        let template = place.template;
        let mut verdicts = self.inner.judge(place);
        let forbidden: Vec<usize> = self
            .next(RuleKind::Forbid, template)
            .filter(|(_, rule, _)| Self::is_last(rule, template))
            .map(|found| found.0)
            .collect();
        for (verdict, candidate) in verdicts.iter_mut().zip(place.candidates) {
            let shown = text::printable(candidate.text);
            let is_it = |pattern: &RuleSegment| matches!(pattern, RuleSegment::Literal(wanted) if *wanted == shown);
            for i in &forbidden {
                self.mark(*i);
                verdict.decide(false);
            }
            for (i, rule, next) in self.next(RuleKind::Template, template) {
                let RuleSegment::Parameter { frame, .. } = next else { continue };
                let slot = candidate.segment.slot();
                if **frame == *slot || (is_pinned(frame) && fits_frame(frame, candidate.text)) {
                    verdict.decide(true);
                    if Self::is_last(rule, template) {
                        self.mark(i);
                    }
                }
            }
            for kind in [RuleKind::Template, RuleKind::Literal] {
                for (i, rule, next) in self.next(kind, template) {
                    let last = Self::is_last(rule, template);
                    if is_it(next) && (last || kind == RuleKind::Template) {
                        verdict.decide(false);
                        if last {
                            self.mark(i);
                        }
                    }
                }
            }
        }
        verdicts
    }

    fn parameter_names(&self, template: &Template, have: &[u8]) -> Option<Vec<String>> {
        let mut found = None;
        for kind in [RuleKind::Template, RuleKind::Rename] {
            let mut has_exact = false;
            for (i, rule, next) in self.next(kind, template) {
                let RuleSegment::Parameter { names, frame, .. } = next else { continue };
                let last = Self::is_last(rule, template);
                if !is_meant(frame, have) || (kind == RuleKind::Rename && !last) {
                    continue;
                }
                if last {
                    self.mark(i);
                }
                // Beside `item_{id}`, `{item_id}` names the other values.
                let is_exact = **frame == *have;
                if has_exact && !is_exact {
                    continue;
                }
                has_exact = is_exact;
                let mut names = names.clone();
                if let (Some(to), Some(name)) = (&rule.to, names.last_mut()) {
                    name.clone_from(to);
                }
                found = Some(names);
            }
        }
        found
    }

    fn pinned_frame(&self, template: &Template, segment: &[u8]) -> Option<Vec<u8>> {
        self.next(RuleKind::Template, template).find_map(|(_, _, next)| match next {
            RuleSegment::Parameter { frame, rest: false, .. }
                if is_pinned(frame) && fits_frame(frame, segment) =>
            {
                Some(frame.clone())
            }
            _ => None,
        })
    }

    fn takes_rest(&self, template: &Template) -> bool {
        self.next(RuleKind::Template, template)
            .any(|(_, _, next)| matches!(next, RuleSegment::Parameter { rest: true, .. }))
    }
}
