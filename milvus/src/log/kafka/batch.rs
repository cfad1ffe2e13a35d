//! Batches of records as they are stored and sent (format 2, since Kafka 0.11).

use bytes::Bytes;

use super::super::LogError;
use super::super::wire::compression::Packing;
use super::input::{Input, Malformed};

/// Offset and length, in front of every batch.
const PREFIX_BYTES: usize = 12;
const FORMAT: i8 = 2;

const COMPRESSION: i16 = 0b111;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// A batch, its records still packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// Offset of the first record, also if that was compacted away.
    pub first: i64,
    /// Offset of the last.
    pub last: i64,
    pub packing: Packing,
    /// Who wrote it; -1 without idempotence.
    pub producer: i64,
    pub transactional: bool,
    /// No messages, but the end of a transaction.
    pub control: bool,
    pub record_count: i32,
    pub records: Bytes,
}

/// The whole batches of an answer; the broker cuts it off where the size that was asked for is reached.
pub(super) fn split(channel: &str, mut bytes: Bytes) -> Result<Vec<Batch>, LogError> {
    let mut batches = Vec::new();
    while bytes.len() >= PREFIX_BYTES {
        let mut prefix = Input(bytes.slice(..PREFIX_BYTES));
        let (first, length) = (prefix.i64()?, prefix.i32()?);
        let length = usize::try_from(length).map_err(|_| Malformed("a batch has no length"))?;
        let Some(end) = PREFIX_BYTES.checked_add(length).filter(|end| *end <= bytes.len()) else { break };
        let batch = bytes.split_to(end).slice(PREFIX_BYTES..);
        batches.push(read(channel, first, batch)?);
    }
    Ok(batches)
}

fn read(channel: &str, first: i64, bytes: Bytes) -> Result<Batch, LogError> {
    let mut input = Input(bytes);
    let _leader_epoch = input.i32()?;
    let format = input.i8()?;
    if format != FORMAT {
        return Err(LogError::Unsupported(format!(
            "channel {channel} holds messages of format {format} at offset {first}: Kafka 0.11 and later write format 2"
        )));
    }
    let checksum = input.u32()?;
    if crc32c::crc32c(&input.0) != checksum {
        return Err(LogError::Transient(format!(
            "channel {channel}: the batch at offset {first} is damaged"
        )));
    }
    let attributes = input.i16()?;
    let last_delta = input.i32()?;
    let (_first_time, _last_time) = (input.i64()?, input.i64()?);
    let (producer, _epoch, _sequence) = (input.i64()?, input.i16()?, input.i32()?);
    let record_count = input.i32()?;
    Ok(Batch {
        first,
        last: first.saturating_add(i64::from(last_delta)),
        packing: packing(channel, attributes & COMPRESSION)?,
        producer,
        transactional: attributes & TRANSACTIONAL != 0,
        control: attributes & CONTROL != 0,
        record_count,
        records: input.0,
    })
}

fn packing(channel: &str, number: i16) -> Result<Packing, LogError> {
    Ok(match number {
        0 => Packing::None,
        1 => Packing::Gzip,
        2 => Packing::SnappyJava,
        3 => Packing::Lz4Frame,
        4 => Packing::Zstd,
        other => {
            return Err(LogError::Unsupported(format!(
                "channel {channel}: compression {other} is not known"
            )));
        }
    })
}

#[cfg(test)]
pub(super) mod samples {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use bytes::{BufMut, BytesMut};

    use super::*;

    /// Of a batch behind its length: leader epoch, format, checksum.
    const UNCHECKED_BYTES: usize = 9;

    type Headers = Vec<(&'static str, &'static str)>;

    /// What a test batch is made of.
    #[derive(Clone, Debug)]
    pub(crate) struct Sample {
        pub first: i64,
        /// Offset behind `first`, headers and value of each record.
        pub records: Vec<(i64, Headers, Vec<u8>)>,
        /// Of the last record; another one than that of the last in `records` if that was compacted away.
        pub last_delta: i32,
        pub attributes: i16,
        pub producer: i64,
    }

    impl Sample {
        pub(crate) fn of(first: i64, values: &[&[u8]]) -> Self {
            let records = values.iter().zip(0..).map(|(value, delta)| (delta, Vec::new(), value.to_vec()));
            Self {
                first,
                records: records.collect(),
                last_delta: i32::try_from(values.len()).unwrap() - 1,
                attributes: 0,
                producer: -1,
            }
        }

        /// As a broker sends it.
        pub(crate) fn encode(&self) -> Bytes {
            let mut records = Vec::new();
            for (delta, headers, value) in &self.records {
                let mut record = vec![0];
                put_varint(&mut record, 0);
                put_varint(&mut record, *delta);
                put_varint(&mut record, -1);
                put_varint(&mut record, i64::try_from(value.len()).unwrap());
                record.extend(value);
                put_varint(&mut record, i64::try_from(headers.len()).unwrap());
                for (key, value) in headers {
                    for text in [key, value] {
                        put_varint(&mut record, i64::try_from(text.len()).unwrap());
                        record.extend(text.as_bytes());
                    }
                }
                put_varint(&mut records, i64::try_from(record.len()).unwrap());
                records.extend(record);
            }
            let packed = match self.attributes & COMPRESSION {
                4 => zstd::stream::encode_all(records.as_slice(), 1).unwrap(),
                _ => records,
            };
            let mut checked = BytesMut::new();
            checked.put_i16(self.attributes);
            checked.put_i32(self.last_delta);
            checked.put_i64(1);
            checked.put_i64(1);
            checked.put_i64(self.producer);
            checked.put_i16(0);
            checked.put_i32(0);
            checked.put_i32(i32::try_from(self.records.len()).unwrap());
            checked.put_slice(&packed);
            let mut batch = BytesMut::new();
            batch.put_i64(self.first);
            batch.put_i32(i32::try_from(checked.len() + UNCHECKED_BYTES).unwrap());
            batch.put_i32(0);
            batch.put_i8(FORMAT);
            batch.put_u32(crc32c::crc32c(&checked));
            batch.put_slice(&checked);
            batch.freeze()
        }
    }

    fn put_varint(bytes: &mut Vec<u8>, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while rest >= 0x80 {
            bytes.push((rest & 0x7F) as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::samples::Sample;
    use super::*;

    #[test]
    fn whole_batches_are_read_and_a_cut_off_one_waits_for_the_next_answer() {
        let (one, two) = (Sample::of(7, &[b"a", b"b"]).encode(), Sample::of(9, &[b"c"]).encode());
        for cut in 0..=two.len() {
            let bytes = Bytes::from([one.as_ref(), &two[..cut]].concat());
            let batches = split("c", bytes).unwrap();
            let offsets: Vec<_> = batches.iter().map(|batch| (batch.first, batch.last)).collect();
            let expected = if cut == two.len() { vec![(7, 8), (9, 9)] } else { vec![(7, 8)] };
            assert_eq!(offsets, expected);
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let whole = Sample::of(7, &[b"abc"]).encode();
        // Offset, length and leader epoch are the broker's to change, and not covered.
        for at in PREFIX_BYTES + 4..whole.len() {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 1;
            assert!(split("c", Bytes::from(damaged)).is_err(), "byte {at}");
        }
    }
}
