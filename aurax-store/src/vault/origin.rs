//! Where a key may be sent.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use aurax_core::{Error, ErrorKind, Result};

/// The longest base URL that is read, in bytes.
const MAX: usize = 2_048;

/// Scheme, host and port of a base URL, in one spelling: lower case, without a port that the
/// scheme implies, IP addresses in their usual form (RFC 6454, 6.2).
///
/// Names are compared as they are: no name is resolved, and an address is another origin than the
/// name that leads to it.
///
/// ```
/// use aurax_store::Origin;
///
/// let origin = Origin::parse("https://API.openai.com:443/v1").unwrap();
/// assert_eq!(origin.as_str(), "https://api.openai.com");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin(Arc<str>);

impl Origin {
    /// The origin of a base URL, white space around it left out.
    ///
    /// It is stricter than clients are, so that nothing it reads is read another way by one: no
    /// user name, query, fragment, backslash or character outside ASCII; no empty port or port 0;
    /// no host that ends in a dot, and none that only some take for an IPv4 address, such as
    /// `127.1` or `0x7f000001`.
    ///
    /// # Errors
    /// `InvalidRequest`, which says what is wrong and does not repeat the URL.
    pub fn parse(base_url: &str) -> Result<Self> {
        read(base_url.trim())
            .map(|origin| Self(origin.into()))
            .map_err(|wrong| {
                let message = format!("the base URL {wrong}");
                Error::new(ErrorKind::InvalidRequest, message)
            })
    }

    /// The origin as text, such as `https://api.openai.com` or `http://[::1]:8080`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

fn read(url: &str) -> Result<String, &'static str> {
    if url.len() > MAX {
        return Err("is longer than 2048 bytes");
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("has a space or a character outside ASCII; write a foreign host as punycode");
    }
    if url.contains(['@', '?', '#', '\\']) {
        return Err("has a user name, query, fragment or backslash");
    }
    let (scheme, rest) = url
        .split_once("://")
        .ok_or("does not begin with https://")?;
    let (scheme, implied) = if scheme.eq_ignore_ascii_case("https") {
        ("https", 443)
    } else if scheme.eq_ignore_ascii_case("http") {
        ("http", 80)
    } else {
        return Err("is neither http nor https");
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = split(authority)?;
    let host = read_host(host)?;
    match port.map(read_port).transpose()? {
        Some(port) if port != implied => Ok(format!("{scheme}://{host}:{port}")),
        _ => Ok(format!("{scheme}://{host}")),
    }
}

/// The host, with its brackets where it has them, and the port.
fn split(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    let end = if authority.starts_with('[') {
        let bracket = authority.find(']').ok_or("has a bracket that stays open")?;
        bracket.saturating_add(1)
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at(end);
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok((host, None)),
        None => Err("has something between its host and its port"),
        port => Ok((host, port)),
    }
}

fn read_port(text: &str) -> Result<u16, &'static str> {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err("has a port that is not a number from 1 to 65535"),
    }
}

fn read_host(text: &str) -> Result<String, &'static str> {
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').unwrap_or(inner);
        return inner
            .parse::<Ipv6Addr>()
            .map(|address| format!("[{address}]"))
            .map_err(|_| "has brackets around something other than an IPv6 address");
    }
    let host = text.to_ascii_lowercase();
    let named = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if host.len() > 253 || !host.split('.').all(named) {
        return Err("has no host, or one that no name server knows");
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err("has a host that looks like an IPv4 address and is none");
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_origin_has_one_spelling() {
        let table = [
            ("https://api.openai.com/v1", "https://api.openai.com"),
            ("HTTPS://API.OpenAI.com:443/v1/", "https://api.openai.com"),
            (" https://api.openai.com\n", "https://api.openai.com"),
            ("https://api.openai.com:0443", "https://api.openai.com"),
            ("http://localhost:11434", "http://localhost:11434"),
            ("http://localhost:80/", "http://localhost"),
            ("http://localhost:443", "http://localhost:443"),
            ("https://localhost:80", "https://localhost:80"),
            ("http://ollama_1:8080", "http://ollama_1:8080"),
            ("http://127.0.0.1/v1", "http://127.0.0.1"),
            ("http://[0:0:0:0:0:0:0:1]:8080", "http://[::1]:8080"),
            ("http://[2001:DB8::A]:80", "http://[2001:db8::a]"),
            ("https://xn--bcher-kva.test", "https://xn--bcher-kva.test"),
            ("https://1.example", "https://1.example"),
        ];
        for (url, origin) in table {
            assert_eq!(Origin::parse(url).unwrap().as_str(), origin, "{url}");
        }
    }

    #[test]
    fn what_could_be_read_two_ways_is_refused_and_not_repeated() {
        let labels = format!("https://hush.{}.test", "a".repeat(64));
        let long = format!("https://hush.test/{}", "a".repeat(MAX));
        for url in [
            "",
            "hush.test",
            "https:hush.test",
            "//hush.test",
            "ftp://hush.test",
            "https://",
            "https:///hush",
            "https://user@hush.test",
            "https://user:hush@host.test",
            "https://host.test/@hush",
            "https://host.test?hush",
            "https://host.test#hush",
            "https://host.test\\hush",
            "https://ho st.test/hush",
            "https://b\u{fc}cher.test/hush",
            "https://hush.test:",
            "https://hush.test:0",
            "https://hush.test:65536",
            "https://hush.test:000080",
            "https://hush.test:+80",
            "https://hush.test:80:80",
            "https://hush.test.",
            "https://.hush.test",
            "https://hush..test",
            "https://-hush.test",
            "https://hush-.test",
            "https://hush%2etest",
            "https://hush!.test",
            "https://127.1/hush",
            "https://127.0.0.01/hush",
            "https://256.0.0.1/hush",
            "https://2130706433/hush",
            "https://0x7f000001/hush",
            "https://127.0.0.0x1/hush",
            "https://[::1/hush",
            "https://[::1]hush",
            "https://[hush]",
            "https://[127.0.0.1]/hush",
            "https://[fe80::1%25eth0]/hush",
            "https://::1/hush",
            "https://hush\0.test",
            &labels,
            &long,
        ] {
            let error = Origin::parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{url}");
            assert!(!format!("{error:?} {error}").contains("hush"), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_reads_the_same_again(text in "(https?://)?[a-z0-9.:/@\\[\\]%é-]{0,20}") {
            if let Ok(origin) = Origin::parse(&text) {
                prop_assert_eq!(Origin::parse(origin.as_str()).unwrap(), origin);
            }
        }
    }
}
