//! Decompression of what producers compressed. Every way out is bounded: a few bytes can claim to be very many.

use std::io::Read;

use bytes::Bytes;

/// No payload is larger than this once it is unpacked.
pub(in super::super) const UNPACKED_BYTES_MAX: usize = 128 * 1024 * 1024;

/// The forms in which the two brokers carry payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Packing {
    None,
    Gzip,
    Zlib,
    /// One block; its size unpacked is known.
    Lz4Block(usize),
    Lz4Frame,
    /// One block.
    Snappy,
    /// The blocks of the Java library behind its header, or one block without.
    SnappyJava,
    Zstd,
}

const JAVA_HEADER: &[u8] = b"\x82SNAPPY\0";
/// Behind the header: two version numbers.
const JAVA_HEADER_BYTES: usize = 16;

/// Unpacks `packed`, to at most [`UNPACKED_BYTES_MAX`].
///
/// # Errors
/// Says what is wrong with it.
pub(in super::super) fn unpack(packing: Packing, packed: &Bytes) -> Result<Bytes, String> {
    let unpacked = match packing {
        Packing::None => return Ok(packed.clone()),
        Packing::Gzip => all_of(flate2::read::GzDecoder::new(packed.as_ref())),
        Packing::Zlib => all_of(flate2::read::ZlibDecoder::new(packed.as_ref())),
        Packing::Zstd => zstd::stream::read::Decoder::with_buffer(packed.as_ref())
            .map_err(|error| error.to_string())
            .and_then(all_of),
        Packing::Lz4Frame => all_of(lz4_flex::frame::FrameDecoder::new(packed.as_ref())),
        Packing::Lz4Block(size) if size > UNPACKED_BYTES_MAX => Err(too_large()),
        Packing::Lz4Block(size) => {
            lz4_flex::block::decompress(packed, size).map_err(|error| error.to_string())
        }
        Packing::Snappy => snappy(packed),
        Packing::SnappyJava => snappy_java(packed),
    };
    unpacked
        .map(Bytes::from)
        .map_err(|problem| format!("a payload of {packing:?} cannot be unpacked: {problem}"))
}

fn all_of(reader: impl Read) -> Result<Vec<u8>, String> {
    let mut unpacked = Vec::new();
    let mut bounded = reader.take(UNPACKED_BYTES_MAX as u64 + 1);
    bounded.read_to_end(&mut unpacked).map_err(|error| error.to_string())?;
    if unpacked.len() > UNPACKED_BYTES_MAX { Err(too_large()) } else { Ok(unpacked) }
}

fn snappy(packed: &[u8]) -> Result<Vec<u8>, String> {
    let size = snap::raw::decompress_len(packed).map_err(|error| error.to_string())?;
    if size > UNPACKED_BYTES_MAX {
        return Err(too_large());
    }
    snap::raw::Decoder::new().decompress_vec(packed).map_err(|error| error.to_string())
}

fn snappy_java(packed: &[u8]) -> Result<Vec<u8>, String> {
    if !packed.starts_with(JAVA_HEADER) {
        return snappy(packed);
    }
    let mut rest = packed.get(JAVA_HEADER_BYTES..).ok_or("its header ends too soon")?;
    let mut unpacked = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let block = behind.get(..length).ok_or("a block ends too soon")?;
        unpacked.extend(snappy(block)?);
        if unpacked.len() > UNPACKED_BYTES_MAX {
            return Err(too_large());
        }
        rest = behind.get(length..).unwrap_or_default();
    }
    if rest.is_empty() { Ok(unpacked) } else { Err("it ends with part of a block".to_owned()) }
}

fn too_large() -> String {
    format!("it is larger than {UNPACKED_BYTES_MAX} bytes")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn java(data: &[u8], block: usize) -> Vec<u8> {
        let mut packed = [JAVA_HEADER, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
        for part in data.chunks(block) {
            let part = snap::raw::Encoder::new().compress_vec(part).unwrap();
            packed.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
            packed.extend(part);
        }
        packed
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn lz4_frame(data: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    proptest! {
        #[test]
        fn every_form_comes_out_as_it_went_in(data in proptest::collection::vec(0_u8..4, 0..3_000)) {
            let raw_snappy = snap::raw::Encoder::new().compress_vec(&data).unwrap();
            for (packing, packed) in [
                (Packing::None, data.clone()),
                (Packing::Gzip, gzip(&data)),
                (Packing::Zlib, zlib(&data)),
                (Packing::Lz4Block(data.len()), lz4_flex::block::compress(&data)),
                (Packing::Lz4Frame, lz4_frame(&data)),
                (Packing::Snappy, raw_snappy.clone()),
                (Packing::SnappyJava, raw_snappy),
                (Packing::SnappyJava, java(&data, 1_000)),
                (Packing::Zstd, zstd::stream::encode_all(data.as_slice(), 1).unwrap()),
            ] {
                prop_assert_eq!(unpack(packing, &Bytes::from(packed)).unwrap(), &data, "{:?}", packing);
            }
        }

        #[test]
        fn no_bytes_panic(data in proptest::collection::vec(any::<u8>(), 0..200), size in 0_usize..1_000) {
            let data = Bytes::from(data);
            for packing in [
                Packing::Gzip, Packing::Zlib, Packing::Lz4Block(size), Packing::Lz4Frame, Packing::Snappy,
                Packing::SnappyJava, Packing::Zstd,
            ] {
                let _ = unpack(packing, &data);
            }
        }
    }

    #[test]
    fn what_grows_without_end_is_refused() {
        let zeros = std::io::repeat(0).take(UNPACKED_BYTES_MAX as u64 + 1);
        let packed = Bytes::from(zstd::stream::encode_all(zeros, 1).unwrap());
        assert!(packed.len() < 100_000);
        let error = unpack(Packing::Zstd, &packed).unwrap_err();
        assert!(error.contains("larger than"), "{error}");
        assert!(unpack(Packing::Lz4Block(usize::MAX), &packed).is_err());
    }
}
