//! Carries one conversation across providers: each model answers what the others said before it.
//!
//! Name the models: `cargo run --example conversation -- openai/gpt-4o-mini anthropic/claude-haiku-4-5`

use aurax::{Error, Message, Request};

const QUESTIONS: [&str; 3] = [
    "Name a river in Europe.",
    "Which capitals does it flow through?",
    "Which of them is the largest?",
];

#[tokio::main]
async fn main() -> Result<(), Error> {
    let engine = aurax::from_env()?;
    let mut models: Vec<String> = std::env::args().skip(1).collect();
    if models.is_empty() {
        models.push(engine.default_model()?.to_owned());
    }
    let mut request = Request::new([Message::system("Answer in one sentence.")]);
    for (question, model) in QUESTIONS.iter().zip(models.iter().cycle()) {
        println!("you: {question}");
        request = request.with_message(*question);
        let response = engine.chat(model, request.clone()).await?;
        println!("{model}: {}", response.text());
        // Thoughts and signatures of one maker mean nothing to another; what is left out is said.
        for warning in &response.warnings {
            println!("  ({}: {})", warning.subject, warning.message);
        }
        request = request.with_message(response.into_message());
    }
    Ok(())
}
