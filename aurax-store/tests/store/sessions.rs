//! Sessions and their turns.

use aurax_core::{
    Bucket, Buckets, Cost, ErrorKind, Item, Json, Message, Native, Page, Part, Principal, Reach,
    Session, SessionChange, SessionSettings, SessionStore as _, Text, Thinking, ToolCall,
    ToolResult, Turn, TurnStatus, Usage, UsageSource, new_id,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::desk::Desk;

/// A moment, in the precision that is kept.
pub(crate) fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_785_873_495 + seconds).unwrap()
}

pub(crate) fn ada() -> Principal {
    Principal::new("ada")
}

pub(crate) fn bob() -> Principal {
    Principal::new("bob")
}

pub(crate) async fn session(desk: &Desk, principal: &Principal) -> Session {
    let session = Session::new(new_id(), at(0));
    desk.store.create(principal, &session).await.unwrap();
    session
}

pub(crate) fn turn(
    session: &Session,
    seq: u64,
    parent: Option<Uuid>,
    message: impl Into<Message>,
) -> Turn {
    let seconds = i64::try_from(seq % 1_000).unwrap();
    let mut turn = Turn::new(new_id(), session.id, seq, message.into(), at(seconds));
    turn.parent_id = parent;
    turn
}

pub(crate) async fn add(desk: &Desk, session: &Session, turns: &[Turn]) {
    let scope = desk.store.user(&ada());
    scope.add_turns(session.id, turns).await.unwrap();
}

/// A session with a turn of long ago and one of now.
pub(crate) async fn old_and_new_turns(desk: &Desk, principal: &Principal, old: OffsetDateTime) {
    let session = session(desk, principal).await;
    let millis = u128::try_from(old.unix_timestamp()).unwrap() * 1_000;
    let tail = new_id().as_u128() & ((1 << 80) - 1);
    let ids = [Uuid::from_u128(millis << 80 | tail), new_id()];
    let turns: Vec<Turn> = ids
        .into_iter()
        .zip(1..)
        .map(|(id, seq)| Turn::new(id, session.id, seq, Message::user("Hi"), old))
        .collect();
    let scope = desk.store.user(principal);
    scope.add_turns(session.id, &turns).await.unwrap();
}

pub(crate) async fn a_session_comes_back_as_it_was(desk: Desk) -> Desk {
    let mut session = Session::new(new_id(), at(0));
    session.title = Some("Größe \u{1f600}".to_owned());
    let mut settings = SessionSettings::default();
    settings.model = Some("openai/gpt-4o".to_owned());
    settings.temperature = Some(0.25);
    session.settings = settings;
    session.updated_at = at(5);
    desk.store.create(&ada(), &session).await.unwrap();
    let found = desk.store.session(&ada(), session.id).await.unwrap();
    assert_eq!(found, Some(session.clone()));
    assert_eq!(desk.store.session(&ada(), new_id()).await.unwrap(), None);
    let again = desk.store.create(&ada(), &session).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
    desk
}

/// Messages of every shape: words alone, words with a hint, tools, thoughts, JSON with spaces.
fn shapes() -> Vec<Message> {
    let mut item = Item::new("msg_1");
    item.extra = Some(Json::parse(r#"{"a" : 1.50,  "b":"\u0000"}"#).unwrap());
    let mut text = Text::new("with an item");
    text.item = Some(item);
    let mut thinking = Thinking::new("hm");
    thinking.native = Some(Box::new(Native::new(None, "x", r#"{"z": 1e3}"#)));
    let call = ToolCall::new("call_1", "look", r#"{"at" :  "x"}"#);
    let result = ToolResult::new(&call, "42 \0 found");
    vec![
        Message::user("only words"),
        Message::user(""),
        Message::user("named").with_name("Ada"),
        Message::user("a NUL \0 within"),
        Message::assistant(text),
        Message::assistant(thinking).with("and words").with(call),
        Message::tool([result]),
    ]
}

pub(crate) async fn turns_come_back_to_the_byte(desk: Desk) -> Desk {
    let session = session(&desk, &ada()).await;
    let mut turns = Vec::new();
    for (seq, message) in (1..).zip(shapes()) {
        let parent = turns.last().map(|turn: &Turn| turn.id);
        turns.push(turn(&session, seq, parent, message));
    }
    let usage = Usage::measured(
        Buckets::new()
            .with(Bucket::Input, 10)
            .with(Bucket::Output, 5),
        UsageSource::Estimated,
    );
    let costs = [
        Cost::Exact("0.000000000000000001".parse().unwrap()),
        Cost::Reported("1.8e-7".parse().unwrap()),
        Cost::Estimated("12345678.5".parse().unwrap()),
        Cost::Partial("3".parse().unwrap()),
        Cost::Free,
        Cost::Unpriced,
    ];
    for (turn, cost) in turns.iter_mut().zip(costs) {
        turn.cost = Some(cost);
        turn.usage = Some(usage.clone());
        turn.provider = Some("openai".to_owned());
        turn.model = Some("gpt-4o".to_owned());
        turn.status = TurnStatus::Partial;
    }
    add(&desk, &session, &turns).await;
    // A second time changes nothing.
    add(&desk, &session, &turns).await;
    let page = Page::first();
    let found = desk.store.turns(&ada(), session.id, &page).await.unwrap();
    assert_eq!(found.data, turns);
    let json = |turns: &[Turn]| serde_json::to_string(turns).unwrap();
    assert_eq!(json(&found.data), json(&turns));
    let kept = desk.store.session(&ada(), session.id).await.unwrap();
    assert_eq!(kept.unwrap().turns, 7);
    desk
}

/// root ── a ── b
///   └── c
async fn tree(desk: &Desk) -> (Session, [Turn; 4]) {
    let session = session(desk, &ada()).await;
    let root = turn(&session, 1, None, "root");
    let a = turn(&session, 2, Some(root.id), "a");
    let b = turn(&session, 3, Some(a.id), "b");
    let c = turn(&session, 4, Some(root.id), "c");
    let turns = [root, a, b, c];
    add(desk, &session, &turns).await;
    (session, turns)
}

fn said(turns: &[Turn]) -> Vec<String> {
    turns.iter().map(|turn| turn.message.text()).collect()
}

pub(crate) async fn a_branch_is_the_way_from_the_root(desk: Desk) -> Desk {
    let (session, [root, _, b, c]) = tree(&desk).await;
    assert_eq!(
        said(&branch_of(&desk, &session, b.id, 10).await),
        ["root", "a", "b"]
    );
    assert_eq!(
        said(&branch_of(&desk, &session, c.id, 10).await),
        ["root", "c"]
    );
    assert_eq!(
        said(&branch_of(&desk, &session, root.id, 10).await),
        ["root"]
    );
    assert_eq!(said(&branch_of(&desk, &session, b.id, 2).await), ["a", "b"]);
    assert_eq!(said(&branch_of(&desk, &session, b.id, 1).await), ["b"]);
    assert!(branch_of(&desk, &session, b.id, 0).await.is_empty());
    assert!(branch_of(&desk, &session, new_id(), 9).await.is_empty());
    let other = desk
        .store
        .branch(&bob(), session.id, b.id, 9.into())
        .await
        .unwrap();
    assert!(other.is_empty());
    desk
}

async fn branch_of(desk: &Desk, session: &Session, leaf: Uuid, most: u32) -> Vec<Turn> {
    let branch = desk
        .store
        .branch(&ada(), session.id, leaf, most.into())
        .await;
    branch.unwrap()
}

pub(crate) async fn a_part_of_a_list_is_no_larger_than_a_page(desk: Desk) -> Desk {
    let session = session(&desk, &ada()).await;
    let large = "x".repeat(3 << 20);
    let mut turns: Vec<Turn> = Vec::new();
    // The last one is larger than a page by itself.
    let texts = [
        large.clone(),
        large.clone(),
        large.clone(),
        large.repeat(3),
        "end".to_owned(),
    ];
    for (text, seq) in texts.iter().zip(1..) {
        let parent = turns.last().map(|turn| turn.id);
        turns.push(turn(
            &session,
            seq,
            parent,
            format!("needle {text}").as_str(),
        ));
    }
    add(&desk, &session, &turns).await;
    let sizes = |turns: &[Turn]| turns.iter().map(|turn| turn.seq).collect::<Vec<_>>();
    let (mut parts, mut page) = (Vec::new(), Page::first());
    loop {
        let part = desk.store.turns(&ada(), session.id, &page).await.unwrap();
        parts.push(sizes(&part.data));
        let Some(cursor) = part.next_cursor else {
            break;
        };
        page = page.after(cursor);
    }
    assert_eq!(parts, [vec![1, 2], vec![3], vec![4], vec![5]]);
    let (mut parts, mut page) = (Vec::new(), Page::first());
    loop {
        let part = desk.store.search(&ada(), "needle", &page).await.unwrap();
        parts.push(
            part.data
                .iter()
                .map(|found| found.turn.seq)
                .collect::<Vec<_>>(),
        );
        let Some(cursor) = part.next_cursor else {
            break;
        };
        page = page.after(cursor);
    }
    assert_eq!(parts, [vec![5], vec![4], vec![3, 2], vec![1]]);
    let scope = desk.store.user(&ada());
    let children = scope.children(session.id, None, &Page::first()).await;
    assert_eq!(sizes(&children.unwrap().data), [1]);
    let reach = Reach::turns(100).with_bytes(Page::BYTES);
    for (leaf, expected) in [(4, vec![5]), (3, vec![4]), (2, vec![2, 3]), (0, vec![1])] {
        let leaf = turns[leaf].id;
        let branch = desk.store.branch(&ada(), session.id, leaf, reach).await;
        assert_eq!(sizes(&branch.unwrap()), expected);
    }
    let last = turns[4].id;
    let all = desk
        .store
        .branch(&ada(), session.id, last, 100.into())
        .await;
    assert_eq!(sizes(&all.unwrap()), [1, 2, 3, 4, 5]);
    desk
}

pub(crate) async fn turns_and_children_come_page_by_page(desk: Desk) -> Desk {
    let (session, [root, ..]) = tree(&desk).await;
    let scope = desk.store.user(&ada());
    let mut seen = Vec::new();
    let mut page = Page::first().with_limit(3);
    loop {
        let turns = desk.store.turns(&ada(), session.id, &page).await.unwrap();
        seen.extend(said(&turns.data));
        let Some(cursor) = turns.next_cursor else {
            break;
        };
        page = page.after(cursor);
    }
    assert_eq!(seen, ["root", "a", "b", "c"]);
    let page = Page::first().with_limit(1);
    let first = scope.children(session.id, Some(root.id), &page).await;
    let first = first.unwrap();
    assert_eq!(said(&first.data), ["a"]);
    let page = page.after(first.next_cursor.unwrap());
    let rest = scope.children(session.id, Some(root.id), &page).await;
    let rest = rest.unwrap();
    assert_eq!(
        (said(&rest.data), rest.next_cursor),
        (vec!["c".to_owned()], None)
    );
    let roots = scope.children(session.id, None, &Page::first()).await;
    assert_eq!(said(&roots.unwrap().data), ["root"]);
    // Neither is a cursor of one list good for another.
    let stale = desk.store.turns(&ada(), session.id, &page).await;
    let stale = stale.unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::InvalidRequest);
    assert_eq!(stale.context("field"), Some("cursor"));
    desk
}

pub(crate) async fn sessions_come_latest_first(desk: Desk) -> Desk {
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(session(&desk, &ada()).await.id);
    }
    made.reverse();
    session(&desk, &bob()).await;
    let mut seen = Vec::new();
    let mut page = Page::first().with_limit(2);
    loop {
        let sessions = desk.store.sessions(&ada(), &page).await.unwrap();
        seen.extend(sessions.data.iter().map(|session| session.id));
        let Some(cursor) = sessions.next_cursor else {
            break;
        };
        page = page.after(cursor);
    }
    assert_eq!(seen, made);
    // A page has at most 200 items, whatever it asks for.
    let mut page = Page::first();
    page.limit = u32::MAX;
    assert_eq!(
        desk.store.sessions(&ada(), &page).await.unwrap().data.len(),
        5
    );
    desk
}

pub(crate) async fn a_deleted_session_takes_its_words_along(desk: Desk) -> Desk {
    let (gone, kept) = (session(&desk, &ada()).await, session(&desk, &ada()).await);
    let mut parent = None;
    // More than one transaction deletes.
    for batch in 0..6 {
        let turns: Vec<Turn> = (1..=200)
            .map(|number| {
                let seq = batch * 200 + number;
                let turn = turn(&gone, seq, parent, format!("word {seq}"));
                parent = Some(turn.id);
                turn
            })
            .collect();
        add(&desk, &gone, &turns).await;
    }
    add(&desk, &kept, &[turn(&kept, 1, None, "a word more")]).await;
    assert!(!desk.store.delete(&bob(), gone.id).await.unwrap());
    let full = desk.store.session(&ada(), gone.id).await.unwrap();
    assert_eq!(full.unwrap().turns, 1_200);
    assert!(desk.store.delete(&ada(), gone.id).await.unwrap());
    assert!(!desk.store.delete(&ada(), gone.id).await.unwrap());
    assert_eq!(desk.store.session(&ada(), gone.id).await.unwrap(), None);
    assert!(desk.store.session(&ada(), gone.id).await.unwrap().is_none());
    let page = Page::first();
    let left = desk.store.turns(&ada(), gone.id, &page).await.unwrap();
    assert!(left.data.is_empty());
    let found = desk.store.search(&ada(), "word", &page).await.unwrap();
    assert_eq!(found.data.len(), 1);
    assert_eq!(found.data[0].turn.session_id, kept.id);
    desk
}

pub(crate) async fn a_search_finds_all_words_and_no_parts_of_words(desk: Desk) -> Desk {
    let session = session(&desk, &ada()).await;
    let texts = [
        "The quick brown fox's den—dark, at https://example.com/a_b?c=1.5",
        "Straße ist SCHNELL; İstanbul 日本語 and or not",
        "a\0NUL and a 'quote' \"double\" & | ! ( ) : * <->",
    ];
    let turns: Vec<Turn> = (1..)
        .zip(texts)
        .map(|(seq, text)| turn(&session, seq, None, text))
        .collect();
    add(&desk, &session, &turns).await;
    for (query, expected) in [
        ("QUICK fox", &[0][..]),
        ("den dark", &[0]),
        ("example a c 5", &[0]),
        ("https://example.com", &[0]),
        ("straße schnell", &[1]),
        ("İSTANBUL", &[1]),
        ("日本語", &[1]),
        ("and", &[2, 1]),
        ("AND OR NOT", &[1]),
        ("nul 'quote'", &[2]),
        ("double* & (quote | !x)", &[]),
        ("double* & (quote | !)", &[2]),
        ("a", &[2, 0]),
        ("qui", &[]),
        ("quick strasse", &[]),
        ("schnel", &[]),
    ] {
        let page = Page::first();
        let found = desk.store.search(&ada(), query, &page).await.unwrap();
        let ids: Vec<Uuid> = found.data.iter().map(|found| found.turn.id).collect();
        let expected: Vec<Uuid> = expected.iter().map(|at| turns[*at].id).collect();
        assert_eq!(ids, expected, "{query}");
    }
    let page = Page::first();
    let found = desk.store.search(&ada(), "brown", &page).await.unwrap();
    assert_eq!(found.data[0].snippet, texts[0]);
    assert_eq!(found.data[0].turn, turns[0]);
    for empty in ["", " ,.* ", "—"] {
        let found = desk.store.search(&ada(), empty, &page).await.unwrap();
        assert!(found.data.is_empty());
    }
    let many: String = (0..33).map(|number| format!("w{number} ")).collect();
    let error = desk.store.search(&ada(), &many, &page).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(error.context("field"), Some("q"));
    desk
}

pub(crate) async fn a_search_goes_on_where_it_stopped(desk: Desk) -> Desk {
    let session = session(&desk, &ada()).await;
    let turns: Vec<Turn> = (1..=7)
        .map(|seq| turn(&session, seq, None, format!("needle {seq}")))
        .collect();
    add(&desk, &session, &turns).await;
    let mut seen = Vec::new();
    let mut page = Page::first().with_limit(3);
    loop {
        let found = desk.store.search(&ada(), "needle", &page).await.unwrap();
        seen.extend(found.data.into_iter().map(|found| found.turn.seq));
        let Some(cursor) = found.next_cursor else {
            break;
        };
        page = page.after(cursor);
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
    desk
}

pub(crate) async fn nobody_sees_anothers_session(desk: Desk) -> Desk {
    let (session, [root, ..]) = tree(&desk).await;
    let (bob, page) = (bob(), Page::first());
    let store = &desk.store;
    assert_eq!(store.session(&bob, session.id).await.unwrap(), None);
    let change = SessionChange::title("mine");
    assert_eq!(
        store
            .change(&bob, session.id, &change, at(9))
            .await
            .unwrap(),
        None
    );
    assert!(
        store
            .turns(&bob, session.id, &page)
            .await
            .unwrap()
            .data
            .is_empty()
    );
    assert!(
        store
            .search(&bob, "root", &page)
            .await
            .unwrap()
            .data
            .is_empty()
    );
    let scope = store.user(&bob);
    let said = turn(&session, 9, Some(root.id), "intruder");
    let error = scope.add_turns(session.id, &[said]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let found = store.search(&ada(), "root", &page).await.unwrap();
    assert_eq!(found.data[0].turn.id, root.id);
    desk
}

pub(crate) async fn what_cannot_be_kept_is_named(desk: Desk) -> Desk {
    let session = session(&desk, &ada()).await;
    let long = SessionChange::title("x".repeat(501));
    let nul = SessionChange::title("a\0b");
    for change in [long, nul] {
        let error = desk.store.change(&ada(), session.id, &change, at(1)).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.context("field"), Some("title"));
    }
    let scope = desk.store.user(&ada());
    let mut rich = turn(&session, 1, None, "rich");
    rich.cost = Some(Cost::Exact("9300000000".parse().unwrap()));
    let error = scope.add_turns(session.id, &[rich]).await.unwrap_err();
    assert_eq!(error.context("field"), Some("cost"));
    let far = turn(&session, u64::try_from(i64::MAX).unwrap(), None, "far");
    scope
        .add_turns(session.id, std::slice::from_ref(&far))
        .await
        .unwrap();
    let mut stray = far;
    stray.session_id = new_id();
    let error = scope.add_turns(session.id, &[stray]).await.unwrap_err();
    assert_eq!(error.context("field"), Some("session_id"));
    let part = Part::from("x");
    let many: Vec<Turn> = (1..=201)
        .map(|seq| turn(&session, seq, None, Message::user(part.clone())))
        .collect();
    let error = scope.add_turns(session.id, &many).await.unwrap_err();
    assert_eq!(error.context("field"), Some("turns"));
    desk
}
