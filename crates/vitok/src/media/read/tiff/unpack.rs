//! From the bytes of a chunk to samples in their place.

use super::super::decoder::{Flaw, Pixels, Samples};
use super::chunk::Chunk;
use super::codes::Predictor;
use super::layout::Layout;

/// Where the part of a chunk's row that lies in the image belongs.
struct Place {
    /// The index of the first sample.
    start: usize,
    /// One more than that of the last.
    end: usize,
    /// From one sample to the next.
    step: usize,
}

/// The places of a chunk's rows.
fn places<'a>(chunk: &'a Chunk, layout: &'a Layout<'_>) -> impl Iterator<Item = Place> + 'a {
    let (width, samples) = (layout.width as usize, layout.samples_per_pixel);
    let (x, columns) = (chunk.x as usize, layout.chunk.0.min(layout.width - chunk.x) as usize);
    let rows = chunk.rows.min(layout.height - chunk.y) as usize;
    (0..rows).map(move |row| {
        let first = ((chunk.y as usize + row) * width + x) * samples;
        Place {
            start: first + chunk.plane,
            end: first + columns * samples,
            step: if layout.planar { samples } else { 1 },
        }
    })
}

/// Puts the samples of a chunk, given as its rows of bytes, into the image's.
pub(super) fn rows(bytes: &[u8], chunk: &Chunk, layout: &Layout<'_>, samples: &mut Samples) {
    let length = layout.row_bytes();
    for (row, place) in bytes.chunks_exact(length).zip(places(chunk, layout)) {
        let row = &mut row.to_vec();
        let float_bytes = undo_predictor(row, layout);
        let big_endian = layout.big_endian || float_bytes;
        let bits = layout.bits;
        match samples {
            Samples::Bytes(all) if bits == 8 => put(all, place, row.iter().copied()),
            Samples::Bytes(all) => {
                let index = |i: usize| (row[i * bits / 8] >> (8 - bits - i * bits % 8)) & ((1 << bits) - 1);
                put(all, place, (0..length * 8 / bits).map(index));
            }
            Samples::Words(all) if bits == 16 => {
                let words = row.as_chunks().0.iter();
                put(all, place, words.map(|&word| word_of(word, big_endian)));
            }
            // 12 bits, as 16 with the same white.
            Samples::Words(all) => {
                let word = |i: usize| {
                    let at = i * 12 / 8;
                    let pair = u16::from_be_bytes([row[at], row[at + 1]]);
                    let value = if i.is_multiple_of(2) { pair >> 4 } else { pair & 0xFFF };
                    value << 4 | value >> 8
                };
                put(all, place, (0..length * 8 / 12).map(word));
            }
            Samples::Floats(all) => {
                let floats = row.as_chunks().0.iter();
                put(all, place, floats.map(|&float| float_of(float, big_endian)));
            }
        }
    }
}

/// Puts the samples of a chunk that was a JPEG into the image's.
pub(super) fn pixels(pixels: &Pixels, chunk: &Chunk, layout: &Layout<'_>, samples: &mut Samples) -> Result<(), Flaw> {
    let (Samples::Bytes(from), Samples::Bytes(all)) = (&pixels.samples, samples) else {
        return Err(Flaw::Damaged("a JPEG of another depth".into()));
    };
    let columns = layout.chunk.0.min(layout.width - chunk.x);
    let rows = chunk.rows.min(layout.height - chunk.y);
    let channels = pixels.channels.count();
    if pixels.width < columns || pixels.height < rows || channels != layout.chunk_samples() {
        return Err(Flaw::Damaged("a JPEG of another size".into()));
    }
    let stride = pixels.width as usize * channels;
    for (row, place) in from.chunks_exact(stride).zip(places(chunk, layout)) {
        put(all, place, row.iter().copied());
    }
    Ok(())
}

fn put<T>(all: &mut [T], place: Place, values: impl Iterator<Item = T>) {
    let slots = all[place.start..place.end].iter_mut().step_by(place.step);
    slots.zip(values).for_each(|(slot, value)| *slot = value);
}

/// Undoes what a predictor did to a row; true if its floats are in big-endian order now, whatever the file's.
fn undo_predictor(row: &mut Vec<u8>, layout: &Layout<'_>) -> bool {
    let step = layout.chunk_samples();
    match layout.predictor {
        Predictor::None => false,
        Predictor::Horizontal => {
            let size = layout.bits / 8;
            let before = step * size;
            for start in (before..row.len()).step_by(size) {
                // Byte after byte, from the lowest.
                let mut carry = 0;
                for byte in 0..size {
                    let at = start + if layout.big_endian { size - 1 - byte } else { byte };
                    let sum = u16::from(row[at]) + u16::from(row[at - before]) + carry;
                    (row[at], carry) = (sum as u8, sum >> 8);
                }
            }
            false
        }
        Predictor::Float => {
            (step..row.len()).for_each(|i| row[i] = row[i].wrapping_add(row[i - step]));
            // The highest bytes of all floats, then the next.
            let count = row.len() / 4;
            *row = (0..count)
                .flat_map(|i| [0, 1, 2, 3].map(|byte| row[byte * count + i]))
                .collect();
            true
        }
    }
}

fn word_of(bytes: [u8; 2], big_endian: bool) -> u16 {
    match big_endian {
        true => u16::from_be_bytes(bytes),
        false => u16::from_le_bytes(bytes),
    }
}

fn float_of(bytes: [u8; 4], big_endian: bool) -> f32 {
    match big_endian {
        true => f32::from_be_bytes(bytes),
        false => f32::from_le_bytes(bytes),
    }
}
