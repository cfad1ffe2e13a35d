//! The order of broker positions of one channel.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// Compares two positions of one channel, as the broker orders them.
pub type PositionOrder = Arc<dyn Fn(&[u8], &[u8]) -> Ordering + Send + Sync>;

/// Positions with "before everything" (empty) in front.
#[derive(Clone)]
pub(crate) struct Positions {
    order: PositionOrder,
}

impl Positions {
    pub(crate) fn new(order: PositionOrder) -> Self {
        Self { order }
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        match (a.is_empty(), b.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => (self.order)(a, b),
        }
    }

    /// `a` lies behind `b`.
    pub(crate) fn is_after(&self, a: &[u8], b: &[u8]) -> bool {
        self.compare(a, b) == Ordering::Greater
    }

    /// The one that comes first.
    pub(crate) fn earlier<'a>(&self, a: &'a Bytes, b: &'a Bytes) -> &'a Bytes {
        if self.is_after(a, b) { b } else { a }
    }

    /// The one that lies further on.
    pub(crate) fn later<'a>(&self, a: &'a Bytes, b: &'a Bytes) -> &'a Bytes {
        if self.is_after(b, a) { b } else { a }
    }
}

impl fmt::Debug for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Positions")
    }
}
