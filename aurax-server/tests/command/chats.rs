//! `aurax chat`, against the demo and against providers on loopback.

use std::io::{BufRead as _, BufReader};

use aurax::store::Store;
use aurax::{Clock as _, Page, Principal, Session, SessionStore as _, SystemClock};

use super::home::Home;
use super::provider::{KEY, Provider};

fn with_provider(provider: &Provider) -> Home {
    Home::new()
        .with("OPENAI_API_KEY", KEY)
        .with("OPENAI_BASE_URL", provider.base_url())
}

#[test]
fn it_answers_without_any_setup() {
    let home = Home::new();
    let ended = home.ok(&["chat", "hello", "there"]);
    ended
        .says("[demo]")
        .says("hello there")
        .warns("demo/echo")
        .warns("free");
    assert!(!ended.out.contains('\x1b') && !ended.err.contains('\x1b'));
    let quiet = home.ok(&["chat", "-q", "hello"]);
    assert_eq!(quiet.err, "");
}

#[test]
fn a_prompt_comes_from_standard_input_too() {
    let home = Home::new();
    home.run_with(&["chat"], "from the pipe\n")
        .ends_with(0)
        .says("from the pipe");
    let both = home.run_with(&["chat", "look at", "-"], "this text\n");
    both.ends_with(0).says("look at this text");
    home.run_with(&["chat"], " \n").ends_with(2).warns("empty");
}

#[test]
fn json_is_one_object_a_line_and_the_last_is_the_result() {
    let provider = Provider::new();
    let home = with_provider(&provider);
    let ended = home.ok(&["chat", "--json", "-m", "openai/gpt-4o-mini", "Hi"]);
    let lines = ended.lines();
    let (last, chunks) = lines.split_last().unwrap();
    assert!(chunks.iter().all(|line| line["type"] == "chat_chunk"));
    let words: String = chunks
        .iter()
        .map(|line| line["delta"].as_str().unwrap())
        .collect();
    assert_eq!(last["type"], "chat_response");
    assert_eq!(last["content"], words.as_str());
    assert_eq!(
        (&last["provider"], &last["model"]),
        (&"openai".into(), &"gpt-4o-mini".into())
    );
    assert_eq!(
        (&last["tokens"], &last["cost_source"]),
        (&42.into(), &"exact".into())
    );
    // 12 × $0.15 + 30 × $0.60 a million.
    assert_eq!(last["cost_decimal"], "0.0000198");
    ended.says("\"cost\":0.0000198,");
    assert_eq!(provider.last().key.as_deref(), Some(KEY));
}

/// The second call has what was said in the first, although nothing ran in between.
#[test]
fn a_session_goes_on_in_another_process() {
    let provider = Provider::new();
    let home = with_provider(&provider);
    let begun = home.json(&[
        "chat",
        "--json",
        "-s",
        "new",
        "--system",
        "Be brief.",
        "One",
    ]);
    let session = begun.last().unwrap()["session_id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        provider.last().body["messages"].as_array().unwrap().len(),
        2
    );
    let gone_on = home.json(&["chat", "--json", "-s", "last", "Two"]);
    assert_eq!(gone_on.last().unwrap()["session_id"], session.as_str());
    let messages = provider.last().body["messages"].clone();
    let said: Vec<_> = messages
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["content"])
        .collect();
    assert_eq!(said, ["Be brief.", "One", "2 messages", "Two"]);
    home.ok(&["chat", "-s", &session, "Three"])
        .says("6 messages");
    // One question alone is kept nowhere.
    home.ok(&["chat", "Alone"]).says("1 messages");
    let missing = uuid::Uuid::now_v7().to_string();
    home.run(&["chat", "-s", &missing, "x"])
        .ends_with(4)
        .warns("hint: `-s new`");
}

#[test]
fn the_model_is_the_one_that_there_is_a_key_for() {
    let provider = Provider::new();
    let home = with_provider(&provider);
    home.ok(&["chat", "Hi"]).says("1 messages");
    let named = provider.last().body["model"].clone();
    home.ok(&["chat", "-m", "openai/gpt-4o-mini", "Hi"]);
    assert_eq!(provider.last().body["model"], "gpt-4o-mini");
    assert!(named.as_str().unwrap().starts_with("gpt-"), "{named}");
    let home = home.with("AURAX_MODEL", "openai/gpt-4.1-nano");
    home.ok(&["chat", "Hi"]);
    assert_eq!(provider.last().body["model"], "gpt-4.1-nano");
}

#[test]
fn an_ollama_that_listens_is_asked() {
    let provider = Provider::new();
    let home = Home::new().with("OLLAMA_HOST", provider.address());
    home.ok(&["chat", "Hi"])
        .says("from the llama")
        .warns("ollama/llama3.2:1b");
    assert_eq!(provider.last().body["model"], "llama3.2:1b");
}

#[test]
fn settings_of_the_file_reach_a_provider() {
    let provider = Provider::new();
    let home = Home::new();
    let key = home.write("key", KEY);
    let settings = format!(
        "[providers.openai]\nbase_url = {:?}\napi_key_file = {:?}\n",
        provider.base_url(),
        key.to_str().unwrap()
    );
    home.write("aurax.toml", &settings);
    home.ok(&["chat", "Hi"]).says("1 messages");
    assert_eq!(provider.last().key.as_deref(), Some(KEY));
    // The provider's own variable wins.
    let home = home.with("OPENAI_API_KEY", "sk-another");
    home.run(&["chat", "Hi"]).ends_with(3);
    assert_eq!(provider.last().key.as_deref(), Some("sk-another"));
}

#[test]
fn a_picture_is_sent_along() {
    let provider = Provider::new();
    let home = with_provider(&provider);
    std::fs::write(home.path("cat.png"), b"\x89PNG\r\n\x1a\nrest").unwrap();
    home.ok(&[
        "chat",
        "-m",
        "openai/gpt-4o-mini",
        "--image",
        "cat.png",
        "Look",
    ]);
    let content = provider.last().body["messages"][0]["content"].to_string();
    assert!(
        content.contains("data:image/png;base64,iVBORw0KGgpyZXN0"),
        "{content}"
    );
    home.write("note.txt", "no picture");
    home.run(&["chat", "--image", "note.txt", "Look"])
        .ends_with(2)
        .warns("note.txt");
    home.run(&["chat", "--image", "gone.png", "Look"])
        .ends_with(2)
        .warns("gone.png");
}

/// An interrupt ends the call, which is settled with what had arrived.
#[test]
fn an_interrupt_ends_the_call_and_settles_it() {
    let provider = Provider::new();
    let home = with_provider(&provider);
    let mut child = home
        .command(&["chat", "--json", "-m", "openai/gpt-4o", "Hi"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("1 messages"), "{first}");
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let last = lines.last().unwrap().unwrap();
    assert!(
        last.contains("\"type\":\"error\"") && last.contains("\"cancelled\""),
        "{last}"
    );
    let rows = home.json(&["usage", "--rows", "--json"]);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        (&rows[0]["status"], &rows[0]["model"]),
        (&"cancelled".into(), &"gpt-4o".into())
    );
    assert!(rows[0]["cost_usd"].is_number(), "{rows:?}");
}

/// A reader that leaves, as `head` does, is no failure, and nothing panics.
#[test]
fn a_reader_may_leave() {
    let home = Home::new();
    let mut child = home.command(&["models", "openrouter"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(!said.contains("panic"), "{said}");
}

/// The one last used may have been begun long before many others.
#[test]
fn the_last_session_is_the_one_last_used() {
    let home = Home::new();
    home.ok(&["migrate"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let first = runtime.block_on(async {
        let store = Store::sqlite(home.path("aurax-data/aurax.db"))
            .await
            .unwrap();
        let me = Principal::local();
        let mut first = None;
        for number in 0..205_i64 {
            let at = SystemClock.now() - time::Duration::seconds(1_000 - number);
            let mut session = Session::new(aurax::new_id(), at);
            session.settings.model = Some("demo/echo".to_owned());
            if first.is_none() {
                session.updated_at = at + time::Duration::seconds(900);
            }
            store.create(&me, &session).await.unwrap();
            first.get_or_insert(session.id);
        }
        store.close().await;
        first.unwrap()
    });
    home.ok(&["chat", "-s", "last", "the one of old"]);
    let found = runtime.block_on(async {
        let store = Store::sqlite(home.path("aurax-data/aurax.db"))
            .await
            .unwrap();
        let turns = store
            .turns(&Principal::local(), first, &Page::first())
            .await;
        store.close().await;
        turns.unwrap().data.len()
    });
    assert_eq!(found, 2);
}
