//! Configurations that refuse to start: each names its field, and none shows a value.

use super::*;

/// Stands in every value; no error may show it.
const CANARY: &str = "canary7f3a";

/// What is in the file, what is in the environment, and what the error names.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

const FILE: &[Case<'_>] = &[
    ("listen = \"canary7f3a\"", &[], "`listen`"),
    ("listen = 8000", &[], "`listen`"),
    ("lisen = \"canary7f3a\"", &[], "`lisen`"),
    ("environment = \"canary7f3a\"", &[], "`environment`"),
    ("public_url = \"canary7f3a\"", &[], "`public_url`"),
    (
        "public_url = \"https://u:canary7f3a@x.example\"",
        &[],
        "`public_url`",
    ),
    ("data = \"\"", &[], "`data`"),
    ("model = \"canary7f3a\\u0000\"", &[], "`model`"),
    ("registration = \"canary7f3a\"", &[], "`registration`"),
    (
        "trusted_proxies = [\"canary7f3a\"]",
        &[],
        "`trusted_proxies`",
    ),
    ("trusted_proxies = \"canary7f3a\"", &[], "`trusted_proxies`"),
    ("cors_origins = [\"*\"]", &[], "`cors_origins`"),
    (
        "cors_origins = [\"https://x.example/canary7f3a\"]",
        &[],
        "`cors_origins`",
    ),
    ("base_urls = [\"canary7f3a\"]", &[], "`base_urls`"),
    ("master_key = \"canary7f3a\"", &[], "`master_key`"),
    (
        "master_key_file = \"/nowhere/canary7f3a\"",
        &[],
        "`master_key_file`",
    ),
    (
        "[auth]\nsigning_key = \"canary7f3a\"",
        &[],
        "`auth.signing_key`",
    ),
    (
        "[auth]\nsigning_key_file = \"/nowhere/canary7f3a\"",
        &[],
        "`auth.signing_key_file`",
    ),
    (
        "[database]\nurl = \"mysql://canary7f3a\"",
        &[],
        "`database.url`",
    ),
    (
        "[database]\nurl = \"a\"\nurl_file = \"canary7f3a\"",
        &[],
        "`database.url`",
    ),
    (
        "[database]\nowner_url = \"canary7f3a\"",
        &[],
        "`database.owner_url`",
    ),
    (
        "[database]\nread_url = \"postgres://canary7f3a\"",
        &[],
        "`database.read_url`",
    ),
    ("[database]\nconnections = 0", &[], "`database.connections`"),
    (
        "[database]\ndurability = \"canary7f3a\"",
        &[],
        "`database.durability`",
    ),
    ("[redis]\nurl = \"http://canary7f3a\"", &[], "`redis.url`"),
    ("[redis]\nreplicas = -1", &[], "`redis.replicas`"),
    ("[tls]\ncertificate = \"canary7f3a\"", &[], "`tls.key`"),
    (
        "[auth]\naccess_token_ttl = \"16m\"",
        &[],
        "`auth.access_token_ttl`",
    ),
    (
        "[auth]\nshortest_password = 4",
        &[],
        "`auth.shortest_password`",
    ),
    (
        "[[auth.issuers]]\nissuer = \"i\"\naudience = \"a\"\njwks_url = \"http://canary7f3a\"",
        &[],
        "`auth.issuers`",
    ),
    (
        "[[auth.issuers]]\nissuer = \"canary7f3a\"",
        &[],
        "`auth.issuers`",
    ),
    (
        "[shared_keys]\naccess_keys = [\"canary7f3a\"]",
        &[],
        "`shared_keys.access_keys`",
    ),
    ("limits = \"canary7f3a\"", &[], "`limits`"),
    ("[limits]\nbdoy = 3", &[], "`limits.bdoy`"),
    ("[limits]\nbody = \"canary7f3a\"", &[], "`limits.body`"),
    (
        "[limits]\nuser_in_flight = \"canary7f3a\"",
        &[],
        "`limits.user_in_flight`",
    ),
    (
        "[limits]\nip_requests_per_minute = 0",
        &[],
        "`limits.ip_requests_per_minute`",
    ),
    ("[timeouts]\nheader = \"10\"", &[], "`timeouts.header`"),
    (
        "[timeouts]\nlogin_cache = \"41s\"",
        &[],
        "`timeouts.login_cache`",
    ),
    ("[timeouts]\nping = \"50s\"", &[], "`timeouts.pong`"),
    ("[limits]\nbodies = \"16MiB\"", &[], "`limits.bodies`"),
    (
        "[[plans]]\nname = \"a\"\n[[plans]]\nname = \"a\"",
        &[],
        "`plans`",
    ),
    (
        "[[plans]]\nname = \"a\"\nrpm = \"canary7f3a\"",
        &[],
        "`plans`",
    ),
    ("[backup]\nevery = \"24h\"", &[], "`backup.folder`"),
    (
        "[backup]\nfolder = \"canary7f3a\"\nkeep = 0",
        &[],
        "`backup.keep`",
    ),
    (
        "[providers.opneai]\nbase_url = \"canary7f3a\"",
        &[],
        "`providers.opneai`",
    ),
    (
        "[providers.openai]\nbase_url = \"canary7f3a\"",
        &[],
        "`providers.openai.base_url`",
    ),
    (
        "[providers.openai]\napi_key = \"canary7f3a\"",
        &[],
        "`providers.openai.api_key`",
    ),
    ("listen = canary7f3a", &[], "aurax.toml is no TOML, line 1"),
    (
        "\n[limits\nbody = \"canary7f3a\"",
        &[],
        "aurax.toml is no TOML, line 2",
    ),
    (
        "data = \"a\"\ndata = \"canary7f3a\"",
        &[],
        "aurax.toml is no TOML, line 2",
    ),
];

const ENVIRONMENT: &[Case<'_>] = &[
    ("", &[("AURAX_LISTEN", "canary7f3a")], "AURAX_LISTEN"),
    ("", &[("AURAX_LISTNE", "canary7f3a")], "AURAX_LISTNE"),
    (
        "",
        &[("AURAX_LIMITS_BODY", "canary7f3a")],
        "AURAX_LIMITS_BODY",
    ),
    ("", &[("AURAX_PLANS", "canary7f3a")], "AURAX_PLANS"),
    ("", &[("DATABASE_URL", "canary7f3a")], "DATABASE_URL"),
    ("", &[("REDIS_URL", "canary7f3a")], "REDIS_URL"),
    (
        "",
        &[("REDIS_URL_FILE", "/nowhere/canary7f3a")],
        "REDIS_URL_FILE",
    ),
    (
        "",
        &[
            ("AURAX_MASTER_KEY", "canary7f3a"),
            ("AURAX_MASTER_KEY_FILE", "canary7f3a"),
        ],
        "AURAX_MASTER_KEY",
    ),
    (
        "",
        &[("AURAX_TRUSTED_PROXIES", "10.0.0.1,canary7f3a")],
        "AURAX_TRUSTED_PROXIES",
    ),
];

/// What production refuses besides; the rest of each is safe.
const PRODUCTION: &[Case<'_>] = &[
    ("trusted_proxies = []", &[], "`trusted_proxies`"),
    (
        "public_url = \"http://canary7f3a.example\"",
        &[],
        "`public_url`",
    ),
    ("model = \"demo/echo\"", &[], "`model`"),
    (
        "",
        &[("DATABASE_URL", "postgres://u:canary7f3a-long@db.example/x")],
        "`database.url`",
    ),
    (
        "",
        &[(
            "DATABASE_URL",
            "postgres://u:canary7f3a-long@db.example/x?sslmode=prefer",
        )],
        "`database.url`",
    ),
    (
        "",
        &[(
            "DATABASE_URL",
            "postgres://u:postgres@db.example/x?sslmode=require",
        )],
        "`database.url`",
    ),
    (
        "",
        &[
            ("DATABASE_URL", "postgres://u@localhost/x"),
            (
                "AURAX_DATABASE_READ_URL",
                "postgres://u:canary7f3a-long@replica.example/x",
            ),
        ],
        "`database.read_url`",
    ),
    (
        "",
        &[("REDIS_URL", "redis://:canary7f3a-long@redis.example")],
        "`redis.url`",
    ),
    (
        "",
        &[("REDIS_URL", "rediss://redis.example")],
        "`redis.url`",
    ),
    (
        "",
        &[("REDIS_URL", "rediss://:short@redis.example")],
        "`redis.url`",
    ),
];

fn refused(toml: &str, pairs: &[(&str, &str)], field: &str) {
    let error = read(toml, pairs).expect_err(&format!("{toml:?} {pairs:?} starts"));
    assert_eq!(error.kind(), aurax::ErrorKind::Config, "{toml:?} {pairs:?}");
    let (shown, all) = (error.to_string(), format!("{error:?}"));
    assert!(shown.contains(field), "{toml:?} {pairs:?}: {shown}");
    assert!(!all.contains(CANARY), "{toml:?} {pairs:?}: {all}");
}

#[test]
fn a_bad_value_names_its_field_and_is_not_shown() {
    for (toml, pairs, field) in FILE.iter().chain(ENVIRONMENT) {
        refused(toml, pairs, field);
    }
    assert!(FILE.len() + ENVIRONMENT.len() + PRODUCTION.len() >= 40);
}

#[test]
fn production_refuses_what_hurts_somebody() {
    for (line, pairs, field) in PRODUCTION {
        let safe = [
            ("trusted_proxies", "trusted_proxies = [\"10.0.0.0/8\"]"),
            ("public_url", "public_url = \"https://llm.example.com\""),
        ];
        let mut toml = format!("environment = \"production\"\n{line}\n");
        for (_, given) in safe.iter().filter(|(name, _)| !line.starts_with(name)) {
            toml.push_str(given);
            toml.push('\n');
        }
        refused(&toml, pairs, field);
        // Elsewhere it starts.
        read(&toml.replace("production", "staging"), pairs).unwrap();
    }
}

#[test]
fn production_refuses_secrets_that_everybody_may_read() {
    let folder = Folder::new();
    let open = folder.write(CANARY, "redis://127.0.0.1", 0o644);
    let key = open.to_str().unwrap();
    let toml = "environment = \"production\"\ntrusted_proxies = [\"127.0.0.1\"]\n\
                public_url = \"https://llm.example.com\"\n";
    for name in ["REDIS_URL_FILE", "OPENAI_API_KEY_FILE"] {
        refused(toml, &[(name, key)], name);
    }
    let provider = format!("{toml}[providers.groq]\napi_key_file = {key:?}\n");
    refused(&provider, &[], "providers.groq.api_key_file");
    let shut = folder.write("shut", "redis://127.0.0.1", 0o640);
    read(toml, &[("REDIS_URL_FILE", shut.to_str().unwrap())]).unwrap();
    let config = folder.write(
        "aurax.toml",
        &format!("{toml}[redis]\nurl = \"redis://127.0.0.1\""),
        0o644,
    );
    let error = Config::read(Some(&config), &variables(&[])).unwrap_err();
    assert!(
        error.message().contains("the configuration names"),
        "{error}"
    );
}

#[test]
fn a_name_that_is_nearly_one_is_suggested() {
    let message = |toml: &str, pairs: &[(&str, &str)]| read(toml, pairs).unwrap_err().to_string();
    assert!(message("[limits]\nbdoy = 3", &[]).contains("did you mean limits.body?"));
    assert!(message("", &[("AURAX_LISTNE", "x")]).contains("did you mean AURAX_LISTEN?"));
    assert!(message("[providers.opneai]", &[]).contains("did you mean openai?"));
    read(
        "",
        &[
            ("AURAX_TEST_POSTGRES", "x"),
            ("AURAX_TOOLS", "x"),
            ("OTHER", "x"),
        ],
    )
    .unwrap();
}
