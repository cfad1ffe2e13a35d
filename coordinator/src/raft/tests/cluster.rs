//! Several registries on real ports of this machine. Between any two of them the calls go through a gate that the test
//! can close: then connections break and new ones are refused, as after a cut.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::grpc;
use crate::leader::Sessions;
use crate::registry::Reply;
use crate::serving::Serving;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// One node: its folder outlives its process.
pub(super) struct Node {
    pub(super) id: u64,
    pub(super) folder: TempDir,
    /// What the others call: the gate in front of the node.
    pub(super) gate: Gate,
    listening: SocketAddr,
    running: Option<(Registry, Serving)>,
}

/// A port that passes everything on to another one while it is open.
pub(super) struct Gate {
    pub(super) address: SocketAddr,
    open: watch::Sender<bool>,
    passing: JoinHandle<()>,
}

impl Gate {
    pub(super) async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, is_open) = watch::channel(true);
        let passing = tokio::spawn(async move {
            while let Ok((mut inner, _)) = listener.accept().await {
                let mut is_open = is_open.clone();
                tokio::spawn(async move {
                    if !*is_open.borrow() {
                        return;
                    }
                    let Ok(mut outer) = TcpStream::connect(to).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut inner, &mut outer) => {}
                        _ = is_open.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { address, open, passing }
    }

    pub(super) fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.passing.abort();
    }
}

impl Node {
    pub(super) async fn new(id: u64) -> Self {
        // Keeps its port over restarts, as a configured node does.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listening = listener.local_addr().unwrap();
        let gate = Gate::start(listening).await;
        Self { id, folder: tempfile::tempdir().unwrap(), gate, listening, running: None }
    }

    pub(super) fn options(&self) -> RaftOptions {
        RaftOptions {
            node_id: self.id,
            bootstrap: false,
            peer: Peer {
                grpc_address: self.gate.address.to_string(),
                http_address: format!("127.0.0.1:{}", self.id),
            },
            secret: Some(secret()),
            election_ms_min: 200,
            election_ms_max: 400,
            heartbeat_ms: 60,
            propose_timeout_ms: 3_000,
            ..options(self.folder.path())
        }
    }

    pub(super) async fn start(&mut self, bootstrap: bool) -> &Registry {
        let registry = Registry::open(RaftOptions { bootstrap, ..self.options() }).await.unwrap();
        self.serve(registry).await
    }

    pub(super) async fn serve(&mut self, registry: Registry) -> &Registry {
        let listener = TcpListener::bind(self.listening).await.unwrap();
        let (_, nobody) = watch::channel(None);
        let services = grpc::Services {
            sessions: Sessions::new(nobody, registry.clone()),
            members: registry.member_service(),
            secret: Some(secret()),
        };
        let serving = grpc::serve(listener, services).unwrap();
        &self.running.insert((registry, serving)).0
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.running.as_ref().expect("the node runs").0
    }

    pub(super) fn runs(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn address(&self) -> String {
        self.gate.address.to_string()
    }

    /// The process ends; nothing more is said.
    pub(super) async fn stop(&mut self) {
        let (registry, serving) = self.running.take().expect("the node runs");
        serving.stop(Duration::ZERO).await;
        registry.shutdown().await;
    }
}

/// A group by node id.
pub(super) struct Group {
    pub(super) nodes: BTreeMap<u64, Node>,
}

impl Group {
    /// A founder and those that it adds.
    pub(super) async fn of(count: u64) -> Self {
        let mut founder = Node::new(1).await;
        leads(founder.start(true).await).await;
        let mut group = Self { nodes: BTreeMap::from([(1, founder)]) };
        for id in 2..=count {
            group.join(id).await;
        }
        group
    }

    /// Starts a node with an empty folder and adds it.
    pub(super) async fn join(&mut self, id: u64) {
        let mut node = Node::new(id).await;
        node.start(false).await;
        let leader = self.leader().await;
        let added = self.nodes[&leader].registry().add_member(&node.address(), PATIENCE).await.unwrap();
        assert!(added.voter && added.node_id == id, "{added:?}");
        self.nodes.insert(id, node);
    }

    /// The node that leads, as most of those that run see it and as it can show.
    pub(super) async fn leader(&self) -> u64 {
        self.leader_other_than(0).await
    }

    pub(super) async fn leader_other_than(&self, former: u64) -> u64 {
        let begin = Instant::now();
        loop {
            for (id, node) in self.nodes.iter().filter(|(id, node)| **id != former && node.runs()) {
                if node.registry().leadership().borrow().is_some()
                    && node.registry().linearizable().await.is_ok()
                {
                    return *id;
                }
            }
            assert!(begin.elapsed() < PATIENCE, "nobody leads");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) fn node(&self, id: u64) -> &Node {
        &self.nodes[&id]
    }

    pub(super) fn node_mut(&mut self, id: u64) -> &mut Node {
        self.nodes.get_mut(&id).unwrap()
    }

    /// Proposes at whoever leads until it is done.
    pub(super) async fn create(&self, task_id: &str) {
        let begin = Instant::now();
        loop {
            let leader = self.leader().await;
            match self.node(leader).registry().propose(samples::create_task(task_id)).await {
                Ok(Reply::Done | Reply::Existing(_)) => return,
                other => assert!(begin.elapsed() < PATIENCE, "{other:?}"),
            }
        }
    }

    pub(super) async fn until_all_have(&self, task_id: &str) {
        for node in self.nodes.values().filter(|node| node.runs()) {
            wait(|| node.registry().read(|state| state.tasks.contains_key(task_id))).await;
        }
    }

    pub(super) async fn stop(mut self) {
        for node in self.nodes.values_mut().filter(|node| node.runs()) {
            node.stop().await;
        }
    }
}

/// Whether all have applied the same.
pub(super) fn same_state(nodes: &[&Node]) -> bool {
    let states: Vec<Arc<State>> =
        nodes.iter().map(|node| Arc::new(node.registry().read(State::clone))).collect();
    states.windows(2).all(|pair| pair[0] == pair[1])
}
