//! Whether a server is there at all, asked on a new connection with the lightest question that it answers.
//!
//! What it answers does not matter. A refused connection is no silence: the machine is reached, and the server is
//! gone for everybody, not for whoever asks.

use std::error::Error;
use std::io;

/// What came back within the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The server answered, be it with an error.
    Answered,
    /// Something answered for it: there is no server behind the address at present, or none that could be asked.
    Refused,
    /// Nothing.
    Silent,
}

/// What a connection says that could not be opened, or broke.
pub(crate) fn of_error(error: &(dyn Error + 'static)) -> Answer {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && is_silence(error.kind())
        {
            return Answer::Silent;
        }
        cause = error.source();
    }
    Answer::Refused
}

/// The ways in which a network says that nothing came back, or that there is no way.
fn is_silence(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
    matches!(kind, TimedOut | HostUnreachable | NetworkUnreachable | NetworkDown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn no_way_is_silence_and_a_refusal_is_not() {
        let of = |kind: io::ErrorKind| of_error(&Outer(kind.into()));
        assert_eq!(of(io::ErrorKind::NetworkUnreachable), Answer::Silent);
        assert_eq!(of(io::ErrorKind::TimedOut), Answer::Silent);
        assert_eq!(of(io::ErrorKind::ConnectionRefused), Answer::Refused);
        assert_eq!(of(io::ErrorKind::UnexpectedEof), Answer::Refused);
    }
}
