//! Request history, plans, and the end of an account.

use aurax_core::{ErrorKind, Json, Page, SessionStore as _};
use aurax_store::{
    Claim, IdempotencyKey, NewAccessKey, StoredReply, UsageFilter, UsageRow, UserChange,
};

use crate::access_keys::account;
use crate::desk::Desk;
use crate::sessions::{ada, at, turn};

pub(crate) async fn a_request_comes_back_to_the_byte(desk: Desk) -> Desk {
    let scope = desk.store.user(&ada());
    let request = Json::parse(r#"{"b" : 1.50, "a":[ 1e2 ],"nul":"\u0000"}"#).unwrap();
    let response = Json::parse("[1 , 2]").unwrap();
    let add = scope.add_to_history("openai", "gpt-4o", &request, Some(&response));
    let id = add.await.unwrap();
    scope
        .add_to_history("groq", "x", &response, None)
        .await
        .unwrap();
    let past = scope.past_request(id).await.unwrap();
    assert_eq!(past.request_payload.as_str(), request.as_str());
    assert_eq!(past.response_payload.unwrap().as_str(), response.as_str());
    let all = scope.history(None, &Page::first()).await.unwrap().data;
    assert_eq!((all.len(), all[0].provider.as_str()), (2, "groq"));
    let openai = scope.history(Some("openai"), &Page::first()).await.unwrap();
    assert_eq!((openai.data.len(), openai.data[0].id), (1, id));
    scope.forget_request(id).await.unwrap();
    for error in [
        scope.past_request(id).await.unwrap_err(),
        scope.forget_request(id).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    let error = scope
        .add_to_history("", "x", &request, None)
        .await
        .unwrap_err();
    assert_eq!(error.context("field"), Some("provider"));
    desk
}

pub(crate) async fn a_part_of_the_history_is_no_larger_than_a_page(desk: Desk) -> Desk {
    let scope = desk.store.user(&ada());
    let json = |bytes: usize| Json::parse(format!("\"{}\"", "x".repeat(bytes))).unwrap();
    let (small, large) = (json(10), json(5 << 20));
    let mut ids = Vec::new();
    for (request, response) in [
        (&small, &small),
        (&small, &large),
        (&large, &large),
        (&small, &small),
    ] {
        let added = scope.add_to_history("openai", "gpt-4o", request, Some(response));
        ids.push(added.await.unwrap());
    }
    ids.reverse();
    let (mut parts, mut page) = (Vec::new(), Page::first());
    loop {
        let part = scope.history(Some("openai"), &page).await.unwrap();
        parts.push(part.data.iter().map(|past| past.id).collect::<Vec<_>>());
        let Some(cursor) = part.next_cursor else {
            break;
        };
        page = page.after(cursor);
    }
    assert_eq!(parts, [&ids[..1], &ids[1..2], &ids[2..]]);
    desk
}

pub(crate) async fn plans_say_how_long_messages_stay(desk: Desk) -> Desk {
    let admin = desk.store.admin();
    let plans = admin.plans().await.unwrap();
    let names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
    assert_eq!(names, ["enterprise", "free", "pro"]);
    let (user, scope) = account(&desk, "a@x.org").await;
    assert_eq!(scope.plan().await.unwrap().message_days, Some(90));
    let mut pro = UserChange::default();
    pro.plan_type = Some("pro".to_owned());
    admin.change_user(user.id, pro).await.unwrap();
    assert_eq!(scope.plan().await.unwrap().message_days, None);
    let nobody = desk.store.user(&ada()).plan().await.unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::NotFound);
    desk
}

pub(crate) async fn a_deleted_account_leaves_usage_alone(desk: Desk) -> Desk {
    let (user, scope) = account(&desk, "a@x.org").await;
    let principal = aurax_core::Principal::new(user.id.to_string());
    let session = crate::sessions::session(&desk, &principal).await;
    for batch in 0..3 {
        let turns: Vec<_> = (1..=200)
            .map(|number| turn(&session, batch * 200 + number, None, "secret words"))
            .collect();
        scope.add_turns(session.id, &turns).await.unwrap();
    }
    let json = Json::parse("{}").unwrap();
    scope.add_to_history("p", "m", &json, None).await.unwrap();
    let (_, secret) = scope
        .access_keys()
        .add(NewAccessKey::new("k"))
        .await
        .unwrap();
    let login = scope.begin_login(None).await.unwrap();
    let jobs = desk.store.jobs();
    let row = UsageRow::answered("openai", "a", at(0));
    jobs.add_usage(&principal, &[row]).await.unwrap();
    let key = || IdempotencyKey::new("r", "k", vec![1]).unwrap();
    let Claim::Begun(claimed) = scope.claim(key()).await.unwrap() else {
        panic!("nobody claimed it");
    };
    let reply = StoredReply::new(200, Vec::new(), b"secret words".to_vec());
    assert!(scope.finish_claim(&claimed, reply).await.unwrap());
    // Somebody else stays as they are.
    let other = crate::sessions::session(&desk, &ada()).await;
    let said = turn(&other, 1, None, "other words");
    desk.store
        .user(&ada())
        .add_turns(other.id, &[said])
        .await
        .unwrap();

    scope.delete_account().await.unwrap();
    scope.delete_account().await.unwrap();
    let page = Page::first();
    let (store, admin) = (&desk.store, desk.store.admin());
    assert_eq!(
        scope.account().await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert!(admin.login("a@x.org").await.unwrap().is_none());
    assert!(admin.access_key(&secret).await.unwrap().is_none());
    let renewal = admin.renew_login(&login.token).await.unwrap();
    assert!(matches!(renewal, aurax_store::Renewal::Refused));
    assert!(
        store
            .sessions(&principal, &page)
            .await
            .unwrap()
            .data
            .is_empty()
    );
    assert!(
        store
            .turns(&principal, session.id, &page)
            .await
            .unwrap()
            .data
            .is_empty()
    );
    assert!(
        store
            .search(&principal, "secret", &page)
            .await
            .unwrap()
            .data
            .is_empty()
    );
    assert!(scope.history(None, &page).await.unwrap().data.is_empty());
    let claim = scope.claim(key()).await.unwrap();
    assert!(matches!(claim, Claim::Begun(_)), "{claim:?}");
    let usage = scope
        .usage()
        .summary(&UsageFilter::default())
        .await
        .unwrap();
    assert_eq!(usage.requests, 1);
    assert_eq!(
        store
            .search(&ada(), "words", &page)
            .await
            .unwrap()
            .data
            .len(),
        1
    );
    desk
}
