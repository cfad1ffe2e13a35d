#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use harrier_milvus::reach::Answer;
use harrier_proto::harrier::v1::{Look, TargetConnection};
use proptest::prelude::*;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::sight::{Limits, Report, Sight};
use super::{Reach, Sign};
use crate::config::WorkerConfig;

const LIMITS: Limits = Limits {
    silence: Duration::from_millis(700),
    probe_timeout: Duration::from_millis(700),
    probe_interval: Duration::from_millis(1_000),
    forget: Duration::from_secs(600),
};

struct Place {
    begin: Instant,
    sight: Sight,
}

impl Place {
    fn new() -> Self {
        let begin = Instant::now();
        Self { begin, sight: Sight::new(begin) }
    }

    fn at(&self, ms: u64) -> Instant {
        self.begin + Duration::from_millis(ms)
    }

    /// When the next look is due, in milliseconds.
    fn due(&self, now_ms: u64) -> Option<u64> {
        let due = self.sight.due(self.at(now_ms), &LIMITS)?;
        Some(u64::try_from(due.duration_since(self.begin).as_millis()).unwrap())
    }

    fn look(&mut self, begin_ms: u64, end_ms: u64, answer: Answer) -> bool {
        self.sight.look(self.at(begin_ms), &LIMITS);
        self.sight.looked(self.at(end_ms), answer)
    }

    fn report(&self, ms: u64) -> Option<Report> {
        self.sight.report(self.at(ms))
    }
}

#[test]
fn silence_is_asked_and_only_silence_there_is_told() {
    let mut place = Place::new();
    assert_eq!((place.due(0), place.report(0)), (None, None), "nothing is expected");
    let wait = place.sight.wait(place.at(100));
    assert_eq!(place.due(100), Some(800));
    // Only slow.
    assert!(!place.look(800, 1_000, Answer::Answered));
    assert_eq!(place.report(1_200), Some(Report::Heard { ago: Duration::from_millis(200) }));
    assert_eq!(place.due(1_000), Some(1_800), "one a second, however long it takes");
    assert!(place.look(1_800, 2_500, Answer::Silent));
    let lost = Report::Lost { asked: Duration::from_millis(800), silent: Duration::from_millis(1_600) };
    assert_eq!(place.report(2_600), Some(lost));
    // Whoever waited gives up; it is asked on all the same, as long as no word comes.
    place.sight.end(wait);
    assert_eq!(place.due(2_600), Some(2_800));
    assert!(!place.look(2_800, 3_800, Answer::Silent));
    assert!(!place.sight.is_forgotten(place.at(600_000), &LIMITS));
    assert!(place.sight.is_forgotten(place.at(700_000), &LIMITS));
    assert!(place.look(3_800, 3_900, Answer::Answered));
    assert_eq!((place.due(3_900), place.report(3_900)), (None, Some(Report::Heard { ago: Duration::ZERO })));
    assert_eq!(place.report(9_000), None, "what was heard long ago tells nothing");
}

#[test]
fn what_comes_while_it_is_asked_counts_and_a_refusal_is_no_silence() {
    let mut place = Place::new();
    let wait = place.sight.wait(place.at(0));
    place.sight.look(place.at(700), &LIMITS);
    assert!(!place.sight.heard(place.at(1_000)));
    assert!(!place.sight.looked(place.at(1_400), Answer::Silent) && !place.sight.is_lost());
    assert!(!place.look(1_700, 1_800, Answer::Refused));
    assert_eq!(place.report(1_800), None, "it is gone for everybody: nothing is lost, and nothing was heard");
    place.sight.end(wait);
    place.sight.suspect();
    assert_eq!(place.due(1_900), Some(2_700));
    assert!(place.look(2_700, 3_400, Answer::Silent));
    assert!(place.sight.heard(place.at(3_500)), "anything that comes ends it");
    assert!(!place.sight.is_lost());
}

/// A line with 200 ms in each direction needs 0.8 s for a new connection and an answer.
#[test]
fn a_slow_line_gets_the_time_that_it_needs() {
    let mut place = Place::new();
    place.sight.suspect();
    assert_eq!(place.sight.look(place.at(0), &LIMITS), LIMITS.probe_timeout);
    assert!(place.sight.looked(place.at(700), Answer::Silent), "nobody knows that yet");
    assert_eq!(place.sight.look(place.at(1_000), &LIMITS), LIMITS.probe_interval);
    assert!(place.sight.looked(place.at(1_800), Answer::Answered));
    assert_eq!(place.sight.look(place.at(2_000), &LIMITS), Duration::from_millis(1_600));
    place.sight.looked(place.at(5_000), Answer::Answered);
    assert_eq!(place.sight.look(place.at(6_000), &LIMITS), 5 * LIMITS.probe_timeout);
    place.sight.looked(place.at(6_100), Answer::Silent);
    assert_eq!(place.sight.look(place.at(90_000), &LIMITS), LIMITS.probe_interval, "it is lost");
    place.sight.looked(place.at(90_010), Answer::Answered);
    assert_eq!(place.sight.look(place.at(91_100), &LIMITS), LIMITS.probe_timeout);
}

#[test]
fn whoever_is_asked_looks_and_tells_at_once() {
    let mut place = Place::new();
    place.sight.ask(place.at(0));
    assert_eq!(place.due(0), Some(0));
    assert!(place.look(0, 50, Answer::Answered), "the coordinators wait for it");
    assert_eq!(place.due(60), None);
    place.sight.ask(place.at(60));
    assert_eq!(place.due(60), Some(250), "they may ask as often as they like");
    place.sight.heard(place.at(240));
    assert_eq!(place.due(240), Some(440));
}

proptest! {
    /// However answers, failures and questions follow each other: never two looks at once, nor one right after the
    /// other, and a place that answers is not lost.
    #[test]
    fn looks_are_not_too_many_and_an_answer_ends_everything(
        steps in proptest::collection::vec((0..6_u8, 1..900_u64), 1..200),
    ) {
        let mut place = Place::new();
        let (mut now, mut looking, mut last_look, mut waits) = (0, false, None::<u64>, Vec::new());
        for (step, ms) in steps {
            now += ms;
            let at = place.at(now);
            match step {
                0 => waits.push(place.sight.wait(at)),
                1 => if let Some(wait) = waits.pop() { place.sight.end(wait) },
                2 => { place.sight.heard(at); }
                3 => place.sight.suspect(),
                4 => place.sight.ask(at),
                _ if looking => {
                    let answer = [Answer::Answered, Answer::Silent, Answer::Refused][usize::try_from(ms % 3).unwrap()];
                    let was_lost = place.sight.is_lost();
                    place.sight.looked(at, answer);
                    looking = false;
                    prop_assert!(answer == Answer::Silent || !place.sight.is_lost());
                    prop_assert!(answer != Answer::Silent || !was_lost || place.sight.is_lost());
                }
                _ => {}
            }
            let due = place.due(now);
            prop_assert!(!looking || due.is_none());
            if due.is_some_and(|due| due <= now) {
                prop_assert!(last_look.is_none_or(|last| now >= last + 200));
                place.sight.look(at, &LIMITS);
                (looking, last_look) = (true, Some(now));
            }
        }
    }
}

fn quick() -> WorkerConfig {
    WorkerConfig {
        reach_silence_ms: 50,
        reach_probe_timeout_ms: 100,
        reach_probe_interval_ms: 100,
        ..WorkerConfig::default()
    }
}

async fn news(reach: &Reach) {
    tokio::time::timeout(Duration::from_secs(20), reach.news()).await.expect("nothing is told");
}

/// With real connections: one that is accepted and never answered is told; then it is answered (here: the server is
/// gone), and that is told as well.
#[tokio::test]
async fn a_target_that_says_nothing_is_told_until_something_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let reach = Reach::new(&quick());
    let looking = tokio::spawn(reach.clone().keep_looking());
    let watch = reach.target(&TargetConnection { target_id: "t".into(), uri, ..Default::default() });
    let waiting = tokio::spawn({
        let watch = watch.clone();
        async move { watch.wait(std::future::pending::<()>(), |()| Sign::Nothing).await }
    });
    news(&reach).await;
    let sights = reach.sights();
    assert!(watch.is_lost() && sights[0].lost && sights[0].target_id == "t", "{sights:?}");
    assert!((150..20_000).contains(&sights[0].silent_ms), "{sights:?}");
    // Nobody waits any more, and it is asked on.
    waiting.abort();
    let mut connections = 0;
    while connections < 4 {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
        connections += 1;
    }
    assert!(watch.is_lost());
    drop(listener);
    news(&reach).await;
    assert!(!watch.is_lost() && reach.sights().is_empty());
    looking.abort();
}

#[tokio::test]
async fn a_target_that_nobody_uses_is_looked_at_when_the_coordinators_ask() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let reach = Reach::new(&quick());
    let looking = tokio::spawn(reach.clone().keep_looking());
    let target = TargetConnection { target_id: "t".into(), uri, ..Default::default() };
    // Of the log nobody has said where it is.
    reach.look(&[Look { target: None }, Look { target: Some(target) }]);
    news(&reach).await;
    let sights = reach.sights();
    assert_eq!(sights.len(), 1);
    assert!(sights[0].lost && sights[0].target_id == "t");
    looking.abort();
}
