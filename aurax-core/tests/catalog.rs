//! What an engine says of its providers' models, tokens and keys.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::sync::{Arc, Mutex};

use aurax_core::{
    Call, Capability, Catalog, Ctx, Engine, Error, ErrorKind, Features, KeyStatus, ModelId,
    ModelInfo, Phase, Provider, ProviderInfo, Reply, Request, Result, async_trait,
};

/// A provider that lists its models, or fails to, and notes whose tokens it is asked to count.
#[derive(Debug, Clone)]
struct Shop {
    info: ProviderInfo,
    capability: Capability,
    models: std::result::Result<&'static [&'static str], ErrorKind>,
    counted: Arc<Mutex<Vec<ModelId>>>,
}

impl Shop {
    fn new(name: &str, models: std::result::Result<&'static [&'static str], ErrorKind>) -> Self {
        Self {
            info: ProviderInfo::new(name, "script"),
            capability: Capability::default(),
            models,
            counted: Arc::default(),
        }
    }

    fn without_key(mut self) -> Self {
        self.info.has_credential = false;
        self
    }

    fn able(mut self, set: impl FnOnce(&mut Capability)) -> Self {
        set(&mut self.capability);
        self
    }
}

#[async_trait]
impl Provider for Shop {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn capability(&self) -> Capability {
        self.capability
    }

    async fn call(&self, _: &Ctx, _: &Call) -> Result<Reply> {
        Err(Error::new(ErrorKind::Unsupported, "this shop only lists"))
    }

    fn catalog(&self) -> &dyn Catalog {
        self
    }
}

#[async_trait]
impl Catalog for Shop {
    async fn models(&self, _: &Ctx) -> Result<Vec<ModelInfo>> {
        let models = self.models.map_err(|kind| Error::new(kind, "closed"))?;
        Ok(models.iter().map(|id| ModelInfo::new(*id)).collect())
    }

    async fn count_tokens(&self, _: &Ctx, call: &Call) -> Result<u64> {
        self.counted.lock().unwrap().push(call.model.clone());
        Ok(7)
    }

    async fn verify_key(&self, _: &Ctx) -> Result<KeyStatus> {
        Ok(KeyStatus::NoCredit)
    }
}

fn engine(shops: impl IntoIterator<Item = Shop>) -> Engine {
    let builder = shops
        .into_iter()
        .fold(Engine::builder(), |builder, shop| builder.provider(shop));
    builder.build().unwrap()
}

#[tokio::test]
async fn models_are_listed_by_the_name_that_leads_to_them() {
    let engine = engine([
        Shop::new("first", Ok(&["a", "vendor/b"])),
        Shop::new("shut", Err(ErrorKind::Server)),
        Shop::new("keyless", Ok(&["c"])).without_key(),
        Shop::new("last", Ok(&["a"])),
    ]);
    let models = engine.catalog().models(&Ctx::local()).await.unwrap();
    let names: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(names, ["first/a", "first/vendor/b", "last/a"]);
    for name in names {
        let (provider, model) = engine.resolve(name).unwrap();
        assert_eq!(format!("{}/{model}", provider.name), name);
    }
}

#[tokio::test]
async fn who_gives_up_is_not_told_half_a_list() {
    let engine = engine([
        Shop::new("first", Ok(&["a"])),
        Shop::new("left", Err(ErrorKind::Cancelled)),
    ]);
    let error = engine.catalog().models(&Ctx::local()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[tokio::test]
async fn tokens_are_counted_by_the_provider_under_its_own_name_of_the_model() {
    let (first, second) = (Shop::new("first", Ok(&[])), Shop::new("second", Ok(&[])));
    let engine = engine([first.clone(), second.clone()]);
    let model = ModelId::parse("second/vendor/m").unwrap();
    let call = Call::chat(model, Request::from("Hi"));
    let count = engine.catalog().count_tokens(&Ctx::local(), &call).await;
    assert_eq!(count.unwrap(), 7);
    assert_eq!(second.counted.lock().unwrap()[0].as_str(), "vendor/m");
    assert!(first.counted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_key_is_checked_with_its_provider_and_not_with_the_engine() {
    let engine = engine([Shop::new("first", Ok(&[]))]);
    let ctx = Ctx::local();
    let error = engine.catalog().verify_key(&ctx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("Engine::provider"), "{error}");

    let first = engine.provider("first").unwrap();
    let status = first.catalog().verify_key(&ctx).await.unwrap();
    assert_eq!(status, KeyStatus::NoCredit);

    let error = engine.provider("frist").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.phase(), Some(Phase::Encode));
    assert!(error.message().contains("first"), "{error}");
}

#[test]
fn an_engine_can_what_one_of_its_providers_can() {
    let engine = engine([
        Shop::new("first", Ok(&[])).able(|can| can.chat = true),
        Shop::new("second", Ok(&[])).able(|can| {
            can.embed = true;
            can.bills_after_disconnect = true;
        }),
    ]);
    let can = engine.capability();
    assert!(can.chat && can.embed && can.bills_after_disconnect);
    assert!(!can.tools && !can.vision && !can.count_tokens);
    let names: Vec<&str> = engine.providers().map(|info| &*info.name).collect();
    assert_eq!(names, ["first", "second"]);
}

#[test]
fn what_a_provider_says_of_a_model_goes_before_what_others_know() {
    let mut said = ModelInfo::new("m");
    said.context_window = Some(10);
    said.features.tools = Some(false);
    said.settings.insert("effort".to_owned(), true);
    let mut known = ModelInfo::new("other");
    known.context_window = Some(99);
    known.max_output_tokens = Some(5);
    known.features.tools = Some(true);
    known.features.vision = Some(true);
    known.settings.insert("effort".to_owned(), false);
    known.settings.insert("style".to_owned(), false);

    let both = said.or(known);
    assert_eq!(both.id, "m");
    assert_eq!(both.context_window, Some(10));
    assert_eq!(both.max_output_tokens, Some(5));
    let mut features = Features::default();
    features.tools = Some(false);
    features.vision = Some(true);
    assert_eq!(both.features, features);
    assert_eq!(
        (both.settings["effort"], both.settings["style"]),
        (true, false)
    );
}
