//! Reads the fields of an answer, with every length checked.

use bytes::{Buf, Bytes};

use super::super::LogError;

/// An answer that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an answer of the broker cannot be read: {0}")]
pub(super) struct Malformed(pub &'static str);

impl From<Malformed> for LogError {
    fn from(error: Malformed) -> Self {
        Self::Transient(error.to_string())
    }
}

const SHORT: Malformed = Malformed("it ends too soon");

/// What is left of an answer.
#[derive(Clone, Debug)]
pub(super) struct Input(pub Bytes);

impl Input {
    pub fn i8(&mut self) -> Result<i8, Malformed> {
        self.0.try_get_i8().map_err(|_| SHORT)
    }

    pub fn i16(&mut self) -> Result<i16, Malformed> {
        self.0.try_get_i16().map_err(|_| SHORT)
    }

    pub fn i32(&mut self) -> Result<i32, Malformed> {
        self.0.try_get_i32().map_err(|_| SHORT)
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.0.try_get_u32().map_err(|_| SHORT)
    }

    pub fn i64(&mut self) -> Result<i64, Malformed> {
        self.0.try_get_i64().map_err(|_| SHORT)
    }

    pub fn take(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if length > self.0.len() { Err(SHORT) } else { Ok(self.0.split_to(length)) }
    }

    /// A text behind two bytes of length; none at -1.
    pub fn string(&mut self) -> Result<String, Malformed> {
        let length = self.i16()?;
        let bytes = self.take(usize::try_from(length).unwrap_or(0))?;
        String::from_utf8(bytes.into()).map_err(|_| Malformed("a text is no UTF-8"))
    }

    /// Bytes behind four bytes of length; none at -1.
    pub fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let length = self.i32()?;
        self.take(usize::try_from(length).unwrap_or(0))
    }

    /// The items of an array; none at -1.
    pub fn array<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        // Not reserved: a wrong count must not cost memory before the bytes run out.
        (0..self.i32()?.max(0)).map(|_| item(self)).collect()
    }

    /// A number of up to ten bytes, seven bits each, zigzag.
    pub fn varint(&mut self) -> Result<i64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.0.try_get_u8().map_err(|_| SHORT)?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err(Malformed("a number does not end"))
    }

    /// Bytes behind a varint of length; none at -1.
    pub fn varbytes(&mut self) -> Result<Option<Bytes>, Malformed> {
        match usize::try_from(self.varint()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_of_the_protocols_documentation_are_read() {
        for (bytes, value) in [
            (&[0x00][..], 0),
            (&[0x01], -1),
            (&[0x7f], -64),
            (&[0x80, 0x01], 64),
            (&[0xfe, 0xff, 0xff, 0xff, 0x0f], i64::from(i32::MAX)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], i64::MIN),
        ] {
            assert_eq!(Input(Bytes::copy_from_slice(bytes)).varint(), Ok(value));
        }
        assert!(Input(Bytes::from_static(&[0x80; 11])).varint().is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data in proptest::collection::vec(any::<u8>(), 0..40)) {
            let input = Input(Bytes::from(data));
            let _ = input.clone().varbytes();
            let _ = input.clone().string();
            let _ = input.clone().bytes();
            let _ = input.clone().array(Input::i64);
        }
    }
}
