//! CPU a call, beside async-openai and genai, over loopback: one by one and 64 at once.
//!
//! The upstream is a process of its own, so what is measured is the client alone.

mod clients;
#[path = "../../measure/mod.rs"]
mod measure;
mod upstream;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use clients::{AsyncOpenAi, Aurax, Client, GenAi};
use futures::StreamExt as _;
use tokio::runtime::Runtime;

const AT_ONCE: usize = 64;

fn main() {
    let runtime = Runtime::new().unwrap();
    if std::env::args().any(|argument| argument == "--upstream") {
        runtime.block_on(upstream::serve()).unwrap();
        return;
    }
    let (mut upstream, origin) = start();
    let aurax = Aurax::new(&origin);
    let peers: [(&str, Box<dyn Client>); 2] = [
        ("async-openai", Box::new(AsyncOpenAi::new(&origin))),
        ("genai", Box::new(GenAi::new(&origin))),
    ];
    println!("peers over loopback, {}", measure::unit());
    for (what, streams, at_once, calls) in [
        ("whole call, one by one", false, 1, 500),
        ("whole call, 64 at once", false, AT_ONCE, 4_000),
        ("stream of 64 chunks, 64 at once", true, AT_ONCE, 1_000),
    ] {
        let run = |client: &dyn Client| round(&runtime, client, streams, at_once, calls);
        let count = calls as u64;
        let mut subjects: Vec<(&str, Box<dyn FnMut() + '_>)> =
            vec![("aurax", Box::new(|| run(&aurax)))];
        for (name, peer) in &peers {
            subjects.push((name, Box::new(|| run(peer.as_ref()))));
        }
        let mut turns: Vec<(&str, u64, &mut dyn FnMut())> = subjects
            .iter_mut()
            .map(|(name, work)| (*name, count, work.as_mut() as &mut dyn FnMut()))
            .collect();
        let medians = measure::interleaved(&mut turns);
        for ((name, _, _), nanos) in turns.iter().zip(&medians) {
            measure::report(&format!("{what}: {name}"), nanos / 1_000.0, "µs", "");
        }
        for (name, peer) in &peers {
            let ratio = measure::ratio(&mut || run(&aurax), &mut || run(peer.as_ref()));
            let aim = if *name == "async-openai" { "≤ 1" } else { "" };
            measure::report(&format!("{what}: aurax / {name}"), ratio, "", aim);
        }
    }
    upstream.kill().unwrap();
    upstream.wait().unwrap();
}

fn start() -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("--upstream")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let out = child.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    (child, format!("http://{}", line.trim()))
}

fn round(runtime: &Runtime, client: &dyn Client, streams: bool, at_once: usize, calls: usize) {
    runtime.block_on(async {
        let answers = futures::stream::iter(0..calls)
            .map(|_| client.call(streams))
            .buffer_unordered(at_once);
        let read: Vec<usize> = answers.collect().await;
        assert!(read.iter().all(|bytes| *bytes > 40), "an answer is missing");
    });
}
