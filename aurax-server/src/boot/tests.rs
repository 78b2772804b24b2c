//! What a process is made of, and that its end is bounded.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use aurax::providers::transport::ReqwestTransport;
use aurax::{Ctx, ErrorKind, Provider as _};

use super::*;
use crate::config;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("aurax-boot-{}", uuid::Uuid::now_v7())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let nowhere = [("OLLAMA_HOST", "127.0.0.1:1")];
    nowhere.iter().chain(pairs).map(owned).collect()
}

/// Reads a configuration of this folder, and opens it.
async fn boot(folder: &Folder, toml: &str, pairs: &[(&str, &str)]) -> Result<Boot> {
    std::fs::create_dir_all(&folder.0).unwrap();
    let file = folder.0.join("aurax.toml");
    std::fs::write(&file, toml).unwrap();
    let data = folder.0.join("data");
    let mut variables = variables(pairs);
    variables.insert("AURAX_DATA".to_owned(), data.to_str().unwrap().to_owned());
    let config = Config::read(Some(&file), &variables)?;
    Boot::open(config, &variables, Arc::new(ReqwestTransport::new())).await
}

#[tokio::test]
async fn nothing_is_needed() {
    let folder = Folder::new();
    let boot = boot(&folder, "", &[]).await.unwrap();
    assert_eq!(boot.engine.default_model().unwrap(), "demo/echo");
    let answer = boot.engine.chat("demo/echo", "Hi").await.unwrap();
    assert!(answer.text().contains("Hi"));
    boot.close().await.unwrap();
    let data = folder.0.join("data");
    let mode = |name: &str| {
        let facts = std::fs::metadata(data.join(name)).unwrap();
        std::os::unix::fs::MetadataExt::mode(&facts) & 0o777
    };
    assert_eq!(
        (mode(""), mode("master.keys"), mode("aurax.db")),
        (0o700, 0o600, 0o600)
    );
}

/// A call that nobody ends does not keep the process for ever, and it is said what is lost.
#[tokio::test]
async fn the_end_is_bounded() {
    let folder = Folder::new();
    let boot = boot(&folder, "", &[]).await.unwrap();
    let reply = boot.engine.stream("demo/echo", "Hi").await.unwrap();
    let error = boot
        .close_within(Duration::from_millis(50))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ledger);
    assert!(
        error.message().contains("50ms") && error.message().contains("estimates"),
        "{error}"
    );
    drop(reply);
    boot.close().await.unwrap();
}

#[tokio::test]
async fn a_key_decides_the_model_and_the_environment_wins() {
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).unwrap();
    let key = folder.0.join("key");
    std::fs::write(&key, "sk-file").unwrap();
    let toml = format!(
        "[providers.anthropic]\napi_key_file = {:?}",
        key.to_str().unwrap()
    );
    let with = async |toml: &str, pairs: &[(&str, &str)]| {
        let boot = boot(&folder, toml, pairs).await.unwrap();
        let model = boot.engine.default_model().unwrap().to_owned();
        boot.close().await.unwrap();
        model
    };
    assert_eq!(with(&toml, &[]).await, "anthropic/claude-haiku-4-5");
    assert!(
        with("", &[("GROQ_API_KEY", "k")])
            .await
            .starts_with("groq/")
    );
    let named = [("AURAX_MODEL", "mistral/small"), ("GROQ_API_KEY", "k")];
    assert_eq!(with("model = \"openai/x\"", &named).await, "mistral/small");
    assert_eq!(with("model = \"openai/x\"", &[]).await, "openai/x");
}

#[tokio::test]
async fn production_has_no_demo() {
    let folder = Folder::new();
    let toml = "environment = \"production\"\ntrusted_proxies = [\"127.0.0.1\"]\n\
                public_url = \"https://llm.example.com\"";
    let boot = boot(&folder, toml, &[]).await.unwrap();
    assert!(boot.engine.default_model().is_err());
    assert!(
        boot.engine
            .providers()
            .all(|provider| &*provider.name != "demo")
    );
    let call = aurax::Call::chat(aurax::ModelId::parse("demo/echo").unwrap(), "Hi");
    let error = boot.engine.call(&Ctx::local(), &call).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ModelNotFound);
    boot.close().await.unwrap();
}

/// Keys that were sealed are not given up by making a new master key.
#[tokio::test]
async fn a_lost_master_key_is_not_replaced() {
    let folder = Folder::new();
    let first = boot(&folder, "", &[]).await.unwrap();
    let keys = first.store.user(&aurax::Principal::local()).provider_keys();
    keys.seal(&first.vault, "openai", "default", None, &"sk-hush".into())
        .await
        .unwrap();
    first.close().await.unwrap();
    let file = folder.0.join("data/master.keys");
    std::fs::remove_file(&file).unwrap();
    let error = boot(&folder, "", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.message().contains("put it back") && !file.exists(),
        "{error}"
    );
}

/// One of several machines that share a database, each with a data folder of its own.
async fn machine(folder: &Folder, name: &str, pairs: &[(&str, &str)]) -> Result<Boot> {
    std::fs::create_dir_all(&folder.0).unwrap();
    let data = folder.0.join(name);
    let url = format!("sqlite:{}", folder.0.join("shared.db").display());
    let mut variables = variables(pairs);
    variables.insert("AURAX_DATA".to_owned(), data.to_str().unwrap().to_owned());
    variables.insert("DATABASE_URL".to_owned(), url);
    loop {
        let config = Config::read(None, &variables)?;
        match Boot::open(config, &variables, Arc::new(ReqwestTransport::new())).await {
            // Another one writes to the file: whoever starts a machine starts it again.
            Err(error) if error.kind() == ErrorKind::Store => tokio::task::yield_now().await,
            opened => return opened,
        }
    }
}

/// Two master keys would seal what the other machine cannot read.
#[tokio::test(flavor = "multi_thread")]
async fn of_machines_that_start_at_once_all_have_one_master_key() {
    let folder = Folder::new();
    let names = ["one", "two", "three"];
    let started = names.map(|name| machine(&folder, name, &[]));
    let started = futures::future::join_all(started).await;
    let mut first = None;
    for (name, boot) in names.into_iter().zip(started) {
        match boot {
            Ok(boot) => {
                boot.close().await.unwrap();
                assert_eq!(
                    first.replace(name),
                    None,
                    "one machine's key is everybody's"
                );
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Config, "{error}");
                assert!(error.message().contains("copy"), "{error}");
            }
        }
    }
    let first = folder.0.join(first.unwrap()).join("master.keys");
    // A machine that comes later makes no key that would only be in the way.
    let late = machine(&folder, "late", &[]).await.unwrap_err();
    assert!(late.message().contains("is not there: copy it"), "{late}");
    assert!(!folder.0.join("late/master.keys").exists());
    let key = std::fs::read_to_string(&first).unwrap();
    let other = [(
        "AURAX_MASTER_KEY",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    )];
    let error = machine(&folder, "late", &other).await.unwrap_err();
    assert!(
        error.message().contains("AURAX_MASTER_KEY lacks it"),
        "{error}"
    );
    let same = [("AURAX_MASTER_KEY", &*key)];
    machine(&folder, "late", &same)
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    for name in names {
        let own = folder.0.join(name).join("master.keys");
        std::fs::write(&own, &key).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&own, mode).unwrap();
        machine(&folder, name, &[])
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
    }
}

/// A store that was filled before its machines agreed on a key is its keys' machine's.
#[tokio::test]
async fn a_store_from_before_keeps_the_key_that_seals_it() {
    let folder = Folder::new();
    let first = machine(&folder, "one", &[]).await.unwrap();
    let keys = first.store.user(&aurax::Principal::local()).provider_keys();
    keys.seal(&first.vault, "openai", "default", None, &"sk-hush".into())
        .await
        .unwrap();
    first.close().await.unwrap();
    let database = folder.0.join("shared.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    let connected = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options);
    let mut file = connected.await.unwrap();
    let forget = sqlx::query("DELETE FROM settings WHERE name = 'master_key'");
    let gone = forget.execute(&mut file).await.unwrap();
    assert_eq!(gone.rows_affected(), 1);
    sqlx::Connection::close(file).await.unwrap();
    let stranger = machine(&folder, "two", &[]).await.unwrap_err();
    assert!(stranger.message().contains("copy it"), "{stranger}");
    machine(&folder, "one", &[])
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    let other = [(
        "AURAX_MASTER_KEY",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    )];
    assert!(machine(&folder, "two", &other).await.is_err());
}

#[tokio::test]
async fn installed_prices_that_are_broken_are_named() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.0.join("data")).unwrap();
    std::fs::write(folder.0.join("data/prices.json"), "{").unwrap();
    let error = boot(&folder, "", &[]).await.unwrap_err();
    assert!(
        error
            .message()
            .contains("data/prices.json is a file that is no price file"),
        "{error}"
    );
    assert_eq!(config::shown(Duration::from_secs(90)), "90s");
}
