//! Names of the channels of a Milvus log. Owns reading and writing of vchannel names, nothing else.
//!
//! A pchannel is one topic of the log (`by-dev-rootcoord-dml_3`); a vchannel is one shard of one
//! collection on it: `{pchannel}_{collection id}v{shard index}`.

use std::fmt;
use std::str::FromStr;

/// One shard of one collection on one pchannel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VChannel {
    /// The topic that carries the shard.
    pub pchannel: String,
    /// Id of the collection in its own cluster.
    pub collection_id: i64,
    /// Number of the shard within the collection, from 0. Shards of source and target pair by it.
    pub shard_index: u32,
}

/// A text that is not the name of a vchannel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a vchannel, expected PCHANNEL_COLLECTIONIDvSHARD such as by-dev-rootcoord-dml_0_449152v0"
)]
pub struct ChannelError(String);

impl FromStr for VChannel {
    type Err = ChannelError;

    fn from_str(name: &str) -> Result<Self, ChannelError> {
        split(name).ok_or_else(|| ChannelError(name.to_owned()))
    }
}

/// From the right: the pchannel may itself hold underscores and `v`s.
fn split(name: &str) -> Option<VChannel> {
    let (pchannel, shard) = name.rsplit_once('_')?;
    let (collection_id, shard_index) = shard.split_once('v')?;
    if pchannel.is_empty() {
        return None;
    }
    Some(VChannel {
        pchannel: pchannel.to_owned(),
        collection_id: number(collection_id)?,
        shard_index: number(shard_index)?,
    })
}

/// Only what `Display` writes: the standard parser also takes `+7` and `007`, and then two texts would
/// name one vchannel.
fn number<T: FromStr + fmt::Display>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    (value.to_string() == text && !text.starts_with('-')).then_some(value)
}

impl fmt::Display for VChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}v{}", self.pchannel, self.collection_id, self.shard_index)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_of_a_real_server_is_read() {
        let vchannel: VChannel = "by-dev-rootcoord-dml_3_453187921v1".parse().unwrap();
        assert_eq!(vchannel.pchannel, "by-dev-rootcoord-dml_3");
        assert_eq!(vchannel.collection_id, 453_187_921);
        assert_eq!(vchannel.shard_index, 1);
    }

    #[test]
    fn other_texts_are_refused_and_the_error_shows_them() {
        for name in [
            "",
            "dml_0",
            "by-dev-rootcoord-dml_0",
            "_1v0",
            "p_1v",
            "p_v0",
            "p_1v-0",
            "p_-1v0",
            "p_+1v0",
            "p_01v0",
            "p_1v0v0",
            "p_1v4294967296",
            "p_9223372036854775808v0",
        ] {
            let error = name.parse::<VChannel>().unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    proptest! {
        #[test]
        fn writing_and_reading_are_inverse(
            pchannel in "[a-z_v0-9-]{1,20}",
            collection_id in 0..=i64::MAX,
            shard_index: u32,
        ) {
            let vchannel = VChannel { pchannel, collection_id, shard_index };
            prop_assert_eq!(vchannel.to_string().parse::<VChannel>(), Ok(vchannel));
        }

        #[test]
        fn any_text_is_refused_or_read_exactly(name in ".{0,40}") {
            if let Ok(vchannel) = name.parse::<VChannel>() {
                prop_assert_eq!(vchannel.to_string(), name);
            }
        }
    }
}
