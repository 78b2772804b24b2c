//! Who asks.

use aurax::store::{NewAccessKey, NewUser, Role};
use aurax::{Principal, Secret};
use serde_json::Value;

use crate::support::{Client, Server};

/// Somebody with an account.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: String,
    /// By a login.
    pub(crate) login: Client,
    /// By an access key for everything.
    pub(crate) program: Client,
    /// A session of theirs, with a message.
    pub(crate) session: String,
}

#[expect(clippy::disallowed_methods, reason = "the test is the client")]
pub(crate) fn text(secret: &Secret) -> String {
    secret.expose().to_owned()
}

impl Person {
    /// Passwords are none of this test's business: none is hashed.
    pub(crate) async fn new(server: &Server, role: Role) -> Self {
        let email = format!("{}@example.com", aurax::new_id());
        let new = NewUser::new(email).with_role(role);
        let user = server.store.admin().add_user(new).await.unwrap();
        let login = logged_in(server, user.id).await;
        let mut person = Self {
            id: user.id.to_string(),
            program: login.clone(),
            login,
            session: String::new(),
        };
        person.program = person.key(server, &[]).await;
        person.session = crate::seeds::session(&person.login).await;
        person
    }

    /// The same by one more login.
    pub(crate) async fn again(mut self, server: &Server) -> Self {
        self.login = logged_in(server, self.id.parse().unwrap()).await;
        self
    }

    pub(crate) fn principal(&self) -> Principal {
        Principal::new(self.id.clone())
    }

    /// A client with an access key for these scopes alone.
    pub(crate) async fn key(&self, server: &Server, scopes: &[&str]) -> Client {
        let mut new = NewAccessKey::new("program");
        new.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let keys = server.store.user(&self.principal()).access_keys();
        let (_, secret) = keys.add(new).await.unwrap();
        self.login.with_token(&text(&secret))
    }
}

/// A field of an answer, as text.
pub(crate) fn field(answer: &Value, name: &str) -> String {
    let value = answer[name].as_str();
    value
        .unwrap_or_else(|| panic!("no {name}: {answer}"))
        .to_owned()
}

async fn logged_in(server: &Server, id: uuid::Uuid) -> Client {
    let principal = Principal::new(id.to_string());
    let scope = server.store.user(&principal);
    let refresh = scope.begin_login(None).await.unwrap();
    let tokens = server.state.auth().tokens();
    let access = tokens.issue(id, refresh.login_id).unwrap();
    let mut login = server.client().with_token(&text(&access));
    login.refresh = Some(text(&refresh.token));
    login
}
