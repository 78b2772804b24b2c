#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use tokio::net::TcpListener;

use super::super::{ReqwestOptions, ReqwestTransport, Transport};
use super::*;

const PRIVATE: &[&str] = &[
    // Unspecified, this network, loopback.
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "127.255.255.254",
    // Private, shared, link-local with clouds' metadata.
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "169.254.169.254",
    // Protocols, documentation, relays, benchmarks.
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.255",
    // Multicast, reserved, broadcast.
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    // IPv6: unspecified, loopback, link-local, site-local, unique-local, multicast, discard.
    "::",
    "::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "100::1",
    "5f00::1",
    // Documentation, benchmarks, Teredo, ORCHID.
    "2001:db8::1",
    "3fff::1",
    "3fff:fff:ffff::1",
    "2001:2::1",
    "2001:0:7f00:1::",
    "2001:10::1",
    "2001:20::1",
    // IPv4 inside: mapped, compatible, NAT64 of both kinds, 6to4.
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:808:808::1",
];

const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2001:200::1",
    "2606:4700::1111",
    "2a00:1450::1",
    "3ffe::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
];

#[test]
fn what_is_set_aside_is_not_public() {
    for text in PRIVATE {
        assert!(!is_public(text.parse().unwrap()), "{text}");
    }
    for text in PUBLIC {
        assert!(is_public(text.parse().unwrap()), "{text}");
    }
}

#[test]
fn a_url_of_no_public_address_is_refused_in_every_form() {
    for text in PRIVATE {
        let host = if text.contains(':') {
            format!("[{text}]")
        } else {
            (*text).to_owned()
        };
        let error = public_url(&format!("https://{host}/hook")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{text}");
        assert!(error.message().contains("no public address"), "{error}");
    }
    // As browsers read them: decimal, octal, hexadecimal, short, percent-encoded, with a last dot.
    for host in [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "0",
        "0xa9fea9fe",
        "2852039166",
        "%31%32%37.0.0.1",
        "127.0.0.1.",
        "１２７.0.0.1",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
    ] {
        let error = public_url(&format!("https://{host}/hook")).unwrap_err();
        assert!(
            error.message().contains("no public address"),
            "{host}: {error}"
        );
    }
}

#[test]
fn a_url_is_https_and_names_nobody() {
    for (text, said) in [
        ("http://example.com/", "https://"),
        ("ftp://example.com/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https://user@example.com/", "user or a password"),
        ("https://user:pass@example.com/", "user or a password"),
        ("https://:pass@example.com/", "user or a password"),
        ("example.com/hook", "no URL"),
        ("https://", "no URL"),
        ("https://[fe80::1%25eth0]/", "no URL"),
        ("https://1.2.3.256/", "no URL"),
    ] {
        let error = public_url(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{text}");
        assert!(error.message().contains(said), "{text}: {error}");
        assert!(!format!("{error}").contains("pass@"), "{error}");
    }
    let uri = public_url("https://Example.com:8443/hook?token=x").unwrap();
    assert_eq!(uri.to_string(), "https://example.com:8443/hook?token=x");
    assert!(public_url("https://8.8.8.8/").is_ok());
}

/// A resolver that answers from a script.
#[derive(Default)]
struct Script(Mutex<VecDeque<Vec<&'static str>>>);

impl Script {
    fn new(answers: &[&[&'static str]]) -> Arc<Self> {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        Arc::new(Self(Mutex::new(answers)))
    }

    fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Resolve for Script {
    fn resolve(&self, _: Name) -> Resolving {
        let answer = self.0.lock().unwrap().pop_front().unwrap();
        Box::pin(async move {
            let found = answer.into_iter();
            let found = found.map(|text| SocketAddr::new(text.parse().unwrap(), 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}

fn transport(script: &Arc<Script>, is_allowed: fn(IpAddr) -> bool) -> ReqwestTransport {
    ReqwestTransport::guarded(
        ReqwestOptions::new().with_public_only(),
        Guard {
            names: script.clone(),
            is_allowed,
        },
    )
}

async fn send(transport: &ReqwestTransport, url: &str) -> Error {
    let request = http::Request::post(url).body(Bytes::from_static(b"{}"));
    match transport.send(request.unwrap()).await {
        Ok(_) => panic!("{url} was sent to"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_name_of_any_address_that_is_not_public_is_refused_before_connecting() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for answer in [
        &["127.0.0.1"][..],
        &["8.8.8.8", "127.0.0.1"],
        &["127.0.0.1", "2606:4700::1111"],
        &["::ffff:127.0.0.1"],
        &["::1", "127.0.0.1"],
    ] {
        let script = Script::new(&[answer]);
        let transport = transport(&script, is_public);
        let error = send(&transport, &format!("https://inside.example:{port}/")).await;
        assert_eq!(
            (error.kind(), error.phase(), error.retry()),
            (
                ErrorKind::InvalidRequest,
                Some(Phase::Connect),
                Retry::Never
            ),
            "{answer:?}: {error}"
        );
        assert_eq!(script.left(), 0);
    }
    let came = futures::FutureExt::now_or_never(listener.accept());
    assert!(came.is_none(), "somebody was connected to");
}

/// As if 127.0.0.1 were the one public address: no test leaves the machine.
fn is_first(address: IpAddr) -> bool {
    address == IpAddr::from([127, 0, 0, 1])
}

#[tokio::test]
async fn a_name_that_turns_private_is_not_followed() {
    let outside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = outside.local_addr().unwrap().port();
    let inside = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let script = Script::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let transport = transport(&script, is_first);
    let url = format!("https://rebinding.example:{port}/");
    // The first time it is connected to, and hangs up during the handshake.
    let (first, accepted) = tokio::join!(send(&transport, &url), async {
        outside.accept().await.map(drop)
    });
    accepted.unwrap();
    assert_eq!(first.kind(), ErrorKind::Network, "{first}");
    let second = send(&transport, &url).await;
    assert!(second.message().contains("no public address"), "{second}");
    assert_eq!(script.left(), 0);
    let came = futures::FutureExt::now_or_never(inside.accept());
    assert!(came.is_none(), "the second address was connected to");
}

#[tokio::test]
async fn what_no_resolver_sees_is_refused_as_well() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = Script::new(&[]);
    let transport = transport(&script, is_public);
    for url in [
        format!("https://127.0.0.1:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("https://0x7f.1:{port}/"),
        format!("https://0177.0.0.1:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://user@localhost:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.1:{port}/"),
    ] {
        let error = send(&transport, &url).await;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{url}: {error}");
    }
    let came = futures::FutureExt::now_or_never(listener.accept());
    assert!(came.is_none(), "somebody was connected to");
}

#[tokio::test]
async fn the_systems_names_are_looked_at_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let transport = ReqwestTransport::with_options(ReqwestOptions::new().with_public_only());
    let error = send(&transport, &format!("https://localhost:{port}/")).await;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    let came = futures::FutureExt::now_or_never(listener.accept());
    assert!(came.is_none(), "the loopback was connected to");
}

#[tokio::test]
async fn a_proxy_would_see_names_that_nobody_looked_at() {
    let options = ReqwestOptions::new()
        .with_proxy("http://127.0.0.1:9")
        .with_public_only();
    let transport = ReqwestTransport::with_options(options);
    let error = send(&transport, "https://example.com/").await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}
