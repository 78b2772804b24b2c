//! Asks a second provider when the first fails.

use aurax::{Call, Ctx, Error, ModelId, Provider as _, Request};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let engine = aurax::from_env()?;
    // Nothing listens there, so the call goes on to the model that does answer.
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
