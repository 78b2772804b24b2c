//! Where model names lead, and what is said when they lead nowhere.

mod support;

use aurax_core::{Engine, ErrorKind, Lifecycle, PriceBook, UnknownModel};
use support::{Script, Scripted, engine, status, whole_answer};

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

#[tokio::test(start_paused = true)]
async fn a_retired_model_is_asked_all_the_same_with_a_warning() {
    let book = PriceBook::builtin();
    let prices: Vec<String> = book.providers().map(str::to_owned).collect();
    let (key, retired) = prices
        .iter()
        .find_map(|key| {
            let models = book.models(key).into_iter();
            let mut retired = models.filter(|model| model.lifecycle == Lifecycle::Retired);
            Some((key, retired.next()?.id))
        })
        .unwrap();
    let provider = Scripted::new("first", [whole_answer()]).with_prices(Some(key));
    let (engine, _) = engine([provider]);
    let response = engine
        .chat(&format!("first/{retired}"), "Hi")
        .await
        .unwrap();
    let message = &response.warnings[0].message;
    assert!(message.contains("is out of service"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_model_the_provider_does_not_have_is_answered_with_near_names() {
    let book = PriceBook::builtin();
    let key = book.providers().next().unwrap().to_owned();
    let known = book.models(&key)[0].id.clone();
    let error = Script::Fail(status(404, ErrorKind::ModelNotFound));
    let (engine, _) = engine([Scripted::new("first", [error]).with_prices(Some(&key))]);
    let error = engine
        .chat(&format!("first/{known}x"), "Hi")
        .await
        .unwrap_err();
    let near = error.context("did you mean").unwrap();
    assert!(near.contains(&known), "{near}");
}

#[tokio::test(start_paused = true)]
async fn a_bare_name_leads_to_the_one_provider_with_a_key_that_knows_it() {
    let book = PriceBook::builtin();
    let key = book.providers().next().unwrap().to_owned();
    let model = book.models(&key)[0].id.clone();
    let provider = |name| Scripted::new(name, [whole_answer()]).with_prices(Some(&key));

    let (one, _) = engine([
        provider("first"),
        Scripted::new("second", []).with_prices(None),
    ]);
    assert_eq!(&*one.resolve(&model).unwrap().0.name, "first");

    let (two, _) = engine([provider("first"), provider("second")]);
    let error = two.resolve(&model).unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("`first/{model}`, `second/{model}`")),
        "{error}"
    );

    let ordered = Engine::builder()
        .provider(provider("first"))
        .provider(provider("second"))
        .provider_order(["second"])
        .build()
        .unwrap();
    assert_eq!(&*ordered.resolve(&model).unwrap().0.name, "second");
}

#[tokio::test(start_paused = true)]
async fn a_second_way_to_the_same_models_is_taken_only_by_its_name() {
    let book = PriceBook::builtin();
    let key = book.providers().next().unwrap().to_owned();
    let model = book.models(&key)[0].id.clone();
    let first = Scripted::new("first", []).with_prices(Some(&key));
    let other = Scripted::new("other", [])
        .with_prices(Some(&key))
        .by_its_name_alone();
    let (engine, _) = engine([first, other]);
    assert_eq!(&*engine.resolve(&model).unwrap().0.name, "first");
    let named = engine.resolve(&format!("other/{model}")).unwrap();
    assert_eq!(&*named.0.name, "other");
    let near = engine
        .resolve(&format!("{model}x"))
        .unwrap_err()
        .to_string();
    assert!(near.contains(&format!("`first/{model}`")), "{near}");
    assert!(!near.contains("`other/"), "{near}");
}

#[tokio::test(start_paused = true)]
async fn a_model_without_a_price_is_refused_before_sending_where_that_is_the_policy() {
    let engine = Engine::builder()
        .provider(Scripted::new("first", []).with_prices(None))
        .unknown_model(UnknownModel::Reject)
        .build()
        .unwrap();
    let error = engine.chat("first/a", "Hi").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unpriced);
}

#[tokio::test]
async fn a_provider_that_takes_whatever_name_gets_no_bare_one() {
    let book = PriceBook::builtin();
    let local = book
        .providers()
        .find(|key| book.knows(key, "whatever") && !book.recognises(key, "whatever"))
        .unwrap();
    let (named, model) = book
        .providers()
        .find_map(|key| Some((key, book.models(key).first()?.id.clone())))
        .unwrap();
    let provider = |name, key| Scripted::new(name, []).with_prices(Some(key));
    let (engine, _) = engine([provider("local", local), provider("named", named)]);
    assert_eq!(&*engine.resolve(&model).unwrap().0.name, "named");
    let error = engine.resolve("whatever").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ModelNotFound);
    assert_eq!(&*engine.resolve("local/whatever").unwrap().0.name, "local");
}
