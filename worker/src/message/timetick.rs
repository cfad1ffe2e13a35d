//! The tick that leaves.

use bytes::{Bytes, BytesMut};
use harrier_proto::common::MsgType;

use super::base::NewBase;

/// A TimeTick message: everything up to `ts` was sent before it. `msg_id` is not zero and unique.
pub fn timetick(ts: u64, msg_id: i64) -> Bytes {
    let base = NewBase { msg_type: MsgType::TimeTick, msg_id, timestamp: ts, rest: &[] };
    let mut out = BytesMut::with_capacity(base.field_len());
    base.put_field(&mut out);
    out.freeze()
}
