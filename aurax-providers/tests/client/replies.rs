//! From bytes to events, whatever the provider does to them.

use aurax_core::{Batch, Call, Ctx, Delivery, EmbedRequest, Error, ErrorKind, Phase, Provider};
use aurax_providers::frame::Framing;
use aurax_providers::transport::{Answer, Replay};

use crate::{batches, call, model, provider, provider_with, streamed, whole, words};

const STREAM: &str =
    "data: {\"text\":\"Ha\"}\n\ndata: {\"text\":\"lló €\"}\n\ndata: {\"end\":true}\n\n";

async fn text(answer: Answer, asked: &Call) -> aurax_core::Result<String> {
    let replay = Replay::new([answer]);
    let reply = call(&replay, asked).await?;
    Ok(reply.collect().await?.text())
}

/// The words before an error, and the error.
async fn failed(answer: Answer) -> (Vec<String>, Error) {
    let (seen, error) = batches(call(&Replay::new([answer]), &streamed()).await).await;
    (words(&seen), error.unwrap())
}

#[tokio::test]
async fn the_answer_does_not_depend_on_how_its_bytes_are_split() {
    let whole_text = text(Answer::json(r#"{"text":"Halló €"}"#), &whole())
        .await
        .unwrap();
    assert_eq!(whole_text, "Halló €");
    for size in 1..=STREAM.len() {
        let answer = Answer::sse([STREAM]).in_pieces_of(size);
        assert_eq!(
            text(answer, &streamed()).await.unwrap(),
            whole_text,
            "pieces of {size}"
        );
    }
    for at in 0..STREAM.len() {
        let (before, after) = STREAM.as_bytes().split_at(at);
        let answer = Answer::sse([before]).with_pause().with_chunks([after]);
        assert_eq!(
            text(answer, &streamed()).await.unwrap(),
            whole_text,
            "split at {at}"
        );
    }
}

#[tokio::test]
async fn lines_of_json_are_read_as_events_are() {
    let lines = "{\"text\":\"Ha\"}\n{}\n{\"text\":\"lló\"}\n{\"end\":true}";
    for size in 1..=lines.len() {
        let replay = Replay::new([Answer::ndjson([lines]).in_pieces_of(size)]);
        let provider = provider_with(Framing::NdJson, &replay);
        let reply = provider.call(&Ctx::local(), &streamed()).await.unwrap();
        assert_eq!(
            reply.collect().await.unwrap().text(),
            "Halló",
            "pieces of {size}"
        );
        assert_eq!(
            replay.requests()[0].header("accept"),
            Some("application/x-ndjson")
        );
    }
}

#[tokio::test]
async fn a_stream_may_be_answered_as_a_whole() {
    let replay = Replay::new([Answer::json(r#" {"text":"Hi"}"#)]);
    let reply = call(&replay, &streamed()).await.unwrap();
    assert_eq!(reply.head().delivery, Delivery::Whole);
    assert_eq!(reply.collect().await.unwrap().text(), "Hi");
}

#[tokio::test]
async fn a_whole_may_be_answered_as_a_stream() {
    let replay = Replay::new([Answer::sse([STREAM])]);
    let reply = call(&replay, &whole()).await.unwrap();
    assert_eq!(reply.head().delivery, Delivery::Streamed);
    assert_eq!(reply.collect().await.unwrap().text(), "Halló €");

    let unannounced = Answer::status(200).with_chunks(["\r\n", ": hello\n\n", STREAM]);
    assert_eq!(text(unannounced, &whole()).await.unwrap(), "Halló €");
}

#[tokio::test]
async fn json_under_the_content_type_of_a_stream_is_read_as_json() {
    let (_, error) = failed(Answer::sse([r#"{"error":"no capacity"}"#])).await;
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert_eq!(error.upstream().unwrap().message, "no capacity");
}

#[tokio::test]
async fn a_stream_without_its_end_is_truncated() {
    for stream in [
        "",
        "\n",
        "data: {\"text\":\"Hi\"}\n\n",
        "data: {\"text\":\"Hi\"}\n\ndata: {\"en",
        "data: {\"text\":\"Hi\"}\n\ndata: {\"text\":\"\u{20ac}",
    ] {
        let (seen, error) = failed(Answer::sse([stream])).await;
        assert_eq!(error.kind(), ErrorKind::Truncated, "{stream:?}: {error:?}");
        assert_eq!(seen.concat(), if stream.len() > 1 { "Hi" } else { "" });
        assert_eq!(error.context("model"), Some("parrot"));
    }
}

#[tokio::test]
async fn a_cut_within_a_character_is_a_truncation() {
    let (cut, _) = STREAM.as_bytes().split_at(STREAM.find('€').unwrap() + 1);
    let (seen, error) = failed(Answer::sse([cut])).await;
    assert_eq!(
        (seen.concat().as_str(), error.kind()),
        ("Ha", ErrorKind::Truncated)
    );
}

#[tokio::test]
async fn what_came_before_an_error_is_delivered_first() {
    let two = "data: {\"text\":\"Hi\"}\n\ndata: ";
    for (bad, kind) in [
        ("{\"error\":\"no capacity\"}\n\n", ErrorKind::Overloaded),
        ("{\"text\n\n", ErrorKind::Decode),
    ] {
        let answer = Answer::sse([format!("{two}{bad}")]).with_header("x-request-id", "req_3");
        let replay = Replay::new([answer.with_silence()]);
        let (seen, error) = batches(call(&replay, &streamed()).await).await;
        let error = error.unwrap();
        assert_eq!((words(&seen).concat().as_str(), error.kind()), ("Hi", kind));
        assert_eq!(error.request_id(), Some("req_3"));
        assert_eq!(error.context("provider"), Some("test"));
        assert_eq!(replay.open_bodies(), 0);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_an_error_of_the_body() {
    let broken = Error::new(ErrorKind::Network, "broken").with_phase(Phase::Body);
    let answer = Answer::sse(["data: {\"text\":\"Hi\"}\n\n"]).with_error(broken);
    let (seen, error) = failed(answer).await;
    assert_eq!(seen, ["Hi"]);
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Network, Some(Phase::Body))
    );
}

#[tokio::test]
async fn what_follows_the_end_is_not_read() {
    for late in [
        "data: \u{fffd}\n\n".as_bytes(),
        b"data: \xff\n\n",
        b"data: {\"error\":\"late\"}\n\n",
    ] {
        let stream = [STREAM.as_bytes(), late].concat();
        let broken = Error::new(ErrorKind::Network, "broken");
        let replay = Replay::new([Answer::sse([stream]).with_error(broken)]);
        let (seen, error) = batches(call(&replay, &streamed()).await).await;
        assert_eq!(words(&seen), ["Halló €."]);
        assert!(error.is_none(), "{error:?}");
    }
}

#[tokio::test]
async fn a_whole_reply_has_a_bound() {
    let chunk = "x".repeat(1 << 20);
    let answer = Answer::json("{\"text\":\"")
        .with_chunks(vec![chunk; 32])
        .with_silence();
    let error = text(answer, &whole()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.message().contains("32 MiB"), "{error}");
}

#[tokio::test]
async fn embeddings_may_be_larger() {
    let embed = Call::embed(model(), EmbedRequest::new(["Hi"]));
    let padding = " ".repeat(33 << 20);
    let text = text(
        Answer::json("{\"text\":\"Hi\"").with_chunks([padding.as_str(), "}"].map(str::to_owned)),
        &embed,
    )
    .await;
    assert_eq!(text.unwrap(), "Hi");
}

#[tokio::test]
async fn a_stream_has_a_bound() {
    let frame = format!(": {}\n\n", "x".repeat((1 << 20) - 4));
    let (seen, error) = failed(Answer::sse(vec![frame; 65]).with_silence()).await;
    assert_eq!(
        (seen.concat().as_str(), error.kind()),
        ("", ErrorKind::Decode)
    );
    assert!(error.message().contains("64 MiB"), "{error}");
}

/// The bytes of each batch.
async fn raw(answer: Answer, asked: &Call) -> Vec<String> {
    let replay = Replay::new([answer]);
    let reply = provider(&replay)
        .call(&Ctx::local().with_raw(), asked)
        .await;
    let bytes = |batch: &Batch| String::from_utf8(batch.raw.clone().unwrap().to_vec()).unwrap();
    batches(reply).await.0.iter().map(bytes).collect()
}

#[tokio::test]
async fn raw_bytes_are_whole_frames() {
    for at in 0..=STREAM.len() {
        let Some((before, after)) = STREAM.split_at_checked(at) else {
            continue;
        };
        let answer = Answer::sse([before.to_owned()])
            .with_pause()
            .with_chunks([after.to_owned()]);
        let seen = raw(answer, &streamed()).await;
        assert_eq!(seen.concat(), STREAM);
        assert!(
            seen.iter()
                .all(|raw| raw.is_empty() || raw.ends_with("\n\n")),
            "{seen:?}"
        );
    }
}

#[tokio::test]
async fn raw_bytes_before_an_error_are_those_of_the_events_before_it() {
    let good = "data: {\"text\":\"Hi\"}\n\n";
    let stream = format!("{good}data: {{\"error\":\"no\"}}\n\n");
    assert_eq!(raw(Answer::sse([stream]), &streamed()).await, [good]);
}

#[tokio::test]
async fn a_whole_body_is_one_raw_frame() {
    let body = r#"{"text":"Hi"}"#;
    let seen = raw(Answer::json(body).in_pieces_of(5), &whole()).await;
    assert_eq!(seen, [body]);
    let reply = call(&Replay::new([Answer::json(body)]), &whole()).await;
    assert!(
        batches(reply)
            .await
            .0
            .iter()
            .all(|batch| batch.raw.is_none())
    );
}
