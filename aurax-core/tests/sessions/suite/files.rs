//! Sessions as files.

use aurax_core::{
    Bytes, Conversation, Error, ErrorKind, ExportFormat, Image, Item, Json, Message, Native,
    Origin, Page, Part, RedactedThinking, Result, Role, Session, SessionSettings, Signature,
    Source, Text, Thinking, ToolCall, ToolResult, Turn, TurnStatus, new_id,
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use uuid::Uuid;

use crate::model::{Line, Model};
use crate::world::World;

/// One part of every kind, with what only providers understand.
fn parts() -> Vec<Part> {
    let origin = || Some(Origin::new("acme", "one"));
    let signature = Signature::new("c2lnbmVk\n\"\\", origin());
    let mut item = Item::new("msg_1").with_origin(origin());
    item.extra = Some(Json::parse(r#"{"b": 1,  "a":[ ]}"#).unwrap());
    let mut text = Text::new("wörds \u{1F600}\u{2028}");
    (text.item, text.signature) = (Some(item), Some(signature.clone()));
    text.native = Some(Box::new(Native::new(origin(), "text", r#"{"x": 1.0e3}"#)));
    let mut call = ToolCall::new("c1", "tool", "{\"cut\": ");
    call.signature = Some(signature.clone());
    vec![
        text.into(),
        Image::new(Source::bytes("image/png", &b"\x00\xff picture"[..])).into(),
        Thinking::new("hm").with_signature(signature.clone()).into(),
        RedactedThinking::new(signature).into(),
        call.into(),
        ToolResult::for_id("c1", "done")
            .with(Image::from_url("https://example.com/a.png"))
            .with_error()
            .into(),
        Native::new(None, "block", r#"{"z":1,"a":12345678901234567890}"#).into(),
    ]
}

/// A session with two branches, parts of all kinds and answers that cost something.
async fn session(world: &World) -> Conversation {
    let (chat, _) = world
        .chat([Line::Says("a"), Line::Says("b"), Line::Breaks("cut ")])
        .await;
    let mut settings = SessionSettings::default();
    (settings.system, settings.temperature) = (Some("S\n\"".to_owned()), Some(0.1));
    chat.set(settings).await.unwrap();
    chat.rename("A \"title\"").await.unwrap();
    let said = parts()
        .into_iter()
        .fold(Message::user("All of this:"), Message::with);
    let turns = chat.send(said).await.unwrap().turns;
    chat.regenerate(turns[1].id).await.unwrap();
    chat.send("More").await.unwrap_err();
    let filler: Vec<Turn> = (0..250_u64)
        .map(|number| {
            let message = Message::new(Role::User, vec!["x".into()]);
            let at = turns[0].created_at;
            Turn::new(new_id(), chat.id(), 6 + number, message, at)
        })
        .collect();
    for part in filler.chunks(100) {
        world.store.add(&world.me, chat.id(), part).await.unwrap();
    }
    chat.switch(turns[1].id).await.unwrap();
    chat
}

async fn everything(chat: &Conversation) -> (Session, Vec<Turn>) {
    let mut turns = Vec::new();
    let mut page = Page::first().with_limit(77);
    loop {
        let part = chat.turns(&page).await.unwrap();
        turns.extend(part.data);
        match part.next_cursor {
            Some(cursor) => page = page.after(cursor),
            None => return (chat.record().await.unwrap(), turns),
        }
    }
}

/// The same but for ids, and for when it changed, which is now.
async fn assert_same(old: &Conversation, new: &Conversation) {
    assert_ne!(old.id(), new.id());
    let ((old, old_turns), (new, new_turns)) = (everything(old).await, everything(new).await);
    assert_eq!(old_turns.len(), new_turns.len());
    let at = |turns: &[Turn], id: Option<Uuid>| turns.iter().position(|turn| Some(turn.id) == id);
    for (a, b) in old_turns.iter().zip(&new_turns) {
        assert_eq!(at(&old_turns, a.parent_id), at(&new_turns, b.parent_id));
        assert_eq!(a.parent_id.is_some(), b.parent_id.is_some());
        let mut like = b.clone();
        (like.id, like.session_id, like.parent_id) = (a.id, a.session_id, a.parent_id);
        assert_eq!(*a, like);
        assert_ne!(a.id, b.id);
    }
    assert!(at(&old_turns, old.leaf).is_some());
    assert_eq!(at(&old_turns, old.leaf), at(&new_turns, new.leaf));
    let mut like = new.clone();
    (like.id, like.leaf, like.updated_at) = (old.id, old.leaf, old.updated_at);
    assert_eq!(old, like);
}

async fn written(chat: &Conversation, format: ExportFormat) -> Vec<u8> {
    let pieces: Vec<Bytes> = chat.export(format).try_collect().await.unwrap();
    assert!(pieces.len() > 2, "page by page");
    pieces.concat()
}

pub(crate) async fn a_document_comes_back_the_same(world: &World) {
    let chat = session(world).await;
    let document = written(&chat, ExportFormat::Json).await;
    let json: serde_json::Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(json["turns"].as_array().unwrap().len(), 255);
    let sessions = world.sessions(&Model::new("acme", []));
    let copy = sessions.import(&document).await.unwrap();
    assert_same(&chat, &copy).await;
    let status: Vec<TurnStatus> = everything(&copy).await.1.iter().map(|t| t.status).collect();
    assert_eq!(status[4], TurnStatus::Partial);

    let empty = sessions.create(SessionSettings::default()).await.unwrap();
    let pieces: Vec<Bytes> = empty
        .export(ExportFormat::Json)
        .try_collect()
        .await
        .unwrap();
    let copy = sessions.import(pieces.concat()).await.unwrap();
    assert_eq!(everything(&copy).await.1, []);
}

pub(crate) async fn lines_come_back_the_same_in_any_pieces(world: &World) {
    let chat = session(world).await;
    let lines = written(&chat, ExportFormat::JsonLines).await;
    assert_eq!(lines.split(|byte| *byte == b'\n').count(), 257);
    let sessions = world.sessions(&Model::new("acme", []));
    for size in [1_000, 1 << 20] {
        let pieces: Vec<Result<Bytes>> = lines
            .chunks(size)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let copy = sessions.import_lines(stream::iter(pieces)).await.unwrap();
        assert_same(&chat, &copy).await;
    }
    let text = String::from_utf8(lines).unwrap().replace('\n', "\r\n\r\n");
    let text = text.trim_end().to_owned();
    let whole = stream::iter([Ok(Bytes::from(text))]);
    let copy = sessions.import_lines(whole).await.unwrap();
    assert_same(&chat, &copy).await;
}

pub(crate) async fn a_file_that_is_none_leaves_nothing_behind(world: &World) {
    let (chat, _) = world.chat([Line::Says("a")]).await;
    chat.send("1").await.unwrap();
    let document = chat.export(ExportFormat::Json);
    let document: Vec<Bytes> = document.try_collect().await.unwrap();
    let good: serde_json::Value = serde_json::from_slice(&document.concat()).unwrap();
    let sessions = world.sessions(&Model::new("acme", []));
    let stranger = serde_json::json!(new_id());
    let spoilt = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut bad = good.clone();
        change(&mut bad);
        bad.to_string()
    };
    let running = spoilt(&|json| json["turns"][1]["status"] = "running".into());
    let copy = sessions.import(&running).await.unwrap();
    let turns = copy.history(10).await.unwrap();
    assert_eq!(
        turns[1].status,
        TurnStatus::Partial,
        "nobody goes on with it"
    );
    sessions.delete(copy.id()).await.unwrap();
    let bad = [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        spoilt(&|json| json["format"] = "other".into()),
        spoilt(&|json| json["version"] = 2.into()),
        spoilt(&|json| json["session"]["title"] = "a\u{0}b".into()),
        spoilt(&|json| json["turns"] = 1.into()),
        spoilt(&|json| json["turns"][1]["parent_id"] = stranger.clone()),
        spoilt(&|json| json["turns"][1]["id"] = json["turns"][0]["id"].clone()),
        spoilt(&|json| json["turns"][1]["message"]["parts"][0]["type"] = "nonsense".into()),
        spoilt(&|json| json["session"]["leaf"] = stranger.clone()),
        spoilt(&|json| json["turns"].as_array_mut().unwrap().reverse()),
    ];
    for document in bad {
        let error = sessions.import(&document).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{document}");
    }
    let lines: Vec<Bytes> = chat
        .export(ExportFormat::JsonLines)
        .try_collect()
        .await
        .unwrap();
    let lines = lines.concat();
    let broken = || Error::new(ErrorKind::Network, "reset");
    let pieces = [Ok(Bytes::from(lines.clone())), Err(broken())];
    let error = sessions
        .import_lines(stream::iter(pieces))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    let cut = Bytes::copy_from_slice(&lines[..lines.len() - 10]);
    let error = sessions
        .import_lines(stream::iter([Ok(cut)]))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("line 3"), "{error}");
    let nothing = sessions.import_lines(stream::empty().boxed()).await;
    assert_eq!(nothing.unwrap_err().kind(), ErrorKind::InvalidRequest);
    let left = sessions.list(&Page::first()).await.unwrap().data;
    assert_eq!(left.len(), 1, "only the first one is there");
}
