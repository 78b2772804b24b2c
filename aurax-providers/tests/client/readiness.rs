//! What is ready goes out together, nothing waits, and nothing is left open.

use aurax_core::{Batch, Ctx, ErrorKind, Phase, Provider};
use aurax_providers::transport::{Answer, Replay};
use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::{batches, call, provider, streamed, words};

const END: &str = "data: {\"end\":true}\n\n";

fn frames(words: &[&str]) -> Vec<String> {
    words
        .iter()
        .map(|word| format!("data: {{\"text\":\"{word}\"}}\n\n"))
        .collect()
}

async fn seen(answer: Answer) -> Vec<Batch> {
    batches(call(&Replay::new([answer]), &streamed()).await)
        .await
        .0
}

#[tokio::test]
async fn chunks_that_are_ready_are_one_batch() {
    let answer = Answer::sse(frames(&["a", "b"])).with_pause();
    let answer = answer
        .with_chunks(frames(&["c"]))
        .with_pause()
        .with_chunks(frames(&["d"]));
    assert_eq!(
        words(&seen(answer.with_chunks([END])).await),
        ["ab", "c", "d."]
    );
}

#[tokio::test]
async fn a_batch_has_at_most_32_chunks() {
    let answer = Answer::sse(frames(&["x"; 40])).with_chunks([END]);
    let lengths: Vec<usize> = words(&seen(answer).await).iter().map(String::len).collect();
    assert_eq!(lengths, [32, 9]);
}

#[tokio::test]
async fn a_chunk_without_events_is_a_sign_of_life() {
    let answer = Answer::sse([": ping\n\n"])
        .with_pause()
        .with_chunks(["data: {\"te"]);
    let answer = answer.with_pause().with_chunks(["xt\":\"a\"}\n\n", END]);
    assert_eq!(words(&seen(answer).await), ["", "", "a."]);
}

#[tokio::test]
async fn a_batch_does_not_wait_for_the_next_chunk() {
    let replay = Replay::new([Answer::sse(frames(&["a"])).with_silence()]);
    let mut reply = call(&replay, &streamed()).await.unwrap();
    let first = reply.next().now_or_never().unwrap().unwrap().unwrap();
    assert_eq!(words(&[first]), ["a"]);
    assert!(reply.next().now_or_never().is_none());
}

#[tokio::test]
async fn dropping_a_reply_closes_its_body() {
    let replay = Replay::new([Answer::sse(frames(&["a"])).with_silence()]);
    let mut reply = call(&replay, &streamed()).await.unwrap();
    reply.next().await.unwrap().unwrap();
    assert_eq!(replay.open_bodies(), 1);
    drop(reply);
    assert_eq!(replay.open_bodies(), 0);
}

#[tokio::test]
async fn the_end_closes_the_body_though_the_provider_keeps_it_open() {
    let replay = Replay::new([Answer::sse([END]).with_silence()]);
    let mut reply = call(&replay, &streamed()).await.unwrap();
    assert_eq!(words(&[reply.next().await.unwrap().unwrap()]), ["."]);
    assert!(reply.next().await.is_none());
    assert_eq!(replay.open_bodies(), 0);
}

#[tokio::test]
async fn what_is_ready_behind_the_end_is_read_so_that_the_connection_is_free() {
    let replay = Replay::new([Answer::sse([END, ": bye\n\n"])]);
    let mut reply = call(&replay, &streamed()).await.unwrap();
    reply.next().await.unwrap().unwrap();
    assert_eq!(replay.open_bodies(), 0);
}

#[tokio::test]
async fn a_stream_can_be_cancelled() {
    let replay = Replay::new([Answer::sse(frames(&["a"])).with_silence()]);
    let cancel = CancellationToken::new();
    let ctx = Ctx::local().with_cancel(cancel.clone());
    let mut reply = provider(&replay).call(&ctx, &streamed()).await.unwrap();
    reply.next().await.unwrap().unwrap();
    let waiting = tokio::spawn(async move { (reply.next().await, reply.next().await.is_none()) });
    tokio::task::yield_now().await;
    cancel.cancel();
    let (error, ended) = waiting.await.unwrap();
    let error = error.unwrap().unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Cancelled, Some(Phase::Body))
    );
    assert!(ended);
    assert_eq!(replay.open_bodies(), 0);
}
