//! Cuts protobuf bytes into fields without decoding what is in them.

use super::CodecError;

/// The largest field number of protobuf.
const FIELD_NUMBER_MAX: u64 = (1 << 29) - 1;

/// The fields of one message, in the order in which they are written. After an error it is at its end.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    input: &'a [u8],
    offset: usize,
}

/// One field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub number: u32,
    pub value: Value<'a>,
    /// Tag and value as written.
    pub raw: &'a [u8],
}

/// A field's value by wire type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(&'a [u8]),
    Bytes(&'a [u8]),
    Fixed32(&'a [u8]),
}

impl<'a> Fields<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        Self { input, offset: 0 }
    }

    fn read(&mut self) -> Result<Field<'a>, CodecError> {
        let begin = self.offset;
        let truncated = CodecError::Truncated { offset: begin };
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > FIELD_NUMBER_MAX {
            return Err(CodecError::Tag { offset: begin, tag });
        }
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.take(8).ok_or(truncated)?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| truncated.clone())?;
                Value::Bytes(self.take(length).ok_or(truncated)?)
            }
            5 => Value::Fixed32(self.take(4).ok_or(truncated)?),
            _ => return Err(CodecError::Tag { offset: begin, tag }),
        };
        // Within u32: compared with the maximum above.
        let number = u32::try_from(number).map_err(|_| CodecError::Tag { offset: begin, tag })?;
        Ok(Field { number, value, raw: &self.input[begin..self.offset] })
    }

    fn varint(&mut self) -> Result<u64, CodecError> {
        let (value, length) = read_varint(&self.input[self.offset..], self.offset)?;
        self.offset += length;
        Ok(value)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.offset.checked_add(length)?;
        let taken = self.input.get(self.offset..end)?;
        self.offset = end;
        Some(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.offset >= self.input.len() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.offset = self.input.len();
        }
        Some(field)
    }
}

impl<'a> Field<'a> {
    pub fn varint(&self) -> Result<u64, CodecError> {
        match self.value {
            Value::Varint(value) => Ok(value),
            _ => Err(CodecError::WireType { field: self.number }),
        }
    }

    /// An int64, which protobuf writes in two's complement.
    pub fn int64(&self) -> Result<i64, CodecError> {
        self.varint().map(u64::cast_signed)
    }

    /// An int32 or enum: the low half, as every protobuf decoder takes it.
    pub fn int32(&self) -> Result<i32, CodecError> {
        self.varint().map(|value| value as u32 as i32)
    }

    pub fn bytes(&self) -> Result<&'a [u8], CodecError> {
        match self.value {
            Value::Bytes(value) => Ok(value),
            _ => Err(CodecError::WireType { field: self.number }),
        }
    }

    pub fn string(&self) -> Result<&'a str, CodecError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| CodecError::NotUtf8 { field: self.number })
    }
}

/// The varints of a packed list.
#[derive(Debug, Clone)]
pub(super) struct Varints<'a> {
    input: &'a [u8],
    offset: usize,
}

impl<'a> Varints<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        Self { input, offset: 0 }
    }
}

impl Iterator for Varints<'_> {
    type Item = Result<u64, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.input.get(self.offset..).filter(|rest| !rest.is_empty())?;
        match read_varint(rest, self.offset) {
            Ok((value, length)) => {
                self.offset += length;
                Some(Ok(value))
            }
            Err(error) => {
                self.offset = self.input.len();
                Some(Err(error))
            }
        }
    }
}

/// Value and length of the varint at the start of `input`; `offset` is for the error only.
fn read_varint(input: &[u8], offset: usize) -> Result<(u64, usize), CodecError> {
    let mut value = 0u64;
    for (index, byte) in input.iter().take(10).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if index == 9 && bits > 1 {
            return Err(CodecError::VarintTooLong { offset });
        }
        value |= bits << (7 * index);
        if byte & 0x80 == 0 {
            return Ok((value, index + 1));
        }
    }
    if input.len() < 10 {
        Err(CodecError::Truncated { offset })
    } else {
        Err(CodecError::VarintTooLong { offset })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn all(input: &[u8]) -> Result<Vec<Field<'_>>, CodecError> {
        Fields::new(input).collect()
    }

    #[test]
    fn fields_are_slices_of_the_input() {
        let input =
            [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 1, 2, 3, 4, 0x21, 1, 2, 3, 4, 5, 6, 7, 8];
        let fields = all(&input).unwrap();
        assert_eq!(fields[0].varint(), Ok(150));
        assert_eq!(fields[1].string(), Ok("hi"));
        assert_eq!(fields[1].raw, &input[3..7]);
        assert_eq!(fields[2].value, Value::Fixed32(&input[8..12]));
        assert_eq!(fields[3].value, Value::Fixed64(&input[13..]));
        assert_eq!(fields[0].bytes(), Err(CodecError::WireType { field: 1 }));
    }

    #[test]
    fn broken_input_is_an_error_and_the_end() {
        assert_eq!(all(&[0x08]), Err(CodecError::Truncated { offset: 1 }));
        assert_eq!(all(&[0x12, 0x05, 1]), Err(CodecError::Truncated { offset: 0 }));
        let huge = [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(all(&huge), Err(CodecError::Truncated { offset: 0 }));
        let long = [0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
        assert_eq!(all(&long), Err(CodecError::VarintTooLong { offset: 1 }));
        assert_eq!(all(&[0x00]), Err(CodecError::Tag { offset: 0, tag: 0 }));
        assert_eq!(all(&[0x0b]), Err(CodecError::Tag { offset: 0, tag: 11 }));
        let mut fields = Fields::new(&[0x00, 0x08, 0x01]);
        assert!(fields.next().unwrap().is_err());
        assert!(fields.next().is_none());
    }

    #[test]
    fn negative_numbers_keep_their_sign() {
        let input = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let field = all(&input).unwrap()[0];
        assert_eq!((field.int64(), field.int32()), (Ok(-1), Ok(-1)));
    }
}
