//! A configuration from its file and the environment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aurax::Result;
use aurax::providers::{self, presets};

use super::draft::{Draft, refuse};
use super::given::Given;
use super::names::{is_foreign, meant};
use super::settings::{SETTINGS, Set, Setting};
use super::{Config, file, production};

/// The variable that names the file.
const FILE: &str = "AURAX_CONFIG";
/// The file that is read where none is named, if it is there.
const USUAL: &str = "aurax.toml";

impl Config {
    /// Reads the file, then the environment, which wins.
    ///
    /// The file is the one that is named here, else by `AURAX_CONFIG`, else `./aurax.toml` where
    /// there is one. Each setting has a variable, `AURAX_` and its place in the file
    /// (`AURAX_LIMITS_BODY`); `DATABASE_URL` and `REDIS_URL` are read as well. Secrets may come
    /// from files that `…_FILE` names. Relative paths begin at the working directory.
    ///
    /// # Errors
    /// `Config` for a file that cannot be read, for a name that nobody knows, for a value that
    /// makes no sense, and for what the environment forbids. It names the field by its place in
    /// the file or its variable, and never shows a value.
    pub fn read(named: Option<&Path>, environment: &dyn providers::Environment) -> Result<Self> {
        let mut draft = Draft::default();
        if let Some(path) = config_file(named, environment)?
            && file::read(&mut draft, &path)?
        {
            draft
                .secret_files
                .push(("the configuration".to_owned(), path));
        }
        for setting in SETTINGS {
            from_environment(&mut draft, setting, environment)?;
        }
        nothing_unknown(environment)?;
        provider_key_files(&mut draft, environment)?;
        let (config, secret_files) = draft.finish()?;
        production::check(&config, &secret_files)?;
        Ok(config)
    }
}

fn config_file(
    named: Option<&Path>,
    environment: &dyn providers::Environment,
) -> Result<Option<PathBuf>> {
    if let Some(path) = named {
        return Ok(Some(path.to_owned()));
    }
    if let Some(path) = environment.setting(FILE)? {
        return Ok(Some(path.into()));
    }
    let usual = PathBuf::from(USUAL);
    Ok(usual.exists().then_some(usual))
}

fn from_environment(
    draft: &mut Draft,
    setting: &Setting,
    environment: &dyn providers::Environment,
) -> Result<()> {
    // The name of our own wins.
    let names = [setting.alias.map(str::to_owned), Some(setting.variable())];
    for name in names.into_iter().flatten() {
        let wrong = |wrong: String| refuse(format!("{name} {wrong} (`{}`)", setting.path));
        match &setting.set {
            Set::Value(set) => {
                if let Some(value) = environment.setting(&name)? {
                    set(draft, Given::Text(&value)).map_err(wrong)?;
                }
            }
            Set::Secret(set) => {
                let Some(secret) = environment.secret(&name)? else {
                    continue;
                };
                let file_name = format!("{name}_FILE");
                if let Some(path) = environment.setting(&file_name)? {
                    draft.secret_files.push((file_name, path.into()));
                }
                set(draft, Arc::new(secret)).map_err(wrong)?;
            }
        }
    }
    Ok(())
}

/// Refuses a variable of ours that nobody reads.
fn nothing_unknown(environment: &dyn providers::Environment) -> Result<()> {
    let known: Vec<String> = SETTINGS
        .iter()
        .flat_map(|setting| {
            let variable = setting.variable();
            let file = setting.is_secret().then(|| format!("{variable}_FILE"));
            std::iter::once(variable).chain(file)
        })
        .chain([FILE.to_owned()])
        .collect();
    for name in environment.names() {
        if name.starts_with("AURAX_") && !is_foreign(&name) && !known.contains(&name) {
            let near = meant(&name, known.iter().map(String::as_str));
            return Err(refuse(format!("the variable {name} is unknown{near}")));
        }
    }
    Ok(())
}

/// Notes where the operator's provider keys are, and refuses what cannot be read.
fn provider_key_files(draft: &mut Draft, environment: &dyn providers::Environment) -> Result<()> {
    for preset in presets::all() {
        for variable in preset.key_vars {
            let name = format!("{variable}_FILE");
            if let Some(path) = environment.setting(&name)? {
                let entry = (name, PathBuf::from(path));
                if !draft.secret_files.contains(&entry) {
                    draft.secret_files.push(entry);
                }
            }
        }
    }
    Ok(())
}
