//! The fax compressions, by the code tables of the `fax` crate, which reads Group 4 by itself.

use std::convert::Infallible;

use fax::decoder::{decode_g4, pels};
use fax::maps::{Mode, black, mode, white};
use fax::{BitReader, ByteReader, Color};

use super::super::decoder::Flaw;
use super::chunk::Chunk;
use super::codes::Compression;
use super::layout::Layout;

/// Where a row changes its color, from white on.
type Row = Vec<u16>;

/// The rows of a chunk as bits, 1 for black; fewer if the data end early.
pub(super) fn decode(data: &[u8], chunk: &Chunk, layout: &Layout<'_>) -> Result<Vec<u8>, Flaw> {
    let side = |side: u32| {
        u16::try_from(side).map_err(|_| Flaw::Unsupported("fax compression of more than 65535 pixels a side".into()))
    };
    let (width, height) = (side(layout.chunk.0)?, side(chunk.rows)?);
    let mut bytes = Vec::with_capacity(layout.row_bytes() * usize::from(height));
    let mut put = |row: &[u16]| {
        let mut packed = vec![0u8; layout.row_bytes()];
        for (x, color) in pels(row, width).enumerate() {
            if color == Color::Black {
                packed[x / 8] |= 0x80 >> (x % 8);
            }
        }
        bytes.extend(packed);
    };
    match layout.compression {
        Compression::Group4 => {
            decode_g4(data.iter().copied(), width, Some(height), put);
        }
        Compression::Group3 { two_dimensional } => {
            let mut reader = FaxReader::new(data, width);
            let mut above = Row::new();
            for _ in 0..height {
                let Some(row) = reader.group3_row(&above, two_dimensional) else {
                    break;
                };
                put(&row);
                above = row;
            }
        }
        // Modified Huffman: rows of runs that begin at a byte.
        _ => {
            let mut reader = FaxReader::new(data, width);
            for _ in 0..height {
                let Some(row) = reader.runs() else { break };
                put(&row);
                reader.align();
            }
        }
    }
    Ok(bytes)
}

struct FaxReader<I> {
    bits: ByteReader<I>,
    width: u16,
}

impl<'a> FaxReader<Box<dyn Iterator<Item = Result<u8, Infallible>> + 'a>> {
    fn new(data: &'a [u8], width: u16) -> Self {
        // Codes are looked up by more bits than they have.
        let bytes = data.iter().copied().chain([0; 4]).map(Ok);
        let Ok(bits) = ByteReader::new(Box::new(bytes) as Box<dyn Iterator<Item = _>>);
        Self { bits, width }
    }
}

impl<I: Iterator<Item = Result<u8, Infallible>>> FaxReader<I> {
    /// A row of T.4, behind its end-of-line code; of two-dimensional ones a bit says how each row is coded.
    fn group3_row(&mut self, above: &[u16], two_dimensional: bool) -> Option<Row> {
        const END_OF_LINE: u16 = 1;
        while self.bits.peek(12) == Some(0) {
            self.bits.consume(1).ok()?;
        }
        if self.bits.peek(12) == Some(END_OF_LINE) {
            self.bits.consume(12).ok()?;
        }
        match two_dimensional && self.bit()? == 0 {
            true => self.changes(above),
            false => self.runs(),
        }
    }

    fn bit(&mut self) -> Option<u16> {
        let bit = self.bits.peek(1)?;
        self.bits.consume(1).ok()?;
        Some(bit)
    }

    /// To the next byte.
    fn align(&mut self) {
        let Ok(()) = self.bits.consume(self.bits.bits_to_byte_boundary());
    }

    /// A row of runs, white and black by turns.
    fn runs(&mut self) -> Option<Row> {
        let (mut row, mut at) = (Row::new(), 0);
        while at < self.width {
            at = self.run(row.len() % 2 == 1, at)?;
            row.push(at);
        }
        Some(row)
    }

    /// Where a run that begins at `at` ends: codes of multiples of 64, then one of less.
    fn run(&mut self, is_black: bool, mut at: u16) -> Option<u16> {
        loop {
            let length = match is_black {
                true => black::decode(&mut self.bits)?,
                false => white::decode(&mut self.bits)?,
            };
            at = at.checked_add(length).filter(|&at| at <= self.width)?;
            if length < 64 {
                return Some(at);
            }
        }
    }

    /// A row by its differences from the row above, with the names of T.4: a0 is where the row is known to, b1 and b2 are
    /// the next two changes above.
    fn changes(&mut self, above: &[u16]) -> Option<Row> {
        let mut row = Row::new();
        let mut a0: Option<u16> = None;
        // The first change above that lies behind a0.
        let mut next = 0;
        while a0.is_none_or(|a0| a0 < self.width) {
            let is_black = row.len() % 2 == 1;
            let is_behind = |i: usize| above.get(i).is_some_and(|&x| a0.is_none_or(|a0| x > a0));
            while next < above.len() && !is_behind(next) {
                next += 1;
            }
            while next > 0 && is_behind(next - 1) {
                next -= 1;
            }
            // The changes at even places are those to black.
            let b1 = next + usize::from((next % 2 == 1) != is_black);
            let [b1, b2] = [b1, b1 + 1].map(|i| above.get(i).copied().unwrap_or(self.width));
            a0 = Some(match mode::decode(&mut self.bits)? {
                Mode::Pass => b2,
                Mode::Horizontal => {
                    let a1 = self.run(is_black, a0.unwrap_or(0))?;
                    let a2 = self.run(!is_black, a1)?;
                    row.extend([a1, a2]);
                    a2
                }
                Mode::Vertical(delta) => {
                    let a1 = b1.checked_add_signed(delta.into()).filter(|&a1| a1 <= self.width)?;
                    row.push(a1);
                    a1
                }
                Mode::Extension | Mode::EOF => return None,
            });
        }
        Some(row)
    }
}
