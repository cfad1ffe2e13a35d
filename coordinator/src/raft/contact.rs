//! Which other members answer, and since when. Only a leader calls them all the time, so only it knows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::types::NodeId;

/// A member that is only slow is no news.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// Whether a member answers this node's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberContact {
    /// It answered the last call.
    pub answers: bool,
    /// For how long it has answered every call, or none.
    pub since: Duration,
    /// How long ago it answered last; `None`: never.
    pub last_answer: Option<Duration>,
}

/// The members that were called. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Contacts {
    members: Arc<Mutex<BTreeMap<NodeId, Contact>>>,
}

struct Contact {
    answers: bool,
    since: Instant,
    last_answer: Option<Instant>,
    /// What was told to the operator of the present trouble.
    told: Option<String>,
}

impl Contacts {
    pub(super) fn of(&self, member: NodeId, now: Instant) -> Option<MemberContact> {
        let members = self.lock();
        let contact = members.get(&member)?;
        let ago = |then: Instant| now.saturating_duration_since(then);
        Some(MemberContact {
            answers: contact.answers,
            since: ago(contact.since),
            last_answer: contact.last_answer.map(ago),
        })
    }

    /// The member answered. The operator hears of it where it was told of a trouble.
    pub(super) fn note_answer(&self, member: NodeId, address: &str, now: Instant) {
        let mut members = self.lock();
        let contact = members.entry(member).or_insert_with(|| Contact::new(true, now));
        if !contact.answers {
            (contact.answers, contact.since) = (true, now);
        }
        contact.last_answer = Some(now);
        if contact.told.take().is_some() {
            tracing::info!(member, address, "member answers again");
        }
    }

    /// The member did not answer. The operator is told of each trouble once, when it lasts.
    pub(super) fn note_failure(&self, member: NodeId, address: &str, what: &str, now: Instant) {
        let mut members = self.lock();
        let contact = members.entry(member).or_insert_with(|| Contact::new(false, now));
        if contact.answers {
            (contact.answers, contact.since) = (false, now);
        }
        let lasts = now.saturating_duration_since(contact.since) >= TELL_AFTER;
        if lasts && contact.told.as_deref() != Some(what) {
            tracing::warn!(member, address, error = what, "member does not answer");
            contact.told = Some(what.to_owned());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Contact>> {
        // Nothing is left half done under this lock.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contact {
    const fn new(answers: bool, now: Instant) -> Self {
        Self { answers, since: now, last_answer: None, told: None }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn an_answer_or_its_absence_counts_from_the_first_of_a_row() {
        let (contacts, begin) = (Contacts::default(), Instant::now());
        let at = |ms| begin + Duration::from_millis(ms);
        assert_eq!(contacts.of(2, at(0)), None, "it was never called");
        contacts.note_failure(2, "two:1", "refused", at(0));
        contacts.note_failure(2, "two:1", "refused", at(300));
        let failing = contacts.of(2, at(400)).unwrap();
        assert_eq!((failing.answers, failing.since.as_millis(), failing.last_answer), (false, 400, None));

        contacts.note_answer(2, "two:1", at(500));
        contacts.note_answer(2, "two:1", at(600));
        let answering = contacts.of(2, at(700)).unwrap();
        assert_eq!((answering.answers, answering.since.as_millis()), (true, 200));
        assert_eq!(answering.last_answer.unwrap().as_millis(), 100);

        contacts.note_failure(2, "two:1", "refused", at(800));
        let again = contacts.of(2, at(900)).unwrap();
        assert_eq!((again.answers, again.since.as_millis()), (false, 100));
        assert_eq!(again.last_answer.unwrap().as_millis(), 300);
        assert_eq!(contacts.of(3, at(900)), None);
    }
}
