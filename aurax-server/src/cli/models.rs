//! `aurax models`.

use std::collections::HashSet;
use std::time::Duration;

use aurax::{Buckets, Ctx, Lifecycle, ModelInfo, PriceBook, ProviderInfo, Usage, UsageSource};
use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::exit::Done;
use super::print::count;
use super::shell::{Shell, principal};
use super::table::{Side, Table};
use super::unless_interrupted;
use crate::boot::Boot;

const EXAMPLES: &str = "Examples:
  aurax models                      of the providers that have a key, or need none
  aurax models openai               of one; without a key, those of the price book
  aurax models anthropic --json | jq -r .id

A provider with a key is asked itself. Prices are in US dollars a million tokens, of the first tier
and now; `aurax prices show MODEL` has all of them.";

/// How long a provider may take to say what it has.
const PATIENCE: Duration = Duration::from_secs(10);

/// List models, with context windows and prices.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Models {
    /// Only this provider's
    provider: Option<String>,
    /// Work for the account of this address
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Models {
    pub(super) async fn run(self, shell: &Shell) -> Done {
        // Nobody is asked which model is the default one.
        let boot = shell.boot(Some("demo/echo")).await?;
        let done = unless_interrupted(self.list(shell, &boot)).await;
        boot.close().await?;
        done
    }

    async fn list(&self, shell: &Shell, boot: &Boot) -> Done {
        let providers: Vec<ProviderInfo> = match &self.provider {
            Some(name) => vec![boot.engine.provider(name)?.info().clone()],
            None => boot.engine.providers().cloned().collect(),
        };
        let mut table = Table::new([
            ("MODEL", Side::Left),
            ("CONTEXT", Side::Right),
            ("OUTPUT", Side::Right),
            ("$ IN/M", Side::Right),
            ("$ OUT/M", Side::Right),
            ("STATUS", Side::Left),
        ]);
        let mut found = 0_usize;
        for provider in &providers {
            for model in self.models(shell, boot, provider).await? {
                found = found.saturating_add(1);
                let name = format!("{}/{}", provider.name, model.id);
                let prices = rates(
                    boot.engine.prices(),
                    provider.prices.as_deref(),
                    &model.id,
                    shell.now(),
                );
                if self.json {
                    shell.out.json(&object(&name, provider, &model, &prices))?;
                } else {
                    table.row(row(name, &model, &prices));
                }
            }
        }
        if !self.json && found > 0 {
            table.print(&shell.out)?;
        }
        if self.provider.is_none() {
            let others: Vec<_> = without_key(&providers).collect();
            shell.out.remark(format!(
                "without a key: {} (`aurax models NAME` lists what the price book knows)",
                others.join(", ")
            ));
        }
        Ok(())
    }

    /// What a provider says it has, with what the price book knows; without a key the latter alone.
    async fn models(
        &self,
        shell: &Shell,
        boot: &Boot,
        provider: &ProviderInfo,
    ) -> Done<Vec<ModelInfo>> {
        let book = boot.engine.prices();
        let known = |id: &str| {
            provider
                .prices
                .as_deref()
                .and_then(|key| book.model_info(key, id))
        };
        let principal = principal(&boot.store, self.user.as_deref()).await?;
        let keys = boot.store.user(&principal).provider_keys();
        let own = keys.credential(&boot.vault, &provider.name, None).await?;
        let mut ctx = Ctx::new(principal);
        let has_key = own.is_some() || provider.has_credential;
        if let Some(credential) = own {
            ctx = ctx.with_credential(provider.name.clone(), credential);
        }
        if has_key {
            let asked = boot.engine.provider(&provider.name)?;
            let listed = tokio::time::timeout(PATIENCE, asked.catalog().models(&ctx)).await;
            match listed {
                Ok(Ok(models)) => {
                    let mut seen = HashSet::new();
                    let models = models
                        .into_iter()
                        .filter(|model| seen.insert(model.id.clone()));
                    return Ok(models
                        .map(|model| match known(&model.id) {
                            Some(facts) => model.or(facts),
                            None => model,
                        })
                        .collect());
                }
                // What listens on this machine need not be there.
                Ok(Err(error)) if self.provider.is_some() => {
                    shell
                        .out
                        .remark(format!("{} was not asked: {error}", provider.name));
                }
                Err(_) if self.provider.is_some() => {
                    shell
                        .out
                        .remark(format!("{} did not answer in time", provider.name));
                }
                _ => {}
            }
        }
        let is_asked_for = self.provider.is_some();
        let listed = provider.prices.as_deref().filter(|_| is_asked_for);
        Ok(listed.map_or_else(Vec::new, |key| book.models(key)))
    }
}

fn without_key(providers: &[ProviderInfo]) -> impl Iterator<Item = String> {
    providers
        .iter()
        .filter(|provider| !provider.has_credential)
        .map(|provider| provider.name.to_string())
}

/// US dollars a million tokens, in and out; `None` where there is no such price.
#[derive(Debug, Default)]
struct Rates {
    input: Option<String>,
    output: Option<String>,
    free: bool,
}

fn rates(book: &PriceBook, provider: Option<&str>, model: &str, at: OffsetDateTime) -> Rates {
    use aurax::Bucket::{Input, Output};
    let used = Buckets::new().with(Input, 1).with(Output, 1);
    let usage = Usage::measured(used, UsageSource::Estimated);
    let bill = provider.and_then(|provider| book.bill(provider, model, &usage, at).ok());
    let Some(bill) = bill else {
        return Rates::default();
    };
    let of = |unit| {
        let line = bill.lines.iter().find(|line| line.unit == unit);
        line.map(|line| line.rate.normalize().to_string())
    };
    Rates {
        input: of(Input),
        output: of(Output),
        free: bill.free,
    }
}

fn status(model: &ModelInfo) -> String {
    let word = match model.lifecycle {
        Lifecycle::Active => "",
        Lifecycle::Deprecated => "deprecated",
        Lifecycle::Retired => "retired",
        _ => "",
    };
    match &model.retires {
        Some(day) => format!("{word}, retires {day}")
            .trim_start_matches(", ")
            .to_owned(),
        None => word.to_owned(),
    }
}

fn row(name: String, model: &ModelInfo, rates: &Rates) -> [String; 6] {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), count);
    let price = |rate: &Option<String>| match (rate, rates.free) {
        (_, true) => "free".to_owned(),
        (Some(rate), false) => rate.clone(),
        (None, false) => "-".to_owned(),
    };
    [
        name,
        number(model.context_window),
        number(model.max_output_tokens),
        price(&rates.input),
        price(&rates.output),
        status(model),
    ]
}

fn object(
    name: &str,
    provider: &ProviderInfo,
    model: &ModelInfo,
    rates: &Rates,
) -> serde_json::Value {
    json!({
        "id": name, "provider": &*provider.name, "model": model.id,
        "display_name": model.display_name, "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens, "features": model.features,
        "lifecycle": model.lifecycle, "retires": model.retires, "free": rates.free,
        "input_per_million_usd": rates.input, "output_per_million_usd": rates.output,
    })
}
