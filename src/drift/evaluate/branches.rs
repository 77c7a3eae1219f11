//! Schemas that combine others: which of them apply, and which was meant if none does.

use crate::description::schema::{Branches, KindSet, SchemaId};
use crate::drift::evaluate::{Evaluator, SchemaIssue};
use crate::drift::rule::DriftRule;
use crate::drift::value::MessageValue;
use crate::finding::Severity;

impl<'v> Evaluator<'_, 'v> {
    pub(super) fn evaluate_branches(
        &mut self,
        id: SchemaId,
        branches: &Branches,
        value: &'v MessageValue<'_>,
    ) {
        for all in &branches.all {
            self.apply_schema(*all, value);
        }
        if !branches.any.is_empty() {
            self.evaluate_any_of(id, branches, &branches.any, value);
        }
        if !branches.one.is_empty() {
            let fitting = self.evaluate_any_of(id, branches, &branches.one, value);
            if fitting > 1 {
                self.fail_with(DriftRule::SeveralBranches, id, || {
                    format!("{fitting} schemas of oneOf fit; it allows one")
                });
            }
        }
        if let Some(not) = branches.not
            && self.fits(not, value)
        {
            self.fail_with(DriftRule::OutOfBounds, id, || "the schema in `not` fits".to_owned());
        }
        if let Some((condition, then, otherwise)) = branches.condition {
            let next = if self.fits(condition, value) { then } else { otherwise };
            if let Some(next) = next {
                self.apply_schema(next, value);
            }
        }
    }

    /// Evaluates the branches that fit, or the one that fits best. Returns how many fit.
    pub(super) fn evaluate_any_of(
        &mut self,
        id: SchemaId,
        branches: &Branches,
        group: &[SchemaId],
        value: &'v MessageValue<'_>,
    ) -> usize {
        let fitting: Vec<SchemaId> =
            group.iter().copied().filter(|branch| self.fits(*branch, value)).collect();
        self.merge_fitting_branches(&fitting, value);
        if fitting.is_empty() && self.spend_step() {
            self.out.is_invalid = true;
            if !self.is_quick {
                self.report_best_branch(id, branches, group, value);
            }
        }
        fitting.len()
    }

    /// Evaluates several branches that fit. What one of them describes is described.
    pub(super) fn merge_fitting_branches(
        &mut self,
        fitting: &[SchemaId],
        value: &'v MessageValue<'_>,
    ) {
        let before = self.out.issues.len();
        let mut of_all: Option<Vec<SchemaIssue>> = None;
        for branch in fitting {
            self.apply_schema(*branch, value);
            let own = self.out.issues.split_off(before.min(self.out.issues.len()));
            let is_shared = |issue: &SchemaIssue| {
                own.iter().any(|other| other.rule == issue.rule && other.place == issue.place)
            };
            of_all = Some(match of_all {
                Some(all) => all.into_iter().filter(is_shared).collect(),
                None => own,
            });
        }
        self.out.issues.extend(of_all.into_iter().flatten());
    }

    /// Reports the issues of the most probable branch; if none stands out, that no branch fits.
    pub(super) fn report_best_branch(
        &mut self,
        id: SchemaId,
        branches: &Branches,
        group: &[SchemaId],
        value: &'v MessageValue<'_>,
    ) {
        if *value == MessageValue::Null {
            self.fail_with(DriftRule::NullNotAllowed, id, || {
                "no schema allows null here".to_owned()
            });
            return;
        }
        let named = branches.discriminator.as_ref().and_then(|(name, by_value)| {
            match value.member(name)? {
                MessageValue::Text(text) => by_value.get(&**text).copied(),
                _ => None,
            }
        });
        let possible: Vec<SchemaId> = group
            .iter()
            .copied()
            .filter(|branch| self.set.kinds(*branch).intersects(value.kind()))
            .collect();
        if possible.is_empty() {
            let kinds = group.iter().map(|branch| self.set.kinds(*branch));
            let stated = kinds.reduce(KindSet::or);
            let seen = value.kind().names().concat();
            self.fail_with(DriftRule::WrongKind, id, || {
                let stated = stated.map(|kinds| kinds.names().join(" or ")).unwrap_or_default();
                format!("the schema states {stated}, and the value is {seen}")
            });
            return;
        }
        let meant = named.or(if possible.len() == 1 { possible.first().copied() } else { None });
        let best = meant.or_else(|| {
            let scored =
                possible.iter().map(|branch| (self.measure_misfit(*branch, value), *branch));
            let mut scored: Vec<((usize, usize), SchemaId)> = scored.collect();
            scored.sort_by_key(|(score, _)| *score);
            match scored[..] {
                // Two branches that fit equally badly: neither is what was meant.
                [(first, _), (second, _), ..] if first == second => None,
                [((_, _), branch), ..] => Some(branch),
                [] => None,
            }
        });
        match best {
            Some(branch) => self.apply_schema(branch, value),
            None => self.fail_with(DriftRule::NoBranch, id, || {
                format!("none of {} schemas fits", group.len())
            }),
        }
    }

    /// How badly a branch fits: number of wrong tags, and of other issues.
    pub(super) fn measure_misfit(
        &mut self,
        branch: SchemaId,
        value: &'v MessageValue<'_>,
    ) -> (usize, usize) {
        let marks = self.marks.take();
        let before = std::mem::take(&mut self.out);
        let start = self.applied.len();
        self.apply_schema(branch, value);
        self.applied.truncate(start);
        let trial = std::mem::replace(&mut self.out, before);
        self.out.is_unfinished |= trial.is_unfinished;
        self.marks = marks;
        let tags = trial.issues.iter().filter(|issue| issue.rule == DriftRule::OutsideEnum).count();
        let other = trial.issues.iter().filter(|issue| issue.rule.severity() > Severity::Info);
        (tags, other.count())
    }
}
