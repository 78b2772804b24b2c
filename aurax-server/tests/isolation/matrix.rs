//! Every route × everything of somebody's that it names × everybody else.

use aurax::RetryPolicy;
use aurax::store::Role;
use aurax_server::{Noun, Owned, Place, Route};

use crate::asking::{Asking, masked, streams};
use crate::people::Person;
use crate::seeds::{absent, make, seed};
use crate::support::{Client, Kind, Server, Setup};

/// Limits are none; there is a provider that answers nobody, and nobody may use its operator's key.
pub(crate) async fn server(kind: Kind) -> Option<Server> {
    let mut setup = Setup::new()
        .with_openai("http://127.0.0.1:9/v1")
        .configured(|config| config.shared_keys.plans = Some(Vec::new()));
    setup.engine = setup.engine.retry(RetryPolicy::never());
    Server::with(kind, setup).await
}

/// What was asked, and what was found that should not be.
#[derive(Debug, Default)]
struct Findings {
    asked: usize,
    differ: Vec<String>,
    /// Where even the owner's own is like one that does not exist: nothing is shown by these.
    blind: Vec<String>,
}

impl Findings {
    async fn compare(
        &mut self,
        what: &str,
        client: &Client,
        one: &Asking,
        none: &Asking,
        ids: [&str; 2],
    ) {
        let (one, none) = (one.send(client).await, none.send(client).await);
        self.asked += 2;
        let (one, none) = (masked(&one, ids[0]), masked(&none, ids[1]));
        if one != none {
            self.differ.push(format!("{what}:\n{one}\nand\n{none}\n"));
        }
    }

    async fn control(
        &mut self,
        what: &str,
        client: &Client,
        one: &Asking,
        none: &Asking,
        ids: [&str; 2],
    ) {
        let none = masked(&none.send(client).await, ids[1]);
        let one = masked(&one.send(client).await, ids[0]);
        self.asked += 2;
        if one == none {
            self.blind.push(format!("{what}: {one}"));
        }
    }
}

/// Asks every route for which `wanted` holds.
async fn findings(server: &Server, wanted: impl Fn(&Route) -> bool) -> Findings {
    let owner = Person::new(server, Role::Admin).await;
    let (eve, root) = (
        Person::new(server, Role::User).await,
        Person::new(server, Role::Admin).await,
    );
    let mut findings = Findings::default();
    for route in aurax_server::routes(server.state.clone()) {
        if !wanted(&route) {
            continue;
        }
        for owned in route
            .rule
            .owned
            .iter()
            .filter(|owned| owned.place != Place::Frame)
        {
            one(&mut findings, server, &route, owned, [&owner, &eve, &root]).await;
        }
    }
    findings
}

async fn one(
    findings: &mut Findings,
    server: &Server,
    route: &Route,
    owned: &Owned,
    [owner, eve, root]: [&Person; 3],
) {
    let what = format!(
        "{} {} by {:?} {}",
        route.method, route.path, owned.place, owned.name
    );
    let theirs = seed(owned, server, owner, route).await;
    let none = absent(owned);
    let ids = [&*theirs, &*none];
    let everybody = [
        ("another user", eve, &eve.login),
        ("another user's key", eve, &eve.program),
        ("an operator", root, &root.login),
    ];
    let is_operators = route.rule.access == aurax_server::Access::Admin;
    for (who, person, client) in everybody {
        // Accounts are the operators' to see, whoever made them.
        if is_operators && who == "an operator" {
            continue;
        }
        let [one, other] = ids.map(|id| Asking::naming(route, person, owned, id));
        let what = format!("{who}: {what}");
        findings.compare(&what, client, &one, &other, ids).await;
        if streams(route) {
            let (one, other) = (one.streamed(), other.streamed());
            let what = format!("{what}, as events");
            findings.compare(&what, client, &one, &other, ids).await;
        }
    }
    if owned.what == Noun::InstallationAlert {
        // Nor is what is a user's the installation's.
        let users = make(Noun::Alert, server, owner).await;
        let ids = [&*users, &*none];
        let [one, other] = ids.map(|id| Asking::naming(route, root, owned, id));
        findings
            .compare(&what, &root.login, &one, &other, ids)
            .await;
    }
    let [one, other] = ids.map(|id| Asking::naming(route, owner, owned, id));
    findings
        .control(&what, &owner.login, &one, &other, ids)
        .await;
}

async fn anothers_is_like_one_that_does_not_exist(kind: Kind) {
    let Some(server) = server(kind).await else {
        return;
    };
    let found = findings(&server, |_| true).await;
    println!("{} requests", found.asked);
    assert!(found.differ.is_empty(), "{}", found.differ.join("\n"));
    assert!(found.blind.is_empty(), "{}", found.blind.join("\n"));
    assert!(found.asked > 100);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_is_like_one_that_does_not_exist_in_memory() {
    anothers_is_like_one_that_does_not_exist(Kind::Memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_is_like_one_that_does_not_exist_in_postgres() {
    anothers_is_like_one_that_does_not_exist(Kind::Postgres).await;
}

/// Statements, and a path of a route that asks them.
const SABOTAGED: &[(&str, &str)] = &[
    ("sessions.GET", "/chat/sessions/{id}"),
    ("refresh_tokens.REVOKE", "/auth/sessions/{id}"),
    ("api_keys.GET", "/api/keys/{id}"),
    ("api_keys.RESOLVE", "/api/playground/run"),
    ("access_keys.GET", "/api/access-keys/{id}"),
    ("budgets.DELETE", "/api/budgets/{id}"),
    ("history.GET", "/api/playground/history/{id}"),
    ("alerts.GET", "/api/alerts/{id}"),
    ("usage.LIST", "/api/usage"),
    ("usage.SUMMARY", "/api/usage/summary"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_predicate_that_is_missing_is_found() {
    let server = server(Kind::Memory).await.unwrap();
    for (statement, path) in SABOTAGED {
        assert!(server.store.sabotage(statement, 0), "{statement}");
        let found = findings(&server, |route| route.path == *path).await;
        assert!(
            !found.differ.is_empty(),
            "nobody sees {statement} lose its predicate"
        );
        println!("{statement}: {} differ", found.differ.len());
    }
    server.stop().await;
}
