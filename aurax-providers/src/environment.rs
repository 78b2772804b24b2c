//! Where variables come from: the one place that reads the process's environment.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use aurax_core::{Error, ErrorKind, Result, Secret};

/// No secret is larger; a device or a log named by mistake is.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// A source of variables. Any `Fn(&str) -> Option<String>` is one, so tests need no process.
///
/// ```
/// use aurax_providers::Environment;
///
/// let environment = |name: &str| (name == "OPENAI_API_KEY").then(|| "sk-example".to_owned());
/// assert!(environment.secret("OPENAI_API_KEY")?.is_some());
/// assert!(environment.secret("GROQ_API_KEY")?.is_none());
/// # Ok::<(), aurax_core::Error>(())
/// ```
pub trait Environment {
    /// A variable's value as it is; `None` where it is not set.
    ///
    /// # Errors
    /// `Config` for a value that is not text.
    fn variable(&self, name: &str) -> Result<Option<String>>;

    /// The names of all variables, where they can be told; a closure cannot. One that is not text
    /// is left out.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    /// A setting: white space around it is dropped, and a blank one is not set.
    ///
    /// # Errors
    /// `Config` for a value that is not text.
    fn setting(&self, name: &str) -> Result<Option<String>> {
        let value = self.variable(name)?;
        Ok(value
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty()))
    }

    /// A secret: the variable itself, or the file that the variable `<name>_FILE` names, of at
    /// most 64 KiB. White space around it is dropped.
    ///
    /// # Errors
    /// `Config` when both are set, or when the file cannot be read or is blank. The error names
    /// the variable and shows no value.
    fn secret(&self, name: &str) -> Result<Option<Secret>> {
        let file_name = format!("{name}_FILE");
        match (self.setting(name)?, self.setting(&file_name)?) {
            (Some(value), None) => Ok(Some(Secret::new(value))),
            (None, Some(path)) => read_secret(&file_name, &path).map(Some),
            (None, None) => Ok(None),
            (Some(_), Some(_)) => {
                let message = format!("{name} and {file_name} are both set: set one of them");
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }
}

impl<F: Fn(&str) -> Option<String>> Environment for F {
    fn variable(&self, name: &str) -> Result<Option<String>> {
        Ok(self(name))
    }
}

/// Variables by their names.
impl Environment for BTreeMap<String, String> {
    fn variable(&self, name: &str) -> Result<Option<String>> {
        Ok(self.get(name).cloned())
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

/// The environment of the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "settings come from here")]
    fn variable(&self, name: &str) -> Result<Option<String>> {
        use std::env::VarError;
        match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(Error::new(
                ErrorKind::Config,
                format!("{name} is not UTF-8"),
            )),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "settings come from here")]
    fn names(&self) -> Vec<String> {
        let names = std::env::vars_os().map(|(name, _)| name);
        names.filter_map(|name| name.into_string().ok()).collect()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the file's text becomes the secret"
)]
fn read_secret(variable: &str, path: &str) -> Result<Secret> {
    let wrong =
        |what: &str| Error::new(ErrorKind::Config, format!("{variable} names a file {what}"));
    let mut text = String::new();
    let read =
        File::open(path).and_then(|file| file.take(MAX_SECRET_BYTES).read_to_string(&mut text));
    // From here on what was read is wiped when it is dropped.
    let text = Secret::new(text);
    read.map_err(|e| wrong("that cannot be read").with_source(e))?;
    if text.is_blank() {
        return Err(wrong("that is blank"));
    }
    Ok(Secret::new(text.expose().trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is removed when it is dropped.
    struct Temporary(std::path::PathBuf);

    impl Temporary {
        fn new(name: &str, content: &str) -> Self {
            let name = format!("aurax-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::write(&path, content).unwrap();
            Self(path)
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).unwrap();
        }
    }

    fn secret(pairs: &[(&str, &str)]) -> Result<Option<Secret>> {
        let find = |name: &str| pairs.iter().find(|(key, _)| *key == name);
        (|name: &str| find(name).map(|(_, value)| (*value).to_owned())).secret("KEY")
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test looks at what was read")]
    fn a_secret_may_be_in_a_file() {
        let file = Temporary::new("secret", " hush\n");
        let path = file.0.to_str().unwrap();
        assert_eq!(
            secret(&[("KEY_FILE", path)]).unwrap().unwrap().expose(),
            "hush"
        );
        assert_eq!(
            secret(&[("KEY", "hush "), ("KEY_FILE", "")])
                .unwrap()
                .unwrap()
                .expose(),
            "hush"
        );
    }

    #[test]
    fn what_is_wrong_with_a_secret_names_its_variable_alone() {
        let blank = Temporary::new("blank", " \n");
        let binary = Temporary::new("binary", "");
        std::fs::write(&binary.0, [0xff]).unwrap();
        for pairs in [
            [("KEY", "hush"), ("KEY_FILE", "/hush")],
            [("OTHER", ""), ("KEY_FILE", "/nonexistent/hush")],
            [("OTHER", ""), ("KEY_FILE", blank.0.to_str().unwrap())],
            [("OTHER", ""), ("KEY_FILE", binary.0.to_str().unwrap())],
        ] {
            let error = secret(&pairs).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains("KEY_FILE"), "{error}");
            assert!(!format!("{error:?}").contains("hush"), "{error:?}");
        }
    }

    #[test]
    fn the_process_has_an_environment() {
        assert!(ProcessEnvironment.setting("PATH").unwrap().is_some());
        assert!(ProcessEnvironment.names().iter().any(|name| name == "PATH"));
        assert!(
            ProcessEnvironment
                .setting("AURAX_TEST_UNSET")
                .unwrap()
                .is_none()
        );
    }
}
