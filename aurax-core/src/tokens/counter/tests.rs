use std::sync::atomic::Ordering;

use futures::FutureExt as _;

use super::*;
use crate::chat::{Function, Image, Message, OutputFormat, Part, ToolCall, ToolResult};
use crate::json::Json;
use crate::tokens::CountSource;

const OPENAI: Option<&str> = Some("openai");

fn count(model: &str, request: &Request) -> Count {
    TokenCounter::new().count_request(OPENAI, model, request)
}

fn texts(counter: &TokenCounter) -> u64 {
    counter.texts.swap(0, Ordering::Relaxed)
}

/// The worked example of the cookbook, with the count that it shows the provider to return:
/// <https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb>
fn cookbook() -> Request {
    let named = |name: &str, text: &str| {
        let mut message = Message::system(text);
        message.name = Some(name.to_owned());
        message
    };
    Request::new([
        Message::system(
            "You are a helpful, pattern-following assistant that translates corporate jargon into \
             plain English.",
        ),
        named(
            "example_user",
            "New synergies will help drive top-line growth.",
        ),
        named(
            "example_assistant",
            "Things working well together will increase revenue.",
        ),
        named(
            "example_user",
            "Let's circle back when we have more bandwidth to touch base on opportunities for \
             increased leverage.",
        ),
        named(
            "example_assistant",
            "Let's talk later when we're less busy about how to do better.",
        ),
        Message::user(
            "This late pivot means we don't have time to boil the ocean for the client \
             deliverable.",
        ),
    ])
}

#[test]
fn the_documented_example_is_exact() {
    assert_eq!(count("gpt-4", &cookbook()), Count::exact(129));
    assert_eq!(count("gpt-3.5-turbo", &cookbook()), Count::exact(129));
    assert_eq!(count("gpt-4o", &cookbook()), Count::exact(124));
    assert_eq!(count("gpt-5-nano", &cookbook()), Count::exact(123));
}

#[test]
fn a_text_counts_in_the_models_encoding() {
    let counter = TokenCounter::new();
    let text = "数えるのは難しい";
    let tokens = |provider, model| counter.count_text(provider, model, text);
    assert_eq!(tokens(OPENAI, "gpt-4").source, CountSource::Exact);
    assert_ne!(tokens(OPENAI, "gpt-4"), tokens(OPENAI, "gpt-4o"));
    assert_eq!(tokens(None, "gpt-oss:20b"), tokens(OPENAI, "gpt-4o"));
    assert_eq!(
        tokens(Some("anthropic"), "claude-sonnet-4-5"),
        Count::estimate(estimate_text(text))
    );
    let special = counter.count_text(OPENAI, "gpt-4o", "<|endoftext|>");
    assert!(
        special.tokens > 1,
        "the words of a request are never special"
    );
}

#[test]
fn only_text_is_exact() {
    let hi = || Request::from("Hi");
    let tool = Function::new("ping");
    let call = ToolCall::new("1", "ping", "{}");
    let inexact = [
        hi().with_tools([tool]),
        hi().with_output(OutputFormat::JsonObject),
        hi().with_output(OutputFormat::JsonSchema {
            name: "answer".into(),
            schema: Json::parse("{}").unwrap(),
            strict: None,
        }),
        hi().with_extra("prediction", "x"),
        Request::from(Message::user("What is this?").with(Image::from_url("https://a.example"))),
        Request::from(Message::user("one").with("two")),
        Request::new([
            Message::new(
                crate::chat::Role::Assistant,
                vec![Part::ToolCall(call.clone())],
            ),
            Message::tool([ToolResult::new(&call, "pong")]),
        ]),
    ];
    assert_eq!(count("gpt-4o", &hi()).source, CountSource::Exact);
    for request in inexact {
        assert_eq!(
            count("gpt-4o", &request).source,
            CountSource::Estimate,
            "{request:?}"
        );
    }
    assert_eq!(count("gpt-oss-20b", &hi()).source, CountSource::Estimate);
    assert_eq!(
        count("no-such-model", &hi()).tokens,
        estimate_request(&hi())
    );
}

#[test]
fn tools_and_their_results_count_as_recorded() {
    let schema = Json::from(serde_json::json!({
        "properties": {
            "x": {"description": "The first number to add", "type": "number"},
            "y": {"description": "The second number to add", "type": "number"}
        },
        "required": ["x", "y"], "type": "object"
    }));
    let add = || {
        Function::new("add")
            .with_description("Add x and y together")
            .with_parameters(schema.clone())
    };
    let listed = |request: Request| {
        let without = count("gpt-4o", &request).tokens;
        count("gpt-4o", &request.with_tools([add()])).tokens - without
    };
    assert_eq!(listed(Request::from("Hi")), 52);
    assert_eq!(listed(Request::from("Hi").with_system("Be brief.")), 48);

    let call = |id: &str, name: &str, arguments: &str| ToolCall::new(id, name, arguments);
    let exchange = |calls: Vec<ToolCall>| {
        let results: Vec<_> = calls.iter().map(|call| ToolResult::new(call, "")).collect();
        let parts = calls.into_iter().map(Part::ToolCall).collect();
        let asked = Message::new(crate::chat::Role::Assistant, parts);
        count("gpt-4o", &Request::new([asked, Message::tool(results)])).tokens
    };
    // The reply, two messages and their roles are 11.
    assert_eq!(
        exchange(vec![call("1", "add", r#"{"x":2,"y":3}"#)]),
        11 + 16
    );
    let two = vec![
        call("1", "alpha", r#"{"slot":1}"#),
        call("2", "beta", r#"{"slot":2}"#),
    ];
    assert_eq!(exchange(two), 11 + 4 + 44);
}

#[test]
fn a_growing_conversation_counts_only_what_is_new() {
    let counter = TokenCounter::new();
    let mut request = Request::from("Tell me about tokens.").with_system("Be brief.");
    let mut before = 0;
    for turn in 0..20 {
        let count = counter.count_request(OPENAI, "gpt-4o", &request);
        assert!(count.tokens > before);
        // Two messages, each a role and a text.
        assert_eq!(texts(&counter), 4, "turn {turn}");
        assert_eq!(
            count,
            TokenCounter::remembering(0).count_request(OPENAI, "gpt-4o", &request)
        );
        before = count.tokens;
        request = request
            .with_message(Message::assistant(format!("Answer {turn}.")))
            .with_message(Message::user(format!("Question {turn}?")));
    }
    let again = counter.count_request(OPENAI, "gpt-4o-mini", &request);
    assert_eq!(texts(&counter), 4);
    assert_eq!(counter.count_request(OPENAI, "gpt-4o", &request), again);
    assert_eq!(texts(&counter), 0);
    counter.count_request(OPENAI, "gpt-4", &request);
    assert!(texts(&counter) > 80, "another encoding is another count");
}

#[test]
fn what_a_result_answers_is_part_of_what_is_remembered() {
    let counter = TokenCounter::new();
    let request = |name: &str| {
        let call = ToolCall::new("1", name, "{}");
        Request::new([
            Message::new(crate::chat::Role::Assistant, vec![Part::ToolCall(call)]),
            Message::tool([ToolResult::for_id("1", "done")]),
        ])
    };
    for name in ["a", "a_much_longer_name_for_a_tool"] {
        let remembered = counter.count_request(OPENAI, "gpt-4o", &request(name));
        assert_eq!(remembered, count("gpt-4o", &request(name)));
    }
}

#[tokio::test]
async fn a_long_request_is_counted_aside_with_the_same_result() {
    let counter = Arc::new(TokenCounter::new());
    for length in [10, 100_000] {
        let request = Request::from("word ".repeat(length));
        let aside = counter
            .count_request_aside(OPENAI, "gpt-4o", &request)
            .await;
        assert_eq!(aside, count("gpt-4o", &request));
    }
}

#[test]
fn without_a_runtime_the_calling_thread_counts() {
    let counter = Arc::new(TokenCounter::new());
    let request = Request::from("word ".repeat(20_000));
    let aside = counter.count_request_aside(OPENAI, "gpt-4o", &request);
    assert_eq!(aside.now_or_never(), Some(count("gpt-4o", &request)));
}
