//! What senders see of their target besides its answers: other writers, and its clock.

use std::collections::BTreeMap;

use super::text::{Exposition, Kind};
use crate::leader::{ForeignWrites, SenderInfo, split_sender_id};
use crate::registry::SenderId;

/// Who else writes to the target channels, and how the clocks of source and target differ.
pub(super) fn render(
    exposition: &mut Exposition,
    senders: &[SenderInfo],
    foreign: &BTreeMap<SenderId, ForeignWrites>,
) {
    let help = "messages on the target channel that its sender did not write (cannot be told on RocksMQ)";
    let mut family = exposition.family("harrier_foreign_messages_total", Kind::Counter, help);
    for sender in senders {
        let messages = foreign.get(&sender.sender_id).map_or(0, |writes| writes.messages);
        family.sample(&labels(&sender.sender_id), messages);
    }
    let help = "seconds by which the newest source timestamp that was read lies ahead of the target's clock; \
                from about 2 on the target takes no rows";
    let mut family = exposition.family("harrier_source_ahead_seconds", Kind::Gauge, help);
    for sender in senders {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a clock are far below 2^53")]
        let seconds = sender.source_ahead_ms as f64 / 1000.0;
        family.sample(&labels(&sender.sender_id), seconds);
    }
}

fn labels(sender_id: &str) -> [(&str, &str); 2] {
    let (target_id, target_pchannel) = split_sender_id(sender_id);
    [("target_id", target_id), ("target_pchannel", target_pchannel)]
}
