//! Platform-independent logarithm and exponential, and number formatting.
//!
//! Both functions use only the four basic operations, whose results IEEE 754 fixes to the bit. The
//! functions of the standard library differ in the last bit between platforms, and a decision must
//! not.

/// 2 to the power of 63: the smallest power of two that a signed integer of 64 bits cannot hold.
pub(crate) const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// The natural logarithm of a positive, normal number. The error is below 1e-12 (relative, or
/// absolute if |ln x| < 1).
pub(crate) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    #[expect(clippy::cast_possible_wrap, reason = "an exponent has eleven bits")]
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | (1023 << 52));
    if mantissa > 1.5 {
        mantissa *= 0.5;
        exponent += 1;
    }
    // ln m = 2 artanh(s) with s = (m - 1) / (m + 1); |s| <= 0.2, so ten terms of the series
    // suffice.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut sum = 0.0;
    for n in (0..10_u32).rev() {
        sum = sum * square + 1.0 / f64::from(2 * n + 1);
    }
    #[expect(clippy::cast_precision_loss, reason = "an exponent has eleven bits")]
    let scaled = exponent as f64 * std::f64::consts::LN_2;
    scaled + 2.0 * s * sum
}

/// The exponential function, relative error below 1e-12. `x` is clamped to -40..=40.
pub(crate) fn exp(x: f64) -> f64 {
    let x = x.clamp(-40.0, 40.0);
    let power = (x / std::f64::consts::LN_2 + 0.5).floor();
    let rest = x - power * std::f64::consts::LN_2;
    let mut sum = 1.0;
    for n in (1..=14_u32).rev() {
        sum = 1.0 + sum * rest / f64::from(n);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between -58 and 58"
    )]
    let scale = f64::from_bits(((power as i64 + 1023) as u64) << 52);
    sum * scale
}

/// The logistic function, 1 / (1 + e^-x).
pub(crate) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// ln(1 + n) of a count.
#[expect(clippy::cast_precision_loss, reason = "a logarithm needs no more")]
pub(crate) fn ln1(n: u64) -> f64 {
    ln(1.0 + n as f64)
}

/// Formats a number in decimal into `digits`, without an allocation.
pub(crate) fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

/// Formats a number with commas between thousands: `1,234,567`.
pub(crate) fn format_thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        for number in [0, 9, 10, 404, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn close_to_the_standard_library(x in 1e-9_f64..1e12, y in -40.0_f64..40.0) {
            prop_assert!((ln(x) - x.ln()).abs() < 1e-12 * x.ln().abs().max(1.0));
            prop_assert!((exp(y) / y.exp() - 1.0).abs() < 1e-12);
        }
    }
}
