//! Which model a send asks, known before it is sent.

use aurax_core::{ErrorKind, MemoryLedger, ModelId, SessionSettings};

use crate::model::{Line, Model};
use crate::{block_on, world_of};

/// Settings that name `provider` and `model`; a dash names nothing.
fn settings(names: &str) -> SessionSettings {
    let (provider, model) = names.split_once(' ').unwrap();
    let named = |name: &str| (name != "-").then(|| name.to_owned());
    let mut settings = SessionSettings::default();
    settings.provider = named(provider);
    settings.model = named(model);
    settings
}

/// The send's settings, the session's, and whom that asks for what; the default is `acme/one`.
const CASES: &[(&str, &str, &str)] = &[
    ("- -", "- -", "acme/one"),
    ("- -", "acme -", "acme/one"),
    ("- -", "beta -", "beta/acme/one"),
    ("- -", "- beta/two", "beta/two"),
    ("- -", "beta two", "beta/two"),
    ("- -", "beta beta/two", "beta/two"),
    ("- -", "beta acme/two", "beta/acme/two"),
    ("beta -", "- -", "beta/acme/one"),
    ("beta -", "acme two", "beta/two"),
    ("acme -", "beta -", "acme/one"),
    ("acme -", "- acme/two", "acme/two"),
    ("beta three", "acme two", "beta/three"),
    ("- three", "beta two", "beta/three"),
    ("- acme/three", "beta two", "acme/three"),
    ("- vendor/three", "beta two", "beta/vendor/three"),
];

#[test]
fn the_model_that_is_foretold_is_asked() {
    block_on(async {
        let world = world_of(MemoryLedger::new());
        for (send, session, expected) in CASES {
            let acme = Model::new("acme", [Line::Says("yes")]);
            let beta = Model::new("beta", [Line::Says("yes")]);
            let engine = world.engine(&[&acme, &beta]);
            let (send, of) = (settings(send), settings(session));
            let model = engine.model_for(&send, &of).unwrap();
            assert_eq!(model.as_str(), *expected, "{send:?} {of:?}");
            let sessions = engine.sessions(world.me.clone()).unwrap();
            let chat = sessions.create(of).await.unwrap();
            let answer = chat.send("Hi").settings(send).await.unwrap();
            let (info, asked) = engine.resolve(model.as_str()).unwrap();
            assert_eq!(*answer.head.provider, *info.name);
            let (one, other) = if *info.name == *"acme" {
                (acme, beta)
            } else {
                (beta, acme)
            };
            assert_eq!(one.models(), [asked.as_str()], "{expected}");
            assert_eq!(other.models(), [""; 0]);
        }
    });
}

#[test]
fn a_name_that_is_none_is_refused_and_so_is_none_at_all() {
    let world = world_of(MemoryLedger::new());
    let engine = world.engine(&[&Model::new("acme", [])]);
    let none = SessionSettings::default();
    let error = engine.model_for(&settings("- \u{7}"), &none).unwrap_err();
    assert_eq!(error.kind(), ModelId::parse("\u{7}").unwrap_err().kind());
    let without_default = (world.builder)().provider(Model::new("acme", [])).build();
    let error = without_default
        .unwrap()
        .model_for(&none, &none)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
