//! What calls cost: one that was made, and one that might be.

use aurax::{Bucket, Buckets, Error, Usage, UsageSource};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let engine = aurax::from_env()?;
    let model = engine.default_model()?;

    let response = engine.chat(model, "Hi").await?;
    if let Some(receipt) = &response.receipt {
        println!(
            "{model}: {:?} by price book {}",
            receipt.cost, receipt.price_version
        );
    }

    let buckets = Buckets::new()
        .with(Bucket::Input, 1_000)
        .with(Bucket::CacheRead, 9_000)
        .with(Bucket::Output, 500);
    let usage = Usage::measured(buckets, UsageSource::Provider);
    for model in [
        "openai/gpt-4o-mini",
        "anthropic/claude-sonnet-4-5",
        "deepseek/no-such-model",
    ] {
        println!("{model}: {:?}", engine.cost(model, &usage)?);
    }
    Ok(())
}
