//! The file: one line with format and checksum, one line of JSON that describes it, and the state as in a snapshot.
//!
//! ```text
//! harrier-backup 1 <SHA-256 of everything behind this line, hexadecimal>
//! {"cluster_id": ..., "created_ms": ..., ...}
//! <state>
//! ```

use std::fmt::Write as _;

use super::{Backup, BackupError, Header};
use crate::raft::{decode_value, encode_value};
use crate::registry::State;

const MAGIC: &str = "harrier-backup";
/// The format that this build writes, and the newest that it reads.
const FORMAT: u64 = 1;
/// A first line is shorter.
const FIRST_LINE_BYTES_MAX: usize = 128;

pub(super) fn encode(
    cluster_id: String,
    created_ms: u64,
    log_index: u64,
    state: &State,
) -> Result<Vec<u8>, BackupError> {
    let damaged = |what: String| BackupError::Damaged { what };
    let encoded = encode_value(state).map_err(|error| damaged(error.to_string()))?;
    let header = Header {
        cluster_id,
        created_ms,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        log_index,
        key_ids: state.accounts().map(|(_, task)| task.secrets.key_id.clone()).collect(),
        tasks: state.tasks.len(),
        state_bytes: encoded.len(),
    };
    let mut body = serde_json::to_vec(&header).map_err(|error| damaged(error.to_string()))?;
    body.push(b'\n');
    body.extend_from_slice(&encoded);
    let mut file = format!("{MAGIC} {FORMAT} {}\n", checksum(&body)).into_bytes();
    file.extend_from_slice(&body);
    Ok(file)
}

pub(super) fn decode(bytes: &[u8]) -> Result<Backup, BackupError> {
    let damaged = |what: String| BackupError::Damaged { what };
    let (first, body) = line(bytes, FIRST_LINE_BYTES_MAX).ok_or(BackupError::NotABackup)?;
    let first = std::str::from_utf8(first).map_err(|_| BackupError::NotABackup)?;
    let mut words = first.split(' ');
    if words.next() != Some(MAGIC) {
        return Err(BackupError::NotABackup);
    }
    let format: u64 = words.next().and_then(|word| word.parse().ok()).ok_or(BackupError::NotABackup)?;
    match format {
        FORMAT => {}
        0 => return Err(BackupError::NotABackup),
        newer => return Err(BackupError::Newer { found: newer, known: FORMAT }),
    }
    let wanted = words.next().unwrap_or_default();
    let whole = checksum(body) == wanted;
    // Damage is named as exactly as can be told, but nothing is trusted that the checksum does not cover.
    let (header, state) =
        line(body, body.len()).ok_or_else(|| damaged("it has no description of itself".to_owned()))?;
    let header: Header = match serde_json::from_slice(header) {
        Ok(header) => header,
        Err(error) => return Err(damaged(format!("its description cannot be read: {error}"))),
    };
    if state.len() < header.state_bytes {
        return Err(BackupError::Truncated { found: state.len(), expected: header.state_bytes });
    }
    if !whole {
        return Err(damaged("its checksum is another one".to_owned()));
    }
    let state = decode_value(state).map_err(|error| damaged(error.to_string()))?;
    Ok(Backup { header, state })
}

/// The first line and what follows it.
fn line(bytes: &[u8], bytes_max: usize) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().take(bytes_max).position(|byte| *byte == b'\n')?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

fn checksum(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut text = String::with_capacity(64);
    for byte in digest.as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
