//! Streams an answer and prints the words as they come.

use aurax::{Delta, Error, Event};
use futures::StreamExt as _;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let engine = aurax::from_env()?;
    let model = engine.default_model()?;
    let mut reply = engine.stream(model, "Write a haiku about rust.").await?;
    while let Some(batch) = reply.next().await {
        for event in batch?.events {
            match event {
                Event::Delta {
                    delta: Delta::Text(text),
                    ..
                } => print!("{text}"),
                Event::End(end) => println!("\n{:?}", end.receipt.map(|receipt| receipt.cost)),
                _ => {}
            }
        }
    }
    Ok(())
}
