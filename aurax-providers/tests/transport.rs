//! The reqwest transport against real sockets on the loopback.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

#[path = "client/echo.rs"]
mod echo;

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use aurax_core::{ErrorKind, Phase, ProviderExt, Result};
use aurax_providers::HttpProvider;
use aurax_providers::frame::Framing;
use aurax_providers::transport::{ByteStream, ReqwestOptions, ReqwestTransport, Transport};
use bytes::Bytes;
use echo::Echo;
use futures::{StreamExt, TryStreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    transfer-encoding: chunked\r\n\r\n\
    17\r\ndata: {\"text\":\"Hi\"}\r\n\r\n\r\n\
    16\r\ndata: {\"end\":true}\r\n\r\n\r\n0\r\n\r\n";

/// Answers one connection with `pieces` of raw HTTP and closes it; gives back what was asked.
async fn server(pieces: &'static [&'static str]) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let request = read_request(&mut socket).await;
        for piece in pieces {
            socket.write_all(piece.as_bytes()).await.unwrap();
            socket.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        request
    });
    (address, task)
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        request.push(socket.read_u8().await.unwrap().into());
    }
    let length = request.split_once("content-length: ");
    let length = length.map_or(0, |(_, rest)| rest.lines().next().unwrap().parse().unwrap());
    for _ in 0..length {
        request.push(socket.read_u8().await.unwrap().into());
    }
    request
}

async fn get(address: SocketAddr) -> Result<http::Response<ByteStream>> {
    send(&ReqwestTransport::new(), address).await
}

async fn send(
    transport: &ReqwestTransport,
    address: SocketAddr,
) -> Result<http::Response<ByteStream>> {
    let request = http::Request::get(format!("http://{address}/v1/models?secret=hush"));
    transport.send(request.body(Bytes::new()).unwrap()).await
}

async fn read(response: http::Response<ByteStream>) -> Result<String> {
    let chunks: Vec<Bytes> = response.into_body().try_collect().await?;
    Ok(String::from_utf8(chunks.concat()).unwrap())
}

#[tokio::test]
async fn a_response_in_pieces_arrives_whole() {
    let (address, asked) = server(&[
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-",
        "stream\r\ntransfer-encoding: chunked\r\n\r\n",
        "9\r\ndata: Hi\n\r\n",
        "1\r\n\n\r\n0\r\n\r\n",
    ])
    .await;
    let request = http::Request::post(format!("http://{address}/v1/chat"))
        .header("content-type", "application/json")
        .body(Bytes::from_static(b"{}"));
    let response = ReqwestTransport::new()
        .send(request.unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(read(response).await.unwrap(), "data: Hi\n\n");

    let asked = asked.await.unwrap();
    assert!(asked.starts_with("POST /v1/chat HTTP/1.1\r\n"), "{asked}");
    assert!(asked.ends_with("\r\n\r\n{}"), "{asked}");
    assert!(!asked.contains("accept-encoding"), "{asked}");
    assert!(!asked.contains("user-agent"), "{asked}");
}

#[tokio::test]
async fn a_refused_connection_fails_in_the_connect_phase() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = get(address).await.err().unwrap();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Network, Some(Phase::Connect))
    );
    assert!(
        error.message().starts_with("cannot connect to 127.0.0.1: "),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_hangs_up_before_it_answers_may_have_the_request() {
    let (address, _) = server(&[]).await;
    let error = get(address).await.err().unwrap();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Network, Some(Phase::Send))
    );
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_hangs_up_in_the_body_fails_in_the_body_phase() {
    let (address, _) = server(&["HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this"]).await;
    let mut body = get(address).await.unwrap().into_body();
    assert_eq!(body.try_next().await.unwrap().unwrap(), "only this");
    let error = body.try_next().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Network, Some(Phase::Body))
    );
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_a_response_like_any_other() {
    let (address, _) = server(&[
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n",
    ])
    .await;
    let response = get(address).await.unwrap();
    assert_eq!(response.status(), 307);
}

#[tokio::test]
async fn compressed_bytes_pass_unchanged() {
    let (address, _) =
        server(&["HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc"])
            .await;
    let response = get(address).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(read(response).await.unwrap(), "abc");
}

#[tokio::test]
async fn more_than_a_hundred_headers_are_refused() {
    static RESPONSE: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-one-more: 1\r\n".repeat(101))
    });
    static PIECES: std::sync::LazyLock<[&str; 1]> = std::sync::LazyLock::new(|| [&RESPONSE]);
    let (address, _) = server(&*PIECES).await;
    assert!(get(address).await.is_err());
}

#[tokio::test]
async fn headers_of_more_than_64_kib_are_refused() {
    static RESPONSE: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        format!(
            "HTTP/1.1 200 OK\r\nx-large: {}\r\n\r\n",
            "x".repeat(65 << 10)
        )
    });
    static PIECES: std::sync::LazyLock<[&str; 1]> = std::sync::LazyLock::new(|| [&RESPONSE]);
    let (address, _) = server(&*PIECES).await;
    let error = get(address).await.err().unwrap();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Decode, Some(Phase::Body))
    );
}

#[tokio::test]
async fn a_configured_proxy_gets_everything() {
    let (proxy, asked) = server(&["HTTP/1.1 204 No Content\r\n\r\n"]).await;
    let options = ReqwestOptions::new().with_proxy(format!("http://user:hush@{proxy}"));
    let transport = ReqwestTransport::with_options(options);
    assert!(!format!("{transport:?}").contains("hush"), "{transport:?}");
    let request = http::Request::get("http://provider.invalid/v1/models");
    let response = transport
        .send(request.body(Bytes::new()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), 204);
    let asked = asked.await.unwrap();
    assert!(
        asked.starts_with("GET http://provider.invalid/v1/models HTTP/1.1\r\n"),
        "{asked}"
    );
}

#[tokio::test]
async fn wrong_options_are_named_without_their_values() {
    let pem = "-----BEGIN CERTIFICATE-----\nhush\n-----END CERTIFICATE-----\n";
    for (options, name) in [
        (
            ReqwestOptions::new().with_proxy("socks5://hush:1080"),
            "ReqwestOptions::proxy",
        ),
        (
            ReqwestOptions::new().with_proxy("http://hush:hush"),
            "ReqwestOptions::proxy",
        ),
        (
            ReqwestOptions::new().with_root_certificates(pem),
            "ReqwestOptions::root_certificates",
        ),
    ] {
        let transport = ReqwestTransport::with_options(options);
        let error = send(&transport, ([127, 0, 0, 1], 9).into())
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(name), "{error}");
        assert!(!error.message().contains("hush"), "{error}");
    }
}

fn provider(address: SocketAddr) -> HttpProvider {
    let transport = Arc::new(ReqwestTransport::new());
    let base_url = format!("http://{address}/v1");
    HttpProvider::new("test", Echo::new(Framing::Sse), &base_url, transport).unwrap()
}

#[tokio::test]
async fn a_reply_that_was_read_to_its_end_leaves_its_connection_to_the_next_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let provider = provider(listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            read_request(&mut socket).await;
            socket.write_all(STREAM.as_bytes()).await.unwrap();
        }
    });
    for _ in 0..3 {
        let reply = provider.stream("parrot", "Hi").await.unwrap();
        assert_eq!(reply.collect().await.unwrap().text(), "Hi");
        // The task of the connection says by itself that it is free.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_dropped_reply_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let provider = provider(listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
        let (start, _) = STREAM.split_once("16\r\n").unwrap();
        socket.write_all(start.as_bytes()).await.unwrap();
        socket.read(&mut [0; 16]).await
    });
    let mut reply = provider.stream("parrot", "Hi").await.unwrap();
    assert_eq!(reply.next().await.unwrap().unwrap().events.len(), 1);
    drop(reply);
    let seen = server.await.unwrap();
    assert!(matches!(seen, Ok(0) | Err(_)), "{seen:?}");
}

/// Variables cannot be set in a process of many threads: the test runs itself in another.
fn in_a_process_with(variables: &[(&str, &str)], test: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("1 passed"), "{printed}");
}

#[test]
fn proxies_of_the_environment_are_ignored() {
    let nowhere = "http://127.0.0.1:9";
    let names = [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ];
    in_a_process_with(
        &names.map(|name| (name, nowhere)),
        "a_direct_request_succeeds",
    );
}

#[tokio::test]
#[ignore = "run by proxies_of_the_environment_are_ignored"]
async fn a_direct_request_succeeds() {
    let (address, _) = server(&["HTTP/1.1 204 No Content\r\n\r\n"]).await;
    assert_eq!(get(address).await.unwrap().status(), 204);
}

#[test]
fn bundled_roots_stand_in_where_the_system_has_none() {
    let variables = [
        ("SSL_CERT_FILE", "/nonexistent"),
        ("SSL_CERT_DIR", "/nonexistent"),
    ];
    in_a_process_with(&variables, "a_direct_request_succeeds");
}
