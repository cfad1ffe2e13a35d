//! What happened in a history: whoever reads that ten thousand of them went well wants to know what they went through.

use std::fmt;

/// Of one history, or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Histories.
    pub histories: u64,
    /// Virtual time, in milliseconds.
    pub virtual_ms: u64,
    /// Faults.
    pub faults: u64,
    /// Terms of leaders.
    pub tenures: u64,
    /// Entries that the group has decided.
    pub decided: u64,
    /// Calls to targets.
    pub calls: u64,
    /// Calls that were executed after everybody had given them up.
    pub late_calls: u64,
    /// Senders that were given up at a worker that was cut off from their target.
    pub abandoned: u64,
    /// Backups that were restored.
    pub restores: u64,
    /// The same for the same history, and hardly ever for another one.
    pub digest: u64,
}

impl Counts {
    /// Adds another history's.
    pub fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.virtual_ms += other.virtual_ms;
        self.faults += other.faults;
        self.tenures += other.tenures;
        self.decided += other.decided;
        self.calls += other.calls;
        self.late_calls += other.late_calls;
        self.abandoned += other.abandoned;
        self.restores += other.restores;
        // In any order.
        self.digest ^= other.digest;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { faults, tenures, decided, calls, late_calls, abandoned, restores, .. } = self;
        let seconds = self.virtual_ms / 1_000;
        write!(
            f,
            "{seconds} virtual seconds, {faults} faults, {tenures} terms, {decided} entries, {calls} calls, \
             {late_calls} executed late, {abandoned} senders abandoned, {restores} backups restored"
        )
    }
}
