//! numpy's `.npy` format, versions 1 to 3, as far as numbers go.
//!
//! A magic string, the version, the header's length, the header (a Python dictionary of `descr`,
//! `fortran_order` and `shape`), then the elements.

use std::io::Read;

/// Shorthand inside this module, where the file's name is not known. Reasons continue "its array x".
type Outcome<T> = std::result::Result<T, String>;

const MAGIC: &[u8] = b"\x93NUMPY";

/// numpy itself reads no header above 10,000.
const LONGEST_HEADER: usize = 10_000;

/// An array of numbers, row-major.
#[derive(Debug, PartialEq)]
pub(crate) enum Array {
    Floats(Vec<f64>),
    Integers(Vec<i64>),
}

impl Array {
    /// The values, if they are floats.
    pub(crate) fn floats(self) -> Outcome<Vec<f64>> {
        match self {
            Array::Floats(values) => Ok(values),
            Array::Integers(_) => Err("its statistics are integers".into()),
        }
    }

    /// The first value, if it is a count.
    pub(crate) fn whole_number(&self) -> Option<usize> {
        match self {
            Array::Integers(values) => usize::try_from(*values.first()?).ok(),
            Array::Floats(_) => None,
        }
    }
}

/// Reads an array to the end of `file`, which is what compares a zip entry's checksum. `check` sees
/// the shape before anything of that size is read.
pub(crate) fn read(file: &mut dyn Read, check: &dyn Fn(&[usize]) -> Outcome<()>) -> Outcome<Array> {
    let header = Header::read(file)?;
    check(&header.shape)?;
    let element = Element::of(&header.descr)?;
    let count = header.shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s));
    let size = count.and_then(|n| n.checked_mul(element.width()));
    let size = size.ok_or("is larger than any memory")?;
    let mut bytes = Vec::new();
    file.take(size as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("is damaged: {e}"))?;
    if bytes.len() != size {
        return Err(format!(
            "does not hold the {size} bytes that its shape {:?} needs; it is damaged or incomplete",
            header.shape
        ));
    }
    let elements = element.elements(&bytes, header.descr.starts_with('>'));
    Ok(if header.fortran_order {
        match elements {
            Array::Floats(values) => Array::Floats(row_major(&values, &header.shape)),
            Array::Integers(values) => Array::Integers(row_major(&values, &header.shape)),
        }
    } else {
        elements
    })
}

/// A file of version 1: the header, padded to 64 bytes as numpy does, and the bytes given.
pub(crate) fn with_header(descr: &str, shape: &[usize], bytes: Vec<u8>) -> Vec<u8> {
    let shape: String = match shape {
        [one] => format!("{one},"),
        _ => shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let before = MAGIC.len() + 4;
    let end = (before + header.len() + 1).next_multiple_of(64);
    header.push_str(&" ".repeat(end - before - header.len() - 1));
    header.push('\n');
    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.into_bytes());
    out.extend(bytes);
    out
}

/// The types of element that statistics come in.
#[derive(Clone, Copy)]
enum Element {
    F32,
    F64,
    I32,
    I64,
}

impl Element {
    fn of(descr: &str) -> Outcome<Self> {
        Ok(match descr {
            "<f4" | ">f4" => Self::F32,
            "<f8" | ">f8" => Self::F64,
            "<i4" | ">i4" => Self::I32,
            "<i8" | ">i8" => Self::I64,
            _ => {
                let short: String = descr.chars().take(20).collect();
                return Err(format!(
                    "is of numpy's type \"{}\"; only f4 and f8 can be read",
                    short.escape_debug()
                ));
            }
        })
    }

    fn width(self) -> usize {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    fn elements(self, bytes: &[u8], big_endian: bool) -> Array {
        match self {
            Self::F32 => Array::Floats(fixed(bytes, big_endian).map(|b| f32::from_le_bytes(b).into()).collect()),
            Self::F64 => Array::Floats(fixed(bytes, big_endian).map(f64::from_le_bytes).collect()),
            Self::I32 => Array::Integers(fixed(bytes, big_endian).map(|b| i32::from_le_bytes(b).into()).collect()),
            Self::I64 => Array::Integers(fixed(bytes, big_endian).map(i64::from_le_bytes).collect()),
        }
    }
}

/// The elements' bytes, little-endian.
fn fixed<const N: usize>(bytes: &[u8], big_endian: bool) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks().0.iter().map(move |&(mut element)| {
        if big_endian {
            element.reverse();
        }
        element
    })
}

/// From column-major order; of one axis or none both are the same.
fn row_major<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
    let &[rows, columns] = shape else {
        return values.to_vec();
    };
    (0..rows)
        .flat_map(|i| (0..columns).map(move |j| values[j * rows + i]))
        .collect()
}

#[derive(Default)]
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    fn read(file: &mut dyn Read) -> Outcome<Self> {
        let mut read = |count: usize| -> Outcome<Vec<u8>> {
            let mut bytes = vec![0; count];
            let unreadable = |e| format!("is damaged or incomplete: {e}");
            file.read_exact(&mut bytes).map_err(unreadable)?;
            Ok(bytes)
        };
        let start = read(MAGIC.len() + 2)?;
        let length = match start.strip_prefix(MAGIC) {
            Some([1, 0]) => read(2)?,
            Some([2 | 3, 0]) => read(4)?,
            Some([major, minor]) => {
                return Err(format!("is of numpy's format {major}.{minor}, which is not known here"));
            }
            _ => return Err("is not in numpy's format".into()),
        };
        let length = length.iter().rev().fold(0, |n, &byte| n << 8 | usize::from(byte));
        if length > LONGEST_HEADER {
            return Err(format!(
                "has a header of {length} bytes, over the limit of {LONGEST_HEADER}"
            ));
        }
        let text = String::from_utf8(read(length)?).ok();
        text.and_then(|text| Self::parse(&text))
            .ok_or_else(|| "has a header that is damaged, or describes something else than numbers".into())
    }

    /// `{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }`, in any order.
    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = quoted(rest)?;
            let value = after.trim_start().strip_prefix(':')?.trim_start();
            rest = match key {
                "descr" => {
                    let (value, after) = quoted(value)?;
                    descr = Some(value.to_owned());
                    after
                }
                "fortran_order" => {
                    let end = value.find(',').unwrap_or(value.len());
                    fortran_order = Some(match value[..end].trim() {
                        "True" => true,
                        "False" => false,
                        _ => return None,
                    });
                    &value[end..]
                }
                "shape" => {
                    let (value, after) = value.strip_prefix('(')?.split_once(')')?;
                    shape = Some(sizes(value)?);
                    after
                }
                _ => return None,
            };
            rest = rest.trim_start();
            rest = match rest.strip_prefix(',') {
                Some(rest) => rest.trim_start(),
                None if rest.is_empty() => rest,
                None => return None,
            };
        }
        Some(Self {
            descr: descr?,
            fortran_order: fortran_order?,
            shape: shape?,
        })
    }
}

/// A string in quotes of either kind, and what follows it. No escapes: no name here needs one.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

/// `2, 3`, `2,` or nothing.
fn sizes(text: &str) -> Option<Vec<usize>> {
    let text = text.trim();
    let text = text.strip_suffix(',').unwrap_or(text);
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(',').map(|size| size.trim().parse().ok()).collect()
}
