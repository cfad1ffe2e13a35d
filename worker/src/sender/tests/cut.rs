//! A sender whose way to the target is cut: what is on its way is held, and arrives when the way is open again.

use std::sync::OnceLock;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;

/// A way to a server that is named later; cut at first.
struct Cable {
    uri: String,
    server: Arc<OnceLock<String>>,
    cut: watch::Sender<bool>,
}

impl Cable {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let (cut, server) = (watch::Sender::new(true), Arc::new(OnceLock::<String>::new()));
        let (state, name) = (cut.subscribe(), server.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(name.get().unwrap()).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(pump(from_client, to_server, state.clone()));
                tokio::spawn(pump(from_server, to_client, state.clone()));
            }
        });
        Self { uri, server, cut }
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut cut: watch::Receiver<bool>) {
    let mut buffer = [0; 4096];
    while let Ok(count) = from.read(&mut buffer).await
        && count > 0
    {
        if cut.wait_for(|cut| !cut).await.is_err() || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// It waited for the answer of a call that nobody gives, for as long as calls may take; and then its successor waited
/// for a lease, because it had said no last word.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_no_target_that_is_not_reached() {
    let cable = Cable::new().await;
    let mut bench = Bench::start_as(13, Mood::Well, 0, |assignment, config| {
        let target = assignment.target.as_mut().unwrap();
        cable.server.set(target.uri.trim_start_matches("http://").to_owned()).unwrap();
        target.uri.clone_from(&cable.uri);
        config.call_timeout_ms = 30_000;
        (config.reach_silence_ms, config.reach_probe_timeout_ms) = (100, 300);
    })
    .await;
    let says_so = |bench: &Bench| {
        bench.sender.report().error.is_some_and(|error| error.message.contains("does not answer this worker"))
    };
    bench.beat_until("the reason", says_so).await;
    let horizon = bench.sender.report().wanted_horizon;
    let asked = tokio::time::Instant::now();
    let last_word = bench.sender.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(last_word.phase(), SenderPhase::Abandoned);
    assert!(last_word.shards.is_empty(), "nothing of it is certain");
    assert_eq!(bench.calls(), 0);

    // What it had on its way arrives; the successor begins as after a crash, and nothing is there twice.
    let assignment = SenderAssignment { epoch: 2, unclean: true, horizon, ..bench.assignment.clone() };
    bench.sender = spawn(assignment, bench.context.clone());
    cable.cut.send_replace(false);
    bench.beat_until("everything to be done with", Bench::is_at_rest).await;
    bench.beat_until("the rows", Bench::is_equal).await;
}
