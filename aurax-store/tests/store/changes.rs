//! What is changed of a session besides what is said in it.

use aurax_core::{ErrorKind, SessionChange, SessionSettings, SessionStore as _, new_id};

use crate::desk::Desk;
use crate::sessions::{ada, add, at, session, turn};

pub(crate) async fn a_change_touches_what_it_names(desk: Desk) -> Desk {
    let session = session(&desk, &ada()).await;
    let first = SessionChange::first_title("Zero");
    let changed = desk.store.change(&ada(), session.id, &first, at(1)).await;
    assert_eq!(changed.unwrap().unwrap().title.as_deref(), Some("Zero"));
    let change = SessionChange::title("One");
    let changed = desk.store.change(&ada(), session.id, &change, at(1)).await;
    let changed = changed.unwrap().unwrap();
    assert_eq!(changed.title.as_deref(), Some("One"));
    assert_eq!((changed.created_at, changed.updated_at), (at(0), at(1)));
    let mut settings = SessionSettings::default();
    settings.system = Some("Be brief.".to_owned());
    let change = SessionChange::settings(settings.clone());
    let changed = desk.store.change(&ada(), session.id, &change, at(2)).await;
    let changed = changed.unwrap().unwrap();
    assert_eq!(changed.title.as_deref(), Some("One"));
    assert_eq!((changed.settings, changed.leaf), (settings, None));
    let first = SessionChange::first_title("Two");
    let kept = desk.store.change(&ada(), session.id, &first, at(2)).await;
    assert_eq!(kept.unwrap().unwrap().title.as_deref(), Some("One"));
    let nobody = desk.store.change(&ada(), new_id(), &change, at(3)).await;
    assert_eq!(nobody.unwrap(), None);
    desk
}

pub(crate) async fn a_change_is_for_the_settings_it_was_made_for(desk: Desk) -> Desk {
    let session = session(&desk, &ada()).await;
    let settings = |system: &str| {
        let mut settings = SessionSettings::default();
        settings.system = Some(system.to_owned());
        settings.temperature = Some(0.1);
        settings
    };
    let mut change = SessionChange::settings(settings("One")).with_expected(session.settings);
    change.title = Some("One".to_owned());
    let changed = desk.store.change(&ada(), session.id, &change, at(1)).await;
    assert_eq!(changed.unwrap().unwrap().settings, settings("One"));
    change.title = Some("Two".to_owned());
    let stale = desk.store.change(&ada(), session.id, &change, at(2)).await;
    assert_eq!(stale.unwrap_err().kind(), ErrorKind::Conflict);
    // Of many that were made for the same settings one is made.
    let many = (0..6).map(|number| {
        let mut change = SessionChange::settings(settings(&number.to_string()));
        change.title = Some(number.to_string());
        change.expected = Some(settings("One"));
        let store = desk.store.clone();
        async move { store.change(&ada(), session.id, &change, at(3)).await }
    });
    let many = futures::future::join_all(many).await;
    let made: Vec<_> = many.into_iter().filter_map(Result::ok).flatten().collect();
    assert_eq!(made.len(), 1);
    let kept = desk
        .store
        .session(&ada(), session.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (&kept, kept.title.as_deref()),
        (&made[0], kept.settings.system.as_deref())
    );
    // A change that fails in one thing is none at all.
    let mut change = SessionChange::leaf(new_id());
    change.title = Some("Three".to_owned());
    let failed = desk.store.change(&ada(), session.id, &change, at(4)).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::NotFound);
    let left = desk.store.session(&ada(), session.id).await.unwrap();
    assert_eq!(left, Some(kept));
    desk
}

pub(crate) async fn a_leaf_is_a_turn_of_the_session(desk: Desk) -> Desk {
    let (one, two) = (session(&desk, &ada()).await, session(&desk, &ada()).await);
    let said = turn(&one, 1, None, "Hi");
    add(&desk, &one, std::slice::from_ref(&said)).await;
    let change = SessionChange::leaf(said.id);
    let changed = desk.store.change(&ada(), one.id, &change, at(1)).await;
    assert_eq!(changed.unwrap().unwrap().leaf, Some(said.id));
    let other = desk.store.change(&ada(), two.id, &change, at(1)).await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::NotFound);
    let kept = desk.store.session(&ada(), two.id).await.unwrap().unwrap();
    assert_eq!((kept.leaf, kept.updated_at), (None, at(0)));
    desk
}
