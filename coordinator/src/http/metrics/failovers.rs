//! Why senders changed their owners, what could not be known of targets, and which coordinators answer.

use std::collections::BTreeMap;

use super::text::{Exposition, Kind};
use crate::leader::{FailoverCounts, split_sender_id};
use crate::raft::MemberInfo;
use crate::registry::SenderId;

/// Counters of this leader.
pub(super) fn render(
    exposition: &mut Exposition,
    failovers: &FailoverCounts,
    windows: &BTreeMap<SenderId, u64>,
) {
    let help = "senders that got another owner, or a new assignment, by cause, since this coordinator leads";
    let mut family = exposition.family("harrier_failovers_total", Kind::Counter, help);
    for (cause, count) in failovers {
        family.sample(&[("cause", cause.as_str())], *count);
    }
    let help = "times that the sender could not know what the target has, and sent it again";
    let mut family = exposition.family("harrier_uncertain_windows_total", Kind::Counter, help);
    for (sender_id, opened) in windows {
        let (target_id, target_pchannel) = split_sender_id(sender_id);
        family.sample(&[("target_id", target_id), ("target_pchannel", target_pchannel)], *opened);
    }
}

/// The other members, as the leader sees them.
pub(super) fn members(exposition: &mut Exposition, members: &[MemberInfo], last_log_index: u64) {
    let help = "entries of the leader's log that the member is not known to have";
    let mut family = exposition.family("harrier_raft_member_behind", Kind::Gauge, help);
    for member in members {
        if let Some(matched) = member.matched_index {
            let behind = last_log_index.saturating_sub(matched);
            family.sample(&[("node_id", &member.node_id.to_string())], behind);
        }
    }
    let help = "1 when the member answers the leader";
    let mut family = exposition.family("harrier_raft_member_reachable", Kind::Gauge, help);
    for member in members {
        if let Some(contact) = member.contact {
            family.sample(&[("node_id", &member.node_id.to_string())], u8::from(contact.answers));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::text::Exposition;
    use super::render;
    use crate::leader::FailoverCause;

    #[test]
    fn every_cause_is_there_and_windows_are_by_channel() {
        let mut failovers: BTreeMap<_, u64> =
            FailoverCause::ALL.into_iter().map(|cause| (cause, 0)).collect();
        failovers.insert(FailoverCause::Drained, 3);
        let windows = BTreeMap::from([("t/p".to_owned(), 2)]);
        let mut exposition = Exposition::new(100);
        render(&mut exposition, &failovers, &windows);
        let text = exposition.finish();
        for line in [
            r#"harrier_failovers_total{cause="lease_expired"} 0"#,
            r#"harrier_failovers_total{cause="drained"} 3"#,
            r#"harrier_uncertain_windows_total{target_id="t",target_pchannel="p"} 2"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
