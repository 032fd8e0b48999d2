//! The parts that the pixels of a TIFF file are stored in.

use super::super::decoder::Flaw;

/// A tile, or a strip, of one sample or all.
pub(super) struct Chunk {
    /// Where its pixels belong.
    pub(super) x: u32,
    pub(super) y: u32,
    /// Rows that are stored; a strip at the end has fewer.
    pub(super) rows: u32,
    /// The sample, where each has its own.
    pub(super) plane: usize,
    pub(super) offset: u64,
    /// Bytes; `u64::MAX` where that is not known.
    pub(super) length: u64,
}

impl Chunk {
    /// The bytes of the chunk in the file; to the file's end where their length is not known.
    pub(super) fn of<'f>(&self, file: &'f [u8]) -> Result<&'f [u8], Flaw> {
        let start = usize::try_from(self.offset).map_err(|_| Flaw::CutShort)?;
        let rest = file.get(start..).ok_or(Flaw::CutShort)?;
        match usize::try_from(self.length) {
            Ok(length) if self.length != u64::MAX => rest.get(..length).ok_or(Flaw::CutShort),
            _ => Ok(rest),
        }
    }
}
