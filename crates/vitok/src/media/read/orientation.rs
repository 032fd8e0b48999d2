//! How an image is to be turned, from its EXIF or XMP metadata.

use image::metadata::Orientation;

use super::ifd::Directory;

/// The tag of EXIF and TIFF, a number of 1 to 8.
pub(super) const ORIENTATION: u16 = 274;

/// The orientation in EXIF data; none if they have none or are damaged. `Exif\0\0`, which belongs in front of them in
/// JPEG files only, is passed over wherever it stands.
pub(super) fn of_exif(mut exif: &[u8]) -> Option<Orientation> {
    while let Some(rest) = exif.strip_prefix(b"Exif\0\0") {
        exif = rest;
    }
    of_directory(&Directory::read(exif).ok()?)
}

/// The orientation in a directory of tags.
pub(super) fn of_directory(directory: &Directory<'_>) -> Option<Orientation> {
    let value = directory.integer(ORIENTATION).ok()??;
    Orientation::from_exif(u8::try_from(value).ok()?)
}

/// The orientation in XMP metadata, as an attribute or an element; where EXIF has none, it counts.
pub(super) fn of_xmp(xmp: &[u8]) -> Option<Orientation> {
    const NAME: &[u8] = b"tiff:Orientation";
    let at = xmp.windows(NAME.len()).position(|window| window == NAME)?;
    let rest = &xmp[at + NAME.len()..];
    let value = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?;
    let digit = *value.first()?;
    Orientation::from_exif(digit.wrapping_sub(b'0'))
}

/// What applies of the two.
pub(super) fn of_metadata(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Orientation {
    exif.and_then(of_exif)
        .or_else(|| xmp.and_then(of_xmp))
        .unwrap_or(Orientation::NoTransforms)
}
