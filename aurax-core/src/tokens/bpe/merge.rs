//! Byte pair encoding: how a piece of text becomes tokens.
//!
//! A piece begins as single bytes. The two neighbours whose bytes together are the token of the
//! lowest rank, the leftmost of equals, become one, until no two neighbours are a token.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::vocabulary::{NONE, Vocabulary};

/// Up to so many bytes looking over all pairs is faster than keeping them in order.
const FEW: usize = 96;
/// Bytes of a long text that are merged at once: what that takes stays in the nearest cache.
const WINDOW: usize = 1536;
/// As many pairs are remembered as two to this power.
const KNOWN_BITS: u32 = 12;
/// Tokens at the end of a window that are not used.
const UNSURE: usize = 2;

/// Room for merging, used again for every piece.
#[derive(Default)]
pub(super) struct Merger {
    /// Where the tokens of the last piece begin, and its end.
    bounds: Vec<u32>,
    /// For each of `bounds`, the rank of the token it would be with the next one.
    ranks: Vec<u32>,
    /// Of each byte, while it begins a part: the part.
    parts: Vec<Part>,
    /// Pairs that may be merged: the rank times 2³², plus where the first begins. Pairs that are
    /// no more are skipped when they come up.
    queue: BinaryHeap<Reverse<u64>>,
    /// Pairs of tokens that were looked up lately, each where its hash says; empty until a piece
    /// is long.
    known: Vec<Known>,
}

/// What a pair of tokens merges to.
#[derive(Clone, Copy)]
struct Known {
    /// The tokens.
    pair: (u32, u32),
    /// The rank of the token they are together.
    rank: u32,
}

#[derive(Clone, Copy)]
struct Part {
    /// Where the part before begins.
    previous: u32,
    /// Where the next part begins.
    next: u32,
    /// The token it is.
    token: u32,
    /// The rank of the token it would be with the next one.
    rank: u32,
}

impl Merger {
    /// How many tokens a piece is.
    pub(super) fn count(&mut self, vocabulary: &Vocabulary, piece: &[u8]) -> u64 {
        if vocabulary.rank(piece, 0, piece.len()) != NONE {
            return 1;
        }
        if piece.len() > 2 * WINDOW {
            return self.count_long(vocabulary, piece, WINDOW);
        }
        self.merge(vocabulary, piece, 0, piece.len());
        (self.bounds.len() as u64).saturating_sub(1)
    }

    /// Counts a piece window by window.
    ///
    /// A row of tokens is what a text becomes exactly when every two neighbours are what their
    /// own bytes become. For as long as no merge has crossed a border between two of the tokens,
    /// the merges on either side are the ones that happen to the two alone, in the same order;
    /// so the first that crosses would cross there too. What a window becomes has that property
    /// inside, and where windows meet it is checked. A window's last tokens are not used, because
    /// they know nothing of the text behind them.
    ///
    /// Where windows do not meet, some of what is there is undone and the next window is larger,
    /// twice as much each time until that place is behind, so that in the end the whole text is
    /// one window.
    ///
    /// `least` is the size of the smallest window.
    fn count_long(&mut self, vocabulary: &Vocabulary, text: &[u8], least: usize) -> u64 {
        let mut begins: Vec<usize> = Vec::new();
        let mut at = 0;
        let (mut window, mut undo) = (least, 1);
        // Up to here windows and steps back grow, so that it is passed sooner or later.
        let mut hurdle = 0;
        while at < text.len() {
            let end = text.len().min(at.saturating_add(window));
            if u32::try_from(end - at).is_err() {
                // Four gigabytes that do not come apart: no token is less than a byte.
                return (begins.len() + text.len() - at) as u64;
            }
            self.merge(vocabulary, text, at, end);
            let unsure = if end == text.len() { 0 } else { UNSURE };
            let sure = self.bounds.len().saturating_sub(unsure);
            let bounds = self.bounds.iter().take(sure);
            let tokens: Vec<usize> = bounds.map(|bound| at + *bound as usize).collect();
            let (Some(first_end), Some((next, taken))) = (tokens.get(1), tokens.split_last())
            else {
                window = window.saturating_mul(2);
                continue;
            };
            let meets = begins
                .last()
                .is_none_or(|last| self.are_neighbours(vocabulary, text, *last, at, *first_end));
            if meets {
                begins.extend_from_slice(taken);
                at = *next;
                if at > hurdle {
                    (window, undo) = (least, 1);
                }
            } else {
                hurdle = hurdle.max(at);
                let left = begins.len().saturating_sub(undo);
                at = begins.get(left).copied().unwrap_or_default();
                begins.truncate(left);
                window = window.saturating_mul(2);
                undo = undo.saturating_mul(2);
            }
        }
        begins.len() as u64
    }

    /// Whether `text[start..end]` becomes two tokens that meet at `middle`.
    fn are_neighbours(
        &mut self,
        vocabulary: &Vocabulary,
        text: &[u8],
        start: usize,
        middle: usize,
        end: usize,
    ) -> bool {
        self.merge(vocabulary, text, start, end);
        matches!(&*self.bounds, [_, bound, _] if start + *bound as usize == middle)
    }

    /// Merges `text[start..end]`; `bounds` then says where its tokens begin, counted from
    /// `start`, and where it ends.
    fn merge(&mut self, vocabulary: &Vocabulary, text: &[u8], start: usize, end: usize) {
        self.bounds.clear();
        if let Some(text) = text.get(start..end) {
            // Parts are numbered by 32 bits; a text that needs more has been cut before.
            if text.len() <= FEW {
                self.merge_few(vocabulary, text);
            } else if u32::try_from(text.len()).is_ok() {
                self.merge_many(vocabulary, text);
            }
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a piece of few bytes is numbered by 32 bits"
    )]
    fn merge_few(&mut self, vocabulary: &Vocabulary, text: &[u8]) {
        let Self { bounds, ranks, .. } = self;
        bounds.extend(0..=text.len() as u32);
        ranks.clear();
        ranks.extend((0..text.len()).map(|at| vocabulary.pair_rank(text, at)));
        let rank_at = |bounds: &[u32], at: usize| match (bounds.get(at), bounds.get(at + 2)) {
            (Some(start), Some(end)) => vocabulary.rank(text, *start as usize, *end as usize),
            _ => NONE,
        };
        loop {
            let mut best = NONE;
            let mut at = 0;
            for (i, rank) in ranks.iter().enumerate() {
                if *rank < best {
                    best = *rank;
                    at = i;
                }
            }
            if best == NONE {
                return;
            }
            bounds.remove(at + 1);
            ranks.remove(at + 1);
            let rank = rank_at(bounds, at);
            if let Some(slot) = ranks.get_mut(at) {
                *slot = rank;
            }
            if let Some(before) = at.checked_sub(1) {
                let rank = rank_at(bounds, before);
                if let Some(slot) = ranks.get_mut(before) {
                    *slot = rank;
                }
            }
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the caller has checked that 32 bits number the text"
    )]
    fn merge_many(&mut self, vocabulary: &Vocabulary, text: &[u8]) {
        let Self {
            bounds,
            parts,
            queue,
            known,
            ..
        } = self;
        let nothing = Known {
            pair: (NONE, NONE),
            rank: NONE,
        };
        known.resize(1 << KNOWN_BITS, nothing);
        let len = text.len() as u32;
        parts.clear();
        parts.extend(text.iter().zip(0_u32..).map(|(byte, at)| Part {
            previous: at.wrapping_sub(1),
            next: at + 1,
            token: vocabulary.byte_rank(*byte),
            rank: vocabulary.pair_rank(text, at as usize),
        }));
        queue.clear();
        queue.extend(
            parts
                .iter()
                .zip(0..)
                .filter(|(part, _)| part.rank != NONE)
                .map(|(part, at)| Reverse(queued(part.rank, at))),
        );
        // Says what the parts at `at` and `next` would be together.
        let mut pair = |parts: &mut [Part], queue: &mut BinaryHeap<_>, at: u32, next: u32| {
            let Some(second) = parts.get(next as usize).copied() else {
                if let Some(first) = parts.get_mut(at as usize) {
                    first.rank = NONE;
                }
                return;
            };
            let Some(first) = parts.get_mut(at as usize) else {
                return;
            };
            let tokens = (first.token, second.token);
            first.rank = match known.get_mut(place(tokens)) {
                Some(known) if known.pair == tokens => known.rank,
                slot => {
                    let rank = vocabulary.rank(text, at as usize, second.next as usize);
                    if let Some(known) = slot {
                        *known = Known { pair: tokens, rank };
                    }
                    rank
                }
            };
            if first.rank != NONE {
                queue.push(Reverse(queued(first.rank, at)));
            }
        };
        while let Some(Reverse(best)) = queue.pop() {
            let (rank, at) = ((best >> 32) as u32, best as u32);
            let Some(part) = parts.get(at as usize).copied() else {
                continue;
            };
            if part.rank != rank {
                continue;
            }
            // The part and the next one become one; the pairs on either side are new.
            let Some(eaten) = parts.get_mut(part.next as usize) else {
                continue;
            };
            eaten.rank = NONE;
            let next = eaten.next;
            if let Some(part) = parts.get_mut(at as usize) {
                part.token = rank;
                part.next = next;
            }
            if let Some(behind) = parts.get_mut(next as usize) {
                behind.previous = at;
            }
            pair(parts, queue, at, next);
            pair(parts, queue, part.previous, at);
        }
        let mut at = 0;
        while at < len {
            bounds.push(at);
            at = parts.get(at as usize).map_or(len, |part| part.next);
        }
        bounds.push(len);
    }
}

/// Where a pair of tokens is kept among those that are known.
fn place((first, second): (u32, u32)) -> usize {
    let hash = (u64::from(first) << 32 | u64::from(second)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(hash >> (64 - KNOWN_BITS)).unwrap_or_default()
}

fn queued(rank: u32, at: u32) -> u64 {
    u64::from(rank) << 32 | u64::from(at)
}

#[cfg(test)]
mod tests {
    use super::super::{Encoding, tokenizer};
    use super::*;

    #[test]
    fn windows_of_any_size_meet() {
        let vocabulary = &tokenizer(Encoding::Cl100kBase).unwrap().vocabulary;
        let mut rng = fastrand::Rng::with_seed(11);
        let mut merger = Merger::default();
        for letters in ["ab", " \t", "etaoinshrdlu", "=-*#", "éü字"] {
            let letters: Vec<char> = letters.chars().collect();
            for _ in 0..40 {
                let length = rng.usize(1..600);
                let text: String = (0..length)
                    .map(|_| letters[rng.usize(0..letters.len())])
                    .collect();
                let text = text.as_bytes();
                merger.merge(vocabulary, text, 0, text.len());
                let whole = merger.bounds.len() as u64 - 1;
                for window in [1, 2, 5, 16, 60, 128] {
                    assert_eq!(
                        merger.count_long(vocabulary, text, window),
                        whole,
                        "{window}"
                    );
                }
            }
        }
    }
}
