//! Finds the text nearest to a question by their vectors.

use aurax::{EmbedRequest, Error};

const TEXTS: [&str; 3] = [
    "The cat sat on the warm windowsill.",
    "Stock prices fell sharply this morning.",
    "A recipe for bread needs flour, water and salt.",
];

#[tokio::main]
async fn main() -> Result<(), Error> {
    let engine = aurax::from_env()?;
    let model = std::env::args().nth(1);
    let model = model.as_deref().unwrap_or("demo/vectors");
    let question = "Where is the cat?";
    let request = EmbedRequest::new(TEXTS.into_iter().chain([question]));
    let response = engine.embed(model, request).await?;

    let mut vectors = response
        .embeddings
        .iter()
        .map(|embedding| &embedding.vector);
    let asked = vectors.next_back().cloned().unwrap_or_default();
    let mut found: Vec<(f32, &str)> = vectors
        .zip(TEXTS)
        .map(|(vector, text)| (likeness(vector, &asked), text))
        .collect();
    found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    println!("{question}");
    for (likeness, text) in found {
        println!("{likeness:>6.3}  {text}");
    }
    if let Some(cost) = response
        .receipt
        .as_ref()
        .and_then(|receipt| receipt.cost.amount())
    {
        println!("cost: ${cost}");
    }
    Ok(())
}

/// The cosine of the angle between two vectors.
fn likeness(a: &[f32], b: &[f32]) -> f32 {
    let product: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    let length = |vector: &[f32]| vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    product / (length(a) * length(b)).max(f32::MIN_POSITIVE)
}
