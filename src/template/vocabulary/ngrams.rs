//! Trigram model of the characters of static segments.

use crate::template::vocabulary::line_table::entry;

/// Costs of characters after the two characters before them.
#[derive(Debug)]
pub(super) struct CharacterModel {
    /// Costs -16 ln P of an unknown third character, by the two characters before it.
    pairs: NgramTable,
    /// Costs -16 ln P of the third character of a trigram.
    triples: NgramTable,
}

/// (characters packed into a number, cost), sorted.
#[derive(Debug)]
struct NgramTable(Vec<(u32, u32)>);

/// Cost of an unknown pair of characters: -16 ln (0.3 / 12).
const UNKNOWN_PAIR: u32 = 59;

impl CharacterModel {
    pub(super) fn new(pairs: &'static str, triples: &'static str) -> Self {
        Self { pairs: NgramTable::new(pairs), triples: NgramTable::new(triples) }
    }

    /// Surprisal of the characters of a segment, -ln P, in nats.
    pub(super) fn surprise(&self, segment: &[u8]) -> f64 {
        let letter = |byte: &u8| match byte {
            b'0'..=b'9' => b'0',
            byte if byte.is_ascii() => byte.to_ascii_lowercase(),
            _ => b'?',
        };
        let mut pair = pack(b"^^");
        let mut sum = 0_u64;
        for byte in segment.iter().map(letter).chain([b'$']) {
            let triple = pair << 8 | u32::from(byte);
            let known = self.triples.find(triple).or_else(|| self.pairs.find(pair));
            sum += u64::from(known.unwrap_or(UNKNOWN_PAIR));
            pair = triple & 0xffff;
        }
        #[expect(clippy::cast_precision_loss, reason = "costs of one segment")]
        let nats = sum as f64 / 16.0;
        nats
    }
}

impl NgramTable {
    fn new(lines: &'static str) -> Self {
        let lines = lines.as_bytes().split(|byte| *byte == b'\n').filter_map(entry);
        let mut table: Vec<(u32, u32)> = lines.map(|(key, cost)| (pack(key), cost)).collect();
        table.sort_unstable();
        Self(table)
    }

    fn find(&self, packed: u32) -> Option<u32> {
        let at = self.0.partition_point(|known| known.0 < packed);
        self.0.get(at).filter(|known| known.0 == packed).map(|known| known.1)
    }
}

/// Packs up to four characters into a number.
fn pack(characters: &[u8]) -> u32 {
    characters.iter().fold(0, |packed, byte| packed << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Fast equals naive: packed characters find what a map of texts finds.
        #[test]
        fn packed_characters_cost_what_texts_cost(
            pairs in prop::collection::btree_map("[a-c^0?]{2}", 1_u32..200, 0..20),
            triples in prop::collection::btree_map("[a-c^0?$]{3}", 1_u32..200, 0..60),
            segment in "[a-cA-C0-9é]{0,9}",
        ) {
            let lines = |table: &BTreeMap<String, u32>| {
                let lines: Vec<String> = table.iter().map(|(key, cost)| format!("{key}\t{cost}\n")).collect();
                &*Box::leak(lines.concat().into_boxed_str())
            };
            let model = CharacterModel::new(lines(&pairs), lines(&triples));
            let plain = segment.bytes().map(|byte| match char::from(byte) {
                _ if !byte.is_ascii() => '?',
                letter if letter.is_ascii_digit() => '0',
                letter => letter.to_ascii_lowercase(),
            });
            let text: String = "^^".chars().chain(plain).chain(['$']).collect();
            let costs = (0..text.len() - 2).map(|at| {
                let known = triples.get(&text[at..at + 3]).or_else(|| pairs.get(&text[at..at + 2]));
                known.copied().unwrap_or(UNKNOWN_PAIR)
            });
            let naive = f64::from(costs.sum::<u32>()) / 16.0;
            prop_assert!((model.surprise(segment.as_bytes()) - naive).abs() < 1e-9);
        }
    }
}
