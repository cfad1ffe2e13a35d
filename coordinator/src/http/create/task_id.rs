//! Ids of tasks: chosen by the client, or drawn here.

use std::fmt::Write as _;

use crate::http::answer::ApiError;
use crate::registry::TaskId;

/// Longest id that a client may choose, in characters.
const TASK_ID_LENGTH_MAX: usize = 128;

/// Checks an id that the client chose. It becomes a part of other ids (before a `/`), of metrics and of log lines, so it
/// must be one word; of which script does not matter.
pub(crate) fn check(task_id: &str) -> Result<(), ApiError> {
    if task_id.chars().count() > TASK_ID_LENGTH_MAX {
        return Err(ApiError::refused(format!("the task_id is longer than {TASK_ID_LENGTH_MAX} characters")));
    }
    if task_id.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control()) {
        return Err(ApiError::refused(
            "the task_id has characters that are not allowed: use no '/', no spaces and no control characters",
        ));
    }
    Ok(())
}

/// A new task id, 32 hex characters.
pub(crate) fn draw() -> Result<TaskId, ApiError> {
    random_hex::<16>()
}

/// A random number of `BYTES` bytes in hex.
pub(crate) fn random_hex<const BYTES: usize>() -> Result<String, ApiError> {
    let mut bytes = [0u8; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        ApiError::Internal(format!("the operating system gave no random number: {error}"))
    })?;
    let mut text = String::with_capacity(2 * BYTES);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{check, draw};

    #[test]
    fn ids() {
        check("30d1e325df604ebb99e14c2a335a1421").unwrap();
        check("nightly-copy_2.b").unwrap();
        check(&"任务😀".repeat(42)).unwrap();
        for wrong in ["a/b", "a b", "a\n", "a\0", &"a".repeat(129)] {
            check(wrong).unwrap_err();
        }
        let drawn = draw().unwrap();
        assert_eq!(drawn.len(), 32);
        check(&drawn).unwrap();
        assert_ne!(drawn, draw().unwrap());
    }
}
