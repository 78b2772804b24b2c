//! HTTP/2 over TLS, frame by frame: phases end in their time there, too, and floods end at once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aurax::{Clock as _, SystemClock};
use aurax_server::config::TlsFiles;
use aurax_store::testkit::{Plan, Prompt, Upstream};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::place::until;
use crate::raw::Raw;
use crate::slow::{assert_after, hasty};
use crate::support::{Kind, Server, Setup, variable};

const HEADER: Duration = Duration::from_millis(400);
const KEEP_ALIVE: Duration = Duration::from_millis(1_200);

const DATA: u8 = 0;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

struct Secure {
    server: Server,
    folder: PathBuf,
}

struct Frame {
    kind: u8,
    stream: u32,
    body: Vec<u8>,
}

/// A connection, after what it begins with.
struct Frames(TlsStream<TcpStream>);

impl Secure {
    async fn start() -> Option<Self> {
        Self::with(|setup| setup).await
    }

    async fn with(change: impl FnOnce(Setup) -> Setup) -> Option<Self> {
        let Some(folder) = variable("AURAX_TEST_TLS").map(PathBuf::from) else {
            println!("1 skipped: AURAX_TEST_TLS is not set");
            return None;
        };
        let mut setup = change(Setup::new().configured(hasty));
        setup.tls = Some(TlsFiles {
            certificate: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        });
        let server = Server::with(Kind::Memory, setup).await.unwrap();
        Some(Self { server, folder })
    }

    async fn connect(&self) -> Frames {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(self.folder.join("ca.pem")).unwrap();
        roots.add(ca).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let tcp = TcpStream::connect(self.server.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(name, tcp).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        let mut frames = Frames(stream);
        frames.send(SETTINGS, 0, 0, b"").await.unwrap();
        frames
    }
}

/// A request, without a table.
fn request(method: &str, path: &str) -> Vec<u8> {
    let fields = [
        (":method", method),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", path),
    ];
    let fields = fields.map(|(name, value)| header(name, value));
    fields.concat()
}

fn livez() -> Vec<u8> {
    request("GET", "/livez")
}

fn header(name: &str, value: &str) -> Vec<u8> {
    let mut text = vec![0];
    for part in [name, value] {
        text.push(u8::try_from(part.len()).unwrap());
        text.extend(part.as_bytes());
    }
    text
}

impl Frames {
    async fn send(&mut self, kind: u8, flags: u8, stream: u32, body: &[u8]) -> std::io::Result<()> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(body);
        self.0.write_all(&frame).await?;
        self.0.flush().await
    }

    /// The next frame; `None` when the connection is closed.
    async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut body = vec![0; length.try_into().unwrap()];
        self.0.read_exact(&mut body).await.ok()?;
        Some(Frame {
            kind: head[3],
            stream,
            body,
        })
    }

    /// Asks, and waits for the status: 200 is one byte.
    async fn ask(&mut self, stream: u32) {
        let flags = END_STREAM | END_HEADERS;
        self.send(HEADERS, flags, stream, &livez()).await.unwrap();
        loop {
            let frame = self.next().await.unwrap();
            if frame.kind == HEADERS && frame.stream == stream {
                assert_eq!(frame.body[0], 0x88, "another status");
                return;
            }
        }
    }

    /// Waits for the end, answering every ping meanwhile, and says how long it took and whether
    /// it was announced.
    async fn closed(&mut self) -> (Duration, bool) {
        let begun = SystemClock.monotonic();
        let mut is_told = false;
        let ended = async {
            while let Some(frame) = self.next().await {
                is_told |= frame.kind == GOAWAY;
                if frame.kind == PING && self.send(PING, ACK, 0, &frame.body).await.is_err() {
                    break;
                }
            }
        };
        let limit = Duration::from_secs(20);
        tokio::time::timeout(limit, ended).await.unwrap();
        (SystemClock.monotonic() - begun, is_told)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_answered_and_idles_for_its_time() {
    let Some(secure) = Secure::start().await else {
        return;
    };
    let mut frames = secure.connect().await;
    frames.ask(1).await;
    tokio::time::sleep(HEADER + (KEEP_ALIVE - HEADER) / 4).await;
    // A sign of life is no request.
    frames.send(PING, 0, 0, &[0; 8]).await.unwrap();
    tokio::time::sleep((KEEP_ALIVE - HEADER) / 4).await;
    frames.ask(3).await;
    let (took, is_told) = frames.closed().await;
    assert_after(took, KEEP_ALIVE);
    assert!(is_told);
    secure.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_and_a_head_have_their_time() {
    let Some(secure) = Secure::start().await else {
        return;
    };
    let mut silent = Raw::connect(secure.server.address).await.unwrap();
    assert_after(silent.closed().await.0, HEADER);
    let mut nothing = secure.connect().await;
    assert_after(nothing.closed().await.0, HEADER);
    let mut half = secure.connect().await;
    half.send(HEADERS, END_STREAM, 1, &livez()).await.unwrap();
    assert_after(half.closed().await.0, HEADER);
    secure.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_and_floods_end_the_connection() {
    let Some(secure) = Secure::start().await else {
        return;
    };
    // Headers without an end.
    let mut bomb = secure.connect().await;
    bomb.send(HEADERS, END_STREAM, 1, &livez()).await.unwrap();
    let more: Vec<u8> = (0..60)
        .flat_map(|_| header("x-bomb", &"z".repeat(100)))
        .collect();
    let mut sent = 0;
    while sent < 64 << 20 && bomb.send(CONTINUATION, 0, 1, &more).await.is_ok() {
        sent += more.len();
    }
    println!("cut off after {sent} bytes of headers");
    assert!(sent < 4 << 20, "{sent}");
    bomb.closed().await;
    // Requests that are given up at once.
    let mut flood = secure.connect().await;
    let mut asked = 0;
    for number in 0..50_000 {
        let stream = 2 * number + 1;
        let flags = END_STREAM | END_HEADERS;
        let sent = flood.send(HEADERS, flags, stream, &livez()).await;
        if sent.is_err()
            || flood
                .send(RST_STREAM, 0, stream, &[0, 0, 0, 8])
                .await
                .is_err()
        {
            break;
        }
        asked += 1;
    }
    println!("cut off after {asked} requests that were given up");
    assert!(asked < 50_000);
    let mut after = secure.connect().await;
    after.ask(1).await;
    secure.server.stop().await;
}

/// An answer that is not taken is given up, and others on its connection are not.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_is_given_up() {
    let journal = std::env::temp_dir().join(format!("aurax-upstream-{}", aurax::new_id()));
    let upstream = Upstream::start(&journal).await.unwrap();
    let Some(secure) = Secure::with(|setup| setup.with_openai(upstream.url())).await else {
        return;
    };
    let new = aurax::store::NewUser::new("ada@example.com");
    let user = secure.server.store.admin().add_user(new).await.unwrap();
    let owner = aurax::Principal::new(user.id.to_string());
    let scope = secure.server.store.user(&owner);
    let key = aurax::store::NewAccessKey::new("program");
    let (_, secret) = scope.access_keys().add(key).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "it is shown once")]
    let bearer = format!("Bearer {}", secret.expose());
    let mut frames = secure.connect().await;
    let mut head = request("POST", "/api/chat/completions");
    head.extend(header("authorization", &bearer));
    head.extend(header("content-type", "application/json"));
    let prompt = Prompt::new(aurax::RequestId::new(), [Plan::answer(1_000_000)]).text();
    let body = json!({"model": "openai/gpt-4o-mini", "stream": true,
        "messages": [{"role": "user", "content": prompt}]});
    frames.send(HEADERS, END_HEADERS, 1, &head).await.unwrap();
    let body = body.to_string();
    frames
        .send(DATA, END_STREAM, 1, body.as_bytes())
        .await
        .unwrap();
    let mut taken = 0;
    let given_up = async {
        loop {
            let frame = frames.next().await.unwrap();
            match frame.kind {
                DATA => taken += frame.body.len(),
                HEADERS => assert_eq!(frame.body[0], 0x88, "another status"),
                RST_STREAM => break frame.stream,
                PING => frames.send(PING, ACK, 0, &frame.body).await.unwrap(),
                _ => {}
            }
        }
    };
    let limit = Duration::from_secs(20);
    assert_eq!(tokio::time::timeout(limit, given_up).await.unwrap(), 1);
    assert_eq!(taken, 65_535, "what there was room for");
    until("the call is stopped", limit, || upstream.open() == 0).await;
    frames.ask(3).await;
    secure.server.stop().await;
    std::fs::remove_file(journal).unwrap();
}
