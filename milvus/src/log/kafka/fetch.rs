//! The request for messages and its answer.

use bytes::{BufMut, Bytes, BytesMut};

use super::super::LogError;
use super::connection::put_string;
use super::input::Input;

/// How long the broker keeps a request for which it has no messages, in milliseconds.
const WAIT_MS: i32 = 1_000;
const READ_COMMITTED: i8 = 1;

/// What came for one partition.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fetched {
    pub error: i16,
    /// The oldest offset that the broker holds.
    pub begin: i64,
    /// Transactions that were broken off: producer, and offset of its first message.
    pub aborted: Vec<(i64, i64)>,
    /// Batches, the last of which may be cut off.
    pub batches: Bytes,
}

/// Asks for what follows from `offset` on, of at most about `bytes_max` as stored; a larger first batch comes whole.
pub(super) fn request(version: i16, channel: &str, offset: i64, bytes_max: usize) -> BytesMut {
    let bytes_max = i32::try_from(bytes_max).unwrap_or(i32::MAX);
    let mut body = BytesMut::new();
    body.put_i32(-1);
    body.put_i32(WAIT_MS);
    body.put_i32(1);
    body.put_i32(bytes_max);
    body.put_i8(READ_COMMITTED);
    if version >= 7 {
        // No session: every request stands alone.
        body.put_i32(0);
        body.put_i32(-1);
    }
    body.put_i32(1);
    put_string(&mut body, channel);
    body.put_i32(1);
    body.put_i32(0);
    if version >= 9 {
        body.put_i32(-1);
    }
    body.put_i64(offset);
    body.put_i64(-1);
    body.put_i32(bytes_max);
    if version >= 7 {
        body.put_i32(0);
    }
    body
}

/// Reads an answer.
pub(super) fn read(version: i16, answer: &mut Input) -> Result<Fetched, LogError> {
    let _throttled_ms = answer.i32()?;
    if version >= 7 {
        let (error, _session) = (answer.i16()?, answer.i32()?);
        super::error_code::check(error, "reading", "the channel")?;
    }
    let topics = answer.array(|topic| {
        let _name = topic.string()?;
        topic.array(|partition| {
            let (_number, error) = (partition.i32()?, partition.i16()?);
            let (_end, _stable_end, begin) = (partition.i64()?, partition.i64()?, partition.i64()?);
            let aborted = partition.array(|aborted| Ok((aborted.i64()?, aborted.i64()?)))?;
            Ok(Fetched { error, begin, aborted, batches: partition.bytes()? })
        })
    })?;
    let fetched = topics.into_iter().flatten().next();
    fetched.ok_or_else(|| LogError::Transient("an answer of the broker is empty".to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn answer(version: i16) -> Input {
        let mut answer = BytesMut::new();
        answer.put_i32(0);
        if version >= 7 {
            answer.put_i16(0);
            answer.put_i32(0);
        }
        answer.put_i32(1);
        put_string(&mut answer, "dml_0");
        answer.put_i32(1);
        answer.put_i32(0);
        answer.put_i16(1);
        for offset in [90, 80, 70] {
            answer.put_i64(offset);
        }
        answer.put_i32(1);
        answer.put_i64(5);
        answer.put_i64(71);
        answer.put_i32(3);
        answer.put_slice(b"abc");
        Input(answer.freeze())
    }

    #[test]
    fn every_form_of_the_answer_is_read() {
        for version in 5..=10 {
            let mut answer = answer(version);
            let fetched = read(version, &mut answer).unwrap();
            let batches = Bytes::from_static(b"abc");
            assert_eq!(fetched, Fetched { error: 1, begin: 70, aborted: vec![(5, 71)], batches });
            assert!(answer.0.is_empty());
        }
    }

    #[test]
    fn newer_forms_of_the_request_add_to_the_older() {
        let length = |version| request(version, "dml_0", 9, 1 << 20).len();
        assert_eq!(length(7) - length(5), 12);
        assert_eq!(length(10) - length(7), 4);
    }
}
