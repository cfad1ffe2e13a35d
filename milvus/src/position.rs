//! Positions on a log as users see them: a `MsgPosition` in base64, the form that the Go tool and
//! Milvus itself print. Owns that text form; what the message id inside means is the log reader's.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use harrier_proto::msg::MsgPosition;
use prost::Message as _;

/// Why a text is no position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// Not base64 at all.
    #[error("the position is not base64, expected the base64 text of a MsgPosition")]
    Base64,
    /// Base64, but of something else.
    #[error("the position is base64 but not of a MsgPosition")]
    Protobuf,
    /// A `MsgPosition` that points nowhere.
    #[error("the position holds no message id")]
    NoMessageId,
}

/// The text form of a position.
pub fn encode(position: &MsgPosition) -> String {
    STANDARD.encode(position.encode_to_vec())
}

/// Reads the text form of a position; padding may be missing.
///
/// # Errors
/// When the text is no base64, no `MsgPosition`, or one without a message id.
pub fn decode(text: &str) -> Result<MsgPosition, PositionError> {
    let text = text.trim();
    let bytes =
        STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).map_err(|_| PositionError::Base64)?;
    let position = MsgPosition::decode(bytes.as_slice()).map_err(|_| PositionError::Protobuf)?;
    if position.msg_id.is_empty() {
        return Err(PositionError::NoMessageId);
    }
    Ok(position)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    #[test]
    fn texts_that_are_no_positions_say_why() {
        assert_eq!(decode("not base64!"), Err(PositionError::Base64));
        assert_eq!(decode(&STANDARD.encode([0xFF, 0xFF])), Err(PositionError::Protobuf));
        assert_eq!(decode(""), Err(PositionError::NoMessageId));
        let nowhere = MsgPosition { channel_name: "by-dev-rootcoord-dml_0".into(), ..MsgPosition::default() };
        assert_eq!(decode(&encode(&nowhere)), Err(PositionError::NoMessageId));
    }

    proptest! {
        #[test]
        fn writing_and_reading_are_inverse(
            channel in ".{0,30}",
            id in proptest::collection::vec(any::<u8>(), 1..40),
            timestamp: u64,
        ) {
            let position = MsgPosition {
                channel_name: channel,
                msg_id: Bytes::from(id),
                timestamp,
                ..MsgPosition::default()
            };
            let text = encode(&position);
            prop_assert_eq!(decode(&text), Ok(position.clone()));
            prop_assert_eq!(decode(text.trim_end_matches('=')), Ok(position));
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = decode(&text);
        }
    }
}
