//! What an operator sets of providers.

use std::path::PathBuf;

use aurax::providers::{Options, Preset, presets};
use aurax::{ErrorKind, Result};
use toml::{Table, Value};

use super::draft::{Draft, refuse};
use super::file::in_file;
use super::given::Given;
use super::names::meant;

/// One provider, `[providers.<name>]`. The provider's usual variables win over it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProviderSettings {
    /// Another address than the provider's own.
    pub base_url: Option<String>,
    /// The file that holds the operator's key.
    pub api_key_file: Option<PathBuf>,
}

/// Reads `[providers.<name>]`.
pub(super) fn read(draft: &mut Draft, sections: &Table, file: &str) -> Result<()> {
    for (name, section) in sections {
        let path = format!("providers.{name}");
        let preset = presets::all().iter().find(|preset| preset.name == name);
        let preset = preset.ok_or_else(|| {
            let known = presets::all().iter().map(|preset| preset.name);
            refuse(format!(
                "{} is no provider{}",
                in_file(&path, file),
                meant(name, known)
            ))
        })?;
        let Value::Table(section) = section else {
            return Err(refuse(format!("{} is no section", in_file(&path, file))));
        };
        let settings = one(draft, preset, section, file)?;
        draft.config.providers.insert(name.clone(), settings);
    }
    Ok(())
}

fn one(
    draft: &mut Draft,
    preset: &Preset,
    section: &Table,
    file: &str,
) -> Result<ProviderSettings> {
    let mut settings = ProviderSettings::default();
    for (key, value) in section {
        let path = format!("providers.{}.{key}", preset.name);
        let place = in_file(&path, file);
        let wrong = |wrong: String| refuse(format!("{place} {wrong}"));
        match key.as_str() {
            "base_url" => {
                let url = Given::Toml(value).text().map_err(wrong)?;
                settings.base_url = Some(checked(preset, url).map_err(wrong)?);
            }
            "api_key_file" => {
                if preset.key_vars.is_empty() {
                    return Err(wrong("is set, but this provider takes no key".to_owned()));
                }
                let key = Given::Toml(value).path().map_err(wrong)?;
                draft.secret_files.push((path, key.clone()));
                settings.api_key_file = Some(key);
            }
            _ => {
                let near = meant(key, ["base_url", "api_key_file"].into_iter());
                return Err(wrong(format!("is unknown{near}")));
            }
        }
    }
    Ok(settings)
}

/// An address as the provider's own variable would take it.
fn checked(preset: &Preset, url: String) -> Result<String, String> {
    let Some(variable) = preset.base_url_vars.first() else {
        return Err("is set, but this provider has one address".to_owned());
    };
    let environment = |name: &str| (name == *variable).then(|| url.clone());
    match Options::from_environment(preset, &environment) {
        Err(error) if error.kind() == ErrorKind::Config => {
            Err("is no base URL such as https://llm.example.com/v1".to_owned())
        }
        _ => Ok(url),
    }
}
