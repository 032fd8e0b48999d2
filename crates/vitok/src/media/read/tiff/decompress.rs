//! The compressions of TIFF.

use std::borrow::Cow;
use std::io::Read;

use fax::Color;
use fax::decoder::{decode_g3, decode_g4, pels};
use flate2::read::ZlibDecoder;
use weezl::BitOrder;

use super::super::decoder::{Flaw, Pixels};
use super::super::libjpeg::{ColorSpace, JpegReader};
use super::layout::{Chunk, Compression, Layout};

/// The `length` bytes that a chunk's `data` stand for; never more, whatever they say.
pub(super) fn bytes<'a>(
    data: Cow<'a, [u8]>,
    chunk: &Chunk,
    layout: &Layout<'_>,
    length: usize,
) -> Result<Cow<'a, [u8]>, Flaw> {
    let data = match layout.lowest_bit_first {
        true => data.iter().map(|byte| byte.reverse_bits()).collect(),
        false => data,
    };
    let bytes = match layout.compression {
        Compression::None => data,
        Compression::Lzw => lzw(&data, length)?.into(),
        Compression::Deflate => deflate(&data, length)?.into(),
        Compression::PackBits => packbits(&data, length).into(),
        Compression::Group3 | Compression::Group4 => fax(&data, chunk, layout)?.into(),
        // Decoded to pixels by `jpeg`.
        Compression::Jpeg { .. } => data,
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
    decoder.read_to_end(&mut bytes).map_err(|e| Flaw::Damaged(e.to_string()))?;
    Ok(bytes)
}

/// Runs: `n` in 0..128 is followed by `n + 1` bytes, `-n` by one that is repeated `n + 1` times.
fn packbits(mut data: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let Some((&count, rest)) = data.split_first() else { break };
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

/// Rows of bits, 1 for black.
fn fax(data: &[u8], chunk: &Chunk, layout: &Layout<'_>) -> Result<Vec<u8>, Flaw> {
    let side = |side: u32| {
        u16::try_from(side).map_err(|_| Flaw::Unsupported("fax compression of more than 65535 pixels a side".into()))
    };
    let (width, rows) = (side(layout.chunk.0)?, side(chunk.rows)?);
    let mut bytes = Vec::with_capacity(layout.row_bytes() * usize::from(rows));
    let mut row = |transitions: &[u16]| {
        // A decoder without a count of rows may go on.
        if bytes.len() == bytes.capacity() {
            return;
        }
        let mut packed = vec![0u8; layout.row_bytes()];
        for (x, color) in pels(transitions, width).enumerate() {
            if color == Color::Black {
                packed[x / 8] |= 0x80 >> (x % 8);
            }
        }
        bytes.extend(packed);
    };
    let input = data.iter().copied();
    match layout.compression {
        Compression::Group4 => decode_g4(input, width, Some(rows), &mut row),
        // Without the marks at its end the result is none, though all rows are there.
        _ => decode_g3(input, &mut row),
    };
    Ok(bytes)
}

/// The pixels of a JPEG whose tables may lie elsewhere in the file.
pub(super) fn jpeg(data: &[u8], tables: &[u8], space: ColorSpace) -> Result<Pixels, Flaw> {
    // The tables without their end mark, then the image without its beginning.
    let joined = match (tables.strip_suffix(&[0xFF, 0xD9]), data.get(2..)) {
        (Some(tables), Some(data)) => Cow::Owned([tables, data].concat()),
        _ => Cow::Borrowed(data),
    };
    JpegReader::open(&joined)?.decode(Some(space))
}
