//! What a set of captures says about places in general: how often a field is optional or null although the first objects do
//! not show it. Decisions about places that were seen seldom start from it.

use crate::shape::Shape;
use crate::shape::fields::Fields;
use crate::shape::store::ShapeStore;

/// Prior rates of optional fields and nullable places, estimated from places with many
/// observations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Prior {
    /// The share of fields that are sometimes absent, and how often such a field is present.
    optional: Habit,
    /// The share of places that are sometimes null, and how often such a place is not.
    nullable: Habit,
}

/// The share of places that vary, and their mean rate of the usual outcome (present, not null).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Habit {
    share: f64,
    rate: f64,
}

/// Observations from which on a place tells something of the habits.
const MIN_SEEN: u64 = 20;

/// Weight of the ordinary habits that estimates start from, as a number of places.
const PRIOR_PLACES: f64 = 20.0;
const PRIOR_OPTIONAL: Habit = Habit { share: 0.25, rate: 0.6 };
const PRIOR_NULLABLE: Habit = Habit { share: 0.15, rate: 0.6 };

/// Sums over places.
#[derive(Default)]
struct Tally {
    places: f64,
    varying: f64,
    rates: f64,
}

impl Tally {
    #[expect(clippy::cast_precision_loss, reason = "counts of observations")]
    fn add(&mut self, usual: u64, seen: u64) {
        if seen < MIN_SEEN {
            return;
        }
        self.places += 1.0;
        if usual < seen {
            self.varying += 1.0;
            self.rates += usual as f64 / seen as f64;
        }
    }

    fn habit(&self, prior: Habit) -> Habit {
        let varying = prior.share * PRIOR_PLACES;
        Habit {
            share: (self.varying + varying) / (self.places + PRIOR_PLACES),
            rate: (self.rates + prior.rate * varying) / (self.varying + varying),
        }
    }
}

impl Habit {
    /// The probability that a place that showed the usual side `seen` times in a row varies nevertheless.
    fn varies_after(self, seen: u64) -> f64 {
        let shown = self.rate.powi(i32::try_from(seen.min(1000)).unwrap_or(1000));
        self.share * shown / (self.share * shown + 1.0 - self.share)
    }
}

impl Default for Prior {
    fn default() -> Self {
        Self { optional: PRIOR_OPTIONAL, nullable: PRIOR_NULLABLE }
    }
}

impl Prior {
    /// Estimates the habits from all shapes.
    pub(crate) fn of(store: &ShapeStore) -> Self {
        let (mut optional, mut nullable) = (Tally::default(), Tally::default());
        for (_, messages) in store.iter() {
            for (_, bodies) in messages.bodies() {
                tally(&bodies.shape, &mut optional, &mut nullable);
            }
        }
        Self { optional: optional.habit(PRIOR_OPTIONAL), nullable: nullable.habit(PRIOR_NULLABLE) }
    }

    /// The probability that a field that all of `objects` had is absent from others.
    pub(crate) fn optional_probability(&self, objects: u64) -> f64 {
        self.optional.varies_after(objects)
    }

    /// The probability that a place that was never null in `seen` observations is null in others.
    pub(crate) fn nullable_probability(&self, seen: u64) -> f64 {
        self.nullable.varies_after(seen)
    }
}

fn tally(shape: &Shape, optional: &mut Tally, nullable: &mut Tally) {
    if let Some(fields) = &shape.fields {
        tally_fields(fields, optional, nullable);
    }
    if let Some(items) = &shape.items {
        tally(&items.item, optional, nullable);
    }
}

fn tally_fields(fields: &Fields, optional: &mut Tally, nullable: &mut Tally) {
    for (_, _, field) in fields.iter() {
        optional.add(field.present, fields.count);
        let seen = field.shape.seen();
        nullable.add(seen - field.shape.nulls, seen);
        tally(&field.shape, optional, nullable);
    }
}
