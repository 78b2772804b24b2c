//! `aurax prices show`.

use aurax::providers::presets;
use aurax::{Bucket, Buckets, Lifecycle, Matched, ModelInfo, PriceBook, Usage, UsageSource};
use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::book;
use crate::cli::exit::{Done, Failure};
use crate::cli::print::count;
use crate::cli::shell::Shell;
use crate::config::Config;

/// Show all prices of a model.
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The model, with its provider: openai/gpt-4o-mini
    model: String,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// A price: the unit, and US dollars for as many as it is counted per.
pub(super) type Rate = (Bucket, String);

/// What a provider asks for a model now, rate by rate, of the first tier.
pub(super) fn rates(
    book: &PriceBook,
    provider: &str,
    model: &str,
    at: OffsetDateTime,
) -> Vec<Rate> {
    let one_of_each = Bucket::ALL
        .iter()
        .fold(Buckets::new(), |all, unit| all.with(*unit, 1));
    let usage = Usage::measured(one_of_each, UsageSource::Estimated);
    let bill = book.bill(provider, model, &usage, at);
    bill.map_or_else(
        |_| Vec::new(),
        |bill| {
            let rate = |line: &aurax::Line| (line.unit, line.rate.normalize().to_string());
            bill.lines.iter().map(rate).collect()
        },
    )
}

impl Show {
    pub(super) fn run(self, shell: &Shell, config: &Config) -> Done {
        let book = book(config)?;
        let (provider, model) = self.named(&book)?;
        let found = book.resolve(&provider, &model).map_err(|error| {
            let failure = Failure::not_found(error.to_string());
            failure.with_hint("`aurax models PROVIDER` lists a provider's models")
        })?;
        let now = shell.now();
        let rates = rates(&book, &provider, &model, now);
        let info = book
            .model_info(&provider, &model)
            .unwrap_or_else(|| ModelInfo::new(found.model));
        let is_free = book
            .bill(
                &provider,
                &model,
                &Usage::measured(Buckets::new(), UsageSource::Estimated),
                now,
            )
            .is_ok_and(|bill| bill.free);
        let successors = book.successors(&provider, &model);
        if self.json {
            let rates: serde_json::Map<_, _> = rates
                .iter()
                .map(|(unit, rate)| (unit.as_str().to_owned(), json!(rate)))
                .collect();
            return shell.out.json(&json!({
                "provider": found.provider, "priced_by": found.priced_by, "model": found.model,
                "free": is_free, "rates_usd": rates, "context_window": info.context_window,
                "max_output_tokens": info.max_output_tokens, "lifecycle": info.lifecycle,
                "retires": info.retires, "successors": successors, "price_version": &**book.version(),
            }));
        }
        let out = &shell.out;
        out.line(format!("{}/{}", found.provider, found.model))?;
        if found.priced_by != found.provider {
            out.line(format!("  at the prices of {}", found.priced_by))?;
        }
        if found.matched != Matched::Exact {
            out.line("  by a rule for names like it")?;
        }
        if is_free {
            out.line("  free")?;
        }
        for (unit, rate) in &rates {
            let per = per(*unit);
            out.line(format!("  {:<24}${rate} {per}", unit.as_str()))?;
        }
        if rates.is_empty() && !is_free {
            out.line("  no price is known, which is not zero")?;
        }
        self.facts(shell, &info, &successors)?;
        out.line(format!("  prices of {}", book.version()))
    }

    fn facts(&self, shell: &Shell, info: &ModelInfo, successors: &[String]) -> Done {
        let out = &shell.out;
        if let Some(window) = info.context_window {
            out.line(format!(
                "  {:<24}{} tokens",
                "context window",
                count(window)
            ))?;
        }
        if let Some(most) = info.max_output_tokens {
            out.line(format!("  {:<24}{} tokens", "output, at most", count(most)))?;
        }
        match (info.lifecycle, &info.retires) {
            (Lifecycle::Retired, _) => out.line("  retired")?,
            (_, Some(day)) => out.line(format!("  {:<24}{day}", "retires"))?,
            (Lifecycle::Deprecated, None) => out.line("  deprecated")?,
            _ => {}
        }
        match successors.is_empty() {
            true => Ok(()),
            false => out.line(format!("  {:<24}{}", "newer", successors.join(", "))),
        }
    }

    /// The provider's key in the book, and the model. A bare name leads to the one that knows it.
    fn named(&self, book: &PriceBook) -> Done<(String, String)> {
        if let Some((provider, model)) = self.model.split_once('/') {
            let key = presets::find(provider).and_then(|preset| preset.prices);
            let key = key.unwrap_or(provider);
            if book.providers().any(|known| known == key) {
                return Ok((key.to_owned(), model.to_owned()));
            }
        }
        let knowing: Vec<_> = book
            .providers()
            .filter(|provider| book.recognises(provider, &self.model))
            .collect();
        match knowing.as_slice() {
            [one] => Ok(((*one).to_owned(), self.model.clone())),
            [] => Err(Failure::not_found(format!(
                "no provider in the price book has `{}`",
                self.model
            ))
            .with_hint("name the provider, as in openai/gpt-4o-mini")),
            several => {
                let message = format!("several providers have `{}`", self.model);
                let hint = format!("put one of {} in front of it", several.join(", "));
                Err(Failure::usage(message).with_hint(hint))
            }
        }
    }
}

/// Per how many a unit is counted.
fn per(unit: Bucket) -> &'static str {
    let one = Buckets::new().with(unit, 1);
    match unit {
        Bucket::AudioMillis | Bucket::InputAudioMillis => "per hour",
        Bucket::InputCharacters => "per million characters",
        _ if one.input_tokens() > 0 || one.output_tokens() > 0 => "per million tokens",
        _ => "per thousand",
    }
}
