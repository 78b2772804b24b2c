//! What is sent, and what is made of answers that are no reply.

use aurax_core::{Call, Credential, Ctx, Error, ErrorKind, ModelId, Phase, Provider};
use aurax_providers::frame::Framing;
use aurax_providers::transport::{Answer, Replay};
use aurax_providers::{Auth, KeyPolicy};
use futures::FutureExt;
use http::{HeaderName, HeaderValue};
use tokio_util::sync::CancellationToken;

use crate::{KEY, call, model, provider, provider_with, streamed, whole};

fn answer() -> Answer {
    Answer::json(r#"{"text":"Hi"}"#)
}

async fn failure(answer: Answer) -> Error {
    call(&Replay::new([answer]), &whole()).await.unwrap_err()
}

#[tokio::test]
async fn a_request_says_what_it_is_and_what_it_takes() {
    let replay = Replay::new([answer(), answer()]);
    call(&replay, &whole()).await.unwrap();
    call(&replay, &streamed()).await.unwrap();
    let requests = replay.requests();
    let [whole, streamed] = requests.as_slice() else {
        panic!("{requests:?}")
    };

    assert_eq!(
        (whole.method.as_str(), whole.uri.to_string().as_str()),
        ("POST", "https://echo.test/v1/echo")
    );
    assert_eq!(whole.json()["model"], "parrot");
    for (name, value) in [
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
        ("content-type", "application/json"),
        ("user-agent", concat!("aurax/", env!("CARGO_PKG_VERSION"))),
        ("authorization", "Bearer sk-very-secret"),
        ("x-wire", "echo"),
    ] {
        assert_eq!(whole.header(name), Some(value), "{name}");
    }
    assert_eq!(streamed.header("accept"), Some("text/event-stream"));
    assert!(!format!("{replay:?}").contains(KEY), "{replay:?}");
}

#[tokio::test]
async fn a_provider_may_want_its_key_in_a_header_of_its_own() {
    let replay = Replay::new([answer()]);
    let auth = Auth::Header(HeaderName::from_static("x-api-key"));
    let provider = provider(&replay).with_auth(auth);
    provider.call(&Ctx::local(), &whole()).await.unwrap();
    let sent = &replay.requests()[0];
    assert_eq!(sent.header("x-api-key"), Some(KEY));
    assert_eq!(sent.header("authorization"), None);
    assert!(
        !format!("{replay:?}{provider:?}").contains(KEY),
        "{replay:?}"
    );
}

fn tenant(credential: Credential) -> Ctx {
    Ctx::local().with_credential("test", credential)
}

#[tokio::test]
async fn the_calls_own_key_comes_first() {
    let replay = Replay::new([answer(), answer()]);
    let provider = provider(&replay);
    let ctx = tenant(Credential::new(" sk-of-a-tenant\n"));
    provider.call(&ctx, &whole()).await.unwrap();
    let other = Ctx::local().with_credential("other", Credential::new("sk-for-others"));
    provider.call(&other, &whole()).await.unwrap();
    let keys = replay.requests();
    let keys = keys
        .iter()
        .map(|sent| sent.header("authorization").unwrap());
    assert!(keys.eq(["Bearer sk-of-a-tenant", "Bearer sk-very-secret"]));
}

#[tokio::test]
async fn a_blank_key_of_a_caller_is_not_replaced_by_the_configured_one() {
    let replay = Replay::new([]);
    let provider = provider(&replay).with_key_policy(KeyPolicy::Required);
    let ctx = tenant(Credential::new(" "));
    let error = provider.call(&ctx, &whole()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn configured_secrets_stay_away_from_a_callers_own_address() {
    let replay = Replay::new([answer(), answer()]);
    let provider = provider(&replay).with_header(
        HeaderName::from_static("x-team"),
        HeaderValue::from_static("hush"),
    );
    for url in ["https://elsewhere.test/v2/", "https://echo.test/v2/"] {
        let ctx = tenant(Credential::new("sk-of-a-tenant").with_base_url(url));
        provider.call(&ctx, &whole()).await.unwrap();
    }
    let requests = replay.requests();
    assert_eq!(
        requests[0].uri.to_string(),
        "https://elsewhere.test/v2/echo"
    );
    assert_eq!(
        requests[0].header("authorization"),
        Some("Bearer sk-of-a-tenant")
    );
    assert_eq!(requests[0].header("x-team"), None);
    assert_eq!(requests[1].header("x-team"), Some("hush"));

    let ctx = tenant(Credential::new("sk").with_base_url("https://user:hush@host"));
    let error = provider.call(&ctx, &whole()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Config, Some(Phase::Encode))
    );
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
}

#[tokio::test]
async fn without_a_key_nothing_is_sent_where_one_is_required() {
    let replay = Replay::new([answer()]);
    let keyless = provider_with(Framing::Sse, &replay);
    let required = keyless.with_key_policy(KeyPolicy::Required);
    let error = required.call(&Ctx::local(), &whole()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Config, Some(Phase::Encode))
    );
    assert_eq!(error.message(), "no API key for test: set Options::api_key");
    assert!(replay.requests().is_empty());

    let optional = required.with_key_policy(KeyPolicy::Optional);
    optional.call(&Ctx::local(), &whole()).await.unwrap();
    assert_eq!(replay.requests()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_key_that_no_header_takes_is_not_shown() {
    let replay = Replay::new([]);
    let provider = provider(&replay).with_api_key("hush\nhush");
    let error = provider.call(&Ctx::local(), &whole()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
}

#[tokio::test]
async fn configured_headers_replace_the_wires_own_and_are_secret() {
    let replay = Replay::new([answer()]);
    let provider = provider(&replay).with_header(
        HeaderName::from_static("x-wire"),
        HeaderValue::from_static("hush"),
    );
    provider.call(&Ctx::local(), &whole()).await.unwrap();
    let sent = &replay.requests()[0];
    assert_eq!(
        sent.headers.get_all("x-wire").iter().collect::<Vec<_>>(),
        ["hush"]
    );
    assert!(!format!("{sent:?}{provider:?}").contains("hush"));
}

#[tokio::test]
async fn what_the_wire_refuses_is_not_sent() {
    let replay = Replay::new([]);
    let refused = Call::chat(ModelId::parse("refused").unwrap(), "Hi");
    let error = call(&replay, &refused).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Unsupported, Some(Phase::Encode))
    );
    assert_eq!(
        (error.context("provider"), error.context("model")),
        (Some("test"), Some("refused"))
    );
    assert!(replay.requests().is_empty());
}

#[tokio::test]
async fn an_error_status_is_the_wires_to_read() {
    let answer = Answer::status(429)
        .with_header("x-request-id", "req_1")
        .with_json("slow down");
    let error = failure(answer).await;
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::RateLimited, Some(Phase::Body))
    );
    assert_eq!(error.request_id(), Some("req_1"));
    let upstream = error.upstream().unwrap();
    assert_eq!(
        (upstream.status, upstream.message.as_str()),
        (Some(429), "slow down")
    );
    assert_eq!(
        error.to_string(),
        "the parrot is cross (provider: test, model: parrot)"
    );
}

#[tokio::test]
async fn no_more_than_64_kib_of_an_error_are_read() {
    let replay = Replay::new([Answer::status(500)
        .with_chunks(["x".repeat(40 << 10), "y".repeat(40 << 10)])
        .with_silence()]);
    let error = call(&replay, &whole()).await.unwrap_err();
    assert_eq!(error.upstream().unwrap().message.len(), 64 << 10);
    assert_eq!(replay.open_bodies(), 0);
}

#[tokio::test]
async fn an_error_whose_body_breaks_off_is_still_that_error() {
    let broken = Error::new(ErrorKind::Network, "broken").with_phase(Phase::Body);
    let error = failure(
        Answer::status(401)
            .with_chunks(["wrong "])
            .with_error(broken),
    )
    .await;
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert_eq!(error.upstream().unwrap().message, "wrong ");
}

#[tokio::test]
async fn a_key_that_the_provider_repeats_is_taken_out() {
    let body = format!("wrong key {KEY}, I said {KEY}!");
    let error = failure(Answer::status(401).with_chunks([body])).await;
    assert_eq!(
        error.upstream().unwrap().message,
        "wrong key [key], I said [key]!"
    );
}

#[tokio::test]
async fn a_redirect_is_an_error() {
    let replay =
        Replay::new([Answer::status(307).with_header("location", "https://elsewhere.test/")]);
    let error = call(&replay, &whole()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Config, Some(Phase::Body))
    );
    assert!(error.message().contains("307"), "{error}");
    assert_eq!(replay.requests().len(), 1);
}

#[tokio::test]
async fn a_compressed_reply_is_an_error() {
    let error = failure(answer().with_header("content-encoding", "gzip")).await;
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.message().contains("compressed"), "{error}");
}

#[tokio::test]
async fn a_transports_error_keeps_its_phase() {
    let error = failure(Answer::refused()).await;
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Network, Some(Phase::Connect))
    );
    assert_eq!(error.context("provider"), Some("test"));
}

#[tokio::test]
async fn a_call_that_was_cancelled_before_is_not_sent() {
    let replay = Replay::new([answer()]);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let ctx = Ctx::local().with_cancel(cancel);
    let error = provider(&replay).call(&ctx, &whole()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Cancelled, Some(Phase::Encode))
    );
    assert!(replay.requests().is_empty());
}

#[tokio::test]
async fn a_call_can_be_cancelled_while_it_waits_for_headers() {
    let replay = Replay::new([Answer::never()]);
    let cancel = CancellationToken::new();
    let ctx = Ctx::local().with_cancel(cancel.clone());
    let provider = provider(&replay);
    let asked = whole();
    let mut waiting = provider.call(&ctx, &asked);
    assert!(waiting.as_mut().now_or_never().is_none());
    cancel.cancel();
    let error = waiting.await.unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Cancelled, Some(Phase::Send))
    );
}

#[tokio::test]
async fn a_head_tells_who_answers() {
    let replay = Replay::new([answer().with_header("x-request-id", "req_2")]);
    let reply = call(&replay, &whole()).await.unwrap();
    let head = reply.head();
    assert_eq!(
        (head.wire, &*head.provider, &head.model),
        ("echo", "test", &model())
    );
    assert_eq!(head.request_id.as_deref(), Some("req_2"));
    assert_eq!(head.warnings[0].subject, "all");
    assert_eq!(
        provider(&replay).info().server_address.as_deref(),
        Some("echo.test")
    );
    assert_eq!(provider(&replay).info().server_port, Some(443));
}
