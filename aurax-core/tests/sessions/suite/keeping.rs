//! What is kept, and who sees it.

use aurax_core::{
    Cost, ErrorKind, Message, ModelId, Page, Role, SessionSettings, TurnStatus, new_id,
};

use crate::model::{Line, Model};
use crate::world::{World, said};

fn named(model: &str) -> SessionSettings {
    let mut settings = SessionSettings::default();
    settings.model = Some(model.to_owned());
    settings
}

pub(crate) async fn a_session_is_kept_and_found(world: &World) {
    let sessions = world.sessions(&Model::new("acme", []));
    let chat = sessions.create(named("acme/two")).await.unwrap();
    let record = sessions
        .open(chat.id())
        .await
        .unwrap()
        .record()
        .await
        .unwrap();
    assert_eq!(record.id, chat.id());
    assert_eq!(record.settings, named("acme/two"));
    assert_eq!((record.leaf, record.turns, &record.title), (None, 0, &None));
    assert_eq!(chat.history(10).await.unwrap(), []);
    let changed = chat.set(named("acme/one")).await.unwrap();
    assert_eq!(changed.settings, named("acme/one"));
    let missing = sessions.open(new_id()).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

pub(crate) async fn sessions_are_listed_the_latest_made_first(world: &World) {
    let sessions = world.sessions(&Model::new("acme", []));
    let mut made = Vec::new();
    for _ in 0..7 {
        let chat = sessions.create(SessionSettings::default()).await.unwrap();
        made.push(chat.id());
    }
    made.reverse();
    let mut listed = Vec::new();
    let mut page = Page::first().with_limit(3);
    let mut pages = 0;
    loop {
        let part = sessions.list(&page).await.unwrap();
        listed.extend(part.data.iter().map(|session| session.id));
        pages += 1;
        let Some(cursor) = part.next_cursor else {
            break;
        };
        page = page.after(cursor);
    }
    assert_eq!((listed, pages), (made, 3));
    let bad = sessions.list(&Page::first().after("no cursor")).await;
    assert_eq!(bad.unwrap_err().kind(), ErrorKind::InvalidRequest);
}

pub(crate) async fn nobody_sees_anothers(world: &World) {
    let (chat, model) = world.chat([Line::Says("a secret answer")]).await;
    let turns = chat.send("a secret question").await.unwrap().turns;
    let engine = world.engine(&[&model]);
    let sessions = engine.sessions(world.other.clone()).unwrap();
    let not_found = ErrorKind::NotFound;
    assert_eq!(
        sessions.open(chat.id()).await.unwrap_err().kind(),
        not_found
    );
    assert_eq!(
        sessions.delete(chat.id()).await.unwrap_err().kind(),
        not_found
    );
    assert_eq!(sessions.list(&Page::first()).await.unwrap().data, []);
    let found = sessions.search("secret", &Page::first()).await.unwrap();
    assert_eq!(found.data, []);

    // The store by itself, since a handle cannot be had.
    let (store, other, id) = (&world.store, &world.other, chat.id());
    assert_eq!(store.session(other, id).await.unwrap(), None);
    let branch = store
        .branch(other, id, turns[1].id, 10.into())
        .await
        .unwrap();
    assert_eq!(branch, []);
    assert_eq!(
        store.turns(other, id, &Page::first()).await.unwrap().data,
        []
    );
    let children = store.children(other, id, None, &Page::first()).await;
    assert_eq!(children.unwrap().data, []);
    let added = store.add(other, id, &turns).await.unwrap_err();
    assert_eq!(added.kind(), not_found);
    let change = aurax_core::SessionChange::title("mine");
    let changed = store.change(other, id, &change, time::OffsetDateTime::UNIX_EPOCH);
    assert_eq!(changed.await.unwrap(), None);
    assert_eq!(chat.record().await.unwrap().title, None);
}

pub(crate) async fn a_send_keeps_what_was_said_and_what_it_cost(world: &World) {
    let (chat, model) = world
        .chat([Line::Says("one two three"), Line::Says("four")])
        .await;
    let answer = chat.send("Count.").system("Be brief.").await.unwrap();
    assert_eq!(answer.text(), "one two three");
    assert_eq!(model.last(), ["system: Be brief.", "user: Count."]);
    let receipt = answer.response.receipt.clone().unwrap();
    let [question, reply] = &answer.turns[..] else {
        panic!("two turns: {:?}", answer.turns)
    };
    assert_eq!(
        (question.parent_id, reply.parent_id),
        (None, Some(question.id))
    );
    assert_eq!((question.seq, reply.seq), (1, 2));
    assert_eq!(question.cost, None);
    assert_eq!(reply.cost, Some(receipt.cost));
    // 10 in at 1 dollar a million, 4 out at 10.
    let Some(Cost::Exact(cost)) = reply.cost else {
        panic!("{:?}", reply.cost)
    };
    assert_eq!(cost.to_string(), "0.00005");
    assert_eq!(reply.provider.as_deref(), Some("acme"));
    assert_eq!(reply.model.as_deref(), Some("one"));
    assert_eq!(reply.status, TurnStatus::Complete);
    assert_eq!(
        chat.history(10).await.unwrap(),
        answer.turns,
        "as it was said to be"
    );

    let second = chat.send("Go on.").await.unwrap();
    assert_eq!(
        model.last(),
        ["user: Count.", "assistant: one two three", "user: Go on."]
    );
    let record = chat.record().await.unwrap();
    assert_eq!((record.turns, record.leaf), (4, Some(second.turns[1].id)));
    assert_eq!(chat.history(3).await.unwrap()[0].id, reply.id);
    let all = chat.turns(&Page::first()).await.unwrap();
    let seqs: Vec<u64> = all.data.iter().map(|turn| turn.seq).collect();
    assert_eq!((seqs, all.next_cursor), (vec![1, 2, 3, 4], None));
}

pub(crate) async fn settings_are_the_sessions_unless_the_send_has_others(world: &World) {
    let (chat, model) = world.chat([Line::Says("a"), Line::Says("b")]).await;
    let mut settings = named("acme/two");
    settings.system = Some("S".to_owned());
    settings.temperature = Some(0.5);
    settings.max_output_tokens = Some(50);
    chat.set(settings).await.unwrap();
    chat.send("1").await.unwrap();
    chat.send("2")
        .model("one")
        .provider("acme")
        .system("T")
        .temperature(0.25)
        .max_output_tokens(25)
        .await
        .unwrap();
    assert_eq!(model.models(), ["two", "one"]);
    let asked = model.asked();
    let settings = |at: usize| {
        let request = &asked[at];
        let system = request.messages[0].text();
        (
            system,
            request.sampling.temperature,
            request.max_output_tokens,
        )
    };
    assert_eq!(settings(0), ("S".to_owned(), Some(0.5), Some(50)));
    assert_eq!(settings(1), ("T".to_owned(), Some(0.25), Some(25)));
    assert_eq!(asked[1].messages[0].role, Role::System);
}

pub(crate) async fn the_provider_changes_from_turn_to_turn(world: &World) {
    let acme = Model::new("acme", [Line::Says("from acme"), Line::Says("acme again")]);
    let beta = Model::new("beta", [Line::Says("from beta")]);
    let engine = world.engine(&[&acme, &beta]);
    let sessions = engine.sessions(world.me.clone()).unwrap();
    let chat = sessions.create(SessionSettings::default()).await.unwrap();
    chat.send("1").await.unwrap();
    let second = chat.send("2").model("beta/one").await.unwrap();
    assert_eq!(second.turns[1].provider.as_deref(), Some("beta"));
    assert_eq!(beta.last(), ["user: 1", "assistant: from acme", "user: 2"]);
    let third = chat.send("3").provider("acme").await.unwrap();
    assert_eq!(third.text(), "acme again");
    assert_eq!(acme.models(), ["one", "one"]);
}

pub(crate) async fn a_failed_call_ends_with_the_persons_turn(world: &World) {
    let (chat, model) = world.chat([Line::Fails, Line::Says("yes")]).await;
    let error = chat.send("Are you there?").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let turns = chat.history(10).await.unwrap();
    assert_eq!(turns.len(), 1);
    assert_eq!(turns[0].message, Message::user("Are you there?"));
    let answer = chat.regenerate(turns[0].id).await.unwrap();
    assert_eq!(model.last(), ["user: Are you there?"]);
    assert_eq!(answer.turns.len(), 1, "nothing is said again");
    assert_eq!(said(&chat).await, ["Are you there?", "yes"]);
}

pub(crate) async fn what_had_arrived_is_kept(world: &World) {
    let (chat, model) = world
        .chat([Line::Breaks("one two "), Line::Says("three")])
        .await;
    let error = chat.send("Count.").await.unwrap_err();
    assert_eq!(error.partial().unwrap().text(), "one two ");
    let turns = chat.history(10).await.unwrap();
    assert_eq!(turns[1].status, TurnStatus::Partial);
    assert_eq!(turns[1].message.text(), "one two ");
    assert!(
        matches!(turns[1].cost, Some(Cost::Estimated(_))),
        "{:?}",
        turns[1].cost
    );
    chat.send("Go on.").await.unwrap();
    assert_eq!(
        model.last(),
        ["user: Count.", "assistant: one two ", "user: Go on."]
    );
}

pub(crate) async fn what_is_deleted_is_gone(world: &World) {
    let (chat, model) = world.chat([Line::Says("unforgettable")]).await;
    chat.send("Hi").await.unwrap();
    let sessions = world.sessions(&model);
    sessions.delete(chat.id()).await.unwrap();
    let gone = [
        sessions.open(chat.id()).await.map(drop),
        sessions.delete(chat.id()).await,
        chat.send("again").await.map(drop),
        chat.rename("again").await.map(drop),
    ];
    for result in gone {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
    }
    let found = sessions.search("unforgettable", &Page::first()).await;
    assert_eq!(found.unwrap().data, []);
    assert_eq!(model.asked().len(), 1, "nobody was asked again");
}

pub(crate) async fn a_title_by_hand_wins(world: &World) {
    let (chat, _) = world.chat([Line::Says("sure")]).await;
    assert_eq!(chat.title().await.unwrap(), None, "nothing was said");
    let question = format!("  What\nis {} the matter?", "really ".repeat(20));
    chat.send(question).await.unwrap();
    let title = chat.title().await.unwrap().unwrap();
    assert!(title.starts_with("What is really really"), "{title}");
    assert!(
        title.ends_with("really") && title.chars().count() <= 80,
        "{title}"
    );
    chat.rename(" Mine ").await.unwrap();
    assert_eq!(chat.title().await.unwrap().as_deref(), Some("Mine"));
    for bad in ["", "  ", "a\u{7}b", &"x".repeat(201)] {
        let error = chat.rename(bad).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{bad:?}");
    }
    assert_eq!(chat.record().await.unwrap().title.as_deref(), Some("Mine"));
    let generated = aurax_core::SessionChange::first_title("Generated");
    let at = time::OffsetDateTime::UNIX_EPOCH;
    let changed = world
        .store
        .change(&world.me, chat.id(), &generated, at)
        .await;
    assert_eq!(changed.unwrap().unwrap().title.as_deref(), Some("Mine"));
}

pub(crate) async fn changes_at_once_are_all_made(world: &World) {
    let (chat, _) = world.chat([]).await;
    let changes = (0..6).map(|number| {
        let chat = chat.clone();
        async move {
            let change = |session: &aurax_core::Session| {
                let mut settings = session.settings.clone();
                let said = settings.system.take().unwrap_or_default();
                settings.system = Some(format!("{said}{number}"));
                let mut change = aurax_core::SessionChange::settings(settings);
                change.title = Some(format!(" Title {number} "));
                Ok::<_, aurax_core::Error>(change)
            };
            chat.update(change).await.unwrap()
        }
    });
    futures::future::join_all(changes).await;
    let kept = chat.record().await.unwrap();
    let system = kept.settings.system.unwrap();
    let mut all: Vec<char> = system.chars().collect();
    let last = all.last().map(|number| format!("Title {number}"));
    all.sort_unstable();
    assert_eq!(String::from_iter(all), "012345");
    assert_eq!(kept.title, last, "what is changed together comes together");
    let bad = |_: &aurax_core::Session| {
        Ok::<_, aurax_core::Error>(aurax_core::SessionChange::title("a\u{7}b"))
    };
    let error = chat.update(bad).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

pub(crate) async fn a_title_is_made_once_by_the_model(world: &World) {
    let model = Model::new(
        "acme",
        [Line::Says("The sky is."), Line::Says("\"Blue skies\"")],
    );
    let cheap = ModelId::parse("acme/two").unwrap();
    let builder = (world.builder)().provider(model.clone()).title_model(cheap);
    let engine = builder.build().unwrap();
    let sessions = engine.sessions(world.me.clone()).unwrap();
    let chat = sessions.create(named("acme/one")).await.unwrap();
    chat.send("What is blue?").await.unwrap();
    assert_eq!(chat.title().await.unwrap().as_deref(), Some("Blue skies"));
    assert_eq!(chat.title().await.unwrap().as_deref(), Some("Blue skies"));
    assert_eq!(model.models(), ["one", "two"], "it is asked once");
    assert!(model.last()[1].contains("What is blue?\n\nThe sky is."));
    assert_eq!(said(&chat).await.len(), 2, "a title is no turn");

    let other = sessions.create(named("acme/one")).await.unwrap();
    model.add([Line::Says("ok"), Line::Fails]);
    other.send("Plain words").await.unwrap();
    assert_eq!(other.title().await.unwrap().as_deref(), Some("Plain words"));
}

pub(crate) async fn words_are_found_all_of_them(world: &World) {
    let (chat, model) = world
        .chat([Line::Says("The Zebra sleeps"), Line::Says("no such animal")])
        .await;
    chat.send("Where is the zebra?").await.unwrap();
    chat.send("And the ZEBRA'S friend, the gnu?").await.unwrap();
    let sessions = world.sessions(&model);
    let words = |found: Vec<aurax_core::Found>| -> Vec<String> {
        found
            .iter()
            .map(|found| found.turn.message.text())
            .collect()
    };
    let search = async |query: &str| {
        let found = sessions.search(query, &Page::first()).await.unwrap();
        words(found.data)
    };
    assert_eq!(
        search("zebra").await,
        [
            "And the ZEBRA'S friend, the gnu?",
            "The Zebra sleeps",
            "Where is the zebra?"
        ]
    );
    assert_eq!(
        search("gnu zebra").await,
        ["And the ZEBRA'S friend, the gnu?"]
    );
    assert_eq!(search("zebra giraffe").await, [""; 0]);
    assert_eq!(search("zeb").await, [""; 0], "half a word is none");
    assert_eq!(search(" ?! ").await, [""; 0]);
    assert_eq!(search("'; DROP TABLE x; -- \" * OR NEAR(").await, [""; 0]);
    let first = sessions
        .search("zebra", &Page::first().with_limit(2))
        .await
        .unwrap();
    assert!(
        first.data[0].snippet.contains("ZEBRA"),
        "{}",
        first.data[0].snippet
    );
    let next = Page::first()
        .with_limit(2)
        .after(first.next_cursor.unwrap());
    let second = sessions.search("zebra", &next).await.unwrap();
    assert_eq!(words(second.data), ["Where is the zebra?"]);
    assert_eq!(second.next_cursor, None);
}
