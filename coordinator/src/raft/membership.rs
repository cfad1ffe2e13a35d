//! Who is in the group, and how it changes: one member at a time, decided by the leader.
//!
//! A new node is asked who it is, admitted (its empty folder belongs to the group from then on), follows as a learner
//! until it has caught up, and only then votes. A node id that was ever a member is never given again: whoever votes
//! under it must remember what it voted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::future::join_all;
use harrier_proto::harrier::v1::{AdmitRequest, DescribeReply, DescribeRequest};
use openraft::ChangeMembers;
use openraft::error::{ClientWriteError, RaftError};
use tonic::{Request, Status};

use super::registry::{Registry, not_leader, stopped};
use super::types::NodeId;
use super::{MemberContact, MembershipError, Peer, ProposeError};

/// How long one question to a node may take.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// How often it is looked whether a new member has caught up.
const CATCH_UP_LOOK: Duration = Duration::from_millis(20);
/// Entries that a new voter may be behind: it gets them while the others decide.
const BEHIND_MAX: u64 = 64;

/// One member, as the group knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberInfo {
    /// Its number.
    pub node_id: u64,
    /// Its addresses.
    pub peer: Peer,
    /// It takes part in elections and decisions; false: it follows and is catching up.
    pub voter: bool,
    /// It leads, as far as this node knows.
    pub leader: bool,
    /// Newest log entry that it is known to have; only the leader knows that of others.
    pub matched_index: Option<u64>,
    /// Whether it answers this node; `None` where this node does not call it, as only a leader does.
    pub contact: Option<MemberContact>,
}

impl Registry {
    /// The members as this node knows them, in the order of their numbers.
    pub fn members(&self) -> Vec<MemberInfo> {
        let metrics = self.inner.raft.metrics().borrow().clone();
        let membership = metrics.membership_config.membership();
        let now = Instant::now();
        let voters: BTreeSet<NodeId> = membership.voter_ids().collect();
        let matched = |node_id| {
            let replication = metrics.replication.as_ref()?;
            replication.get(&node_id).copied().flatten().map(|log_id| log_id.index)
        };
        let info = |(node_id, peer): (&NodeId, &Peer)| MemberInfo {
            node_id: *node_id,
            peer: peer.clone(),
            voter: voters.contains(node_id),
            leader: metrics.current_leader == Some(*node_id),
            matched_index: matched(*node_id),
            contact: self.inner.contacts.of(*node_id, now).filter(|_| metrics.replication.is_some()),
        };
        membership.nodes().map(info).collect()
    }

    /// Adds the node at this gRPC address, waits at most `catch_up` until it has what the group has, and lets it vote.
    /// Repeating it goes on where an earlier attempt ended; for a member that moved it records the new address.
    pub async fn add_member(
        &self,
        grpc_address: &str,
        catch_up: Duration,
    ) -> Result<MemberInfo, MembershipError> {
        let _alone = self.inner.changing_members.try_lock().map_err(|_| MembershipError::Busy)?;
        self.linearizable().await?;
        self.client(grpc_address)?;
        self.check_own_address(grpc_address)?;
        let found = self.ask(grpc_address).await?;
        let node_id = found.node_id;
        let peer = Peer { grpc_address: grpc_address.to_owned(), http_address: found.http_address.clone() };
        self.prepare(&found, &peer).await?;
        self.until_caught_up(node_id, catch_up).await?;
        self.change(ChangeMembers::AddVoterIds(BTreeSet::from([node_id])), true).await?;
        tracing::info!(node_id, grpc_address, "member added");
        let added = self.members().into_iter().find(|member| member.node_id == node_id);
        added.ok_or(MembershipError::Group(ProposeError::Unavailable {
            reason: format!("node {node_id} was removed meanwhile"),
        }))
    }

    /// Takes a member out of the group. One that was taken out already is fine.
    pub async fn remove_member(&self, node_id: u64) -> Result<(), MembershipError> {
        let _alone = self.inner.changing_members.try_lock().map_err(|_| MembershipError::Busy)?;
        self.linearizable().await?;
        let members = self.members();
        let Some(member) = members.iter().find(|member| member.node_id == node_id) else {
            let was_one = self.read(|state| state.member_ids.contains(&node_id));
            return if was_one { Ok(()) } else { Err(MembershipError::NotAMember { node_id }) };
        };
        if member.voter {
            let remaining: Vec<_> =
                members.iter().filter(|other| other.voter && other.node_id != node_id).collect();
            self.check_majority(&remaining).await?;
            self.change(ChangeMembers::RemoveVoters(BTreeSet::from([node_id])), false).await?;
        } else {
            self.change(ChangeMembers::RemoveNodes(BTreeSet::from([node_id])), false).await?;
        }
        tracing::info!(node_id, "member removed");
        Ok(())
    }

    /// Makes the node known to the group, and the group to the node.
    async fn prepare(&self, found: &DescribeReply, peer: &Peer) -> Result<(), MembershipError> {
        let node_id = found.node_id;
        let own = self.inner.identity.cluster_id().unwrap_or_default();
        if !found.cluster_id.is_empty() && found.cluster_id != own {
            return Err(MembershipError::OtherCluster {
                address: peer.grpc_address.clone(),
                cluster_id: found.cluster_id.clone(),
            });
        }
        let known = self.members().into_iter().find(|member| member.node_id == node_id);
        match known {
            Some(_) if found.cluster_id.is_empty() => Err(MembershipError::LostData { node_id }),
            Some(member) if member.peer == *peer => Ok(()),
            Some(_) => {
                // It has its folder, so it is the same member at another address.
                self.change(ChangeMembers::SetNodes(BTreeMap::from([(node_id, peer.clone())])), true).await
            }
            None if self.read(|state| state.member_ids.contains(&node_id)) => {
                Err(MembershipError::IdUsed { node_id })
            }
            None => {
                let admit = AdmitRequest { cluster_id: own.to_owned(), node_id };
                let mut client = self.client(&peer.grpc_address)?;
                let answer = tokio::time::timeout(ASK_TIMEOUT, client.admit(admit)).await;
                answer
                    .map_err(|_| no_answer(&peer.grpc_address))
                    .and_then(|answer| answer.map_err(|status| unreachable(&peer.grpc_address, &status)))?;
                let node = BTreeMap::from([(node_id, peer.clone())]);
                self.change(ChangeMembers::AddNodes(node), true).await
            }
        }
    }

    /// The others must be able to call this node where the group says it is.
    fn check_own_address(&self, other: &str) -> Result<(), MembershipError> {
        let own = &self.inner.peer.grpc_address;
        if !self.inner.has_secret {
            return Err(MembershipError::NoSecret);
        }
        let parsed = own.parse::<SocketAddr>().ok().map(|address| address.ip());
        let others_host = is_loopback(other);
        let cannot_be_called =
            parsed.is_some_and(|ip| ip.is_unspecified() || (ip.is_loopback() && !others_host));
        if own.is_empty() || cannot_be_called {
            return Err(MembershipError::OwnAddress { address: own.clone() });
        }
        Ok(())
    }

    async fn until_caught_up(&self, node_id: NodeId, limit: Duration) -> Result<(), MembershipError> {
        let begin = Instant::now();
        loop {
            let metrics = self.inner.raft.metrics().borrow().clone();
            let Some(replication) = metrics.replication else {
                return Err(not_leader_now());
            };
            let matched = replication.get(&node_id).copied().flatten().map(|log_id| log_id.index);
            let last = metrics.last_log_index.unwrap_or(0);
            if matched.is_some_and(|matched| matched + BEHIND_MAX >= last) {
                return Ok(());
            }
            if begin.elapsed() >= limit {
                return Err(MembershipError::Behind { node_id, matched: matched.unwrap_or(0), last });
            }
            tokio::time::sleep(CATCH_UP_LOOK).await;
        }
    }

    /// Without it the group could not decide anything any more, not even to take the change back.
    async fn check_majority(&self, remaining: &[&MemberInfo]) -> Result<(), MembershipError> {
        if remaining.is_empty() {
            return Err(MembershipError::LastVoter);
        }
        let own = self.inner.identity.node_id();
        let asked = join_all(remaining.iter().map(async |member| {
            let answer = self.ask(&member.peer.grpc_address).await;
            let lives = member.node_id == own
                || answer.is_ok_and(|found| found.node_id == member.node_id && !found.cluster_id.is_empty());
            (member.node_id, lives)
        }))
        .await;
        let silent: Vec<NodeId> =
            asked.iter().filter(|(_, lives)| !lives).map(|(node_id, _)| *node_id).collect();
        if (remaining.len() - silent.len()) * 2 > remaining.len() {
            Ok(())
        } else {
            Err(MembershipError::NoMajority { silent })
        }
    }

    async fn ask(&self, address: &str) -> Result<DescribeReply, MembershipError> {
        let mut client = self.client(address)?;
        let mut request = Request::new(DescribeRequest {});
        request.set_timeout(ASK_TIMEOUT);
        match tokio::time::timeout(ASK_TIMEOUT, client.describe(request)).await {
            Ok(Ok(found)) => Ok(found.into_inner()),
            Ok(Err(status)) => Err(unreachable(address, &status)),
            Err(_) => Err(no_answer(address)),
        }
    }

    fn client(&self, address: &str) -> Result<super::channels::Client, MembershipError> {
        let client = self.inner.channels.client(address);
        client.map_err(|error| MembershipError::Address { problem: error.to_string() })
    }

    async fn change(&self, change: ChangeMembers<NodeId, Peer>, retain: bool) -> Result<(), MembershipError> {
        let changed = self.inner.raft.change_membership(change, retain);
        let error = match tokio::time::timeout(self.inner.timeout, changed).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward)))) => not_leader(forward),
            Ok(Err(RaftError::APIError(error))) => ProposeError::Unavailable { reason: error.to_string() },
            Ok(Err(RaftError::Fatal(fatal))) => stopped(&fatal),
            Err(_) => self.too_late(),
        };
        Err(error.into())
    }

    /// Records where this node is, if the group knows another address. Only the leader can.
    pub(super) async fn keep_own_address(&self) -> Result<(), MembershipError> {
        let node_id = self.inner.identity.node_id();
        let known = self.members().into_iter().find(|member| member.node_id == node_id);
        if known.is_none_or(|member| member.peer == self.inner.peer) {
            return Ok(());
        }
        let _alone = self.inner.changing_members.lock().await;
        let own = BTreeMap::from([(node_id, self.inner.peer.clone())]);
        self.change(ChangeMembers::SetNodes(own), true).await
    }
}

fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn not_leader_now() -> MembershipError {
    ProposeError::NotLeader { leader: None, http_address: None }.into()
}

fn no_answer(address: &str) -> MembershipError {
    let problem = format!("no answer within {} s", ASK_TIMEOUT.as_secs());
    MembershipError::Unreachable { address: address.to_owned(), problem }
}

fn unreachable(address: &str, status: &Status) -> MembershipError {
    MembershipError::Unreachable { address: address.to_owned(), problem: status.message().to_owned() }
}
