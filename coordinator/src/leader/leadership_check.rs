//! Whether this node still leads, asked once for many.
//!
//! A leader that was cut off does not know that it is deposed. So everything that tells a worker what it may do
//! waits for a round of the group that began after the question came. One round is under way at a time; what comes
//! meanwhile shares the next one.

use std::future::Future;

use tokio::sync::{mpsc, oneshot};

/// Questions that may wait at once; more than workers can ask.
const WAITING_MAX: usize = 16_384;

/// This node could not show that it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this coordinator does not lead at present: try again, or another one")]
pub(crate) struct NotLeading;

/// Where to ask.
#[derive(Clone)]
pub(crate) struct LeadershipCheck {
    questions: mpsc::Sender<oneshot::Sender<bool>>,
}

/// The questions to be answered by [`Questions::answer`].
pub(crate) struct Questions(mpsc::Receiver<oneshot::Sender<bool>>);

impl LeadershipCheck {
    pub(crate) fn new() -> (Self, Questions) {
        let (questions, asked) = mpsc::channel(WAITING_MAX);
        (Self { questions }, Questions(asked))
    }

    /// Waits for a round that begins after this call.
    pub(crate) async fn confirm(&self) -> Result<(), NotLeading> {
        let (answer, answered) = oneshot::channel();
        self.questions.try_send(answer).map_err(|_| NotLeading)?;
        match answered.await {
            Ok(true) => Ok(()),
            _ => Err(NotLeading),
        }
    }
}

impl Questions {
    /// Runs a round whenever somebody waits, until nobody can ask any more.
    pub(crate) async fn answer<F, R>(mut self, round: F)
    where
        F: Fn() -> R,
        R: Future<Output = bool>,
    {
        let mut waiting = Vec::new();
        while self.0.recv_many(&mut waiting, WAITING_MAX).await > 0 {
            let leads = round().await;
            for answer in waiting.drain(..) {
                // Whoever asked may have gone.
                let _ = answer.send(leads);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn many_share_a_round_that_began_after_they_asked() {
        let (check, questions) = LeadershipCheck::new();
        let rounds = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(Semaphore::new(0));
        tokio::spawn({
            let (rounds, gate) = (Arc::clone(&rounds), Arc::clone(&gate));
            questions.answer(move || {
                rounds.fetch_add(1, Ordering::SeqCst);
                let gate = Arc::clone(&gate);
                async move {
                    gate.acquire().await.unwrap().forget();
                    true
                }
            })
        });
        let ask = || {
            tokio::spawn({
                let check = check.clone();
                async move { check.confirm().await }
            })
        };
        let first = ask();
        while rounds.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let later: Vec<_> = (0..50).map(|_| ask()).collect();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        gate.add_permits(1);
        assert_eq!(first.await.unwrap(), Ok(()));
        assert!(later.iter().all(|waiting| !waiting.is_finished()), "the round under way is not theirs");
        gate.add_permits(1);
        for waiting in later {
            assert_eq!(waiting.await.unwrap(), Ok(()));
        }
        assert_eq!(rounds.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn without_leadership_or_anybody_to_answer_it_is_an_error() {
        let (check, questions) = LeadershipCheck::new();
        let answering = tokio::spawn(questions.answer(|| async { false }));
        assert_eq!(check.confirm().await, Err(NotLeading));
        answering.abort();
        let _ = answering.await;
        assert_eq!(check.confirm().await, Err(NotLeading));
    }
}
