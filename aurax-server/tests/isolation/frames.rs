//! The same over WebSocket: what a frame names.

use aurax::store::Role;
use aurax_server::{Noun, Owned, Place};
use serde_json::{Value, json};

use crate::matrix::server;
use crate::people::Person;
use crate::seeds::{absent, seed};
use crate::support::{Kind, Server, Socket};

/// A frame of a type that names `value`.
fn frame(owned: &Owned, person: &Person, value: &str) -> Value {
    let (kind, field) = owned.name.split_once('.').unwrap();
    let mut frame = match kind {
        "chat_message" => json!({
            "type": kind, "session_id": person.session, "content": "quokka", "model": "demo/echo",
        }),
        "cancel" => json!({"type": kind}),
        _ => panic!("frames of {kind} have no row"),
    };
    if owned.what == Noun::ProviderKeyName {
        frame["model"] = json!("openai/gpt-4o-mini");
    }
    let mut place = &mut frame;
    for part in field.split('.') {
        place = &mut place[part];
    }
    *place = json!(value);
    frame
}

/// What comes first of an answer to a frame, without what differs every time.
async fn answer(server: &Server, person: &Person, owned: &Owned, value: &str) -> String {
    let mut socket = Socket::of(&person.login, server.address).await;
    socket.say(frame(owned, person, value)).await;
    let mut heard = socket.hear().await;
    if heard["type"] == "error" {
        heard["error"]["request_id"] = json!("");
        heard["error"]["timestamp"] = json!("");
    }
    socket.close().await;
    heard.to_string().replace(value, "…")
}

async fn another_persons_in_a_frame(kind: Kind) {
    let Some(server) = server(kind).await else {
        return;
    };
    let owner = Person::new(&server, Role::User).await;
    let (eve, root) = (
        Person::new(&server, Role::User).await,
        Person::new(&server, Role::Admin).await,
    );
    let mut asked = 0;
    for route in aurax_server::routes(server.state.clone()) {
        for owned in route
            .rule
            .owned
            .iter()
            .filter(|owned| owned.place == Place::Frame)
        {
            let (theirs, none) = (seed(owned, &server, &owner, &route).await, absent(owned));
            for person in [&eve, &root] {
                let one = answer(&server, person, owned, &theirs).await;
                let other = answer(&server, person, owned, &none).await;
                assert_eq!(one, other, "{}", owned.name);
                assert!(one.contains("\"error\""), "{}: {one}", owned.name);
                asked += 2;
            }
            // An answer is stopped on its own socket alone, where `ws` has seen it.
            if owned.what != Noun::Message {
                let one = answer(&server, &owner, owned, &theirs).await;
                let other = answer(&server, &owner, owned, &none).await;
                assert_ne!(one, other, "{}", owned.name);
                asked += 2;
            }
        }
    }
    println!("{asked} frames");
    assert!(asked >= 16);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_persons_in_a_frame_is_like_one_that_does_not_exist_in_memory() {
    another_persons_in_a_frame(Kind::Memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_persons_in_a_frame_is_like_one_that_does_not_exist_in_postgres() {
    another_persons_in_a_frame(Kind::Postgres).await;
}
