//! Every kind of event comes back from the cache as it was kept.

use std::sync::Arc;

use aurax_core::Ctx;
use aurax_core::{
    Audio, Bucket, Buckets, CacheMode, CachePolicy, Call, Citation, Delta, EmbedRequest, Embedding,
    End, Engine, Event, Finish, FinishReason, Image, Item, Json, Logprob, MemoryCache, Money,
    Native, Origin, Provider as _, Signature, Source, Start, TokenLogprob, ToolCallStart, Usage,
    UsageSource,
};
use futures::StreamExt as _;

use super::desk::Desk;
use super::support::{Script, Step, model, totals};

fn delta(choice: u32, part: u32, delta: Delta) -> Event {
    Event::Delta {
        choice,
        part,
        delta,
    }
}

fn usage() -> Usage {
    let mut usage = Usage::from_totals(totals(10, 4));
    usage.raw = Some(Json::parse(r#"{"b": 1.50,  "a":[1e2]}"#).unwrap());
    usage.reported_cost = Some("0.00000018".parse::<Money>().unwrap());
    usage.anomalies.clear();
    usage
}

fn everything() -> Vec<Event> {
    let signature = Signature::new("c2ln", Some(Origin::new("first", "a")));
    let mut start = Start::new(Some("id-1".to_owned()), Some("model-1".to_owned()));
    start.created = Some(1_700_000_000);
    let mut citation = Citation::from_url("https://example.test/\u{2028}");
    citation.quote = Some("\"quoted\"\n".to_owned());
    citation.native = Some(Native::new(None, "location", r#"{"x" : 1}"#));
    let token = Logprob {
        token: "é".to_owned(),
        logprob: -0.125,
        bytes: Some(vec![195, 169]),
    };
    let mut audio = Audio::new(Source::bytes("audio/wav", b"sound"));
    audio.transcript = Some("hello".to_owned());
    let mut finish = Finish::new(FinishReason::ToolCalls, Some("tool_use".to_owned()))
        .with_stop_sequence(Some("stop".to_owned()));
    finish.extra.insert("z".to_owned(), 1.into());
    finish.extra.insert("a".to_owned(), serde_json::Value::Null);
    let mut end = End::new(vec![finish.clone(), finish], Some(usage()));
    end.service_tier = Some("default".to_owned());
    end.extra
        .insert("system_fingerprint".to_owned(), "fp".into());
    vec![
        Event::Start(start),
        delta(0, 0, Delta::Thinking("hm".to_owned())),
        delta(0, 0, Delta::Signature(signature.clone())),
        delta(
            0,
            0,
            Delta::Item(Item::new("it-1").with_phase(Some("x".to_owned()))),
        ),
        delta(0, 1, Delta::RedactedThinking(signature)),
        delta(0, 2, Delta::Text("one \u{1F600}\u{0} two".to_owned())),
        delta(0, 2, Delta::Citation(citation)),
        delta(0, 3, Delta::ToolCall(ToolCallStart::new("c1", "look"))),
        delta(0, 3, Delta::Arguments("{\"a\": 1.0".to_owned())),
        delta(
            0,
            4,
            Delta::Image(Image::from_url("data:image/png;base64,AAAA")),
        ),
        delta(0, 5, Delta::Audio(audio)),
        delta(1, 0, Delta::Native(Native::new(None, "search", "[ 1 ]"))),
        Event::Logprobs {
            choice: 0,
            tokens: vec![TokenLogprob {
                token: token.clone(),
                top: vec![token],
            }],
        },
        Event::Usage(Arc::new(usage())),
        Event::End(Box::new(end)),
    ]
}

/// The events of the same call twice: as answered, and from the cache.
async fn twice(events: Vec<Event>, call: Call) -> [Vec<Event>; 2] {
    let desk = Desk::new("first", move |_, _| {
        let steps = events.iter().map(|event| Step::Events(vec![event.clone()]));
        Script::Answer(steps.collect())
    });
    let policy = CachePolicy::default().with_mode(CacheMode::Use);
    let builder = Engine::builder().provider(desk.clone());
    let engine = builder.cache(MemoryCache::new(), policy).build().unwrap();
    let mut seen = [Vec::new(), Vec::new()];
    for (run, seen) in seen.iter_mut().enumerate() {
        let mut reply = engine.call(&Ctx::local(), &call).await.unwrap();
        assert_eq!(reply.head().cached, run == 1);
        while let Some(batch) = reply.next().await {
            seen.extend(batch.unwrap().events.into_iter().map(without_receipt));
        }
    }
    assert_eq!(desk.attempts(), 1);
    seen
}

fn without_receipt(mut event: Event) -> Event {
    if let Event::End(end) = &mut event {
        assert!(end.receipt.take().is_some());
    }
    event
}

#[tokio::test(start_paused = true)]
async fn a_chat_comes_back_to_the_last_field() {
    let call = super::support::ask("first/a", aurax_core::Delivery::Streamed);
    let [answered, cached] = twice(everything(), call).await;
    assert_eq!(answered, everything());
    assert_eq!(cached, answered);
}

#[tokio::test(start_paused = true)]
async fn vectors_come_back_to_the_last_bit() {
    let vector: Vec<f32> = (0..4_096_u16)
        .map(|n| (f32::from(n) * 0.001_37).sin() * 1e-3)
        .chain([f32::MIN_POSITIVE, f32::MAX, -0.0, 0.1, 1.0 / 3.0])
        .collect();
    let buckets = Buckets::new().with(Bucket::Input, 3);
    let used = Usage::measured(buckets, UsageSource::Counted);
    let events = vec![
        Event::Embedding(Embedding::new(0, vector.clone())),
        Event::Embedding(Embedding::new(1, vector)),
        Event::End(Box::new(End::new(Vec::new(), Some(used)))),
    ];
    let call = Call::embed(model("first/e"), EmbedRequest::new(["one", "two"]));
    let [answered, cached] = twice(events.clone(), call).await;
    assert_eq!(answered, events);
    assert_eq!(cached, answered);
}
