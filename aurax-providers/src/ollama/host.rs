//! The server's address, as Ollama's own clients take it.
//!
//! Facts: <https://github.com/ollama/ollama/blob/main/envconfig/config.go> (`Host`).

use std::net::IpAddr;

/// The port of a server whose address names none and has no scheme.
const PORT: &str = "11434";

/// A base URL from a URL, a host with its port, or a host alone.
///
/// * Without a scheme it is `http`, and the port 11434; with one, the scheme's own port.
/// * The addresses a server listens at for all its networks lead to this machine.
/// * What is none of these is left as it is, to be refused as a URL.
pub(crate) fn base_url(given: &str) -> String {
    let given = given.trim().trim_matches(['"', '\'']).trim();
    let (scheme, rest) = match given.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None if given == "ollama.com" => ("https", given),
        None => ("http", given),
    };
    let has_scheme = given.contains("://") || scheme == "https";
    let (address, path) = match rest.split_once('/') {
        Some((address, path)) => (address, format!("/{path}")),
        None => (rest, String::new()),
    };
    if rest.is_empty() || address.contains('@') {
        return given.to_owned();
    }
    let (host, port) = split(address);
    let port = match port {
        Some(port) => format!(":{port}"),
        None if has_scheme => String::new(),
        None => format!(":{PORT}"),
    };
    format!("{scheme}://{}{port}{path}", reachable(host))
}

/// The host and the port of an address; an IPv6 host may stand in brackets, or alone.
fn split(address: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = address
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        return (host, rest.strip_prefix(':').filter(|port| !port.is_empty()));
    }
    match address.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, Some(port).filter(|p| !p.is_empty())),
        _ => (address, None),
    }
}

fn reachable(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) if address.is_unspecified() => "127.0.0.1".to_owned(),
        Ok(IpAddr::V6(address)) if address.is_unspecified() => "[::1]".to_owned(),
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) if host.is_empty() => "127.0.0.1".to_owned(),
        Err(_) => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_the_own_clients_read_it() {
        for (given, url) in [
            ("localhost", "http://localhost:11434"),
            ("localhost:8080", "http://localhost:8080"),
            ("10.0.0.7", "http://10.0.0.7:11434"),
            ("0.0.0.0", "http://127.0.0.1:11434"),
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            (":1234", "http://127.0.0.1:1234"),
            ("::1", "http://[::1]:11434"),
            ("[::]:99", "http://[::1]:99"),
            ("[fe80::1]", "http://[fe80::1]:11434"),
            ("http://host", "http://host"),
            ("https://host/ollama", "https://host/ollama"),
            ("https://host:444", "https://host:444"),
            ("host/ollama", "http://host:11434/ollama"),
            ("ollama.com", "https://ollama.com"),
            (" 'host:1' ", "http://host:1"),
        ] {
            assert_eq!(base_url(given), url, "{given}");
        }
    }

    #[test]
    fn what_is_no_address_is_left_to_be_refused() {
        for given in ["", "http://", "user:hush@host", "http://user:hush@host"] {
            assert_eq!(base_url(given), given);
        }
    }
}
