//! The address paths are appended to.

use std::fmt;

use aurax_core::{Error, ErrorKind, Result};
use http::Uri;
use http::uri::{PathAndQuery, Scheme};

/// A provider's base URL: `http` or `https`, a host, perhaps a path; no user, query or fragment.
#[derive(Clone)]
pub(crate) struct BaseUrl {
    /// Without a slash at its end.
    text: Box<str>,
    uri: Uri,
    /// The path of `text`.
    path: Box<str>,
}

impl BaseUrl {
    /// Reads the value of `setting`, which an error names; the value itself may hold a password.
    pub(crate) fn parse(text: &str, setting: &str) -> Result<Self> {
        let wrong = || {
            let message = format!(
                "{setting} is not an http or https URL without user name, query and fragment"
            );
            Error::new(ErrorKind::Config, message)
        };
        let text = text.trim();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let plain = matches!(uri.scheme(), Some(scheme) if [Scheme::HTTP, Scheme::HTTPS].contains(scheme))
            && uri.host().is_some_and(|host| !host.is_empty())
            && !text.contains(['@', '?', '#']);
        if !plain {
            return Err(wrong());
        }
        Ok(Self {
            text: text.trim_end_matches('/').into(),
            path: uri.path().trim_end_matches('/').into(),
            uri,
        })
    }

    /// The address of `path`, which begins with a slash.
    pub(crate) fn join(&self, path: &str) -> Result<Uri> {
        let wrong = |e: http::Error| {
            let message = "the wire made a path that no URL can have";
            Error::new(ErrorKind::Internal, message).with_source(e)
        };
        let slash = if path.starts_with('/') { "" } else { "/" };
        let path = PathAndQuery::from_maybe_shared(format!("{}{slash}{path}", self.path));
        // Scheme and host need no reading a second time.
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(path.map_err(|e| wrong(e.into()))?);
        Uri::from_parts(parts).map_err(|e| wrong(e.into()))
    }

    /// True when a key for one may be sent to the other.
    pub(crate) fn is_same_origin(&self, other: &Self) -> bool {
        self.uri.scheme() == other.uri.scheme()
            && self.host().eq_ignore_ascii_case(other.host())
            && self.port() == other.port()
    }

    pub(crate) fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    /// The port, which the scheme implies where the URL has none.
    pub(crate) fn port(&self) -> u16 {
        let implied = if self.scheme() == "https" { 443 } else { 80 };
        self.uri.port_u16().unwrap_or(implied)
    }

    /// `https`, or `http`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.uri.scheme() == Some(&Scheme::HTTPS) {
            "https"
        } else {
            "http"
        }
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, path: &str) -> String {
        BaseUrl::parse(base, "Options::base_url")
            .unwrap()
            .join(path)
            .unwrap()
            .to_string()
    }

    #[test]
    fn paths_are_appended_whatever_the_slashes() {
        let table = [
            (
                "https://api.openai.com/v1",
                "https://api.openai.com/v1/chat/completions",
            ),
            (
                "https://api.openai.com/v1/",
                "https://api.openai.com/v1/chat/completions",
            ),
            (
                " http://localhost:11434 ",
                "http://localhost:11434/chat/completions",
            ),
            (
                "http://localhost:11434/",
                "http://localhost:11434/chat/completions",
            ),
            (
                "http://[::1]:8080/v1",
                "http://[::1]:8080/v1/chat/completions",
            ),
        ];
        for (base, expected) in table {
            assert_eq!(joined(base, "/chat/completions"), expected);
            assert_eq!(joined(base, "chat/completions"), expected);
        }
        assert_eq!(
            joined("http://h/v1", "/models?limit=1"),
            "http://h/v1/models?limit=1"
        );
    }

    #[test]
    fn what_is_no_base_url_is_named_but_not_shown() {
        for base in [
            "",
            "/v1",
            "api.openai.com/v1",
            "ftp://hush/v1",
            "https://user:hush@host/v1",
            "https://host/v1?key=hush",
            "https://host/v1#hush",
            "https:///hush",
            "https://ho st/hush",
        ] {
            let error = BaseUrl::parse(base, "OPENAI_BASE_URL").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{base}");
            assert!(
                error.message().starts_with("OPENAI_BASE_URL is not"),
                "{error}"
            );
            assert!(!format!("{error:?}").contains("hush"), "{error:?}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let parse = |text| BaseUrl::parse(text, "x").unwrap();
        let own = parse("https://API.acme.test/v1");
        assert!(own.is_same_origin(&parse("https://api.acme.test:443/v2")));
        for other in [
            "http://api.acme.test",
            "https://api.acme.test:8443",
            "https://acme.test",
        ] {
            assert!(!own.is_same_origin(&parse(other)), "{other}");
        }
    }

    #[test]
    fn the_port_may_be_implied() {
        for (base, port) in [
            ("https://h/v1", 443),
            ("http://h", 80),
            ("http://h:11434", 11434),
        ] {
            assert_eq!(BaseUrl::parse(base, "x").unwrap().port(), port);
        }
    }
}
