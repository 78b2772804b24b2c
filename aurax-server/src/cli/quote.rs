//! `aurax quote`.

use aurax::{CountSource, Fits, Request};
use clap::Args;

use super::exit::{Done, Failure};
use super::print::{cost, count, money};
use super::shell::Shell;
use super::{unless_interrupted, words};
use crate::boot::Boot;

const EXAMPLES: &str = "Examples:
  aurax quote -m openai/gpt-4o-mini \"Why is the sky blue?\"
  aurax quote -m anthropic/claude-haiku-4-5 --max-tokens 500 - < report.txt

Nothing is sent. What it can cost at most is for one attempt, at the model's list price.";

/// Say the most a call can cost, before it is made.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Quote {
    /// What would be asked; `-` is standard input
    #[arg(value_name = "PROMPT")]
    prompt: Vec<String>,
    /// The model [default: the one that `aurax chat` would ask]
    #[arg(long, short)]
    model: Option<String>,
    /// A picture along with it: a file, or a web address; may be repeated
    #[arg(long, value_name = "FILE|URL")]
    image: Vec<String>,
    /// Instructions that come before it
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// The most tokens to answer with
    #[arg(long, value_name = "N")]
    max_tokens: Option<u32>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Quote {
    pub(super) async fn run(self, shell: &Shell) -> Done {
        let prompt = words::prompt(&self.prompt)?;
        let prompt =
            prompt.ok_or_else(|| Failure::usage("there is nothing to quote: name a prompt"))?;
        let mut request = Request::default();
        if let Some(system) = &self.system {
            request = request.with_system(system.as_str());
        }
        if let Some(tokens) = self.max_tokens {
            request = request.with_max_output_tokens(tokens);
        }
        let request = request.with_message(words::message(&prompt, &self.image)?);
        let boot = shell.boot(self.model.as_deref()).await?;
        let done = unless_interrupted(self.show(shell, &boot, &request)).await;
        boot.close().await?;
        done
    }

    async fn show(&self, shell: &Shell, boot: &Boot, request: &Request) -> Done {
        let model = match &self.model {
            Some(model) => model.as_str(),
            None => boot.engine.default_model()?,
        };
        let quote = boot.engine.quote(model, request).await?;
        if self.json {
            return shell.out.json(&quote);
        }
        let tokens = |tokens: Option<u64>| tokens.map_or_else(|| "unknown".to_owned(), count);
        let sure = match quote.input.source {
            CountSource::Estimate => " (estimated)",
            _ => "",
        };
        let fits = match quote.fits {
            Fits::Yes => "yes".to_owned(),
            Fits::No { over_by } => format!("no: {} tokens too many", count(over_by)),
            _ => "unknown: the model's window is not known".to_owned(),
        };
        let most = quote.worst_case.map_or_else(
            || "unknown: name --max-tokens, or a model with a known price".to_owned(),
            money,
        );
        let rows = [
            ("model", format!("{}/{}", quote.provider, quote.model)),
            (
                "input",
                format!("{} tokens{sure}", count(quote.input.tokens)),
            ),
            (
                "output, at most",
                format!("{} tokens", tokens(quote.max_output_tokens)),
            ),
            (
                "context window",
                format!("{} tokens", tokens(quote.context_window)),
            ),
            ("fits", fits),
            ("input costs", cost(&quote.input_cost)),
            ("costs at most", most),
            ("prices of", quote.price_version.to_string()),
        ];
        for (name, value) in rows {
            shell.out.line(format!("{name:<16}{value}"))?;
        }
        for warning in &quote.warnings {
            shell
                .out
                .remark(format!("{}: {}", warning.subject, warning.message));
        }
        Ok(())
    }
}
