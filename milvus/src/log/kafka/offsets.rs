//! Where a channel begins and ends.

use bytes::{BufMut, BytesMut};

use super::super::LogError;
use super::connection::{Api, Connection, put_string};
use super::error_code;

const LIST_OFFSETS: Api = Api { key: 2, version: 1 };
const NEWEST: i64 = -1;
const OLDEST: i64 = -2;

/// The offsets that a broker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// The first.
    pub begin: i64,
    /// Behind the last.
    pub end: i64,
}

/// Asks the leader.
pub(super) async fn held(connection: &mut Connection, channel: &str) -> Result<Held, LogError> {
    // The end first: what retention takes in between leaves a range that is empty, not one that never was.
    let end = offset(connection, channel, NEWEST).await?;
    let begin = offset(connection, channel, OLDEST).await?;
    Ok(Held { begin, end: end.max(begin) })
}

async fn offset(connection: &mut Connection, channel: &str, at: i64) -> Result<i64, LogError> {
    let mut body = BytesMut::new();
    body.put_i32(-1);
    body.put_i32(1);
    put_string(&mut body, channel);
    body.put_i32(1);
    body.put_i32(0);
    body.put_i64(at);
    let mut answer = connection.call(LIST_OFFSETS, &body).await?;
    let found = answer.array(|topic| {
        let _name = topic.string()?;
        topic.array(|partition| {
            let (_number, error) = (partition.i32()?, partition.i16()?);
            let (_timestamp, offset) = (partition.i64()?, partition.i64()?);
            Ok((error, offset))
        })
    })?;
    let Some((error, offset)) = found.into_iter().flatten().next() else {
        return Err(LogError::Transient(format!("the broker says nothing of the offsets of {channel}")));
    };
    error_code::check(error, "asking for the offsets", channel)?;
    Ok(offset)
}
