//! Finds the provider a model's name leads to.

use std::sync::Arc;

use async_trait::async_trait;

use crate::call::Call;
use crate::chat::Warning;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::layer::Resolve;
use crate::model::{ModelId, ModelInfo};
use crate::pricing::Pricer;
use crate::provider::{Capability, Catalog, KeyStatus, Provider, ProviderInfo};
use crate::reply::Reply;

/// How many names an error suggests.
const SUGGESTIONS: usize = 5;

/// A provider, and the layers around it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) stack: Arc<dyn Provider>,
}

impl Target {
    fn info(&self) -> &ProviderInfo {
        self.provider.info()
    }

    fn is_called(&self, name: &str) -> bool {
        let info = self.info();
        *info.name == *name || info.aliases.iter().any(|alias| **alias == *name)
    }
}

/// Sends calls on by their model's name.
///
/// A first segment equal to a provider's name or alias always decides. A bare name leads to the
/// one provider with a key that knows it.
#[derive(Debug)]
pub(super) struct Router {
    info: ProviderInfo,
    targets: Vec<Target>,
    order: Vec<String>,
    pricer: Arc<Pricer>,
}

impl Router {
    pub(super) fn new(targets: Vec<Target>, order: Vec<String>, pricer: Arc<Pricer>) -> Self {
        let mut info = ProviderInfo::new("engine", "engine");
        info.prices = None;
        Self {
            info,
            targets,
            order,
            pricer,
        }
    }

    pub(super) fn providers(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.targets.iter().map(|target| &target.provider)
    }

    pub(super) fn provider(&self, name: &str) -> Result<Arc<dyn Provider>> {
        self.find(name)
            .map(|target| target.provider.clone())
            .ok_or_else(|| {
                let error = Error::new(
                    ErrorKind::NotFound,
                    format!("no provider is called `{name}`; {}", self.known(name)),
                );
                error.with_phase(Phase::Encode)
            })
    }

    pub(super) fn resolve(&self, model: &ModelId) -> Result<(&Arc<dyn Provider>, ModelId)> {
        self.target(model)
            .map(|(target, model)| (&target.provider, model))
    }

    fn find(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.is_called(name))
    }

    fn target(&self, model: &ModelId) -> Result<(&Target, ModelId)> {
        if let Some((first, rest)) = model.as_str().split_once('/')
            && let Some(target) = self.find(first)
        {
            return Ok((target, ModelId::parse(rest)?));
        }
        let candidates: Vec<&Target> = self
            .targets
            .iter()
            .filter(|target| self.knows(target.info(), model))
            .collect();
        match candidates.as_slice() {
            [] => Err(self.unknown(model)),
            [target] => Ok((target, model.clone())),
            several => self
                .order
                .iter()
                .find_map(|name| several.iter().find(|target| target.is_called(name)))
                .map(|target| (*target, model.clone()))
                .ok_or_else(|| ambiguous(model, several)),
        }
    }

    fn knows(&self, info: &ProviderInfo, model: &ModelId) -> bool {
        info.has_credential
            && info.takes_bare_names
            && info
                .prices
                .as_deref()
                .is_some_and(|prices| self.pricer.book().recognises(prices, model.as_str()))
    }

    fn unknown(&self, model: &ModelId) -> Error {
        let message = match model.as_str().split_once('/') {
            Some((first, _)) => format!(
                "no provider is called `{first}`, and none with a key knows `{model}`; {}",
                self.known(first)
            ),
            None => {
                let near = self.near(model);
                let hint = if near.is_empty() {
                    "write it as `provider/model`".to_owned()
                } else {
                    format!("did you mean {}?", list(near))
                };
                format!("no provider with a key knows the model `{model}`; {hint}")
            }
        };
        Error::new(ErrorKind::ModelNotFound, message).with_phase(Phase::Encode)
    }

    /// A warning for a model that is out of service; it is asked all the same, because the
    /// provider knows better.
    pub(super) fn retired(&self, prices: &str, model: &ModelId) -> Option<Warning> {
        let book = self.pricer.book();
        if !book.is_retired(prices, model.as_str()) {
            return None;
        }
        let info = book.model_info(prices, model.as_str())?;
        let since = info
            .retires
            .map_or_else(String::new, |day| format!(" since {day}"));
        let newer = book.successors(prices, model.as_str());
        let hint = if newer.is_empty() {
            String::new()
        } else {
            format!("; newer are {}", list(newer))
        };
        let message = format!("`{model}` is out of service{since}{hint}");
        Some(Warning::new("model", message))
    }

    /// Adds the names a provider may have meant to its word that it has no such model.
    fn suggest(&self, error: Error, prices: Option<&str>, model: &ModelId) -> Error {
        let near = prices.map_or_else(Vec::new, |prices| {
            self.pricer.book().near(prices, model.as_str())
        });
        if near.is_empty() {
            error
        } else {
            error.with_context("did you mean", list(near))
        }
    }

    /// Models with names like this one, at every configured provider.
    fn near(&self, model: &ModelId) -> Vec<String> {
        let mut near = Vec::new();
        let infos = self.targets.iter().map(Target::info);
        for info in infos.filter(|info| info.takes_bare_names) {
            let Some(prices) = info.prices.as_deref() else {
                continue;
            };
            let name = &info.name;
            for model in self.pricer.book().near(prices, model.as_str()) {
                near.push(format!("{name}/{model}"));
            }
        }
        sort_by_likeness(&mut near, model.as_str());
        near
    }

    /// Names the configured providers, the nearest to `name` first.
    fn known(&self, name: &str) -> String {
        let mut names: Vec<String> = self
            .targets
            .iter()
            .map(|target| target.info().name.to_string())
            .collect();
        if names.is_empty() {
            return "no provider is configured".to_owned();
        }
        sort_by_likeness(&mut names, name);
        format!("configured are {}", names.join(", "))
    }
}

impl Resolve for Router {
    fn resolve(&self, model: &ModelId) -> Result<(&ProviderInfo, ModelId)> {
        self.target(model)
            .map(|(target, model)| (target.info(), model))
    }
}

fn sort_by_likeness(names: &mut [String], wanted: &str) {
    let likeness = |name: &String| {
        let bare = name.rsplit('/').next().unwrap_or(name);
        strsim::jaro_winkler(bare, wanted)
    };
    names.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
}

fn list(names: Vec<String>) -> String {
    let names: Vec<String> = names
        .into_iter()
        .take(SUGGESTIONS)
        .map(|name| format!("`{name}`"))
        .collect();
    names.join(", ")
}

fn warn(mut reply: Reply, warning: Warning) -> Reply {
    reply.head_mut().warnings.push(warning);
    reply
}

fn ambiguous(model: &ModelId, targets: &[&Target]) -> Error {
    let names = targets
        .iter()
        .map(|target| format!("{}/{model}", target.info().name));
    Error::new(
        ErrorKind::ModelNotFound,
        format!(
            "several providers know `{model}`: write {}, or set an order of providers",
            list(names.collect())
        ),
    )
    .with_phase(Phase::Encode)
}

#[async_trait]
impl Provider for Router {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn capability(&self) -> Capability {
        self.targets
            .iter()
            .map(|target| target.provider.capability())
            .fold(Capability::default(), Capability::union)
    }

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        let (target, model) = self.target(&call.model)?;
        self.pricer
            .check(target.info().prices.as_deref(), model.as_str())
            .map_err(|error| error.with_phase(Phase::Encode))?;
        let prices = target.info().prices.as_deref();
        match target
            .stack
            .call(ctx, &call.with_model(model.clone()))
            .await
        {
            Ok(reply) => Ok(
                match prices.and_then(|prices| self.retired(prices, &model)) {
                    Some(warning) => warn(reply, warning),
                    None => reply,
                },
            ),
            Err(error) if error.kind() == ErrorKind::ModelNotFound => {
                Err(self.suggest(error, prices, &model))
            }
            Err(error) => Err(error),
        }
    }

    fn catalog(&self) -> &dyn Catalog {
        self
    }
}

#[async_trait]
impl Catalog for Router {
    /// The models of every provider with a key, named `provider/model`; providers that fail to
    /// list theirs are left out with a log line.
    async fn models(&self, ctx: &Ctx) -> Result<Vec<ModelInfo>> {
        let mut all = Vec::new();
        for target in self.targets.iter().filter(|t| t.info().has_credential) {
            let name = &target.info().name;
            match target.provider.catalog().models(ctx).await {
                Ok(models) => all.extend(models.into_iter().map(|mut model| {
                    model.id = format!("{name}/{}", model.id);
                    model
                })),
                Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                Err(error) => tracing::warn!(provider = %name, %error, "models not listed"),
            }
        }
        Ok(all)
    }

    async fn count_tokens(&self, ctx: &Ctx, call: &Call) -> Result<u64> {
        let (target, model) = self.target(&call.model)?;
        let call = call.with_model(model);
        target.provider.catalog().count_tokens(ctx, &call).await
    }

    /// Always `Unsupported`: a key belongs to one provider.
    async fn verify_key(&self, _: &Ctx) -> Result<KeyStatus> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "a key belongs to one provider: check it with `Engine::provider`",
        ))
    }
}
