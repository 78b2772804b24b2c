//! An engine from the environment: every built-in provider, with the keys that are set.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use aurax_core::{Engine, EngineBuilder, Error, ErrorKind, ModelId, PriceBook, Result};
#[cfg(feature = "reqwest")]
use aurax_providers::ProcessEnvironment;
#[cfg(feature = "reqwest")]
use aurax_providers::transport::ReqwestTransport;
use aurax_providers::transport::Transport;
use aurax_providers::{Demo, Environment, Options, Preset, Unavailable, presets, provider};

/// The variable that names the model to ask when a program names none.
const MODEL: &str = "AURAX_MODEL";
/// The variable that holds the path of a file of the user's own prices.
const PRICES: &str = "AURAX_PRICES";
/// How fast the demo talks to a terminal.
const PACE: Duration = Duration::from_millis(20);

/// An engine with every built-in provider and the keys that are set in the environment.
///
/// Keys come from the providers' usual variables (`OPENAI_API_KEY`, …), each also as a file named
/// by `…_FILE`; other addresses from `OPENAI_BASE_URL` and the like. `AURAX_PRICES` names a file
/// of prices of your own. The model to ask when none is named is `AURAX_MODEL`, else a small one
/// of the first provider with a key, else the demo. Calls are recorded in memory and nothing is
/// read from or sent to the network here.
///
/// # Errors
/// `Config` when a variable, or the file it names, cannot be read or makes no sense; the error
/// names the variable, never its value.
#[cfg(feature = "reqwest")]
pub fn from_env() -> Result<Engine> {
    builder_from_env()?.build()
}

/// What [`from_env`] builds, to be changed before it is built.
///
/// # Errors
/// As for [`from_env`].
#[cfg(feature = "reqwest")]
pub fn builder_from_env() -> Result<EngineBuilder> {
    let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new());
    builder_from(&ProcessEnvironment, &transport)
}

/// The same from variables and over a transport of the caller's choice.
///
/// # Errors
/// `Config`, as when the variables are the process's.
pub fn builder_from(
    environment: &dyn Environment,
    transport: &Arc<dyn Transport>,
) -> Result<EngineBuilder> {
    let prices = prices(environment)?;
    let mut builder = Engine::builder().prices(prices.clone());
    let mut default = environment.setting(MODEL)?;
    for preset in presets::all() {
        let options = Options::from_environment(preset, environment)?;
        if let (None, Some(_), Some(model)) = (&default, &options.api_key, preset.default_model) {
            default = Some(format!("{}/{model}", preset.name));
        }
        builder = add(builder, preset, options, &prices, transport.clone())?;
    }
    let demo = Demo::new().with_pace(if std::io::stdout().is_terminal() {
        PACE
    } else {
        Duration::ZERO
    });
    let default = default.unwrap_or_else(|| "demo/echo".to_owned());
    let default = ModelId::parse(&default).map_err(|e| {
        Error::new(ErrorKind::Config, format!("{MODEL} is no model's name")).with_source(e)
    })?;
    Ok(builder.provider(demo).default_model(default))
}

/// Adds a preset's provider, or what stands in for it when a setting it needs is missing.
fn add(
    builder: EngineBuilder,
    preset: &'static Preset,
    options: Options,
    prices: &Arc<PriceBook>,
    transport: Arc<dyn Transport>,
) -> Result<EngineBuilder> {
    if preset.base_url.is_empty() && options.base_url.is_none() {
        let missing = provider(preset, options, transport);
        return Ok(match missing {
            Ok(provider) => builder.provider(provider),
            Err(error) => builder.provider(Unavailable::new(preset, &error)),
        });
    }
    let mut provider = provider(preset, options, transport)?;
    if let Some(key) = preset.prices {
        let prices = prices.clone();
        provider = provider.with_model_facts(move |model| prices.model_info(key, model.as_str()));
    }
    Ok(builder.provider(provider))
}

fn prices(environment: &dyn Environment) -> Result<Arc<PriceBook>> {
    let Some(path) = environment.setting(PRICES)? else {
        return Ok(PriceBook::builtin());
    };
    let wrong = |what: &str| Error::new(ErrorKind::Config, format!("{PRICES} names a file {what}"));
    let json =
        std::fs::read_to_string(path).map_err(|e| wrong("that cannot be read").with_source(e))?;
    let book = PriceBook::builtin().with_overlay(&json).map_err(|e| {
        let message = format!("that is no price file: {e}");
        wrong(&message).with_source(e)
    })?;
    Ok(Arc::new(book))
}
