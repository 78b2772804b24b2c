//! One conversation goes from provider to provider, over every wire there is: what the next one
//! can take arrives, and what it cannot is reported.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use aurax::providers::transport::{Answer, Replay, Transport};
use aurax::providers::{Options, presets, provider};
use aurax::{
    Engine, Function, Image, Message, Part, Request, Response, Source, ToolResult, Warning,
};
use serde_json::{Value, json};

const PICTURE: &[u8] = b"a very small picture";
const CITIES: [&str; 2] = ["Paris", "Rome"];

struct Travel {
    engine: Engine,
    wires: BTreeMap<&'static str, Replay>,
    request: Request,
}

impl Travel {
    fn new(answers: [(&'static str, Vec<Value>); 5]) -> Self {
        let mut engine = Engine::builder();
        let mut wires = BTreeMap::new();
        for (name, answers) in answers {
            let answers = answers
                .into_iter()
                .map(|body| Answer::json(body.to_string()));
            let replay = Replay::new(answers);
            let transport: Arc<dyn Transport> = Arc::new(replay.clone());
            let options = Options::new().with_api_key("key-of-the-travel");
            let preset = presets::find(name).unwrap();
            engine = engine.provider(provider(preset, options, transport).unwrap());
            wires.insert(name, replay);
        }
        let weather = Function::new("get_weather").with_parameters(json!({
            "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
        }));
        let asked = Message::user("Which city is it, and its weather?")
            .with(Image::new(Source::bytes("image/png", PICTURE)));
        let request = Request::new([Message::system("Use the tools."), asked])
            .with_tools([weather])
            .with_max_output_tokens(8_192);
        Self {
            engine: engine.build().unwrap(),
            wires,
            request,
        }
    }

    /// Asks the next model, and sees that nothing said so far went missing unsaid.
    async fn ask(&mut self, model: &str) -> (Value, Response) {
        let response = self.engine.chat(model, self.request.clone()).await.unwrap();
        let name = model.split('/').next().unwrap();
        let sent = self.wires[name].requests().pop().unwrap().json();
        let lost = lost(&self.request, &sent.to_string(), &response.warnings);
        assert!(
            lost.is_empty(),
            "{model}: {lost:?}\n{:?}\n{sent:#}",
            response.warnings
        );
        (sent, response)
    }

    /// Goes on: the tools answer, one of them with an error.
    fn answer(&mut self, response: Response, turn: usize) {
        let calls: Vec<_> = response.tool_calls().cloned().collect();
        assert_eq!(calls.len(), 2, "turn {turn}");
        for (call, city) in calls.iter().zip(CITIES) {
            let arguments: Value = call.parse().unwrap();
            assert_eq!(arguments, json!({"city": format!("{city}{turn}")}));
        }
        let sunny = ToolResult::new(&calls[0], format!("sunny{turn}"));
        let broken = ToolResult::new(&calls[1], format!("broken{turn}")).with_error();
        self.request.messages.push(response.into_message());
        self.request.messages.push(Message::tool([sunny, broken]));
    }
}

/// What of a conversation is neither in the request that was sent nor reported.
fn lost(request: &Request, sent: &str, warnings: &[Warning]) -> Vec<String> {
    let reported = |words: &[&str]| {
        warnings.iter().any(|warning| {
            let text = format!("{} {}", warning.subject, warning.message);
            words.iter().any(|word| text.contains(word))
        })
    };
    let mut lost = Vec::new();
    for part in request.messages.iter().flat_map(|message| &message.parts) {
        let is_there = match part {
            Part::Text(text) => sent.contains(&text.text),
            Part::Image(image) => match &image.source {
                Source::Inline { data, .. } => sent.contains(data),
                _ => false,
            },
            Part::Thinking(thinking) => {
                let proof = thinking.signature.as_ref();
                let is_proved = proof.is_none_or(|proof| sent.contains(&proof.data));
                is_proved && sent.contains(&thinking.text)
                    || reported(&["thinking", "thought", "reasoning"])
            }
            Part::ToolCall(call) => {
                let city = call.parse::<Value>().unwrap()["city"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                let proof = call.signature.as_ref();
                let is_proved = proof.is_none_or(|proof| sent.contains(&proof.data));
                sent.contains(&call.name)
                    && sent.contains(&city)
                    && (is_proved || reported(&["signatures", "proofs"]))
            }
            Part::ToolResult(result) => {
                let failed = result.is_error == Some(true);
                let marks = [
                    "\"is_error\":true",
                    &format!("{{\"error\":\"{}\"", result.text()),
                    &format!("error: {}", result.text()),
                ];
                let is_marked = marks.iter().any(|mark| sent.contains(*mark));
                sent.contains(&result.text()) && (!failed || is_marked || reported(&["is_error"]))
            }
            _ => false,
        };
        if !is_there {
            lost.push(format!("{part:?}"));
        }
    }
    lost
}

fn city(number: usize, turn: usize) -> String {
    format!("{}{turn}", CITIES[number])
}

fn open_ai(turn: usize) -> Value {
    let call = |number: usize| {
        json!({
            "id": format!("call_{turn}_{number}"), "type": "function",
            "function": {
                "name": "get_weather",
                "arguments": json!({"city": city(number, turn)}).to_string(),
            },
        })
    };
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
        "choices": [{
            "index": 0, "finish_reason": "tool_calls",
            "message": {"role": "assistant", "content": null, "tool_calls": [call(0), call(1)]},
        }],
        "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
    })
}

fn anthropic(turn: usize) -> Value {
    let call = |number: usize| {
        json!({
            "type": "tool_use", "id": format!("toolu_{turn}_{number}"), "name": "get_weather",
            "input": {"city": city(number, turn)},
        })
    };
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [
            {"type": "thinking", "thinking": "Two cities.", "signature": "claudes-proof"},
            call(0), call(1),
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 9, "output_tokens": 9},
    })
}

fn gemini(turn: usize) -> Value {
    let call = |number: usize| json!({"name": "get_weather", "args": {"city": city(number, turn)}});
    json!({
        "candidates": [{
            "index": 0, "finishReason": "STOP",
            "content": {"role": "model", "parts": [
                {"text": "Again two.", "thought": true},
                {"functionCall": call(0), "thoughtSignature": "geminis-proof"},
                {"functionCall": call(1)},
            ]},
        }],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 9, "totalTokenCount": 18},
        "modelVersion": "gemini-3-flash-preview", "responseId": "r1",
    })
}

fn ollama(turn: usize) -> Value {
    let call = |number: usize| json!({"function": {"name": "get_weather", "arguments": {"city": city(number, turn)}}});
    json!({
        "model": "qwen3:4b", "created_at": "2026-01-01T00:00:00Z", "done": true,
        "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 9,
        "message": {
            "role": "assistant", "content": "", "thinking": "Still two.",
            "tool_calls": [call(0), call(1)],
        },
    })
}

fn responses(turn: usize) -> Value {
    let call = |number: usize| {
        json!({
            "type": "function_call", "id": format!("fc_{turn}_{number}"), "status": "completed",
            "call_id": format!("call_{turn}_{number}"), "name": "get_weather",
            "arguments": json!({"city": city(number, turn)}).to_string(),
        })
    };
    json!({
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed",
        "model": "gpt-5", "error": null, "incomplete_details": null,
        "output": [
            {
                "type": "reasoning", "id": "rs_1", "encrypted_content": "openais-proof",
                "summary": [{"type": "summary_text", "text": "Two to the end."}],
            },
            call(0), call(1),
        ],
        "usage": {"input_tokens": 9, "output_tokens": 9, "total_tokens": 18},
    })
}

fn count(sent: &Value, word: &str) -> usize {
    sent.to_string().matches(word).count()
}

#[tokio::test]
async fn a_conversation_goes_over_every_wire_and_nothing_is_lost_in_silence() {
    let mut travel = Travel::new([
        ("openai", vec![open_ai(1), open_ai(6)]),
        ("anthropic", vec![anthropic(2), anthropic(7)]),
        ("gemini", vec![gemini(3), gemini(8)]),
        ("ollama", vec![ollama(4)]),
        ("openai-responses", vec![responses(5)]),
    ]);

    let (_, response) = travel.ask("openai/gpt-4o").await;
    travel.answer(response, 1);

    let (sent, response) = travel.ask("anthropic/claude-sonnet-4-5").await;
    let results = &sent["messages"][2]["content"];
    assert_eq!(results[0]["tool_use_id"], "call_1_0");
    assert_eq!(results[1]["is_error"], true);
    travel.answer(response, 2);

    let (sent, response) = travel.ask("gemini/gemini-3-flash-preview").await;
    assert_eq!(count(&sent, "functionResponse"), 4);
    assert_eq!(
        count(&sent, "claudes-proof"),
        0,
        "a proof is its maker's alone"
    );
    travel.answer(response, 3);

    let (sent, response) = travel.ask("ollama/qwen3:4b").await;
    assert_eq!(count(&sent, "\"tool_name\":\"get_weather\""), 6);
    assert_eq!(count(&sent, "-proof"), 0);
    travel.answer(response, 4);

    let (sent, response) = travel.ask("openai-responses/gpt-5").await;
    let items = sent["input"].as_array().unwrap();
    let of = |kind: &'static str| items.iter().filter(move |item| item["type"] == kind);
    let called: Vec<&Value> = of("function_call").map(|item| &item["call_id"]).collect();
    let answered: Vec<&Value> = of("function_call_output")
        .map(|item| &item["call_id"])
        .collect();
    assert_eq!(called.len(), 8);
    assert_eq!(called, answered, "every call has its answer, in order");
    travel.answer(response, 5);

    let (sent, response) = travel.ask("openai/gpt-4o").await;
    assert_eq!(count(&sent, "\"tool_call_id\""), 10);
    assert_eq!(count(&sent, "-proof"), 0);
    travel.answer(response, 6);

    // Back at the maker of the first thoughts, they are as they were.
    let (sent, response) = travel.ask("anthropic/claude-sonnet-4-5").await;
    let thoughts = json!({
        "type": "thinking", "thinking": "Two cities.", "signature": "claudes-proof",
    });
    let turns = sent["messages"].as_array().unwrap();
    assert!(turns.iter().any(|turn| turn["content"][0] == thoughts));
    travel.answer(response, 7);

    let (sent, _) = travel.ask("gemini/gemini-3-flash-preview").await;
    assert_eq!(count(&sent, "geminis-proof"), 1);
    assert_eq!(count(&sent, "functionResponse"), 14);
}
