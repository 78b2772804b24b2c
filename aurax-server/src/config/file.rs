//! The file: every key of it is known, and read.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use aurax::providers::Environment;
use aurax::{Result, Secret};
use toml::{Table, Value};

use super::draft::{Draft, refuse};
use super::given::Given;
use super::names::meant;
use super::settings::{SETTINGS, Set, Setting};

/// The longest file that is read.
const MOST: u64 = 1 << 20;
const PROVIDERS: &str = "providers";

/// A field of the file, as errors name it.
pub(super) fn in_file(path: &str, file: &str) -> String {
    format!("`{path}` in {file}")
}

/// Reads a file into the draft, and says whether it holds secrets itself.
pub(super) fn read(draft: &mut Draft, path: &Path) -> Result<bool> {
    let file = path.display().to_string();
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|opened| {
        opened
            .take(MOST.saturating_add(1))
            .read_to_string(&mut text)
    });
    let length = read.map_err(|error| {
        refuse(format!(
            "the configuration {file} cannot be read: {}",
            error.kind()
        ))
    })?;
    if length as u64 > MOST {
        return Err(refuse(format!(
            "the configuration {file} is longer than {MOST} bytes"
        )));
    }
    parse(draft, &text, &file)
}

/// The same of its text.
pub(super) fn parse(draft: &mut Draft, text: &str, file: &str) -> Result<bool> {
    let document: Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count().saturating_add(1));
        // The error itself would show the line.
        refuse(format!(
            "{file} is no TOML, line {line}: {}",
            error.message()
        ))
    })?;
    known(&document, "", file)?;
    if let Some(providers) = document.get(PROVIDERS) {
        let providers = providers.as_table();
        let providers = providers.ok_or_else(|| no_section(PROVIDERS, file))?;
        super::providers::read(draft, providers, file)?;
    }
    let mut has_secrets = false;
    for setting in SETTINGS {
        has_secrets |= one(draft, setting, &document, file)?;
    }
    Ok(has_secrets)
}

/// Puts one setting in, where the file has it; true for a secret that is in the file itself.
fn one(draft: &mut Draft, setting: &Setting, document: &Table, file: &str) -> Result<bool> {
    let wrong = |path: &str, wrong: String| refuse(format!("{} {wrong}", in_file(path, file)));
    let value = find(document, setting.path);
    let set = match &setting.set {
        Set::Value(set) => {
            if let Some(value) = value {
                let done = set(draft, Given::Toml(value));
                done.map_err(|message| wrong(setting.path, message))?;
            }
            return Ok(false);
        }
        Set::Secret(set) => set,
    };
    let file_path = format!("{}_file", setting.path);
    let named = find(document, &file_path);
    match (value, named) {
        (None, None) => Ok(false),
        (Some(_), Some(_)) => Err(wrong(
            setting.path,
            format!("and `{file_path}` are both set: set one of them"),
        )),
        (Some(value), None) => {
            let text = secret_text(value).map_err(|message| wrong(setting.path, message))?;
            set(draft, Arc::new(text)).map_err(|message| wrong(setting.path, message))?;
            Ok(true)
        }
        (None, Some(value)) => {
            let path = Given::Toml(value).path();
            let path = path.map_err(|message| wrong(&file_path, message))?;
            let place = path.display().to_string();
            let lookup = |name: &str| (name == "SECRET_FILE").then(|| place.clone());
            let secret = lookup.secret("SECRET").ok().flatten().ok_or_else(|| {
                wrong(
                    &file_path,
                    "names a file that cannot be read or is blank".to_owned(),
                )
            })?;
            draft.secret_files.push((file_path.clone(), path));
            set(draft, Arc::new(secret)).map_err(|message| wrong(&file_path, message))?;
            Ok(false)
        }
    }
}

/// A secret may have several lines.
fn secret_text(value: &Value) -> Result<Secret, String> {
    let text = value.as_str().ok_or("is no text: put it in quotes")?;
    let secret = Secret::new(text.trim());
    match secret.is_blank() {
        true => Err("is empty".to_owned()),
        false => Ok(secret),
    }
}

fn find<'a>(document: &'a Table, path: &str) -> Option<&'a Value> {
    let mut names = path.split('.');
    let first = document.get(names.next()?)?;
    names.try_fold(first, |value, name| value.as_table()?.get(name))
}

/// Refuses what nobody would read.
fn known(table: &Table, prefix: &str, file: &str) -> Result<()> {
    for (key, value) in table {
        let path = match prefix {
            "" => key.clone(),
            _ => format!("{prefix}.{key}"),
        };
        if path == PROVIDERS || paths().any(|known| known == path) {
            continue;
        }
        let section = format!("{path}.");
        if !paths().any(|known| known.starts_with(&section)) {
            let all: Vec<String> = paths().collect();
            let sections = [
                PROVIDERS, "limits", "timeouts", "database", "redis", "auth", "backup",
            ];
            let near = meant(&path, all.iter().map(String::as_str).chain(sections));
            return Err(refuse(format!("{} is unknown{near}", in_file(&path, file))));
        }
        let inner = value.as_table().ok_or_else(|| no_section(&path, file))?;
        known(inner, &path, file)?;
    }
    Ok(())
}

fn no_section(path: &str, file: &str) -> aurax::Error {
    refuse(format!(
        "{} is a section: write [{path}]",
        in_file(path, file)
    ))
}

/// Every place a file may have.
fn paths() -> impl Iterator<Item = String> {
    SETTINGS.iter().flat_map(|setting| {
        let file = setting
            .is_secret()
            .then(|| format!("{}_file", setting.path));
        std::iter::once(setting.path.to_owned()).chain(file)
    })
}
