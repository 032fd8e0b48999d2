//! numpy's `.npy` format, versions 1 to 3, as far as numbers go.
//!
//! A magic string, the version, the header's length, the header (a Python dictionary of `descr`, `fortran_order` and
//! `shape`), then the elements. Errors here are reasons that continue "its array NAME"; who calls knows the names of
//! file and array.

use std::io::Read;

use super::dtype::Dtype;

const MAGIC: &[u8] = b"\x93NUMPY";

/// numpy itself reads no header above 10,000.
const MAX_HEADER: usize = 10_000;

/// An array of numbers, row-major.
#[derive(Debug, PartialEq)]
pub(crate) struct Array {
    dtype: Dtype,
    /// Integers beyond 2^53 are rounded.
    values: Vec<f64>,
}

impl Array {
    /// The values, if they are floats.
    pub(crate) fn floats(self) -> Result<Vec<f64>, String> {
        if self.dtype.is_float() {
            Ok(self.values)
        } else {
            Err("its statistics are integers".into())
        }
    }

    /// The first value, if it is an integer that is not negative.
    pub(crate) fn whole_number(&self) -> Option<usize> {
        let first = *self.values.first()?;
        (!self.dtype.is_float() && first >= 0.0).then_some(first as usize)
    }
}

/// Reads an array to the end of `file`, which is what compares a zip entry's checksum. `check` is given the shape before
/// anything of that size is read.
pub(crate) fn read(file: &mut dyn Read, check: &dyn Fn(&[usize]) -> Result<(), String>) -> Result<Array, String> {
    let header = Header::read(file)?;
    check(&header.shape)?;
    let (dtype, big_endian) = dtype_of(&header.descr)?;
    let count = header.shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s));
    let size = count.and_then(|n| n.checked_mul(dtype.bytes()));
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
    let values: Vec<f64> = dtype.to_f64(&bytes, big_endian).collect();
    let values = if header.fortran_order {
        row_major(&values, &header.shape)
    } else {
        values
    };
    Ok(Array { dtype, values })
}

/// The types of element that statistics come in, and whether they are big-endian.
fn dtype_of(descr: &str) -> Result<(Dtype, bool), String> {
    let big_endian = descr.starts_with('>');
    match descr.strip_prefix(['<', '>']).and_then(Dtype::of_numpy) {
        Some(dtype @ (Dtype::F32 | Dtype::F64 | Dtype::I32 | Dtype::I64)) => Ok((dtype, big_endian)),
        _ => {
            let short: String = descr.chars().take(20).collect();
            Err(format!(
                "is of numpy's type \"{}\"; only f4 and f8 can be read",
                short.escape_debug()
            ))
        }
    }
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

/// From column-major order; of one axis or none both are the same.
fn row_major(values: &[f64], shape: &[usize]) -> Vec<f64> {
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
    fn read(file: &mut dyn Read) -> Result<Self, String> {
        let mut read = |count: usize| -> Result<Vec<u8>, String> {
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
        if length > MAX_HEADER {
            return Err(format!(
                "has a header of {length} bytes, over the limit of {MAX_HEADER}"
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
