//! What one tenant's statements answer does not depend on another tenant's rows; and every single
//! predicate that makes it so is needed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use aurax_core::{Message, Money, Principal, Result, Session, SessionStore as _, Turn, new_id};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::db::{Access, Arg, Dialect, Mode, Sabotage, Statement, Value, compile};
use crate::{
    BudgetLimit, BudgetPeriod, BudgetScope, IdempotencyKey, Identity, NewAccessKey, NewAlert,
    NewProviderKey, NewUser, SealedKey, Store, UsageFigures, UsageRow, UsageStatus, catalogue,
};

/// Every value that statements name, for rows of the tenant that has some.
struct Rows {
    at: OffsetDateTime,
    replica: Uuid,
    session: Uuid,
    turn: Uuid,
    provider_key: Uuid,
    access_key: Uuid,
    login: Uuid,
    budget: Uuid,
    past: Uuid,
    alert: Uuid,
}

/// A clock that stands still.
#[derive(Debug)]
struct Still(OffsetDateTime);

impl aurax_core::Clock for Still {
    fn now(&self) -> OffsetDateTime {
        self.0
    }

    #[expect(clippy::disallowed_methods, reason = "nothing here measures time")]
    fn monotonic(&self) -> tokio::time::Instant {
        tokio::time::Instant::now()
    }
}

/// A row of everything.
async fn furnish(store: &Store) -> Result<Rows> {
    let at = OffsetDateTime::from_unix_timestamp(1_785_873_495).unwrap();
    let store = store.with_clock(std::sync::Arc::new(Still(at)));
    let (admin, jobs) = (store.admin(), store.jobs());
    let user = admin.add_user(NewUser::new("ada@x.org")).await?;
    let principal = Principal::new(user.id.to_string());
    let scope = store.user(&principal);
    let session = Session::new(new_id(), at);
    store.create(&principal, &session).await?;
    let turn = Turn::new(new_id(), session.id, 1, Message::user("hello"), at);
    scope
        .add_turns(session.id, std::slice::from_ref(&turn))
        .await?;
    let sealed = SealedKey::new(vec![1], "kek", "1234");
    let key = NewProviderKey::new(new_id(), "openai", sealed);
    let provider_key = scope.provider_keys().add(key).await?.id;
    let identity = Identity::new("https://id.x.org", "ada")?;
    admin.link_identity(&identity, "ada@x.org").await?;
    let (access_key, _) = scope.access_keys().add(NewAccessKey::new("k")).await?;
    let login = scope.begin_login(None).await?.login_id;
    let (what, period) = (BudgetScope::User, BudgetPeriod::Day);
    let limit = BudgetLimit::Hard;
    let budget = scope.set_budget(what, period, Money::ZERO, limit).await?.id;
    let json = aurax_core::Json::parse("{}")?;
    let past = scope.add_to_history("openai", "a", &json, None).await?;
    let threshold = aurax_core::Decimal::ONE;
    let alert = NewAlert::new("a", "m", threshold);
    let alert = scope.alerts().add(alert).await?.id;
    jobs.fire_alert(alert, threshold, "").await?;
    let key = IdempotencyKey::new("r", "k", vec![1])?;
    scope.claim(key.with_session(session.id)).await?;
    let mut used = UsageRow::answered("openai", "a", at);
    used.ttft_ms = Some(1);
    used.session_id = Some(session.id);
    used.access_key_id = Some(access_key.id);
    jobs.add_usage(&principal, &[used]).await?;
    let sums = UsageFigures {
        requests: 1,
        ..UsageFigures::default()
    };
    let model = ("openai", "a");
    jobs.add_rollup(&principal, at, model, UsageStatus::Success, &sums)
        .await?;
    Ok(Rows {
        at,
        replica: store.replica(),
        session: session.id,
        turn: turn.id,
        provider_key,
        access_key: access_key.id,
        login,
        budget,
        past,
        alert,
    })
}

impl Rows {
    fn value(&self, statement: &Statement, name: &str, groups: &str) -> Value {
        let noun = statement.name.split('.').next().unwrap();
        let is_usage = noun == "usage";
        match name {
            "id" if statement.name.ends_with(".ADD") => new_id().into(),
            "id" => match noun {
                "api_keys" => self.provider_key.into(),
                "access_keys" => self.access_key.into(),
                "refresh_tokens" => self.login.into(),
                "budgets" => self.budget.into(),
                "history" => self.past.into(),
                "alerts" => self.alert.into(),
                _ => self.session.into(),
            },
            "leaf" => self.turn.into(),
            "parent" | "before" | "keep" => Value::Uuid(None),
            "after" => Value::Int(Some(0)),
            // Room for one: whose are counted decides.
            "most" if statement.name.ends_with(".ADD") => Value::Int(Some(1)),
            "most" => Value::Int(Some(100)),
            "turns" => Value::Int(Some(9)),
            "words" => "hello".into(),
            "provider" if is_usage => Value::Text(None),
            "provider" => "openai".into(),
            "key_name" | "status" | "model" if noun != "idempotency" => Value::Text(None),
            "groups" => groups.into(),
            "first" => Uuid::nil().into(),
            "last" => Uuid::max().into(),
            "from" => OffsetDateTime::UNIX_EPOCH.into(),
            "to" | "expires_at" => (self.at + Duration::DAY).into(),
            "session_id" | "access_key_id" => Value::Uuid(None),
            "last_validated" | "at" | "now" | "created_at" | "updated_at" => self.at.into(),
            "claimed_at" | "window_start" => self.at.into(),
            "silent_since" => (self.at - Duration::MINUTE).into(),
            "scope" => "user".into(),
            "subject" => "".into(),
            "period" => "day".into(),
            "limit_usd" | "threshold" | "spent" | "reserved" => Money::ZERO.into(),
            "is_active" | "is_hard" => true.into(),
            "sets_models" | "sets_requests" | "sets_tokens" | "sets_expiry" => false.into(),
            "requests_per_minute" | "tokens_per_minute" | "window_seconds" => 1_u32.into(),
            "route" => "r".into(),
            "key" => "k".into(),
            "owner" => self.replica.into(),
            "status" => Value::Int(Some(200)),
            "hash" | "body_hash" | "body" | "encrypted_key" => vec![1].into(),
            "severity" => "info".into(),
            _ => "x".into(),
        }
    }
}

/// What a statement answers a tenant; what it changes is undone.
async fn answer(
    store: &Store,
    user: Uuid,
    statement: &'static Statement,
    args: Vec<Arg>,
) -> Result<(String, Vec<String>)> {
    let reads = statement.text.starts_with("SELECT") || statement.text.starts_with("WITH");
    store
        .db()
        .read(Access::User(user), Mode::Read, move |tx| {
            Box::pin(async move {
                if !reads {
                    let changed = tx.run(statement, &args).await?;
                    return Ok((format!("{changed} changed"), Vec::new()));
                }
                let rows = tx.rows(statement, &args).await?;
                let groups = rows.iter().filter_map(|row| row.text("grp").ok());
                Ok((format!("{rows:?}"), groups.collect()))
            })
        })
        .await
}

/// A store with somebody in it and an empty one.
struct Bench {
    full: Store,
    empty: Store,
    rows: Rows,
    owner: Uuid,
    groups: String,
}

impl Bench {
    async fn new() -> Self {
        let full = Store::in_memory().await.unwrap();
        let rows = furnish(&full).await.unwrap();
        let empty = Store::in_memory().await.unwrap();
        let (ada, _) = full.admin().login("ada@x.org").await.unwrap().unwrap();
        let mut bench = Self {
            full,
            empty,
            rows,
            owner: ada.id,
            groups: "[\"\"]".to_owned(),
        };
        let mut groups = vec![String::new()];
        for statement in tenants().filter(|statement| statement.text.contains("AS grp")) {
            let args = bench.args(statement);
            let answer = answer(&bench.full, bench.owner, statement, args).await;
            groups.extend(answer.unwrap().1);
        }
        bench.groups = serde_json::to_string(&groups).unwrap();
        bench
    }

    fn args(&self, statement: &'static Statement) -> Vec<Arg> {
        let binds = compile(statement.text, Dialect::Sqlite).unwrap().binds;
        let binds = binds.into_iter().filter(|name| *name != "user");
        binds
            .map(|name| (name, self.rows.value(statement, name, &self.groups)))
            .collect()
    }

    /// Whether a stranger's answer depends on rows that are not theirs.
    async fn leaks(&self, statement: &'static Statement) -> bool {
        let (stranger, args) = (new_id(), self.args(statement));
        let full = answer(&self.full, stranger, statement, args.clone()).await;
        let empty = answer(&self.empty, stranger, statement, args).await;
        let text = |answer: Result<(String, Vec<String>)>| {
            answer.map_or_else(|error| error.to_string(), |(text, _)| text)
        };
        let (full, empty) = (text(full), text(empty));
        full.replace(&stranger.to_string(), "") != empty.replace(&stranger.to_string(), "")
    }
}

fn tenants() -> impl Iterator<Item = &'static Statement> {
    catalogue::all().filter(|statement| statement.predicates() > 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_answers_from_rows_of_others_and_each_predicate_is_needed() {
    let bench = Bench::new().await;
    let dictionary = bench.full.db().database().dictionary();
    let (mut tried, mut open, mut unneeded) = (0, Vec::new(), Vec::new());
    for statement in tenants() {
        dictionary.sabotage(Sabotage::Nothing);
        if bench.leaks(statement).await {
            open.push(statement.name);
        }
        for which in 0..statement.predicates() {
            dictionary.sabotage(Sabotage::One(statement.name, which));
            let is_found = bench.leaks(statement).await;
            let color = if is_found { "red" } else { "green" };
            println!("{color} without predicate {which}: {}", statement.name);
            if !is_found {
                unneeded.push(statement.name);
            }
            tried += 1;
        }
    }
    println!("{tried} predicates taken away");
    assert_eq!(open, [""; 0], "these answer from rows of others");
    assert_eq!(unneeded, [""; 0], "nobody sees these lose their predicate");
    assert!(tried > 80, "{tried}");
}
