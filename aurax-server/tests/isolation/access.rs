//! Who may use each route at all.

use std::collections::HashMap;

use aurax::store::Role;
use aurax_server::auth::Scope;
use aurax_server::{Access, Owned, Place, Route};

use serde_json::Value;

use crate::asking::Asking;
use crate::matrix::server;
use crate::people::Person;
use crate::seeds::absent;
use crate::support::{Answer, Client, Kind, Server};

/// A request to a route that names nothing there is.
pub(crate) fn asking(route: &Route, person: &Person) -> Asking {
    let in_path = |owned: &&Owned| owned.place == Place::Path;
    match route.rule.owned.iter().find(in_path) {
        Some(owned) => Asking::naming(route, person, owned, &absent(owned)),
        None => Asking::new(route, person),
    }
}

/// Access keys of one person, each without one scope.
struct Keys(HashMap<&'static str, Client>);

impl Keys {
    async fn new(server: &Server, person: &Person) -> Self {
        let mut keys = HashMap::new();
        for without in Scope::ALL {
            let rest = Scope::ALL.map(Scope::as_str);
            let rest: Vec<&str> = rest
                .into_iter()
                .filter(|one| *one != without.as_str())
                .collect();
            keys.insert(without.as_str(), person.key(server, &rest).await);
        }
        Self(keys)
    }

    fn without(&self, scope: Scope) -> &Client {
        &self.0[scope.as_str()]
    }
}

#[track_caller]
fn refused(what: &str, answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        answer.status.as_u16(),
        status,
        "{what}: {:?}",
        answer.json()
    );
    assert_eq!(answer.error(status), code, "{what}");
}

async fn everybody_gets_in_where_they_may_and_nowhere_else(kind: Kind) {
    let Some(server) = server(kind).await else {
        return;
    };
    let (eve, root) = (
        Person::new(&server, Role::User).await,
        Person::new(&server, Role::Admin).await,
    );
    let (eves, roots) = (
        Keys::new(&server, &eve).await,
        Keys::new(&server, &root).await,
    );
    let nobody = server.client();
    let routes = aurax_server::routes(server.state.clone());
    for route in &routes {
        let (what, asking) = (
            format!("{} {}", route.method, route.path),
            asking(route, &eve),
        );
        // It ends what it is asked with: whether it gets in is seen by who does not.
        let ends = matches!((route.method, &*route.path), ("DELETE", path) if path.starts_with("/auth/") && !path.contains('{'));
        let from_nobody = asking.send(&nobody).await;
        let gets_in = async |client: &Client| {
            if !ends {
                let status = asking.send(client).await.status;
                assert!(status != 401 && status != 403, "{what}: {status}");
            }
        };
        match route.rule.access {
            Access::Public => {
                let message = from_nobody.json()["error"]["message"].to_string();
                assert_ne!(from_nobody.status, 403, "{what}");
                assert!(!message.contains("Authorization"), "{what}: {message}");
            }
            Access::User(scope) => {
                refused(&what, &from_nobody, 401, "unauthorized");
                for keys in [&eves, &roots] {
                    let answer = asking.send(keys.without(scope)).await;
                    refused(&what, &answer, 403, "forbidden");
                    assert_eq!(answer.json()["error"]["details"]["scope"], scope.as_str());
                }
                for client in [&eve.login, &eve.program] {
                    gets_in(client).await;
                }
            }
            Access::Login => {
                refused(&what, &from_nobody, 401, "unauthorized");
                for client in [&eve.program, &root.program] {
                    refused(&what, &asking.send(client).await, 403, "forbidden");
                }
                if what != "PATCH /auth/me" {
                    gets_in(&eve.login).await;
                }
            }
            Access::Admin => {
                refused(&what, &from_nobody, 401, "unauthorized");
                for client in [&eve.login, &eve.program, roots.without(Scope::Admin)] {
                    refused(&what, &asking.send(client).await, 403, "forbidden");
                }
                for client in [&root.login, &root.program] {
                    gets_in(client).await;
                }
            }
        }
    }
    println!("{} routes", routes.len());
    // Nothing above ended what it was asked with.
    for client in [&eve.login, &eve.program, &root.login] {
        client.get("/chat/sessions").await.expect(200);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_in_where_they_may_and_nowhere_else_in_memory() {
    everybody_gets_in_where_they_may_and_nowhere_else(Kind::Memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_in_where_they_may_and_nowhere_else_in_postgres() {
    everybody_gets_in_where_they_may_and_nowhere_else(Kind::Postgres).await;
}

/// Everything in a path is somebody's, or has a row that says that it is nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn every_id_in_a_path_is_declared() {
    let server = server(Kind::Memory).await.unwrap();
    for route in aurax_server::routes(server.state.clone()) {
        let names = route.path.split('{').skip(1);
        for name in names.map(|rest| rest.split('}').next().unwrap()) {
            let is_declared = |owned: &Owned| owned.place == Place::Path && owned.name == name;
            let shape = crate::requests::shape(route.method, &route.path);
            let shape = shape.unwrap_or_else(|| panic!("{} has no row", route.path));
            let is_nobodys = shape.path.iter().any(|(nobodys, _)| *nobodys == name);
            assert!(
                is_nobodys || route.rule.owned.iter().any(is_declared),
                "{} {} names {name}, which is declared to be nobody's",
                route.method,
                route.path
            );
        }
    }
    server.stop().await;
}

/// The schema that a reference stands for.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(name) => document.pointer(name.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// Whether a schema is that of an id, or of one that may be absent.
fn is_id(schema: &Value) -> bool {
    schema["format"] == "uuid"
}

/// What an operation of the document takes that is somebody's by its form: ids, and cursors.
fn named(document: &Value, operation: &Value) -> Vec<(Place, String)> {
    let mut named = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let (name, place) = (parameter["name"].as_str().unwrap(), &parameter["in"]);
        if is_id(&parameter["schema"]) || name == "cursor" {
            let place = if place == "path" {
                Place::Path
            } else {
                Place::Query
            };
            named.push((place, name.to_owned()));
        }
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let fields = &resolved(document, body)["properties"];
    for (name, schema) in fields.as_object().into_iter().flatten() {
        if is_id(schema) {
            named.push((Place::Body, name.clone()));
        }
    }
    named
}

#[tokio::test(flavor = "multi_thread")]
async fn every_id_and_cursor_of_the_document_is_declared() {
    let server = server(Kind::Memory).await.unwrap();
    let document = aurax_server::openapi(server.state.clone()).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let mut found = 0;
    for route in aurax_server::routes(server.state.clone()) {
        let operation = &document["paths"][&route.path][route.method.to_lowercase()];
        assert!(operation.is_object(), "{} {}", route.method, route.path);
        for (place, name) in named(&document, operation) {
            let own = |owned: &&Owned| owned.place == place && owned.name == name;
            let is_declared = route.rule.owned.iter().any(|owned| own(&owned));
            assert!(is_declared, "{} {}: {name}", route.method, route.path);
            found += 1;
        }
    }
    println!("{found} ids and cursors");
    assert!(found > 40);
    server.stop().await;
}
