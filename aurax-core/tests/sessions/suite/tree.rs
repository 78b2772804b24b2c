//! Branches: other answers, other questions, and which of them is in use.

use aurax_core::{ErrorKind, Message, Page, Part, ToolCall, ToolResult, Turn, new_id};
use uuid::Uuid;

use crate::model::Line;
use crate::world::{World, said};

fn ids(turns: &[Turn]) -> Vec<Uuid> {
    turns.iter().map(|turn| turn.id).collect()
}

pub(crate) async fn another_answer_is_a_sibling(world: &World) {
    let (chat, model) = world
        .chat(["first", "second", "third", "after"].map(Line::Says))
        .await;
    let first = chat.send("Which?").await.unwrap().turns;
    let second = chat.regenerate(first[1].id).await.unwrap().turns;
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].parent_id, Some(first[0].id));
    assert_eq!(said(&chat).await, ["Which?", "second"]);
    let third = chat.regenerate(first[0].id).await.unwrap().turns;
    assert_eq!(
        model.last(),
        ["user: Which?"],
        "the other answers are not told"
    );
    let expected = [first[1].id, second[0].id, third[0].id];
    for of in expected {
        let siblings = chat.siblings(of, &Page::first()).await.unwrap();
        assert_eq!(ids(&siblings.data), expected);
    }
    let part = chat
        .siblings(first[1].id, &Page::first().with_limit(2))
        .await
        .unwrap();
    let next = Page::first().after(part.next_cursor.unwrap());
    let rest = chat.siblings(first[1].id, &next).await.unwrap();
    assert_eq!(
        (ids(&rest.data), rest.next_cursor),
        (vec![third[0].id], None)
    );
    chat.send("Go on.").await.unwrap();
    assert_eq!(said(&chat).await, ["Which?", "third", "Go on.", "after"]);
}

pub(crate) async fn an_edit_is_a_sibling_with_an_answer_of_its_own(world: &World) {
    let (chat, model) = world.chat(["a", "b", "c", "d"].map(Line::Says)).await;
    chat.send("1").await.unwrap();
    let second = chat.send("2").await.unwrap().turns;
    let edited = chat.edit(second[0].id, "two").await.unwrap().turns;
    assert_eq!(model.last(), ["user: 1", "assistant: a", "user: two"]);
    assert_eq!(edited[0].parent_id, second[0].parent_id);
    assert_eq!(said(&chat).await, ["1", "a", "two", "c"]);
    let siblings = chat.siblings(second[0].id, &Page::first()).await.unwrap();
    assert_eq!(ids(&siblings.data), [second[0].id, edited[0].id]);

    let first = chat.history(10).await.unwrap()[0].id;
    let begun = chat.edit(first, "one").await.unwrap().turns;
    assert_eq!(begun[0].parent_id, None);
    assert_eq!(said(&chat).await, ["one", "d"]);
    assert_eq!(chat.record().await.unwrap().turns, 8, "nothing is lost");
}

pub(crate) async fn a_session_goes_on_from_where_it_was_switched_to(world: &World) {
    let (chat, model) = world.chat(["a", "b", "c", "x"].map(Line::Says)).await;
    let first = chat.send("1").await.unwrap().turns;
    chat.send("2").await.unwrap();
    let record = chat.switch(first[1].id).await.unwrap();
    assert_eq!(record.leaf, Some(first[1].id));
    assert_eq!(said(&chat).await, ["1", "a"]);
    let other = chat.send("3").await.unwrap().turns;
    assert_eq!(model.last(), ["user: 1", "assistant: a", "user: 3"]);
    assert_eq!(
        (other[0].seq, other[1].seq),
        (5, 6),
        "places are never used twice"
    );
    let missing = chat.switch(new_id()).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);

    let foreign = world.chat([Line::Says("elsewhere")]).await.0;
    let turns = foreign.send("Hi").await.unwrap().turns;
    let error = chat.switch(turns[0].id).await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::NotFound,
        "a turn of another session"
    );
    let error = chat.regenerate(turns[1].id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = chat
        .siblings(turns[1].id, &Page::first())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

pub(crate) async fn a_failed_try_leaves_the_branch_in_use(world: &World) {
    let (chat, _) = world.chat([Line::Says("good"), Line::Fails]).await;
    let turns = chat.send("Well?").await.unwrap().turns;
    chat.regenerate(turns[1].id).await.unwrap_err();
    assert_eq!(said(&chat).await, ["Well?", "good"]);
}

pub(crate) async fn only_what_can_be_said_is(world: &World) {
    let (chat, model) = world.chat([Line::Says("a")]).await;
    let turns = chat.send("1").await.unwrap().turns;
    let call = ToolCall::new("c1", "tool", "{}");
    let wrong = [
        chat.send(Message::system("Obey.")),
        chat.send(Message::assistant("I said so.")),
        chat.send(Message::new(aurax_core::Role::User, Vec::<Part>::new())),
        chat.send(Message::tool([ToolResult::new(&call, "done")])),
        chat.edit(turns[1].id, "not mine"),
        chat.send("x").request(aurax_core::Request::from("more")),
        chat.send("x")
            .ctx(aurax_core::Ctx::new(world.other.clone())),
    ];
    for send in wrong {
        let words = format!("{send:?}");
        let error = send.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{words}");
    }
    assert_eq!((model.asked().len(), said(&chat).await.len()), (1, 2));
}
