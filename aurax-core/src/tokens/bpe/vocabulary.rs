//! The tokens of an encoding, found by their bytes.

use tiktoken_rs::CoreBPE;

/// No token: greater than every rank.
pub(super) const NONE: u32 = u32::MAX;
/// Ranks are looked for up to here; the vocabularies have some 200,000.
const MOST_RANKS: u32 = 1 << 18;
/// Bytes that fit a slot; longer tokens are kept apart.
const SHORT: usize = 8;

/// The tokens of an encoding, by their bytes. About 10 MB, never changed.
pub(super) struct Vocabulary {
    /// A table with open addressing; its length is a power of two and at least twice the tokens.
    slots: Vec<Slot>,
    /// The bytes of tokens longer than a slot holds, one after the other.
    long: Vec<u8>,
    /// The rank of every token of one byte, by the byte.
    bytes: Vec<u32>,
    /// The rank of every token of two bytes, by the bytes.
    pairs: Vec<u32>,
    /// Bytes of the longest token.
    longest: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    /// The bytes, or a hash of them where they do not fit.
    key: u64,
    /// `NONE` in an empty slot.
    rank: u32,
    /// Where the bytes are in `long`, times 256, plus how many there are.
    place: u32,
}

impl Vocabulary {
    /// Takes over what the reference knows.
    ///
    /// `None` where it is not a vocabulary: a byte without a token, or more tokens or longer ones
    /// than there is room for.
    pub(super) fn new(reference: &CoreBPE) -> Option<Self> {
        let special = reference.special_tokens();
        let mut vocabulary = Self {
            slots: Vec::new(),
            long: Vec::new(),
            bytes: vec![NONE; 1 << 8],
            pairs: vec![NONE; 1 << 16],
            longest: 0,
        };
        let mut tokens: Vec<(u32, Vec<u8>)> = Vec::new();
        for rank in 0..MOST_RANKS {
            let Ok(bytes) = reference.decode_bytes(&[rank]) else {
                continue;
            };
            let is_special = std::str::from_utf8(&bytes).is_ok_and(|text| special.contains(text));
            if !is_special {
                tokens.push((rank, bytes));
            }
        }
        let empty = Slot {
            key: 0,
            rank: NONE,
            place: 0,
        };
        vocabulary.slots = vec![empty; (tokens.len() * 2).next_power_of_two()];
        for (rank, bytes) in &tokens {
            vocabulary.insert(*rank, bytes)?;
        }
        let has_every_byte = !vocabulary.bytes.contains(&NONE);
        has_every_byte.then_some(vocabulary)
    }

    fn insert(&mut self, rank: u32, bytes: &[u8]) -> Option<()> {
        let len = u8::try_from(bytes.len()).ok()?;
        self.longest = self.longest.max(bytes.len());
        match bytes {
            [byte] => *self.bytes.get_mut(usize::from(*byte))? = rank,
            [first, second] => *self.pairs.get_mut(pair(*first, *second))? = rank,
            _ => {}
        }
        let at = if bytes.len() > SHORT {
            self.long.extend_from_slice(bytes);
            self.long.len() - bytes.len()
        } else {
            0
        };
        let place = u32::try_from(at << 8).ok()? | u32::from(len);
        let (key, mut i) = self.start(bytes, 0, bytes.len())?;
        loop {
            let slot = self.slots.get_mut(i)?;
            if slot.rank == NONE {
                *slot = Slot { key, rank, place };
                return Some(());
            }
            i = (i + 1) & self.slots.len().wrapping_sub(1);
        }
    }

    /// The rank of the token `text[start..end]`; [`NONE`] where that is no token.
    pub(super) fn rank(&self, text: &[u8], start: usize, end: usize) -> u32 {
        self.find(text, start, end).unwrap_or(NONE)
    }

    /// The rank of a byte by itself.
    pub(super) fn byte_rank(&self, byte: u8) -> u32 {
        let rank = self.bytes.get(usize::from(byte));
        rank.copied().unwrap_or(NONE)
    }

    /// As [`Vocabulary::rank`], for the two bytes at `start`.
    pub(super) fn pair_rank(&self, text: &[u8], start: usize) -> u32 {
        match (text.get(start), text.get(start + 1)) {
            (Some(first), Some(second)) => {
                let rank = self.pairs.get(pair(*first, *second));
                rank.copied().unwrap_or(NONE)
            }
            _ => NONE,
        }
    }

    fn find(&self, text: &[u8], start: usize, end: usize) -> Option<u32> {
        let len = end.checked_sub(start)?;
        if len == 0 || len > self.longest {
            return None;
        }
        let (key, mut i) = self.start(text, start, len)?;
        loop {
            let slot = self.slots.get(i)?;
            if slot.rank == NONE {
                return None;
            }
            if slot.key == key && (slot.place & 0xff) as usize == len {
                let at = (slot.place >> 8) as usize;
                if len <= SHORT || self.long.get(at..at + len) == text.get(start..end) {
                    return Some(slot.rank);
                }
            }
            i = (i + 1) & self.slots.len().wrapping_sub(1);
        }
    }

    /// The key of `len` bytes, and the slot where the search for it begins.
    fn start(&self, text: &[u8], start: usize, len: usize) -> Option<(u64, usize)> {
        let key = if len <= SHORT {
            word(text, start, len)?
        } else {
            let mut hash = 0;
            let mut at = start;
            let mut left = len;
            while left > 0 {
                let step = left.min(SHORT);
                hash = mix(hash ^ word(text, at, step)?);
                at += step;
                left -= step;
            }
            hash
        };
        let hash = mix(key ^ (len as u64));
        let mask = self.slots.len().wrapping_sub(1);
        Some((key, usize::try_from(hash).unwrap_or_default() & mask))
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// One to eight bytes as a number.
fn word(text: &[u8], start: usize, len: usize) -> Option<u64> {
    if let Some(eight) = text.get(start..).and_then(<[u8]>::first_chunk::<8>) {
        let unused = 64_u32.saturating_sub(8 * u32::try_from(len).ok()?);
        return Some(u64::from_le_bytes(*eight) & (u64::MAX >> unused));
    }
    let bytes = text.get(start..start + len)?;
    let shifted = bytes.iter().rev();
    Some(shifted.fold(0, |word, byte| word << 8 | u64::from(*byte)))
}

/// Spreads a number over all 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
fn mix(n: u64) -> u64 {
    let product = u128::from(n ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93_u128;
    product as u64 ^ (product >> 64) as u64
}
