//! The directory of tags that a TIFF file begins with, and EXIF data too, which are a TIFF file without an image.

use std::collections::BTreeMap;

use super::decoder::Flaw;

/// The first directory of a TIFF or BigTIFF file in either byte order. Values are read where they are asked for; they
/// lie within the file, so no count can ask for more memory than the file has.
pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    pub(super) big_endian: bool,
    entries: BTreeMap<u16, Entry>,
    /// Where it ends: behind the position of the next directory.
    end: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    kind: u16,
    count: usize,
    /// Where the values begin.
    at: usize,
}

impl<'a> Directory<'a> {
    /// Reads the directory of a file in memory.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Flaw> {
        let big_endian = bytes.starts_with(b"MM");
        let number = |at: usize, length: usize| number(bytes, big_endian, at, length);
        let big_tiff = number(2, 2)? == 43;
        // Lengths in the file: where the directory is, how many entries, an entry, and its count and value.
        let (start, counter, entry, word) = match big_tiff {
            true => (8, 8, 20, 8),
            false => (4, 2, 12, 4),
        };
        let first = position(number(start, word)?)?;
        let count = position(number(first, counter)?.min(u64::from(u16::MAX)))?;
        let mut entries = BTreeMap::new();
        for index in 0..count {
            let at = first + counter + index * entry;
            let kind = number(at + 2, 2)? as u16;
            let values = position(number(at + 4, word)?)?;
            let value = at + 4 + word;
            let length = values.saturating_mul(width_of(kind));
            let at_value = match length <= word {
                true => value,
                false => position(number(value, word)?)?,
            };
            // Of two entries for a tag the first counts, as it does for libtiff.
            entries.entry(number(at, 2)? as u16).or_insert(Entry {
                kind,
                count: values,
                at: at_value,
            });
        }
        Ok(Self {
            bytes,
            big_endian,
            entries,
            end: first + counter + count * entry + word,
        })
    }

    /// Whether the file goes on to the directory's end.
    pub(super) fn is_whole(&self) -> bool {
        self.end <= self.bytes.len()
    }

    /// Whether the tag is there.
    pub(super) fn has(&self, tag: u16) -> bool {
        self.entries.contains_key(&tag)
    }

    /// The values of a tag of integers, sign extended; empty if it is missing or not of integers.
    pub(super) fn integers(&self, tag: u16) -> Result<Vec<u64>, Flaw> {
        let Some(entry) = self.entries.get(&tag).filter(|entry| is_integer(entry.kind)) else {
            return Ok(Vec::new());
        };
        let width = width_of(entry.kind);
        let raw = self.raw(*entry)?;
        let values = (0..entry.count).map(|i| {
            let value = number(raw, self.big_endian, i * width, width)?;
            // SBYTE, SSHORT, SLONG.
            Ok(match entry.kind {
                6 => value as i8 as u64,
                8 => value as i16 as u64,
                9 => value as i32 as u64,
                _ => value,
            })
        });
        values.collect()
    }

    /// The first value of a tag of integers, if there is one.
    pub(super) fn integer(&self, tag: u16) -> Result<Option<u64>, Flaw> {
        Ok(self.integers(tag)?.first().copied())
    }

    /// The bytes of a tag, whatever they are; empty if it is missing.
    pub(super) fn bytes(&self, tag: u16) -> Result<&'a [u8], Flaw> {
        self.entries.get(&tag).map_or(Ok(&[]), |entry| self.raw(*entry))
    }

    fn raw(&self, entry: Entry) -> Result<&'a [u8], Flaw> {
        let length = entry.count.saturating_mul(width_of(entry.kind));
        let end = entry.at.saturating_add(length);
        self.bytes.get(entry.at..end).ok_or(Flaw::CutShort)
    }
}

/// Bytes of a value of a TIFF field type; 1 for types there are not.
fn width_of(kind: u16) -> usize {
    match kind {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 1,
    }
}

/// BYTE, SHORT, LONG, SBYTE, UNDEFINED, SSHORT, SLONG, IFD, LONG8, SLONG8, IFD8.
fn is_integer(kind: u16) -> bool {
    matches!(kind, 1 | 3 | 4 | 6..=9 | 13 | 16..=18)
}

/// The unsigned integer of up to 8 bytes at a position.
fn number(bytes: &[u8], big_endian: bool, at: usize, length: usize) -> Result<u64, Flaw> {
    let end = at.checked_add(length).ok_or(Flaw::CutShort)?;
    let bytes = bytes.get(at..end).ok_or(Flaw::CutShort)?;
    let join = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
    Ok(match big_endian {
        true => bytes.iter().fold(0, join),
        false => bytes.iter().rev().fold(0, join),
    })
}

/// A position or a length in the file.
fn position(value: u64) -> Result<usize, Flaw> {
    usize::try_from(value)
        .ok()
        .filter(|&value| value < usize::MAX / 2)
        .ok_or(Flaw::CutShort)
}
