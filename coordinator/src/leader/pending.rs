//! Reports that wait for the next checkpoint entry: the newest of every sender, and no final word is lost to a newer
//! report that no longer has it.

use std::collections::BTreeMap;

use harrier_proto::harrier::v1::{SenderPhase, SenderReport, ShardReport};

use crate::registry::SenderId;

/// A report and who sent it.
#[derive(Clone, Debug)]
pub(crate) struct PendingReport {
    pub(crate) worker_id: String,
    pub(crate) report: SenderReport,
}

/// Reports by sender, in the order of their making, and the number of the batch that they will be part of.
#[derive(Default)]
pub(crate) struct Pending {
    reports: Reports,
    batch: u64,
}

/// What one batch holds. More than one report of a sender only where an older one tells an end.
pub(crate) type Reports = BTreeMap<SenderId, Vec<PendingReport>>;

impl Pending {
    /// Takes a report in; answers the number of the batch that commits it.
    pub(crate) fn put(&mut self, worker_id: &str, report: SenderReport) -> u64 {
        let reports = self.reports.entry(report.sender_id.clone()).or_default();
        push(reports, PendingReport { worker_id: worker_id.to_owned(), report });
        self.batch
    }

    /// Starts the next batch and hands this one out.
    pub(crate) fn take(&mut self) -> (u64, Reports) {
        let number = self.batch;
        self.batch += 1;
        (number, std::mem::take(&mut self.reports))
    }

    /// A batch was not committed: its reports join the present batch, beneath what has come since.
    pub(crate) fn put_back(&mut self, batch: Reports) {
        for (sender_id, mut reports) in batch {
            for newer in self.reports.remove(&sender_id).unwrap_or_default() {
                push(&mut reports, newer);
            }
            self.reports.insert(sender_id, reports);
        }
    }

    /// The number of the present batch.
    #[cfg(feature = "simulation")]
    pub(crate) const fn batch(&self) -> u64 {
        self.batch
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }
}

/// Whether it says something that the worker will not say again.
pub(crate) fn is_final(report: &SenderReport) -> bool {
    report.phase() == SenderPhase::Stopped || report.shards.iter().any(|shard| shard.r#final)
}

fn push(reports: &mut Vec<PendingReport>, newer: PendingReport) {
    let Some(last) = reports.last_mut() else {
        reports.push(newer);
        return;
    };
    let same_epoch = last.report.epoch == newer.report.epoch && last.worker_id == newer.worker_id;
    if last.report.epoch > newer.report.epoch || (same_epoch && is_behind(&newer.report, &last.report)) {
        return;
    }
    if same_epoch && last.report.input_version == newer.report.input_version {
        let older = std::mem::replace(last, newer);
        keep_shards(last, older.report.shards);
    } else if same_epoch && is_final(&last.report) {
        reports.push(newer);
    } else {
        *last = newer;
    }
}

/// Within one epoch nothing follows the last word, and no older inputs follow newer ones.
fn is_behind(newer: &SenderReport, last: &SenderReport) -> bool {
    let after_last_word = last.phase() == SenderPhase::Stopped && newer.phase() != SenderPhase::Stopped;
    after_last_word || newer.input_version < last.input_version
}

/// A report may leave out shards that did not move, and does not repeat an end.
fn keep_shards(newer: &mut PendingReport, older: Vec<ShardReport>) {
    for shard in older {
        match newer.report.shards.iter_mut().find(|newer| newer.shard_id == shard.shard_id) {
            Some(newer) if shard.r#final && !newer.r#final => *newer = shard,
            Some(_) => {}
            None => newer.report.shards.push(shard),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn shard(id: &str, confirmed: u64, is_final: bool) -> ShardReport {
        ShardReport { shard_id: id.to_owned(), confirmed, r#final: is_final, ..ShardReport::default() }
    }

    fn report(epoch: u64, input_version: u64, phase: SenderPhase, shards: Vec<ShardReport>) -> SenderReport {
        SenderReport {
            sender_id: "s".to_owned(),
            epoch,
            input_version,
            phase: phase.into(),
            shards,
            ..SenderReport::default()
        }
    }

    fn only(pending: &mut Pending) -> SenderReport {
        let mut reports = pending.take().1.remove("s").unwrap();
        assert_eq!(reports.len(), 1);
        reports.remove(0).report
    }

    #[test]
    fn the_newest_counts() {
        let mut pending = Pending::default();
        pending.put("w", report(1, 1, SenderPhase::Running, vec![shard("a", 1, false)]));
        pending.put("w", report(1, 1, SenderPhase::Running, vec![shard("a", 2, false)]));
        assert_eq!(only(&mut pending).shards, [shard("a", 2, false)]);
        assert!(pending.is_empty());
    }

    #[test]
    fn the_end_of_a_shard_survives_reports_without_it() {
        let mut pending = Pending::default();
        pending.put("w", report(1, 1, SenderPhase::Running, vec![shard("a", 5, true), shard("b", 1, false)]));
        pending.put("w", report(1, 1, SenderPhase::Running, vec![shard("b", 2, false)]));
        pending.put("w", report(1, 2, SenderPhase::Running, vec![shard("c", 1, false)]));
        pending.put("w", report(1, 2, SenderPhase::Running, vec![shard("c", 2, false)]));
        let reports = pending.take().1.remove("s").unwrap();
        let told: Vec<_> = reports.into_iter().map(|pending| pending.report.shards).collect();
        assert_eq!(told, [vec![shard("b", 2, false), shard("a", 5, true)], vec![shard("c", 2, false)]]);
    }

    #[test]
    fn the_last_word_of_an_epoch_stands() {
        let mut pending = Pending::default();
        pending.put("w", report(1, 1, SenderPhase::Stopped, vec![]));
        pending.put("w", report(1, 1, SenderPhase::Running, vec![]));
        assert_eq!(only(&mut pending).phase(), SenderPhase::Stopped);
        pending.put("w", report(1, 1, SenderPhase::Stopped, vec![]));
        pending.put("v", report(2, 1, SenderPhase::Starting, vec![]));
        pending.put("w", report(1, 1, SenderPhase::Running, vec![]));
        assert_eq!(only(&mut pending).epoch, 2);
    }

    #[test]
    fn what_was_not_committed_joins_the_next_batch_beneath_newer_reports() {
        let mut pending = Pending::default();
        let first = pending.put("w", report(1, 1, SenderPhase::Running, vec![shard("a", 1, true)]));
        let (number, taken) = pending.take();
        assert_eq!(number, first);
        let second = pending.put("w", report(1, 1, SenderPhase::Running, vec![shard("b", 2, false)]));
        assert_eq!(second, first + 1);
        pending.put_back(taken);
        assert_eq!(only(&mut pending).shards, [shard("b", 2, false), shard("a", 1, true)]);
    }
}
