//! Every scenario through one door.

use std::collections::HashSet;

use aurax::Timeouts;
use aurax::providers::hostile::{Dialect, HostileUpstream, Scenario};
use serde_json::{Value, json};
use uuid::Uuid;

use super::books::{Known, audited, check_books};
use super::expect::{Expect, expect};
use super::world::{CANARY, World, is_silent, name, patience};
use crate::support::Socket;

/// How a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// By REST, for the whole answer.
    Whole,
    /// By REST, for events.
    Events,
    /// Over WebSocket.
    Socket,
}

/// What a client saw.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The status of the answer; 200 for a socket.
    pub(crate) status: u16,
    /// What came in pieces.
    pub(crate) pieces: String,
    /// The whole answer, where there is one.
    pub(crate) whole: Option<Value>,
    /// The error, where there is one.
    pub(crate) error: Option<Value>,
    /// Everything, as it came.
    pub(crate) text: String,
}

/// Answers of many megabytes, each of which gets a server of its own: whoever reads the books reads
/// them, too. One wire shows that they do no harm.
const GIANTS: [Scenario; 4] = [
    Scenario::Line10Mb,
    Scenario::Line20Mb,
    Scenario::Line40Mb,
    Scenario::Flood,
];

pub(crate) async fn run(dialect: Dialect, door: Door) {
    let small = Scenario::ALL.iter().copied();
    let small = small.filter(|scenario| !GIANTS.contains(scenario));
    let (silent, others) = small.partition(|&scenario| is_silent(scenario));
    let mut wrong = group(dialect, door, silent, patience(700, 1_400)).await;
    wrong.extend(group(dialect, door, others, patience(20_000, 60_000)).await);
    report(dialect, door, &wrong);
}

pub(crate) async fn giants(dialect: Dialect, door: Door) {
    let mut wrong = Vec::new();
    for scenario in GIANTS {
        let timeouts = patience(60_000, 300_000);
        wrong.extend(group(dialect, door, vec![scenario], timeouts).await);
    }
    report(dialect, door, &wrong);
}

fn report(dialect: Dialect, door: Door, wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{dialect:?} {door:?}:\n{}",
        wrong.join("\n")
    );
}

/// Some scenarios over one server.
async fn group(
    dialect: Dialect,
    door: Door,
    scenarios: Vec<Scenario>,
    timeouts: Timeouts,
) -> Vec<String> {
    let world = World::start(timeouts).await;
    let (mut wrong, mut known) = (Vec::new(), Known::default());
    for scenario in scenarios {
        if let Err(why) = check(&world, scenario, dialect, door, &mut known).await {
            wrong.push(format!("{}: {why:.600}", scenario.name()));
            // What it left behind is not for the next one to explain.
            known.forgive(&world).await;
        }
    }
    wrong.extend(audited(&world, &known).await.err());
    let state = world.server.state.clone();
    world.server.stop().await;
    if !state.drain().tasks().is_empty() || state.sockets().count() > 0 {
        wrong.push("a task or a socket goes on".to_owned());
    }
    wrong
}

async fn check(
    world: &World,
    scenario: Scenario,
    dialect: Dialect,
    door: Door,
    known: &mut Known,
) -> Result<(), String> {
    let requests = world.upstream.requests();
    let session = world.session().await;
    let model = format!("{}/{}", name(dialect), scenario.name());
    let outcome = match door {
        Door::Whole => whole(world, &session, &model).await,
        Door::Events => events(world, &session, &model).await,
        Door::Socket => socket(world, &session, &model).await,
    };
    let expected = expect(scenario, dialect, door != Door::Whole);
    judge(expected, &outcome, door).map_err(|why| {
        let text: String = outcome.text.chars().take(300).collect();
        format!("{why}, expected {expected:?}: {} {text}", outcome.status)
    })?;
    for secret in [CANARY, "<html", "169.254", "x-hostile"] {
        if outcome.text.contains(secret) {
            return Err(format!("{secret} is shown: {:.300}", outcome.text));
        }
    }
    let sent = world.upstream.requests().saturating_sub(requests);
    if sent != 1 {
        return Err(format!("{sent} requests were sent"));
    }
    world.quiet().await?;
    check_books(world, expected, &outcome, known).await?;
    is_free(world, &session).await
}

/// The session answers again.
async fn is_free(world: &World, session: &str) -> Result<(), String> {
    let path = format!("/chat/sessions/{session}");
    let put = loop {
        let put = world.ada.put(&path, &json!({"title": "free"})).await;
        if put.status.as_u16() != 503 {
            break put;
        }
    };
    if put.status.as_u16() == 200 {
        return Ok(());
    }
    Err(format!("the session is held: {}", put.status))
}

async fn whole(world: &World, session: &str, model: &str) -> Outcome {
    let path = format!("/chat/sessions/{session}/messages");
    let body = json!({"content": "Hi", "model": model});
    let answer = world.ada.post(&path, &body).await;
    let mut outcome = Outcome {
        status: answer.status.as_u16(),
        text: String::from_utf8_lossy(&answer.body).into_owned(),
        ..Outcome::default()
    };
    let json = answer.json();
    if answer.status.is_success() {
        outcome.whole = Some(json);
    } else {
        outcome.error = Some(json["error"].clone());
    }
    outcome
}

async fn events(world: &World, session: &str, model: &str) -> Outcome {
    let path = format!("/chat/sessions/{session}/messages");
    let body = json!({"content": "Hi", "model": model, "stream": true});
    let answer = world.ada.post_stream(&path, &body).await;
    let mut outcome = Outcome {
        status: answer.status.as_u16(),
        ..Outcome::default()
    };
    if !answer.status.is_success() {
        let answer = answer.collect().await;
        outcome.text = String::from_utf8_lossy(&answer.body).into_owned();
        outcome.error = Some(answer.json()["error"].clone());
        return outcome;
    }
    for (name, frame) in answer.events().await {
        assert_eq!(frame["type"], name.as_str());
        outcome.take(frame);
    }
    outcome
}

async fn socket(world: &World, session: &str, model: &str) -> Outcome {
    let mut socket = Socket::of(&world.ada, world.server.address).await;
    socket.chat(session, model, "Hi").await;
    let mut outcome = Outcome {
        status: 200,
        ..Outcome::default()
    };
    while outcome.whole.is_none() && outcome.error.is_none() {
        outcome.take(socket.hear().await);
    }
    // Nothing comes after the end, and the socket goes on.
    socket.lives().await;
    socket.close().await;
    outcome
}

impl Outcome {
    fn take(&mut self, frame: Value) {
        assert!(
            self.whole.is_none() && self.error.is_none(),
            "{frame} after the end"
        );
        self.text.push_str(&frame.to_string());
        match frame["type"].as_str().unwrap() {
            "chat_chunk" => self.pieces.push_str(frame["delta"].as_str().unwrap()),
            "chat_response" => self.whole = Some(frame),
            "error" => self.error = Some(frame["error"].clone()),
            other => panic!("a frame of type {other}"),
        }
    }
}

fn judge(expected: Expect, outcome: &Outcome, door: Door) -> Result<(), &'static str> {
    let words = HostileUpstream::WORDS.concat();
    let fine = match (expected, &outcome.whole, &outcome.error) {
        (Expect::Words, Some(whole), None) => {
            whole["content"] == words && is_whole(outcome, door, &words)
        }
        (Expect::Length(length), Some(whole), None) => {
            let content = whole["content"].as_str().unwrap_or_default();
            content.len() == length && is_whole(outcome, door, content)
        }
        // So much takes a while to be written down, and a machine may have other work: whoever
        // waits is told after five seconds, and it is recorded all the same.
        (Expect::Length(_), None, Some(error)) => {
            error["code"] == "ledger_unavailable" && (door == Door::Socket || outcome.status == 503)
        }
        (Expect::Calls, Some(whole), None) => is_called(outcome, whole, door),
        (Expect::Fails(codes), None, Some(error)) => {
            let is_listed = |&(status, code): &(u16, &str)| {
                error["code"] == code && (door == Door::Socket || outcome.status == status)
            };
            outcome.pieces.is_empty() && codes.iter().any(is_listed)
        }
        (Expect::Breaks(codes), None, Some(error)) => {
            let said = &outcome.pieces;
            let starts = words.starts_with(said.as_str()) || said.starts_with("aaaa");
            outcome.status == 200
                && !said.is_empty()
                && starts
                && codes.iter().any(|&code| error["code"] == code)
        }
        _ => false,
    };
    if fine {
        Ok(())
    } else {
        Err("it came to something else")
    }
}

/// Whether the pieces are the whole.
fn is_whole(outcome: &Outcome, door: Door, content: &str) -> bool {
    match door {
        Door::Whole => outcome.status == 201,
        Door::Events | Door::Socket => outcome.status == 200 && outcome.pieces == content,
    }
}

fn is_called(outcome: &Outcome, whole: &Value, door: Door) -> bool {
    if door != Door::Whole {
        let calls = outcome.text.matches(r#""tool_call":{"#).count();
        return calls == 2 && outcome.text.contains("look_up");
    }
    let parts = whole["parts"].as_array().cloned().unwrap_or_default();
    let ids: HashSet<_> = parts.iter().map(|part| part["id"].to_string()).collect();
    parts.len() == 2 && ids.len() == 2 && parts.iter().all(|part| part["name"] == "look_up")
}

/// The id of the answer, where there is one.
pub(crate) fn answer_id(outcome: &Outcome) -> Option<Uuid> {
    let whole = outcome.whole.as_ref()?;
    let id = whole.get("message_id").or_else(|| whole.get("id"))?;
    id.as_str()?.parse().ok()
}
