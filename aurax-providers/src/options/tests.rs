use std::collections::BTreeMap;

use aurax_core::{
    Call, Capability, Ctx, Delivery, Event, Head, KeyStatus, ModelId, ModelInfo, Provider,
};
use bytes::Bytes;

use super::*;
use crate::frame::{Frame, Framing};
use crate::preset::{Auth, KeyPolicy};
use crate::transport::ByteStream;
use crate::wire::{Decode, Encoded, Target};

/// Reads nothing, as nothing is answered.
struct Unread;

impl Decode for Unread {
    fn frame(&mut self, _: Frame<'_>, _: &mut Vec<Event>) -> Result<()> {
        unreachable!("nothing is answered")
    }

    fn whole(&mut self, _: &[u8], _: &mut Vec<Event>) -> Result<()> {
        unreachable!("nothing is answered")
    }

    fn finish(&mut self, _: &mut Vec<Event>) -> Result<()> {
        unreachable!("nothing is answered")
    }

    fn is_done(&self) -> bool {
        false
    }
}

/// A wire that encodes and does nothing else.
#[derive(Debug)]
struct Mute;

impl Wire for Mute {
    fn name(&self) -> &'static str {
        "mute"
    }

    fn capability(&self) -> Capability {
        let mut capability = Capability::default();
        capability.chat = true;
        capability.list_models = true;
        capability.verify_key = true;
        capability
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn encode(&self, _: &Call, target: &Target) -> Result<Encoded> {
        let limit = target.rules.max_output_tokens;
        Ok(Encoded::post(
            "/mute",
            format!("{limit:?}"),
            Delivery::Whole,
        ))
    }

    fn decoder(&self, _: &Call, _: &Target) -> Box<dyn Decode> {
        Box::new(Unread)
    }

    fn error(&self, _: u16, _: &HeaderMap, _: &[u8]) -> Error {
        unreachable!("nothing is answered")
    }

    fn read_headers(&self, _: &HeaderMap, _: &mut Head) {}

    fn list_models(&self, _: Option<&str>) -> Option<Encoded> {
        None
    }

    fn read_models(&self, _: &[u8]) -> Result<(Vec<ModelInfo>, Option<String>)> {
        unreachable!("nothing is answered")
    }

    fn verify_key(&self) -> Option<Encoded> {
        None
    }

    fn read_key_status(&self, _: std::result::Result<&[u8], &Error>) -> KeyStatus {
        KeyStatus::Unknown
    }
}

/// Fails with the request it got, which is all these tests want to see.
#[derive(Debug)]
struct Mirror;

#[aurax_core::async_trait]
impl Transport for Mirror {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<ByteStream>> {
        let shown = format!(
            "{} {:?} {:?}",
            request.uri(),
            request.headers(),
            request.body()
        );
        Err(Error::new(ErrorKind::Network, shown))
    }
}

const PRESET: Preset = Preset {
    name: "acme",
    aliases: &["acme-inc"],
    base_url: "https://api.acme.test/v1",
    base_url_vars: &["ACME_BASE_URL", "ACME_HOST"],
    key_vars: &["ACME_API_KEY", "ACME_TOKEN"],
    key: KeyPolicy::Required,
    auth: Auth::Bearer,
    prices: Some("acme-prices"),
    trace_name: "acme.ai",
    takes_bare_names: true,
    default_model: None,
    rules: Some(r#"[{"match":["big*"],"source":"test","rules":{"max_output_tokens":9}}]"#),
    protocol: Protocol::Anthropic,
};

fn build(preset: &Preset, options: Options) -> Result<HttpProvider> {
    HttpProvider::from_preset(preset, Box::new(Mute), options, Arc::new(Mirror))
}

fn variables(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    let map: BTreeMap<String, String> = pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect();
    move |name| map.get(name).cloned()
}

fn options(pairs: &[(&str, &str)]) -> Result<Options> {
    Options::from_environment(&PRESET, &variables(pairs))
}

/// What a call sends.
async fn sent(provider: &HttpProvider, model: &str) -> String {
    let call = Call::chat(ModelId::parse(model).unwrap(), "Hi");
    provider
        .call(&Ctx::local(), &call)
        .await
        .unwrap_err()
        .message()
        .to_owned()
}

#[tokio::test]
async fn a_preset_with_a_key_is_a_provider() {
    let provider = build(&PRESET, Options::new().with_api_key("hush")).unwrap();
    let info = provider.info();
    assert_eq!(
        (&*info.name, info.wire, &*info.trace_name),
        ("acme", "mute", "acme.ai")
    );
    assert_eq!(info.prices.as_deref(), Some("acme-prices"));
    assert_eq!(info.aliases, ["acme-inc".into()]);
    assert!(info.has_credential);
    assert_eq!(info.server_address.as_deref(), Some("api.acme.test"));
    assert_eq!(info.server_scheme, Some("https"));

    let sent = sent(&provider, "bigger").await;
    assert!(sent.starts_with("https://api.acme.test/v1/mute "), "{sent}");
    assert!(sent.contains("\"authorization\": Sensitive"), "{sent}");
    assert!(sent.contains("Some(9)"), "{sent}");
}

#[test]
fn a_capability_the_wire_has_no_request_for_is_none() {
    let capability = build(&PRESET, Options::new()).unwrap().capability();
    assert!(capability.chat);
    assert!(!capability.list_models && !capability.verify_key);
}

#[tokio::test]
async fn a_missing_key_names_the_variables() {
    let provider = build(&PRESET, Options::new().with_api_key(" ")).unwrap();
    assert!(!provider.info().has_credential);
    assert_eq!(
        sent(&provider, "any").await,
        "no API key for acme: set ACME_API_KEY or ACME_TOKEN or Options::api_key"
    );
}

#[tokio::test]
async fn options_replace_what_the_preset_says() {
    let options = Options::new()
        .with_api_key("hush")
        .with_name("acme-eu")
        .with_base_url("http://localhost:8080/v2/")
        .with_header(
            HeaderName::from_static("x-team"),
            HeaderValue::from_static("hush"),
        );
    assert!(!format!("{options:?}").contains("hush"), "{options:?}");
    let provider = build(&PRESET, options).unwrap();
    assert_eq!(&*provider.info().name, "acme-eu");
    assert!(provider.info().aliases.is_empty());
    let sent = sent(&provider, "any").await;
    assert!(sent.starts_with("http://localhost:8080/v2/mute "), "{sent}");
    assert!(sent.contains("\"x-team\": Sensitive"), "{sent}");
}

#[test]
fn wrong_options_are_named() {
    let nowhere = Preset {
        base_url: "",
        ..PRESET
    };
    let wrong_rules = Preset {
        rules: Some("{}"),
        ..PRESET
    };
    for (preset, options, message) in [
        (
            &PRESET,
            Options::new().with_base_url("localhost"),
            "Options::base_url is not",
        ),
        (&PRESET, Options::new().with_name(""), "Options::name"),
        (&PRESET, Options::new().with_name("a/b"), "Options::name"),
        (
            &nowhere,
            Options::new(),
            "set ACME_BASE_URL or ACME_HOST or Options::base_url",
        ),
        (&wrong_rules, Options::new(), "rules"),
    ] {
        let error = build(preset, options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(message), "{error}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test looks at what was read")]
fn the_first_variable_that_is_set_wins_and_blank_is_not_set() {
    let read = options(&[
        ("ACME_API_KEY", "  "),
        ("ACME_TOKEN", " token\n"),
        ("ACME_HOST", "http://second"),
        ("ACME_BASE_URL", "http://first"),
    ])
    .unwrap();
    assert_eq!(read.api_key.unwrap().expose(), "token");
    assert_eq!(read.base_url.as_deref(), Some("http://first"));
    assert!(options(&[]).unwrap().api_key.is_none());
}

#[test]
fn a_wrong_base_url_in_the_environment_names_its_variable() {
    let error = options(&[("ACME_HOST", "https://user:hush@host")]).unwrap_err();
    assert!(error.message().starts_with("ACME_HOST is not"), "{error}");
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
}
