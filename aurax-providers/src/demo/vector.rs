//! Vectors without a model: texts with words in common lie near each other.

use aurax_core::{EmbedInput, EmbedRequest, Embedding, Error, ErrorKind, Phase, Result};

/// The length of a vector, unless another is asked for.
const DIMENSIONS: u32 = 64;
/// The longest a vector may be.
const MOST: u32 = 4096;

/// One vector for each input, of length one.
pub(super) fn vectors(request: &EmbedRequest) -> Result<Vec<Embedding>> {
    let dimensions = request.dimensions.unwrap_or(DIMENSIONS);
    if !(1..=MOST).contains(&dimensions) {
        let message = format!("the demo's vectors have 1 to {MOST} dimensions");
        return Err(Error::new(ErrorKind::InvalidRequest, message)
            .with_context("part", "dimensions")
            .with_phase(Phase::Encode));
    }
    let vectors = (0..).zip(&request.input).map(|(index, input)| {
        let hashes: Vec<u64> = match input {
            EmbedInput::Text(text) => words(text).map(|word| hash(word.bytes())).collect(),
            EmbedInput::Tokens(tokens) => tokens
                .iter()
                .map(|token| hash(token.to_le_bytes()))
                .collect(),
            _ => Vec::new(),
        };
        Embedding::new(index, vector(&hashes, dimensions))
    });
    Ok(vectors.collect())
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// Every word adds to one dimension, and takes from another.
fn vector(hashes: &[u64], dimensions: u32) -> Vec<f32> {
    let mut vector = vec![0.0_f32; usize::try_from(dimensions).unwrap_or_default()];
    for hash in hashes {
        for (shift, step) in [(0, 1.0), (32, -0.5)] {
            let at = (hash >> shift) % u64::from(dimensions);
            if let Some(value) = usize::try_from(at).ok().and_then(|at| vector.get_mut(at)) {
                *value += step;
            }
        }
    }
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        for value in &mut vector {
            *value /= length;
        }
    }
    vector
}

/// FNV-1a with a last mix: the same on every machine.
fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let hash = bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(a: &Embedding, b: &Embedding) -> f32 {
        a.vector.iter().zip(&b.vector).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn texts_with_words_in_common_lie_nearer() {
        let request = EmbedRequest::new(["the cat sat", "The CAT, asleep", "stock prices fell"]);
        let vectors = vectors(&request).unwrap();
        let [cat, asleep, prices] = vectors.as_slice() else {
            panic!("three texts, three vectors");
        };
        assert!((product(cat, cat) - 1.0).abs() < 1e-5);
        assert!(product(cat, asleep) > product(cat, prices));
        assert_eq!(cat.vector.len(), 64);
    }

    #[test]
    fn lengths_out_of_range_are_refused() {
        for dimensions in [0, 4097] {
            let request = EmbedRequest::new(["a"]).with_dimensions(dimensions);
            assert_eq!(
                vectors(&request).unwrap_err().kind(),
                ErrorKind::InvalidRequest
            );
        }
    }
}
