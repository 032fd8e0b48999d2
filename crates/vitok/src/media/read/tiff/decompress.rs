//! The compressions of TIFF.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::ZlibDecoder;
use weezl::BitOrder;

use super::super::decoder::{Flaw, Pixels};
use super::super::libjpeg::JpegReader;
use super::chunk::Chunk;
use super::codes::Compression;
use super::fax;
use super::layout::Layout;

/// The `length` bytes that a chunk's `data` stand for; never more, whatever they say.
pub(super) fn bytes<'a>(
    data: &'a [u8],
    chunk: &Chunk,
    layout: &Layout<'_>,
    length: usize,
) -> Result<Cow<'a, [u8]>, Flaw> {
    let data = match layout.lowest_bit_first {
        true => Cow::Owned(data.iter().map(|byte| byte.reverse_bits()).collect()),
        false => Cow::Borrowed(data),
    };
    let bytes = match layout.compression {
        Compression::None => data,
        Compression::Lzw => lzw(&data, length)?.into(),
        Compression::Deflate => deflate(&data, length)?.into(),
        Compression::PackBits => packbits(&data, length).into(),
        Compression::ModifiedHuffman | Compression::Group3 { .. } | Compression::Group4 => {
            fax::decode(&data, chunk, layout)?.into()
        }
        // Decoded to pixels by `jpeg`.
        Compression::Jpeg => data,
    };
    match bytes.len() < length {
        true => Err(Flaw::Damaged("a part of it has too few pixels".into())),
        false => Ok(bytes),
    }
}

fn lzw(data: &[u8], length: usize) -> Result<Vec<u8>, Flaw> {
    // The first code is 256, from the highest bit down; the oldest writers began with the lowest.
    if data.first() == Some(&0) && data.get(1).is_some_and(|byte| byte & 1 == 1) {
        return Err(Flaw::Unsupported("LZW compression with the lowest bit first".into()));
    }
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
    let mut bytes = vec![0; length];
    let (mut read, mut written) = (0, 0);
    while written < length {
        let result = decoder.decode_bytes(&data[read..], &mut bytes[written..]);
        (read, written) = (read + result.consumed_in, written + result.consumed_out);
        match result.status {
            Ok(weezl::LzwStatus::Ok) if result.consumed_in + result.consumed_out > 0 => {}
            Ok(_) => break,
            Err(e) => return Err(Flaw::Damaged(e.to_string())),
        }
    }
    bytes.truncate(written);
    Ok(bytes)
}

fn deflate(data: &[u8], length: usize) -> Result<Vec<u8>, Flaw> {
    let mut bytes = Vec::with_capacity(length);
    let mut decoder = ZlibDecoder::new(data).take(length as u64);
    decoder
        .read_to_end(&mut bytes)
        .map_err(|e| Flaw::Damaged(e.to_string()))?;
    Ok(bytes)
}

/// Runs: `n` in 0..128 is followed by `n + 1` bytes, `-n` by one that is repeated `n + 1` times.
fn packbits(mut data: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let Some((&count, rest)) = data.split_first() else {
            break;
        };
        data = match (count, rest) {
            (0..=127, _) => {
                let (literal, after) = rest.split_at(rest.len().min(usize::from(count) + 1));
                bytes.extend(literal);
                after
            }
            (129.., [byte, after @ ..]) => {
                bytes.extend(std::iter::repeat_n(byte, 257 - usize::from(count)));
                after
            }
            // -128 means nothing.
            (_, after) => after,
        };
    }
    bytes.truncate(length);
    bytes
}

/// The pixels of a JPEG whose tables may lie elsewhere in the file.
pub(super) fn jpeg(data: &[u8], layout: &Layout<'_>) -> Result<Pixels, Flaw> {
    // The tables without their end mark, then the image without its beginning.
    let joined = match (layout.jpeg_tables.strip_suffix(&[0xFF, 0xD9]), data.get(2..)) {
        (Some(tables), Some(data)) => Cow::Owned([tables, data].concat()),
        _ => Cow::Borrowed(data),
    };
    JpegReader::open(&joined)?.decode(Some(layout.jpeg_space))
}
