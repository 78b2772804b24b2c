//! Where model names lead, and what is said when they lead nowhere.

mod support;

use aurax_core::{Engine, ErrorKind};
use support::{Scripted, engine, whole_answer};

#[tokio::test(start_paused = true)]
async fn a_first_segment_that_names_a_provider_always_decides() {
    let first = Scripted::new("first", [whole_answer()]);
    let calls = first.calls.clone();
    let (engine, _) = engine([first]);
    engine.chat("first/vendor/model:free", "Hi").await.unwrap();
    assert_eq!(calls.lock().unwrap()[0].as_str(), "vendor/model:free");
}

#[tokio::test]
async fn an_unknown_provider_is_told_the_near_ones() {
    let (engine, _) = engine([
        Scripted::new("zebra", []),
        Scripted::new("firsty", []),
        Scripted::new("secondary", []),
    ]);
    let error = engine.chat("frist/a", "Hi").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ModelNotFound);
    let message = error.to_string();
    assert!(
        message.contains("no provider is called `frist`"),
        "{message}"
    );
    assert!(message.contains("configured are firsty, "), "{message}");
}

#[tokio::test]
async fn two_providers_of_one_name_are_refused() {
    let error = Engine::builder()
        .provider(Scripted::new("first", []))
        .provider(Scripted::new("first", []))
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn an_order_of_unknown_providers_is_refused() {
    let error = Engine::builder()
        .provider(Scripted::new("first", []))
        .provider_order(["second"])
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("`second`"), "{error}");
}

#[tokio::test]
async fn names_that_cannot_be_names_are_refused() {
    let (engine, _) = engine([Scripted::new("first", [])]);
    for name in ["", "  ", "a\nb", "first/"] {
        let error = engine.chat(name, "Hi").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{name:?}");
    }
}
