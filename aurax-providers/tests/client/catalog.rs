//! The verbs that cost nothing.

use std::sync::Arc;
use std::time::Duration;

use aurax_core::{
    Clock, Credential, Ctx, ErrorKind, KeyStatus, ModelInfo, Provider, Result, SystemClock,
    Timeouts,
};
use aurax_providers::HttpProvider;
use aurax_providers::frame::Framing;
use aurax_providers::transport::{Answer, Replay};
use futures::FutureExt;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::echo::Echo;
use crate::{KEY, provider, whole};

fn page(models: &[(&str, Option<u64>)], next: Option<&str>) -> Answer {
    let models: Vec<_> = models
        .iter()
        .map(|(id, limit)| json!({"id": id, "limit": limit}))
        .collect();
    Answer::json(json!({"models": models, "next": next}).to_string())
}

async fn models(replay: &Replay) -> Result<Vec<ModelInfo>> {
    provider(replay).catalog().models(&Ctx::local()).await
}

async fn key_status(answer: Answer) -> Result<KeyStatus> {
    provider(&Replay::new([answer]))
        .catalog()
        .verify_key(&Ctx::local())
        .await
}

#[tokio::test]
async fn the_pages_of_a_list_are_followed() {
    let replay = Replay::new([page(&[("a", None)], Some("2")), page(&[("b", None)], None)]);
    let listed: Vec<String> = models(&replay)
        .await
        .unwrap()
        .into_iter()
        .map(|model| model.id)
        .collect();
    assert_eq!(listed, ["a", "b"]);
    let paths: Vec<String> = replay
        .requests()
        .iter()
        .map(|sent| sent.uri.to_string())
        .collect();
    assert_eq!(
        paths,
        [
            "https://echo.test/v1/models",
            "https://echo.test/v1/models?page=2"
        ]
    );
    assert_eq!(replay.requests()[0].header("content-type"), None);
}

#[tokio::test]
async fn a_list_without_an_end_is_cut() {
    let same = Replay::from_fn(|_| page(&[("a", None)], Some("again")));
    assert_eq!(models(&same).await.unwrap().len(), 2);

    let endless = Replay::from_fn(|sent| {
        let next = format!("{}x", sent.uri.query().unwrap_or_default());
        page(&[("a", None)], Some(&next))
    });
    assert_eq!(models(&endless).await.unwrap().len(), 50);

    let long = Replay::from_fn(|_| page(&vec![("a", None); 10_001], None));
    assert_eq!(models(&long).await.unwrap().len(), 10_000);
}

#[tokio::test]
async fn what_the_list_says_of_a_model_comes_before_the_table() {
    let answers = || Answer::json("{}");
    let replay = Replay::new([answers(), page(&[("parrot", Some(7))], None), answers()]);
    let provider = provider(&replay).with_model_facts(|model| {
        let mut info = ModelInfo::new(model.as_str());
        info.max_output_tokens = Some(3);
        Some(info)
    });
    provider.call(&Ctx::local(), &whole()).await.unwrap();
    provider.catalog().models(&Ctx::local()).await.unwrap();
    provider.call(&Ctx::local(), &whole()).await.unwrap();
    let requests = replay.requests();
    assert_eq!(
        (&requests[0].json()["limit"], &requests[2].json()["limit"]),
        (&json!(3), &json!(7))
    );
}

#[tokio::test]
async fn what_the_list_leaves_open_stays_as_the_table_says() {
    let replay = Replay::new([page(&[("parrot", None)], None), Answer::json("{}")]);
    let provider = provider(&replay).with_model_facts(|model| {
        let mut info = ModelInfo::new(model.as_str());
        info.max_output_tokens = Some(3);
        Some(info)
    });
    provider.catalog().models(&Ctx::local()).await.unwrap();
    provider.call(&Ctx::local(), &whole()).await.unwrap();
    assert_eq!(replay.requests()[1].json()["limit"], 3);
}

#[tokio::test]
async fn what_a_callers_own_address_says_of_models_is_not_believed() {
    let replay = Replay::new([page(&[("parrot", Some(7))], None), Answer::json("{}")]);
    let provider = provider(&replay);
    let own = Credential::new("sk").with_base_url("https://elsewhere.test");
    let ctx = Ctx::local().with_credential("test", own);
    assert_eq!(provider.catalog().models(&ctx).await.unwrap().len(), 1);
    provider.call(&Ctx::local(), &whole()).await.unwrap();
    assert_eq!(replay.requests()[1].json()["limit"], json!(null));
}

#[tokio::test]
async fn a_key_is_judged_by_the_answer() {
    for (answer, status) in [
        (Answer::json("{}"), KeyStatus::Valid),
        (Answer::status(401), KeyStatus::Invalid),
        (Answer::status(402), KeyStatus::NoCredit),
        (Answer::status(403), KeyStatus::Restricted),
        (Answer::status(429), KeyStatus::Unknown),
        (Answer::status(500), KeyStatus::Unknown),
        (Answer::status(301), KeyStatus::Unknown),
        (Answer::refused(), KeyStatus::Unknown),
    ] {
        let shown = format!("{answer:?}");
        assert_eq!(key_status(answer).await.unwrap(), status, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_is_given_up() {
    let error = models(&Replay::new([Answer::never()])).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.context("provider")),
        (ErrorKind::Timeout, Some("test"))
    );
    let silent = Answer::status(200).with_silence();
    assert_eq!(
        models(&Replay::new([silent])).await.unwrap_err().kind(),
        ErrorKind::Timeout
    );
    assert_eq!(
        key_status(Answer::never()).await.unwrap(),
        KeyStatus::Unknown
    );
}

#[tokio::test(start_paused = true)]
async fn a_check_takes_as_long_as_the_caller_allows() {
    let headers = Timeouts::default().with_headers(Duration::from_secs(2));
    let deadline = SystemClock.monotonic() + Duration::from_secs(1);
    for (ctx, seconds) in [
        (Ctx::local().with_deadline(deadline), 1),
        (Ctx::local().with_timeouts(headers), 2),
    ] {
        let began = SystemClock.monotonic();
        let provider = provider(&Replay::new([Answer::never()]));
        let error = provider.catalog().models(&ctx).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!((SystemClock.monotonic() - began).as_secs(), seconds);
    }
}

/// What says nothing of the key is no status of it.
#[tokio::test]
async fn a_check_of_a_key_that_is_given_up_or_cannot_be_made_is_an_error() {
    let cancel = CancellationToken::new();
    let ctx = Ctx::local().with_cancel(cancel.clone());
    let refused = provider(&Replay::new([Answer::status(500).with_silence()]));
    let mut asking = refused.catalog().verify_key(&ctx);
    assert!(asking.as_mut().now_or_never().is_none());
    cancel.cancel();
    assert_eq!(asking.await.unwrap_err().kind(), ErrorKind::Cancelled);

    let early = provider(&Replay::new([Answer::json("{}")]));
    let error = early.catalog().verify_key(&ctx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);

    let unsendable = provider(&Replay::new([Answer::json("{}")])).with_api_key("sk\n1");
    let error = unsendable.catalog().verify_key(&Ctx::local()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_wire_without_a_list_and_a_check_of_keys_says_so() {
    let transport = Arc::new(Replay::new([]));
    let mut wire = Echo::new(Framing::Sse);
    wire.has_catalog = false;
    let provider = HttpProvider::new("test", wire, "https://echo.test/v1", transport);
    let provider = provider.unwrap().with_api_key(KEY);
    let listed = provider.catalog().models(&Ctx::local()).await.unwrap_err();
    let checked = provider.catalog().verify_key(&Ctx::local()).await;
    for error in [listed, checked.unwrap_err()] {
        assert_eq!(
            (error.kind(), error.context("provider")),
            (ErrorKind::Unsupported, Some("test"))
        );
    }
}

#[tokio::test]
async fn a_wire_that_does_not_count_says_so() {
    let provider = provider(&Replay::new([]));
    let error = provider
        .catalog()
        .count_tokens(&Ctx::local(), &whole())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.context("model")),
        (ErrorKind::Unsupported, Some("parrot"))
    );
}
