//! Tools that the engine runs for the model.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aurax_core::{
    Ctx, Error, ErrorKind, Event, Function, Message, Part, Request, Result, Role, SessionEvent,
    ToolCall, ToolResult, ToolRunner, TurnStatus,
};
use futures::StreamExt as _;

use crate::model::Line;
use crate::world::{World, free, said};

const TWO_CALLS: Line = Line::Asks(&[("c1", "add", r#"{"a":1,"b":2}"#), ("c2", "slow", "{}")]);
const ONE_CALL: Line = Line::Asks(&[("c1", "add", r#"{"a":1,"b":2}"#)]);

fn add() -> Function {
    Function::new("add")
}

fn runner() -> impl ToolRunner {
    |call: ToolCall| async move {
        if call.name == "slow" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(format!("{} done", call.name))
    }
}

fn results(message: &Message) -> Vec<(String, String, bool)> {
    let results = message.parts.iter().filter_map(|part| match part {
        Part::ToolResult(result) => Some(result),
        _ => None,
    });
    results
        .map(|result| {
            let failed = result.is_error.unwrap_or_default();
            (result.call_id.clone(), result.text(), failed)
        })
        .collect()
}

fn roles(request: &Request) -> Vec<Role> {
    request
        .messages
        .iter()
        .map(|message| message.role)
        .collect()
}

pub(crate) async fn tools_run_and_the_model_goes_on(world: &World) {
    let (chat, model) = world
        .chat([TWO_CALLS, Line::Says("three"), Line::Says("bye")])
        .await;
    let send = chat
        .send("1 + 2?")
        .tools([add(), Function::new("slow")], runner());
    let answer = send.await.unwrap();
    assert_eq!(answer.text(), "three");
    let spoke: Vec<Role> = answer.turns.iter().map(|turn| turn.message.role).collect();
    let expected = [Role::User, Role::Assistant, Role::Tool, Role::Assistant];
    assert_eq!(spoke, expected);
    assert_eq!(roles(&model.asked()[1]), expected[..3]);
    let told = results(&answer.turns[2].message);
    let done = |id: &str, text: &str| (id.to_owned(), text.to_owned(), false);
    assert_eq!(told, [done("c1", "add done"), done("c2", "slow done")]);
    assert_eq!(chat.history(10).await.unwrap(), answer.turns);
    assert_eq!(model.asked()[0].tools.len(), 2);

    chat.send("Thanks").await.unwrap();
    assert_eq!(model.asked()[2].tools, []);
    assert_eq!(said(&chat).await.len(), 6);
}

pub(crate) async fn each_call_of_the_model_is_a_request_of_its_own(world: &World) {
    let (chat, _) = world.chat([ONE_CALL, Line::Says("three")]).await;
    let send = chat.send("1 + 2?").tool(add(), runner());
    let events: Vec<SessionEvent> = send
        .stream()
        .await
        .unwrap()
        .map(Result::unwrap)
        .collect()
        .await;
    let mut receipts = Vec::new();
    let mut announced = Vec::new();
    let mut order = String::new();
    for event in &events {
        match event {
            SessionEvent::Turn(turn) => {
                order.push_str(turn.message.role.as_str());
                if turn.message.role == Role::Assistant {
                    assert_eq!(announced.pop(), Some(turn.id));
                }
            }
            SessionEvent::Head { answer_id, .. } => {
                order.push_str(" [");
                announced.push(*answer_id);
            }
            SessionEvent::Batch(batch) => {
                for event in &batch.events {
                    if let Event::End(end) = event {
                        receipts.push(end.receipt.clone().unwrap());
                        order.push_str("] ");
                    }
                }
            }
            _ => {}
        }
    }
    assert_eq!(order, "user [] assistanttool [] assistant");
    let ids: HashSet<_> = receipts.iter().map(|receipt| receipt.request_id).collect();
    assert_eq!((receipts.len(), ids.len()), (2, 2));
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.cost.amount().is_some())
    );
}

pub(crate) async fn a_tool_that_fails_is_told_to_the_model(world: &World) {
    const CALLS: Line = Line::Asks(&[("c1", "add", "{"), ("c2", "unknown", "{}")]);
    let (chat, model) = world.chat([CALLS, Line::Says("sorry")]).await;
    let fails = |call: ToolCall| async move {
        let arguments: serde_json::Value = call.parse()?;
        Ok(arguments.to_string())
    };
    let answer = chat.send("1 + 2?").tool(add(), fails).await.unwrap();
    assert_eq!(answer.text(), "sorry");
    let told = results(&answer.turns[2].message);
    assert!(told.iter().all(|(_, _, failed)| *failed), "{told:?}");
    assert!(told[0].1.contains("another shape"), "{told:?}");
    assert!(
        told[1].1.contains("no tool `unknown`") && told[1].1.contains("add"),
        "{told:?}"
    );
    assert_eq!(model.asked().len(), 2);
}

/// Remembers when each tool began and ended.
struct Watched(Arc<Mutex<Vec<String>>>);

#[aurax_core::async_trait]
impl ToolRunner for Watched {
    async fn run(&self, _: &Ctx, call: &ToolCall) -> Result<Vec<Part>> {
        let note = |what: &str| self.0.lock().unwrap().push(format!("{what}{}", call.id));
        note("+");
        let first = u64::from(call.id == "c1");
        tokio::time::sleep(Duration::from_millis(5 + 20 * first)).await;
        note("-");
        Ok(vec![call.id.as_str().into()])
    }
}

pub(crate) async fn results_come_in_the_order_of_the_calls(world: &World) {
    const CALLS: Line = Line::Asks(&[("c1", "t", ""), ("c2", "t", ""), ("c3", "t", "")]);
    let (chat, _) = world
        .chat([CALLS, Line::Says("ok"), CALLS, Line::Says("ok")])
        .await;
    let log = Arc::new(Mutex::new(Vec::new()));
    let tool = Function::new("t");
    let answer = chat
        .send("Go")
        .tool(tool.clone(), Watched(log.clone()))
        .await
        .unwrap();
    let ids: Vec<String> = results(&answer.turns[2].message)
        .into_iter()
        .map(|(id, _, _)| id)
        .collect();
    assert_eq!(ids, ["c1", "c2", "c3"]);
    let seen = std::mem::take(&mut *log.lock().unwrap());
    assert_eq!(seen[..3], ["+c1", "+c2", "+c3"], "at the same time");
    assert_eq!(seen.last().unwrap(), "-c1", "the first took longest");

    let send = chat.send("Again").tool(tool, Watched(log.clone()));
    send.parallel_tools(1).await.unwrap();
    let seen = log.lock().unwrap().clone();
    assert_eq!(seen, ["+c1", "-c1", "+c2", "-c2", "+c3", "-c3"]);
}

pub(crate) async fn a_model_that_never_stops_asking_is_stopped(world: &World) {
    let (chat, model) = world
        .chat([ONE_CALL, ONE_CALL, ONE_CALL, Line::Says("ok")])
        .await;
    let send = chat.send("1 + 2?").tool(add(), runner()).max_steps(3);
    let error = send.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManySteps);
    assert!(error.was_sent(), "three answers were paid for");
    assert_eq!(error.partial().unwrap().text(), "asking");
    assert_eq!(model.asked().len(), 3);
    let turns = chat.history(20).await.unwrap();
    assert_eq!(turns.len(), 6, "what was said is kept");
    chat.send("Stop").await.unwrap();
    let told = results(&model.asked()[3].messages[6]);
    assert_eq!(
        told,
        [("c1".to_owned(), "the tool was not run".to_owned(), true)]
    );
}

pub(crate) async fn the_caller_may_run_tools_itself(world: &World) {
    let (chat, model) = world.chat([TWO_CALLS, Line::Says("three"), ONE_CALL]).await;
    let mut request = Request::default();
    request.tools.push(Function::new("slow").into());
    let send = chat.send("1 + 2?").request(request).tool(add(), runner());
    let answer = send.await.unwrap();
    let calls: Vec<ToolCall> = answer.response.tool_calls().cloned().collect();
    assert_eq!(
        (calls.len(), answer.turns.len()),
        (2, 2),
        "it is left to the caller"
    );
    free(world, &chat).await;
    let half = chat.send(Message::tool([ToolResult::new(&calls[0], "3")]));
    let error = half.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("c2"), "{error}");
    let whole = calls.iter().map(|call| ToolResult::new(call, "3"));
    let answer = chat.send(Message::tool(whole)).await.unwrap();
    assert_eq!(answer.text(), "three");
    assert_eq!(results(&model.asked()[1].messages[2]).len(), 2);
}

pub(crate) async fn calls_that_never_ran_are_said_to_have_not(world: &World) {
    let (chat, model) = world.chat([TWO_CALLS, Line::Says("never mind")]).await;
    let answer = chat.send("1 + 2?").await.unwrap();
    assert_eq!(answer.response.tool_calls().count(), 2, "nobody runs them");
    chat.send("Forget it.").await.unwrap();
    let asked = &model.asked()[1];
    assert_eq!(
        roles(asked),
        [Role::User, Role::Assistant, Role::Tool, Role::User]
    );
    let told = results(&asked.messages[2]);
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|(_, _, failed)| *failed));
}

/// Reads `events` and gives up; says whether there were as many.
async fn read_and_drop(world: &World, events: usize) -> bool {
    let (chat, model) = world
        .chat([ONE_CALL, Line::Says("one two"), Line::Says("ok")])
        .await;
    let wait = |_: ToolCall| async {
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok::<_, Error>("3")
    };
    let mut reply = chat
        .send("1 + 2?")
        .tool(add(), wait)
        .stream()
        .await
        .unwrap();
    let mut seen = 0;
    while seen < events && reply.next().await.map(Result::unwrap).is_some() {
        seen += 1;
    }
    if seen < events {
        return false;
    }
    // Begun and not waited for: a tool may run, or a call be on its way.
    if events % 2 == 1 {
        assert!(futures::poll!(reply.next()).is_ready() || events > 0);
    }
    drop(reply);
    free(world, &chat).await;
    let turns = chat.history(20).await.unwrap();
    let answers = turns
        .iter()
        .filter(|turn| turn.message.role == Role::Assistant);
    assert_eq!(
        answers.clone().count(),
        model.asked().len(),
        "each call is settled once"
    );
    for answer in answers {
        let whole = answer.status == TurnStatus::Complete;
        assert!(whole || answer.status == TurnStatus::Partial);
        assert!(answer.cost.is_some());
    }
    model.add([Line::Says("ok")]);
    let next = chat.send("Still there?").await.unwrap();
    assert!(!next.text().is_empty());
    true
}

pub(crate) async fn a_drop_at_any_event_frees_the_session(world: &World) {
    let mut events = 0;
    while read_and_drop(world, events).await {
        events += 1;
    }
    assert!(events > 10, "{events} events of two calls");
}
