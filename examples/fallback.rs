//! Asks a second provider when the first fails.

use aurax::{Call, Ctx, Error, ModelId, Provider as _, Request};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let engine = aurax::from_env()?;
    // Unless a llama.cpp server runs on this machine, this fails and the call goes on.
    let first = ModelId::parse("llama.cpp/not-running")?;
    let second = ModelId::parse(engine.default_model()?)?;
    let ctx = Ctx::local().with_fallback([second]);
    let call = Call::chat(first, Request::from("Are you there?"));
    let response = engine.call(&ctx, &call).await?.collect().await?;
    println!("{} answered: {}", response.provider, response.text());
    for warning in &response.warnings {
        println!("{}: {}", warning.subject, warning.message);
    }
    Ok(())
}
