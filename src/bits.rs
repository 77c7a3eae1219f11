//! Up to 64 bytes looked at all at once, without unsafe code and on any processor: an answer has one bit for each byte.

use wide::u8x16;

const LANE: usize = 16;

/// As many bytes as fit into one answer.
pub(crate) const MOST: usize = 64;

/// Bytes that can be asked where something is among them.
#[derive(Clone, Copy)]
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    /// The bytes, where they are less than a lane, with zeros behind them.
    short: u8x16,
    /// One bit for each byte.
    all: u64,
}

impl<'a> Bits<'a> {
    /// `None` where there are more than 64.
    #[inline]
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > MOST {
            return None;
        }
        let short = if bytes.len() < LANE { short_lane(bytes) } else { u8x16::ZERO };
        Some(Self { bytes, short, all: up_to(bytes.len()) })
    }

    /// The first of the bytes alone.
    #[inline]
    pub(crate) fn up_to(mut self, end: usize) -> Self {
        self.all &= up_to(end);
        // At least a lane is kept, where there is one: `all` hides the rest.
        self.bytes = self.bytes.get(..end.max(LANE)).unwrap_or(self.bytes);
        self
    }

    /// One bit for each byte there is.
    #[inline]
    pub(crate) fn all(&self) -> u64 {
        self.all
    }

    /// Where the bytes stand that `look` finds.
    #[inline]
    pub(crate) fn find(&self, look: impl Fn(Lane) -> Found) -> u64 {
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
            // It overlaps the lane before: the same bytes at the same places.
            found |= look(u8x16::new(*last)) << (self.bytes.len() - LANE);
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

/// The lowest bits, as many as said.
#[inline]
fn up_to(end: usize) -> u64 {
    if end < MOST { (1 << end) - 1 } else { u64::MAX }
}

/// Less than a lane of bytes, with zeros behind them. They are loaded as words that overlap: a copy into memory of zeros
/// would be waited for.
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

/// Are two texts the same? Short ones are compared sooner than a call takes.
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

/// Are the first and the last bytes the same? They may overlap: of texts that are at most twice as long they are all.
#[inline]
pub(crate) fn same_ends<const BYTES: usize>(one: &[u8], other: &[u8]) -> bool {
    one.first_chunk::<BYTES>() == other.first_chunk()
        && one.last_chunk::<BYTES>() == other.last_chunk()
}

/// Where a byte first stands that is soon to come.
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

    /// A letter in either case. (`letter` is a lower-case one.)
    #[inline]
    pub(crate) fn letter(self, letter: u8) -> Found {
        Self(self.0 | u8x16::splat(0x20)).equal(letter)
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
