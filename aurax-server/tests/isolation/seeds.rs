//! One of everything that belongs to somebody.

use aurax::Decimal;
use aurax::store::{NewAlert, NewUser};
use aurax_server::{Noun, Owned, Route};
use serde_json::json;

use crate::asking::Asking;
use crate::people::{Person, field};
use crate::support::{Client, Server};

/// A session in which something was said.
pub(crate) async fn session(client: &Client) -> String {
    let made = client.post("/chat/sessions", &json!({})).await.expect(201);
    let id = field(&made, "id");
    message(client, &id).await;
    id
}

/// The answer to something in a session.
async fn message(client: &Client, session: &str) -> String {
    let path = format!("/chat/sessions/{session}/messages");
    let body = json!({"content": "quokka", "model": "demo/echo"});
    field(&client.post(&path, &body).await.expect(201), "id")
}

async fn provider_key(owner: &Person, name: &str) -> String {
    let body = json!({"provider": "openai", "key": "sk-a-key-that-is-wrong", "key_name": name});
    field(
        &owner.login.post("/api/keys", &body).await.expect(201),
        "id",
    )
}

/// A new one, its id.
pub(crate) async fn make(noun: Noun, server: &Server, owner: &Person) -> String {
    let login = &owner.login;
    match noun {
        Noun::Session => session(login).await,
        Noun::Message => message(login, &owner.session).await,
        Noun::Login => {
            let scope = server.store.user(&owner.principal());
            scope.begin_login(None).await.unwrap().login_id.to_string()
        }
        Noun::ProviderKey => provider_key(owner, &aurax::new_id().to_string()).await,
        Noun::ProviderKeyName => {
            let name = aurax::new_id().to_string();
            provider_key(owner, &name).await;
            name
        }
        Noun::AccessKey => {
            let body = json!({"name": "program"});
            let made = login.post("/api/access-keys", &body).await.expect(201);
            // It has been used, so that there is something to be found by it.
            let program = login.with_token(&field(&made, "key"));
            message(&program, &owner.session).await;
            field(&made, "id")
        }
        Noun::Budget => {
            let body = json!({
                "scope": "tag", "subject": format!("id={}", aurax::new_id()), "period": "day",
                "limit": 1, "kind": "soft",
            });
            field(&login.put("/api/budgets", &body).await.expect(200), "id")
        }
        Noun::Alert => {
            let name = aurax::new_id().to_string();
            let body = json!({"name": name, "metric": "error_rate", "threshold": 5});
            let made = login.post("/api/alerts", &body).await.expect(201);
            let id = field(&made, "id");
            let jobs = server.store.jobs();
            let fired = jobs.fire_alert(id.parse().unwrap(), Decimal::ONE, "quokka");
            assert!(fired.await.unwrap().is_some());
            id
        }
        Noun::InstallationAlert => {
            let (id, name) = (aurax::new_id(), aurax::new_id().to_string());
            let new = NewAlert::new(name, "error_rate", Decimal::ONE);
            let jobs = server.store.jobs();
            assert!(jobs.provide_alert(id, new).await.unwrap());
            let fired = jobs.fire_alert(id, Decimal::ONE, "quokka").await;
            assert!(fired.unwrap().is_some());
            id.to_string()
        }
        Noun::PastRequest => {
            let body = json!({"model": "demo/echo", "prompt": "quokka"});
            let made = login.post("/api/playground/run", &body).await.expect(200);
            field(&made, "id")
        }
        Noun::Account => {
            let new = NewUser::new(format!("{}@example.com", aurax::new_id()));
            let user = server.store.admin().add_user(new).await.unwrap();
            user.id.to_string()
        }
        Noun::Cursor => unreachable!("a cursor is of a list"),
    }
}

/// What a list lists, of which there have to be two for it to go on.
fn listed(path: &str) -> Noun {
    match path {
        "/chat/sessions" | "/api/usage" => Noun::Session,
        "/chat/sessions/{id}/messages" | "/chat/search" => Noun::Message,
        "/auth/sessions" => Noun::Login,
        "/api/keys" => Noun::ProviderKey,
        "/api/access-keys" => Noun::AccessKey,
        "/api/alerts" | "/api/alerts/events" => Noun::Alert,
        "/api/playground/history" => Noun::PastRequest,
        "/admin/users" => Noun::Account,
        "/admin/alerts" | "/admin/alerts/events" => Noun::InstallationAlert,
        _ => panic!("{path} lists something that has no row here"),
    }
}

/// Where a list of somebody's goes on.
pub(crate) async fn cursor(server: &Server, owner: &Person, route: &Route) -> String {
    for _ in 0..2 {
        make(listed(&route.path), server, owner).await;
    }
    let mut asking = Asking::new(route, owner);
    asking.query.push(("limit", "1".to_owned()));
    let page = asking.send(&owner.login).await.expect(200);
    field(&page, "next_cursor")
}

/// Something of somebody's that a route names.
pub(crate) async fn seed(owned: &Owned, server: &Server, owner: &Person, route: &Route) -> String {
    match owned.what {
        Noun::Cursor => cursor(server, owner, route).await,
        noun => make(noun, server, owner).await,
    }
}

/// What would be one, and is none.
pub(crate) fn absent(owned: &Owned) -> String {
    match owned.what {
        // As long, of the same letters, and signed by nobody.
        Noun::Cursor => format!("{}{}", "B".repeat(21), "c".repeat(21)) + "A",
        _ => aurax::new_id().to_string(),
    }
}
