//! Names of files, as bytes and as text.

use std::ffi::OsStr;
use std::path::PathBuf;

/// A path or name as text: what is not UTF-8 as `\xE9`, so that two names that differ stay different.
pub fn printable(name: impl AsRef<OsStr>) -> String {
    printable_bytes(name.as_ref().as_encoded_bytes())
}

/// [`printable`] of a name's bytes.
pub(crate) fn printable_bytes(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text += chunk.valid();
        chunk
            .invalid()
            .iter()
            .for_each(|byte| text += &format!("\\x{byte:02X}"));
    }
    text
}

/// The path of these bytes, as lists and archives name files; where the system's paths are no bytes, of their text.
pub(crate) fn path_of_bytes(name: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        OsStr::from_bytes(name).into()
    }
    #[cfg(not(unix))]
    printable_bytes(name).into()
}

/// The first few of many names.
pub(crate) fn named_few(names: &[String]) -> String {
    const NAMED: usize = 3;
    let shown = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
