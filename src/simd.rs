//! Portable SIMD search in up to 64 bytes, without `unsafe`. Every query returns a `u64` mask with
//! one bit per byte.

use wide::u8x16;

/// Bytes per SIMD lane.
const LANE: usize = 16;

/// Maximum number of bytes in a [`ByteMask`]: the width of a result mask in bits.
pub(crate) const MAX_BYTES: usize = 64;

/// Up to 64 bytes, prepared for SIMD search. Each query returns a `u64` in which bit `i` is set if
/// byte `i` matches; bits past the last byte are always zero.
#[derive(Clone, Copy)]
pub(crate) struct ByteMask<'a> {
    bytes: &'a [u8],
    /// The bytes padded with zeros, if there are fewer than one lane of them; unused otherwise.
    short: u8x16,
    /// Mask of the bytes that belong to the value: one bit per byte.
    all: u64,
}

impl<'a> ByteMask<'a> {
    /// Prepares `bytes` for search. Returns `None` if there are more than [`MAX_BYTES`] of them.
    #[inline]
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > MAX_BYTES {
            return None;
        }
        let short = if bytes.len() < LANE { short_lane(bytes) } else { u8x16::ZERO };
        Some(Self { bytes, short, all: up_to(bytes.len()) })
    }

    /// Restricts the search to the first `end` bytes.
    #[inline]
    pub(crate) fn up_to(mut self, end: usize) -> Self {
        self.all &= up_to(end);
        // Queries read whole lanes, so at least one lane of bytes is kept if there is one; `all`
        // masks the surplus.
        self.bytes = self.bytes.get(..end.max(LANE)).unwrap_or(self.bytes);
        self
    }

    /// The mask with one bit set for every byte.
    #[inline]
    pub(crate) fn all(&self) -> u64 {
        self.all
    }

    /// The mask of the bytes for which `look` matches. `look` is called once per lane.
    #[inline]
    pub(crate) fn find(&self, look: impl Fn(Lane) -> LaneMask) -> u64 {
        let look = |lane: u8x16| u64::from(look(Lane(lane)).0.to_bitmask());
        let Some(last) = self.bytes.last_chunk::<LANE>() else {
            return look(self.short) & self.all;
        };
        let (lanes, rest) = self.bytes.as_chunks::<LANE>();
        let mut found = 0;
        for (i, lane) in lanes.iter().enumerate() {
            found |= look(u8x16::new(*lane)) << (LANE * i);
        }
        if !rest.is_empty() {
            // The last lane overlaps the one before it. Both report the same bits for the shared
            // bytes, so a plain OR is correct.
            found |= look(u8x16::new(*last)) << (self.bytes.len() - LANE);
        }
        found & self.all
    }

    /// The mask of the bytes equal to `byte`.
    #[inline]
    pub(crate) fn equal(&self, byte: u8) -> u64 {
        self.find(|lane| lane.equal(byte))
    }

    /// The mask of the bytes in the inclusive range `first..=last`.
    #[inline]
    pub(crate) fn between(&self, first: u8, last: u8) -> u64 {
        self.find(|lane| lane.between(first, last))
    }

    /// The mask of the ASCII letters in the inclusive range `first..=last`, ignoring case. `first`
    /// and `last` must be lower-case letters.
    #[inline]
    pub(crate) fn letter_between(&self, first: u8, last: u8) -> u64 {
        self.find(|lane| lane.letter_between(first, last))
    }
}

/// A mask of the lowest `end` bits; all bits if `end` is 64 or more.
#[inline]
fn up_to(end: usize) -> u64 {
    if end < MAX_BYTES { (1 << end) - 1 } else { u64::MAX }
}

/// Zero-pads fewer than 16 bytes to one lane. It combines overlapping word loads, because copying
/// into a zeroed buffer and loading it as a vector would cause a store-forwarding stall.
#[inline]
fn short_lane(bytes: &[u8]) -> u8x16 {
    let bits = |bytes: usize| u32::try_from(8 * bytes).unwrap_or(u32::MAX);
    let lane = if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk()) {
        let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
        let behind = last.checked_shr(bits(LANE - bytes.len())).unwrap_or(0);
        u128::from(first) | u128::from(behind) << 64
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        u128::from(u64::from(first) | u64::from(last) << bits(bytes.len() - 4))
    } else {
        bytes.iter().rev().fold(0, |lane, byte| lane << 8 | u128::from(*byte))
    };
    u8x16::new(lane.to_le_bytes())
}

/// Returns `true` if two byte strings are equal. Faster than `==` for strings of up to 16 bytes,
/// because it avoids the call to `memcmp`.
#[inline]
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && match one.len() {
            0 => true,
            1 => one[0] == other[0],
            2..=3 => same_ends::<2>(one, other),
            4..=7 => same_ends::<4>(one, other),
            8..=16 => same_ends::<8>(one, other),
            _ => one == other,
        }
}

/// Returns `true` if the first `BYTES` bytes of both strings are equal, and the last `BYTES` bytes
/// are too. Returns `true` as well if both are shorter than `BYTES`. Both ranges may overlap: for
/// equally long strings of `BYTES` to `2 * BYTES` bytes this is equality.
#[inline]
pub(crate) fn same_ends<const BYTES: usize>(one: &[u8], other: &[u8]) -> bool {
    one.first_chunk::<BYTES>() == other.first_chunk()
        && one.last_chunk::<BYTES>() == other.last_chunk()
}

/// Index of the first `byte`. Faster than `memchr` only if the match is within the first ~64 bytes.
#[cfg(any(test, feature = "sqlite"))]
#[inline]
pub(crate) fn position(bytes: &[u8], byte: u8) -> Option<usize> {
    let (lanes, rest) = bytes.as_chunks::<LANE>();
    for (i, lane) in lanes.iter().enumerate() {
        let found = Lane(u8x16::new(*lane)).equal(byte).0.to_bitmask();
        if found != 0 {
            return Some(LANE * i + found.trailing_zeros() as usize);
        }
    }
    let at = rest.iter().position(|other| *other == byte)?;
    Some(LANE * lanes.len() + at)
}

/// One lane: 16 of the bytes searched by [`ByteMask::find`].
#[derive(Clone, Copy)]
pub(crate) struct Lane(u8x16);

/// The bytes of a [`Lane`] that matched: `0xff` for a match, `0` otherwise.
#[derive(Clone, Copy)]
pub(crate) struct LaneMask(u8x16);

impl Lane {
    /// Matches bytes equal to `byte`.
    #[inline]
    pub(crate) fn equal(self, byte: u8) -> LaneMask {
        LaneMask(self.0.simd_eq(u8x16::splat(byte)))
    }

    /// Matches bytes in the inclusive range `first..=last`.
    #[inline]
    pub(crate) fn between(self, first: u8, last: u8) -> LaneMask {
        let above = self.0 - u8x16::splat(first);
        LaneMask(above.min(u8x16::splat(last - first)).simd_eq(above))
    }

    /// Matches ASCII letters in the inclusive range `first..=last`, ignoring case. `first` and
    /// `last` must be lower-case letters.
    #[inline]
    pub(crate) fn letter_between(self, first: u8, last: u8) -> LaneMask {
        Self(self.0 | u8x16::splat(0x20)).between(first, last)
    }

    /// Matches one ASCII letter, ignoring case. `letter` must be lower-case.
    #[inline]
    pub(crate) fn letter(self, letter: u8) -> LaneMask {
        Self(self.0 | u8x16::splat(0x20)).equal(letter)
    }

    /// Matches ASCII letters and digits.
    #[inline]
    pub(crate) fn letter_or_digit(self) -> LaneMask {
        self.letter_between(b'a', b'z') | self.between(b'0', b'9')
    }
}

impl std::ops::BitOr for LaneMask {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The indices of the set bits, lowest first.
pub(crate) fn places(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros() as usize;
        // Clear the lowest set bit.
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
            let Some(bits) = ByteMask::of(&bytes) else {
                prop_assert!(bytes.len() > MAX_BYTES);
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
            prop_assert_eq!(position(&bytes, byte), plain(&|b| b == byte).first().copied());
            let end = bytes.len().min(usize::from(width));
            let first = plain(&|b| b == byte).into_iter().filter(|place| *place < end).collect::<Vec<_>>();
            prop_assert_eq!(places(bits.up_to(end).equal(byte)).collect::<Vec<_>>(), first);
        }

        #[test]
        fn short_texts_are_compared_as_all_are(
            one in prop::collection::vec(any::<u8>(), 0..20), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            prop_assert!(is_same(&one, &one.clone()));
            let mut other = one.clone();
            if !other.is_empty() {
                let at = at.index(other.len());
                other[at] = byte;
            }
            prop_assert_eq!(is_same(&one, &other), one == other);
            prop_assert!(!is_same(&one, &[&one[..], b"x"].concat()));
        }
    }
}
