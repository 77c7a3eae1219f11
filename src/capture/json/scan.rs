//! Scanner that skips JSON by its brackets and quotes, 64 bytes at once.

use wide::u8x16;

/// Skips one list, object or string, piece by piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JsonScanner {
    depth: usize,
    in_string: bool,
    /// Whether the next byte is escaped.
    escaped: bool,
}

/// Bit masks of the relevant bytes in a block of 64.
struct BlockMasks {
    quotes: u64,
    backslashes: u64,
    opening: u64,
    closing: u64,
}

const BLOCK: usize = 64;

const LANE: usize = 16;

/// Lanes that are examined one by one before a string is treated as long.
const MAX_SHORT_LANES: usize = 3;

impl JsonScanner {
    /// Continues with `bytes`, which begin where the last piece ended. Returns the index after the
    /// value if it ends here.
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Option<usize> {
        let (blocks, _) = bytes.as_chunks::<BLOCK>();
        for (i, block) in blocks.iter().enumerate() {
            if let Some(end) = self.block(block) {
                return Some(i * BLOCK + end);
            }
        }
        let done = blocks.len() * BLOCK;
        self.bytes(&bytes[done..]).map(|end| done + end)
    }

    /// Continues byte by byte. This is the slow form of [`block`](Self::block).
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Option<usize> {
        for (i, byte) in bytes.iter().enumerate() {
            if self.escaped {
                self.escaped = false;
                continue;
            }
            match (byte, self.in_string) {
                (b'"', _) => self.in_string = !self.in_string,
                (b'\\', true) => self.escaped = true,
                (b'{' | b'[', false) => self.depth += 1,
                (b'}' | b']', false) => self.depth = self.depth.saturating_sub(1),
                _ => continue,
            }
            if self.depth == 0 && !self.in_string {
                return Some(i + 1);
            }
        }
        None
    }

    /// Scans a block with the method of simdjson (Langdale and Lemire 2019): finds quotes that are
    /// not escaped, the strings between them by a prefix sum of parities, then the brackets outside
    /// of strings.
    fn block(&mut self, block: &[u8; BLOCK]) -> Option<usize> {
        let before = self.clone();
        let bits = bits_of(block);
        // Backslashes outside of strings are not valid JSON; the slow form handles them.
        let escaped = self.escapes(bits.backslashes);
        let quotes = bits.quotes & !escaped;
        let inside = parity_prefix(quotes) ^ if self.in_string { u64::MAX } else { 0 };
        if bits.backslashes & !inside != 0 || before.depth == 0 {
            *self = before;
            return self.bytes(block);
        }
        let (opening, closing) = (bits.opening & !inside, bits.closing & !inside);
        self.in_string = inside >> (BLOCK - 1) != 0;
        if opening | closing == 0 {
            return None;
        }
        if before.depth <= closing.count_ones() as usize {
            *self = before;
            return self.bytes(block);
        }
        self.depth = before.depth + opening.count_ones() as usize - closing.count_ones() as usize;
        None
    }

    fn escapes(&mut self, backslashes: u64) -> u64 {
        let (escaped, carry) = escapes(backslashes, self.escaped);
        self.escaped = carry;
        escaped
    }
}

/// Returns the mask of bytes that are escaped by a backslash before them, and whether the first
/// byte after these 64 is escaped.
///
/// Runs of backslashes that begin on an odd bit are added to all backslashes. The sum inverts the
/// parity of the bytes after such a run (Langdale and Lemire 2019, 3.1.1).
fn escapes(backslashes: u64, first_is_escaped: bool) -> (u64, bool) {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let first = u64::from(first_is_escaped);
    let backslashes = backslashes & !first;
    let follows = backslashes << 1 | first;
    let odd_starts = backslashes & !EVEN & !follows;
    let (even_starts, carry) = odd_starts.overflowing_add(backslashes);
    ((EVEN ^ (even_starts << 1)) & follows, carry)
}

/// Returns the index of the quote that ends a string, and whether there is a backslash before it.
/// `bytes` begin after the opening quote. `None` if the string is incomplete.
#[inline]
pub(super) fn string_end(bytes: &[u8]) -> Option<(usize, bool)> {
    // Nearly all strings are short and have no escapes.
    let (lanes, _) = bytes.as_chunks::<LANE>();
    for (i, lane) in lanes.iter().take(MAX_SHORT_LANES).enumerate() {
        let lane = u8x16::new(*lane);
        let found = lane.simd_eq(u8x16::splat(b'"')) | lane.simd_eq(u8x16::splat(b'\\'));
        let found = found.to_bitmask();
        if found != 0 {
            let at = i * LANE + found.trailing_zeros() as usize;
            return if bytes[at] == b'"' { Some((at, false)) } else { long_string_end(bytes, at) };
        }
    }
    long_string_end(bytes, lanes.len().min(MAX_SHORT_LANES) * LANE)
}

/// As [`string_end`], for bytes without a quote or backslash before `from`.
fn long_string_end(bytes: &[u8], from: usize) -> Option<(usize, bool)> {
    let (blocks, rest) = bytes[from..].as_chunks::<BLOCK>();
    let mut is_escaped = false;
    let mut has_escapes = false;
    for (i, block) in blocks.iter().enumerate() {
        let (quotes, backslashes) = string_bits(block);
        if quotes | backslashes == 0 && !is_escaped {
            continue;
        }
        let (escaped, carry) = escapes(backslashes, is_escaped);
        is_escaped = carry;
        let ends = quotes & !escaped;
        if ends != 0 {
            let end = ends.trailing_zeros();
            has_escapes |= backslashes & ((1 << end) - 1) != 0;
            return Some((from + i * BLOCK + end as usize, has_escapes));
        }
        has_escapes |= backslashes != 0;
    }
    for (i, byte) in rest.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'"' => return Some((from + blocks.len() * BLOCK + i, has_escapes)),
            b'\\' => (is_escaped, has_escapes) = (true, true),
            _ => {}
        }
    }
    None
}

fn string_bits(block: &[u8; BLOCK]) -> (u64, u64) {
    let (mut quotes, mut backslashes) = (0, 0);
    let (lanes, _) = block.as_chunks::<16>();
    for (i, lane) in lanes.iter().enumerate() {
        let bytes = u8x16::new(*lane);
        let mask = |found: u8x16| u64::from(found.to_bitmask()) << (16 * i);
        quotes |= mask(bytes.simd_eq(u8x16::splat(b'"')));
        backslashes |= mask(bytes.simd_eq(u8x16::splat(b'\\')));
    }
    (quotes, backslashes)
}

fn bits_of(block: &[u8; BLOCK]) -> BlockMasks {
    let mut bits = BlockMasks { quotes: 0, backslashes: 0, opening: 0, closing: 0 };
    let (lanes, _) = block.as_chunks::<16>();
    for (i, lane) in lanes.iter().enumerate() {
        let bytes = u8x16::new(*lane);
        // `{` and `[` differ in one bit, and so do `}` and `]`.
        let folded = bytes | u8x16::splat(0x20);
        let mask = |found: u8x16| u64::from(found.to_bitmask()) << (16 * i);
        bits.quotes |= mask(bytes.simd_eq(u8x16::splat(b'"')));
        bits.backslashes |= mask(bytes.simd_eq(u8x16::splat(b'\\')));
        bits.opening |= mask(folded.simd_eq(u8x16::splat(b'{')));
        bits.closing |= mask(folded.simd_eq(u8x16::splat(b'}')));
    }
    bits
}

/// Returns a mask whose bit i is set if the number of bits set in 0..=i is odd.
fn parity_prefix(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// The fast scan equals the scan byte by byte, for any division into two pieces.
        #[test]
        fn fast_scan_equals_the_plain_one(
            text in "([\\[{]|\"[a\\\\\"]{0,3}|\\\\{1,3}\"|[\\]}]|[a-z:, ]{1,20}){0,60}", cut in 0usize..400,
        ) {
            let text = format!("{{{text}");
            let bytes = text.as_bytes();
            let plain = JsonScanner::default().bytes(bytes);
            prop_assert_eq!(JsonScanner::default().step(bytes), plain);
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut pieces = JsonScanner::default();
            let end = pieces.step(first).or_else(|| pieces.step(second).map(|end| end + first.len()));
            prop_assert_eq!(end, plain);
            let mut string = JsonScanner { in_string: true, ..JsonScanner::default() };
            let end = string.bytes(bytes).map(|end| end - 1);
            prop_assert_eq!(string_end(bytes), end.map(|end| (end, bytes[..end].contains(&b'\\'))));
        }
    }
}
