//! The probability that a part of an API is gone, and is not missing by chance.

/// Maximum number of factors of the product. For a part that came in one of a few messages, it is near 0 long before.
const MAX_TERMS: u64 = 20_000;

/// The probability that none of `later` trials shows what `shown` of `earlier` trials showed, if nothing has changed.
///
/// It is the predictive probability of a binomial share with Jeffreys' prior: the product of
/// `(earlier - shown + 1/2 + i) / (earlier + 1 + i)` for `i` below `later`.
#[expect(clippy::cast_precision_loss, reason = "counts of messages")]
pub(super) fn probability_of_none(shown: u64, earlier: u64, later: u64) -> f64 {
    if shown == 0 {
        return 1.0;
    }
    let shown = shown.min(earlier) as f64;
    let earlier = earlier as f64;
    let mut probability = 1.0;
    for trial in 0..later.min(MAX_TERMS) {
        let trial = trial as f64;
        probability *= (earlier - shown + 0.5 + trial) / (earlier + 1.0 + trial);
        if probability < 1e-12 {
            break;
        }
    }
    probability
}

/// Scales counts of parts of messages to counts of messages, because parts of one message are not independent.
pub(super) fn scale_to_messages(shown: u64, of: u64, messages: u64) -> (u64, u64) {
    if of <= messages || of == 0 {
        return (shown, of);
    }
    let scaled = u128::from(shown) * u128::from(messages) / u128::from(of);
    let scaled = u64::try_from(scaled).unwrap_or(u64::MAX);
    (scaled.max(u64::from(shown > 0)).min(messages), messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_always_is_gone_soon() {
        assert!((probability_of_none(1, 1, 1) - 0.25).abs() < 1e-9);
        assert!(probability_of_none(5, 5, 5) < 0.001);
        assert!(probability_of_none(1, 100, 100) > 0.3);
        assert!(probability_of_none(50, 100, 20) < 0.001);
        assert!(probability_of_none(0, 10, 10) >= 1.0 && probability_of_none(3, 10, 0) >= 1.0);
    }

    #[test]
    fn parts_of_one_message_count_as_one() {
        assert_eq!(scale_to_messages(30, 30, 1), (1, 1));
        assert_eq!(scale_to_messages(1, 30, 3), (1, 3));
        assert_eq!(scale_to_messages(2, 3, 10), (2, 3));
    }
}
