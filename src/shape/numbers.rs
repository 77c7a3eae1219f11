//! The numbers at one place: how many, of which kind, and their range.

use serde::{Deserialize, Serialize};

use crate::sketch::{HeapSize, Merge};

/// A summary of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Numbers {
    /// Numbers without a fraction.
    pub(crate) integers: u64,
    /// Numbers with a fraction that is not zero.
    pub(crate) fractions: u64,
    /// Numbers with a fraction of zero: servers write `1.0` where `1.5` may come.
    pub(crate) zero_fractions: u64,
    /// Integers beyond 32 bits.
    pub(crate) wide: u64,
    /// Order-preserving keys of the smallest and the largest number: see [`order_key`].
    least: i64,
    most: i64,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            integers: 0,
            fractions: 0,
            zero_fractions: 0,
            wide: 0,
            least: i64::MAX,
            most: i64::MIN,
        }
    }
}

/// A key that orders finite numbers as their values, and is equal for equal ones.
fn order_key(number: f64) -> i64 {
    let bits = (number + 0.0).to_bits().cast_signed();
    if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
}

fn of_key(key: i64) -> f64 {
    let bits = if key < 0 { i64::MIN.wrapping_sub(key) } else { key };
    f64::from_bits(bits.cast_unsigned())
}

impl Numbers {
    pub(crate) fn count(&self) -> u64 {
        self.integers + self.fractions + self.zero_fractions
    }

    /// The largest counter.
    pub(crate) fn largest_count(&self) -> u64 {
        self.integers.max(self.fractions).max(self.zero_fractions).max(self.wide)
    }

    /// The smallest and the largest number; `None` if there are none.
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        (self.count() > 0).then(|| (of_key(self.least), of_key(self.most)))
    }

    /// Adds a number; `is_written_whole` says that it is written without a fraction and an exponent.
    pub(crate) fn observe(&mut self, number: f64, is_written_whole: bool) {
        if is_written_whole && number.fract() == 0.0 {
            self.integers += 1;
            self.wide += u64::from(number.abs() > f64::from(i32::MAX));
        } else if number.fract() == 0.0 {
            self.zero_fractions += 1;
        } else {
            self.fractions += 1;
        }
        let key = order_key(number);
        self.least = self.least.min(key);
        self.most = self.most.max(key);
    }
}

impl Merge for Numbers {
    fn merge(&mut self, other: Self) {
        self.integers += other.integers;
        self.fractions += other.fractions;
        self.zero_fractions += other.zero_fractions;
        self.wide += other.wide;
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
    }
}

impl HeapSize for Numbers {
    fn heap_bytes(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_as_numbers_do() {
        let numbers = [-1e300, -2.5, -1.0, -0.0, 0.0, 1e-9, 1.0, 7.0, 1e18];
        for pair in numbers.windows(2) {
            assert!(order_key(pair[0]) <= order_key(pair[1]), "{pair:?}");
        }
        for number in numbers {
            assert!((of_key(order_key(number)) - number).abs() == 0.0, "{number}");
        }
        let mut seen = Numbers::default();
        numbers.iter().for_each(|number| seen.observe(*number, true));
        assert_eq!(seen.range(), Some((-1e300, 1e18)));
        assert_eq!((seen.integers, seen.fractions), (7, 2));
    }
}
