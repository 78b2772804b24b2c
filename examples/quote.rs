//! What a call would use and cost, before it is made.

use aurax::{Engine, Error, Fits, Quote, Request};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let engine = aurax::from_env()?;
    let request = Request::from("Explain prompt caching to a cook, in three sentences.")
        .with_system("You are a patient teacher.")
        .with_max_output_tokens(300);

    for model in ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5"] {
        show(&engine, model, &request).await?;
    }
    let book = Request::from("It was a dark and stormy night. ".repeat(20_000));
    show(&engine, "openai/gpt-4o-mini", &book).await
}

async fn show(engine: &Engine, model: &str, request: &Request) -> Result<(), Error> {
    let Quote {
        input,
        fits,
        input_cost,
        worst_case,
        ..
    } = engine.quote(model, request).await?;
    println!(
        "{model}: {} input tokens ({:?})",
        input.tokens, input.source
    );
    match fits {
        Fits::Yes => println!("  fits the context window"),
        Fits::No { over_by } => println!("  is {over_by} tokens too long"),
        _ => println!("  the context window is not known"),
    }
    println!("  input alone: {input_cost:?}");
    match worst_case {
        Some(usd) => println!("  at most:     {usd} USD"),
        None => println!("  at most:     not known"),
    }
    Ok(())
}
