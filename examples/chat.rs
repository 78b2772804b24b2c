//! A chat in the terminal: streamed, with tokens and cost after every answer.
//!
//! ```text
//! cargo run --example chat                                    # talk; end with Ctrl-D
//! cargo run --example chat -- "Why is the sky blue?"          # one question
//! cargo run --example chat -- --model anthropic/claude-haiku-4-5 "Hi"
//! ```
//!
//! Without a provider's key it talks to the built-in demo.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

use aurax::{Delta, Engine, Error, ErrorKind, Event, Fold, Message, Receipt, Request};
use futures::StreamExt as _;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let engine = aurax::from_env()?;
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let model = match words.first().map(String::as_str) {
        Some("--model") if words.len() > 1 => words.drain(..2).nth(1),
        _ => None,
    };
    let model = match model {
        Some(model) => model,
        None => engine.default_model()?.to_owned(),
    };
    let mut chat = Chat {
        engine,
        model,
        history: Request::default(),
        color: std::io::stdout().is_terminal(),
    };
    if !words.is_empty() {
        return chat.turn(&words.join(" ")).await;
    }
    println!("Talking to {}. End with Ctrl-D.", chat.model);
    loop {
        print!("\n{} ", chat.paint("1", "›"));
        flush();
        let mut line = String::new();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) if line.trim().is_empty() => continue,
            Ok(_) => {}
        }
        if let Err(error) = chat.turn(line.trim()).await {
            eprintln!("{} {error}", chat.paint("31", "error:"));
        }
    }
}

struct Chat {
    engine: Engine,
    model: String,
    history: Request,
    color: bool,
}

impl Chat {
    /// Asks with the history so far, prints the answer as it comes and remembers both.
    async fn turn(&mut self, question: &str) -> Result<(), Error> {
        let request = self.history.clone().with_message(Message::user(question));
        let mut reply = self.engine.stream(&self.model, request.clone()).await?;
        let mut answer = Fold::from_head(reply.head());
        while let Some(batch) = reply.next().await {
            for event in &batch?.events {
                if let Event::Delta { delta, .. } = event {
                    self.show(delta);
                }
                answer.push(event);
            }
        }
        let answer = answer.finish();
        let receipt = answer
            .receipt
            .clone()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "the engine gave no receipt"))?;
        println!("\n{}", self.paint("2", &summary(&receipt)));
        for warning in &answer.warnings {
            println!(
                "{}",
                self.paint("33", &format!("{}: {}", warning.subject, warning.message))
            );
        }
        self.history = request.with_message(answer.into_message());
        Ok(())
    }

    fn show(&self, delta: &Delta) {
        match delta {
            Delta::Text(text) | Delta::Refusal(text) => print!("{text}"),
            Delta::Thinking(text) => print!("{}", self.paint("2", text)),
            _ => {}
        }
        flush();
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.color {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// `openai/gpt-4o-mini · 12 input + 30 output tokens · $0.0000198 (exact)`
fn summary(receipt: &Receipt) -> String {
    let (input, output) = receipt.usage.as_ref().map_or((0, 0), |usage| {
        (usage.buckets.input_tokens(), usage.buckets.output_tokens())
    });
    let cost = match receipt.cost.amount() {
        Some(usd) => format!("${usd} ({})", receipt.cost.source()),
        None => "cost unknown: the price book does not have this model".to_owned(),
    };
    format!(
        "{}/{} · {input} input + {output} output tokens · {cost}",
        receipt.provider, receipt.model
    )
}

fn flush() {
    // A terminal that is gone is noticed at the next read.
    drop(std::io::stdout().flush());
}
