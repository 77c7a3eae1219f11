//! Up to 64 bytes looked at all at once, without unsafe code and on any processor: an answer has one bit for each byte.

use wide::u8x16;

const LANE: usize = 16;

/// As many bytes as fit into one answer.
pub(crate) const MOST: usize = 64;

/// Bytes that can be asked where something is among them.
pub(crate) struct Bits {
    lanes: [u8x16; MOST / LANE],
    /// How many of the lanes have bytes.
    used: usize,
    /// One bit for each byte.
    all: u64,
}

impl Bits {
    /// `None` where there are more than 64.
    #[inline]
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let mut padded = [0; MOST];
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let (lanes, _) = padded.as_chunks::<LANE>();
        Some(Self {
            lanes: std::array::from_fn(|i| u8x16::new(lanes[i])),
            used: bytes.len().div_ceil(LANE),
            all: 1_u64.checked_shl(u32::try_from(bytes.len()).ok()?).unwrap_or(0).wrapping_sub(1),
        })
    }

    /// One bit for each byte there is.
    #[inline]
    pub(crate) fn all(&self) -> u64 {
        self.all
    }

    /// Where the bytes stand that `look` finds.
    #[inline]
    pub(crate) fn find(&self, look: impl Fn(Lane) -> Found) -> u64 {
        let mut found = 0;
        for (i, lane) in self.lanes[..self.used].iter().enumerate() {
            found |= u64::from(look(Lane(*lane)).0.to_bitmask()) << (LANE * i);
        }
        found & self.all
    }

    /// Where this byte stands.
    #[inline]
    pub(crate) fn equal(&self, byte: u8) -> u64 {
        self.find(|lane| lane.equal(byte))
    }

    /// Where a byte from `first` to `last` stands.
    #[inline]
    pub(crate) fn between(&self, first: u8, last: u8) -> u64 {
        self.find(|lane| lane.between(first, last))
    }

    /// Where a letter of this range stands, in either case. (`first` and `last` are lower-case letters.)
    #[inline]
    pub(crate) fn letter_between(&self, first: u8, last: u8) -> u64 {
        self.find(|lane| lane.letter_between(first, last))
    }
}

/// Some of the bytes.
#[derive(Clone, Copy)]
pub(crate) struct Lane(u8x16);

/// Which of them were looked for.
#[derive(Clone, Copy)]
pub(crate) struct Found(u8x16);

impl Lane {
    #[inline]
    pub(crate) fn equal(self, byte: u8) -> Found {
        Found(self.0.simd_eq(u8x16::splat(byte)))
    }

    #[inline]
    pub(crate) fn between(self, first: u8, last: u8) -> Found {
        let above = self.0 - u8x16::splat(first);
        Found(above.min(u8x16::splat(last - first)).simd_eq(above))
    }

    #[inline]
    pub(crate) fn letter_between(self, first: u8, last: u8) -> Found {
        Self(self.0 | u8x16::splat(0x20)).between(first, last)
    }

    /// An ASCII letter or digit.
    #[inline]
    pub(crate) fn letter_or_digit(self) -> Found {
        self.letter_between(b'a', b'z') | self.between(b'0', b'9')
    }
}

impl std::ops::BitOr for Found {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The places of the bits that are set, lowest first.
pub(crate) fn places(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros() as usize;
        // Clears the lowest bit.
        (bits != 0).then(|| {
            bits &= bits - 1;
            place
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn all_at_once_equals_one_by_one(
            bytes in prop::collection::vec(any::<u8>(), 0..70), byte in any::<u8>(), width in any::<u8>(),
        ) {
            let Some(bits) = Bits::of(&bytes) else {
                prop_assert!(bytes.len() > MOST);
                return Ok(());
            };
            let plain = |look: &dyn Fn(u8) -> bool| {
                bytes.iter().enumerate().filter(|(_, byte)| look(**byte)).map(|(i, _)| i).collect::<Vec<_>>()
            };
            let last = byte.saturating_add(width);
            prop_assert_eq!(places(bits.all()).collect::<Vec<_>>(), plain(&|_| true));
            prop_assert_eq!(places(bits.equal(byte)).collect::<Vec<_>>(), plain(&|b| b == byte));
            prop_assert_eq!(
                places(bits.between(byte, last)).collect::<Vec<_>>(),
                plain(&|b| (byte..=last).contains(&b))
            );
            prop_assert_eq!(
                places(bits.letter_between(b'a', b'f')).collect::<Vec<_>>(),
                plain(&|b| matches!(b, b'a'..=b'f' | b'A'..=b'F'))
            );
        }
    }
}
