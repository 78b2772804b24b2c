//! Two tenants: neither sees, changes or finds out about what is the other's.

use std::fmt::Debug;

use aurax_core::{
    Decimal, Error, ErrorKind, Json, Money, Page, Principal, Session, SessionChange,
    SessionStore as _, Turn, new_id,
};
use aurax_store::{
    AccessKeyChange, AlertChange, Bucketing, BudgetLimit, BudgetPeriod, BudgetScope, Claim,
    Grouping, IdempotencyKey, NewAccessKey, NewAlert, NewProviderKey, ProviderKeyChange, Store,
    UsageFilter, UsageRow, UserScope,
};
use sqlx::Row as _;
use uuid::Uuid;

use crate::access_keys::account;
use crate::desk::{Desk, Kind};
use crate::provider_keys::sealed;
use crate::sessions::{at, session, turn};

/// A tenant with a row of everything.
struct Tenant {
    principal: Principal,
    scope: UserScope,
    session: Session,
    turn: Turn,
    provider_key: Uuid,
    access_key: Uuid,
    login: Uuid,
    budget: Uuid,
    past: Uuid,
    alert: Uuid,
}

/// The key both use.
fn key() -> IdempotencyKey {
    IdempotencyKey::new("r", "k", vec![1]).unwrap()
}

async fn furnish(desk: &Desk, name: &str) -> Tenant {
    let (user, scope) = account(desk, &format!("{name}@x.org")).await;
    let principal = Principal::new(user.id.to_string());
    let session = session(desk, &principal).await;
    let said = turn(&session, 1, None, format!("hello from {name}"));
    scope
        .add_turns(session.id, std::slice::from_ref(&said))
        .await
        .unwrap();
    let new = NewProviderKey::new(new_id(), "openai", sealed("kek", 1));
    let provider_key = scope.provider_keys().add(new).await.unwrap().id;
    let (access_key, _) = scope
        .access_keys()
        .add(NewAccessKey::new(name))
        .await
        .unwrap();
    let login = scope.begin_login(Some(name)).await.unwrap().login_id;
    let (what, period, kind) = (BudgetScope::User, BudgetPeriod::Day, BudgetLimit::Hard);
    let budget = scope
        .set_budget(what, period, Money::ZERO, kind)
        .await
        .unwrap()
        .id;
    let json = Json::from_value(&name).unwrap();
    let past = scope
        .add_to_history("openai", "a", &json, None)
        .await
        .unwrap();
    let new = NewAlert::new("alert", "m", Decimal::ONE);
    let alert = scope.alerts().add(new).await.unwrap().id;
    assert!(matches!(scope.claim(key()).await.unwrap(), Claim::Begun(_)));
    let jobs = desk.store.jobs();
    let fired = jobs.fire_alert(alert, Decimal::ONE, name).await;
    assert!(fired.unwrap().is_some());
    let mut used = UsageRow::answered("openai", name, at(0));
    used.session_id = Some(session.id);
    used.access_key_id = Some(access_key.id);
    jobs.add_usage(&principal, &[used]).await.unwrap();
    Tenant {
        principal,
        scope,
        session,
        turn: said,
        provider_key,
        access_key: access_key.id,
        login,
        budget,
        past,
        alert,
    }
}

fn line(all: &mut Vec<String>, what: impl Debug) {
    all.push(format!("{what:?}"));
}

/// Everything a tenant sees.
async fn view(store: &Store, of: &Tenant) -> Vec<String> {
    let (scope, page, who) = (&of.scope, &Page::first(), &of.principal);
    let session = of.session.id;
    let mut all = Vec::new();
    let seen = &mut all;
    line(seen, scope.account().await.unwrap());
    line(seen, scope.plan().await.unwrap());
    line(seen, store.sessions(who, page).await.unwrap().data);
    line(seen, store.session(who, session).await.unwrap());
    line(seen, store.turns(who, session, page).await.unwrap().data);
    line(
        seen,
        store
            .branch(who, session, of.turn.id, 9.into())
            .await
            .unwrap(),
    );
    line(seen, store.search(who, "hello", page).await.unwrap().data);
    line(
        seen,
        scope.children(session, None, page).await.unwrap().data,
    );
    line(
        seen,
        scope.provider_keys().list(None, page).await.unwrap().data,
    );
    line(
        seen,
        scope.provider_keys().resolve("openai", None).await.unwrap(),
    );
    line(seen, scope.access_keys().list(page).await.unwrap().data);
    line(seen, scope.logins(page).await.unwrap().data);
    line(seen, scope.budgets().await.unwrap());
    line(seen, scope.history(None, page).await.unwrap().data);
    line(seen, scope.alerts().list(page).await.unwrap().data);
    line(seen, scope.alerts().events(page).await.unwrap().data);
    line(seen, scope.claim(key()).await.unwrap());
    let (usage, filter) = (scope.usage(), UsageFilter::between(at(-9), at(9)));
    line(seen, usage.rows(&filter, page).await.unwrap().data);
    line(seen, usage.summary(&filter).await.unwrap());
    for grouping in Grouping::ALL {
        line(seen, usage.grouped(&filter, *grouping).await.unwrap());
    }
    for bucketing in Bucketing::ALL {
        line(seen, usage.series(&filter, *bucketing).await.unwrap());
    }
    all
}

/// Every verb that takes an id, with one that may be anybody's, and what it says.
async fn touch(
    store: &Store,
    eve: &Tenant,
    ids: &Tenant,
) -> Vec<(&'static str, Result<String, Error>)> {
    let (scope, who, page) = (&eve.scope, &eve.principal, &Page::first());
    let (keys, access, alerts) = (scope.provider_keys(), scope.access_keys(), scope.alerts());
    let session = ids.session.id;
    let mut said = Vec::new();
    macro_rules! say {
        ($($name:literal: $work:expr;)*) => {
            $(said.push(($name, $work.await.map(|done| format!("{done:?}")))));*
        };
    }
    let title = SessionChange::title("mine");
    let leaf = SessionChange::leaf(ids.turn.id);
    let mut intruder = turn(&ids.session, 9, Some(ids.turn.id), "intruder");
    intruder.session_id = session;
    say! {
        "session": store.session(who, session);
        "change": store.change(who, session, &title, at(1));
        "point at a leaf": store.change(who, session, &leaf, at(1));
        "point own at a leaf": store.change(who, eve.session.id, &leaf, at(1));
        "delete": store.delete(who, session);
        "branch": store.branch(who, session, ids.turn.id, 9.into());
        "branch of own": store.branch(who, eve.session.id, ids.turn.id, 9.into());
        "turns": store.turns(who, session, page);
        "children": store.children(who, session, None, page);
        "add turns": store.add(who, session, &[intruder]);
        "provider key": keys.get(ids.provider_key);
        "sealed key": keys.sealed(ids.provider_key);
        "replace key": keys.replace(ids.provider_key, None, sealed("kek", 9));
        "change key": keys.change(ids.provider_key, off());
        "delete key": keys.delete(ids.provider_key);
        "access key": access.get(ids.access_key);
        "change access key": access.change(ids.access_key, named());
        "delete access key": access.delete(ids.access_key);
        "end login": scope.end_login(ids.login);
        "delete budget": scope.delete_budget(ids.budget);
        "past request": scope.past_request(ids.past);
        "forget request": scope.forget_request(ids.past);
        "alert": alerts.get(ids.alert);
        "change alert": alerts.change(ids.alert, AlertChange::default());
        "delete alert": alerts.delete(ids.alert);
        "usage of a session": used(scope, Some(session), None);
        "usage of a key": used(scope, None, Some(ids.access_key));
    };
    said
}

fn off() -> ProviderKeyChange {
    let mut off = ProviderKeyChange::default();
    off.is_active = Some(false);
    off
}

fn named() -> AccessKeyChange {
    let mut named = AccessKeyChange::default();
    named.name = Some("mine".to_owned());
    named
}

async fn used(scope: &UserScope, session: Option<Uuid>, key: Option<Uuid>) -> Result<u64, Error> {
    let mut filter = UsageFilter::default();
    filter.session_id = session;
    filter.access_key_id = key;
    Ok(scope.usage().summary(&filter).await?.requests)
}

/// What does not exist.
fn nothing(of: &Tenant) -> Tenant {
    let session = Session::new(new_id(), at(0));
    Tenant {
        principal: of.principal.clone(),
        scope: of.scope.clone(),
        turn: turn(&session, 1, None, "x"),
        session,
        provider_key: new_id(),
        access_key: new_id(),
        login: new_id(),
        budget: new_id(),
        past: new_id(),
        alert: new_id(),
    }
}

/// Eve tries everything with Ada's ids; then she deletes whatever she can.
async fn attack(store: &Store, ada: &Tenant, eve: &Tenant) {
    let (before, own) = (view(store, ada).await, view(store, eve).await);
    let names = [&ada.principal, &eve.principal].map(|who| who.as_str().to_owned());
    assert!(before.iter().all(|seen| !seen.contains(&names[1])));
    assert!(
        own.iter()
            .all(|seen| !seen.contains(&names[0]) && !seen.contains("from ada"))
    );
    let foreign = touch(store, eve, ada).await;
    let absent = touch(store, eve, &nothing(eve)).await;
    for ((name, foreign), (_, absent)) in foreign.into_iter().zip(absent) {
        match (foreign, absent) {
            (Ok(foreign), Ok(absent)) => assert_eq!(foreign, absent, "{name}"),
            (Err(foreign), Err(absent)) => {
                assert_eq!(foreign.kind(), ErrorKind::NotFound, "{name}");
                assert_eq!(foreign.to_string(), absent.to_string(), "{name}");
            }
            (foreign, absent) => panic!("{name}: {foreign:?}, {absent:?}"),
        }
    }
    assert_eq!(view(store, eve).await, own);
    eve.scope.end_logins().await.unwrap();
    eve.scope
        .provider_keys()
        .delete_all("openai")
        .await
        .unwrap();
    eve.scope.delete_account().await.unwrap();
    assert_eq!(view(store, ada).await, before);
}

pub(crate) async fn a_foreign_id_is_like_one_that_does_not_exist(desk: Desk) -> Desk {
    let (ada, eve) = (furnish(&desk, "ada").await, furnish(&desk, "eve").await);
    attack(&desk.store, &ada, &eve).await;
    desk
}

/// PostgreSQL's policies hold by themselves.
pub(crate) async fn policies_hold_without_any_predicate(desk: Desk) -> Desk {
    if matches!(desk.kind, Kind::Memory | Kind::File) {
        return desk;
    }
    let (ada, eve) = (furnish(&desk, "ada").await, furnish(&desk, "eve").await);
    desk.store.sabotage_all();
    attack(&desk.store, &ada, &eve).await;
    desk
}

/// The suite would notice: without its predicate, each of these shows Eve what is Ada's.
pub(crate) async fn a_missing_predicate_is_noticed(desk: Desk) -> Desk {
    if matches!(desk.kind, Kind::Postgres | Kind::PgBouncer) {
        return desk;
    }
    let (ada, eve) = (furnish(&desk, "ada").await, furnish(&desk, "eve").await);
    let own = view(&desk.store, &eve).await;
    let said = touch(&desk.store, &eve, &nothing(&eve)).await;
    assert_eq!(own, view(&desk.store, &eve).await);
    for statement in [
        "sessions.GET",
        "sessions.SEARCH",
        "usage.SUMMARY",
        "api_keys.GET",
    ] {
        assert!(desk.store.sabotage(statement, 0), "{statement}");
        let seen = view(&desk.store, &eve).await != own;
        let found = touch(&desk.store, &eve, &ada).await;
        let differs = found
            .iter()
            .zip(&said)
            .any(|((_, a), (_, b))| format!("{a:?}") != format!("{b:?}"));
        assert!(seen || differs, "{statement}");
    }
    assert!(!desk.store.sabotage("users.ADD", 0));
    desk
}

pub(crate) async fn every_table_of_tenants_is_closed(desk: Desk) -> Desk {
    let Some(mut server) = desk.server().await else {
        return desk;
    };
    let sql = "SELECT c.relname, c.relispartition, c.relrowsecurity, c.relforcerowsecurity,
                   (SELECT count(*) FROM information_schema.role_table_grants g
                    WHERE g.table_name = c.relname AND g.grantee <> c.relowner::regrole::text
                      AND (c.relispartition OR g.privilege_type = 'TRUNCATE'))
                   + (SELECT count(*) FROM information_schema.column_privileges g
                      WHERE g.table_name = c.relname AND c.relispartition
                        AND g.grantee <> c.relowner::regrole::text)
                   AS grants,
                   (SELECT count(*) FROM pg_policy
                    WHERE polrelid = c.oid AND c.relispartition) AS policies
               FROM pg_class c
               WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                 AND (c.relname = 'users' OR EXISTS (
                     SELECT FROM pg_attribute a
                     WHERE a.attrelid = c.oid AND a.attname = 'user_id'))";
    let rows = sqlx::query(sql).fetch_all(&mut server).await.unwrap();
    let partitions = rows
        .iter()
        .filter(|row| row.get::<bool, _>("relispartition"));
    // Two defaults, and five periods of each.
    assert_eq!(partitions.count(), 12);
    assert_eq!(rows.len(), 28);
    for row in &rows {
        let name: String = row.get("relname");
        assert!(row.get::<bool, _>("relrowsecurity"), "{name}");
        assert!(row.get::<bool, _>("relforcerowsecurity"), "{name}");
        assert_eq!(row.get::<i64, _>("grants"), 0, "{name}");
        assert_eq!(row.get::<i64, _>("policies"), 0, "{name}");
    }
    let functions = sqlx::query(
        "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
         AND has_function_privilege('public', oid, 'EXECUTE')",
    );
    let open: i64 = functions.fetch_one(&mut server).await.unwrap().get(0);
    assert_eq!(open, 0, "functions that anybody may run as their owner");
    desk
}
