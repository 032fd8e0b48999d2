//! From bytes to f32: element types, byte orders, strides.

use half::{bf16, f16};

use super::heap::Id;
use super::{Outcome, shown};

/// numpy's own limit was 32 for long; torch's arrays have 5.
const MOST_AXES: usize = 32;

/// What an array is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
}

impl Element {
    /// By the name of a storage type of module `torch`.
    pub(super) fn of_storage(name: &str) -> Option<Self> {
        Some(match name {
            "DoubleStorage" => Self::F64,
            "FloatStorage" => Self::F32,
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::Bf16,
            "LongStorage" => Self::I64,
            "IntStorage" => Self::I32,
            "ShortStorage" => Self::I16,
            "CharStorage" => Self::I8,
            "ByteStorage" => Self::U8,
            "BoolStorage" => Self::Bool,
            _ => return None,
        })
    }

    /// By numpy's name, without the byte order.
    pub(super) fn of_dtype(name: &str) -> Outcome<Self> {
        Ok(match name {
            "f8" => Self::F64,
            "f4" => Self::F32,
            "f2" => Self::F16,
            "i8" => Self::I64,
            "i4" => Self::I32,
            "i2" => Self::I16,
            "i1" => Self::I8,
            "u8" => Self::U64,
            "u4" => Self::U32,
            "u2" => Self::U16,
            "u1" => Self::U8,
            "b1" => Self::Bool,
            _ => {
                return Err(format!(
                    "it holds an array of numpy's type \"{}\"; only numbers can be read",
                    shown(name)
                ));
            }
        })
    }

    /// Bytes of one element.
    pub(super) fn width(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// The reader of one element, little-endian.
    fn reader(self) -> fn(&[u8]) -> f32 {
        match self {
            Self::F64 => |b| f64::from_le_bytes(fixed(b)) as f32,
            Self::F32 => |b| f32::from_le_bytes(fixed(b)),
            Self::F16 => |b| f16::from_le_bytes(fixed(b)).to_f32(),
            Self::Bf16 => |b| bf16::from_le_bytes(fixed(b)).to_f32(),
            Self::I64 => |b| i64::from_le_bytes(fixed(b)) as f32,
            Self::I32 => |b| i32::from_le_bytes(fixed(b)) as f32,
            Self::I16 => |b| i16::from_le_bytes(fixed(b)).into(),
            Self::I8 => |b| i8::from_le_bytes(fixed(b)).into(),
            Self::U64 => |b| u64::from_le_bytes(fixed(b)) as f32,
            Self::U32 => |b| u32::from_le_bytes(fixed(b)) as f32,
            Self::U16 => |b| u16::from_le_bytes(fixed(b)).into(),
            Self::U8 => |b| b[0].into(),
            Self::Bool => |b| (b[0] != 0).into(),
        }
    }

    /// One element, of either byte order.
    fn read(self, bytes: &[u8], big_endian: bool) -> f32 {
        let read = self.reader();
        if !big_endian {
            return read(bytes);
        }
        let width = self.width();
        let mut turned = [0; 8];
        turned[..width].copy_from_slice(bytes);
        turned[..width].reverse();
        read(&turned)
    }
}

/// The first bytes of a slice that is long enough, as an array.
fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[..N]);
    out
}

/// An array as a pickle describes it; not checked against its bytes yet.
#[derive(Debug)]
pub(super) struct View {
    /// A storage, or the bytes themselves.
    pub(super) data: Id,
    pub(super) element: Element,
    /// Of numpy arrays; torch's storages are all of the file's order.
    pub(super) big_endian: bool,
    /// Elements before the first.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// In elements.
    pub(super) strides: Vec<usize>,
}

impl View {
    /// Number of elements, if it can be counted.
    pub(super) fn count(&self) -> Option<usize> {
        count(&self.shape)
    }

    /// The values, row-major. `bytes` are all there are of the storage; whether there is memory for
    /// [`View::count`] values the caller has asked himself.
    pub(super) fn values(&self, bytes: &[u8], big_endian: bool) -> Outcome<Vec<f32>> {
        let width = self.element.width();
        let held = bytes.len() / width;
        let needed = self.extent().ok_or("is larger than any memory")?;
        if needed > held {
            return Err(format!(
                "needs {needed} elements of a storage that has {held}; the file is damaged or incomplete"
            ));
        }
        if needed == 0 {
            return Ok(Vec::new());
        }
        let bytes = &bytes[self.offset * width..needed * width];
        let element = self.element;
        if contiguous(&self.shape).as_ref() == Some(&self.strides) {
            let each = bytes.chunks_exact(width);
            return Ok(if big_endian {
                each.map(|b| element.read(b, true)).collect()
            } else {
                each.map(element.reader()).collect()
            });
        }
        let at = |place: usize| element.read(&bytes[place * width..][..width], big_endian);
        Ok(gather(at, &self.shape, &self.strides))
    }

    /// Elements of the storage up to and with the last one of the view; 0 for an empty view.
    fn extent(&self) -> Option<usize> {
        if self.count()? == 0 {
            return Some(0);
        }
        let mut last = self.offset;
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            last = last.checked_add((size - 1).checked_mul(stride)?)?;
        }
        last.checked_add(1)
    }
}

/// A shape or strides out of a file.
pub(super) fn axes(sizes: impl ExactSizeIterator<Item = Option<usize>>) -> Outcome<Vec<usize>> {
    if sizes.len() > MOST_AXES {
        return Err(format!("an array of it has {} axes", sizes.len()));
    }
    let sizes: Option<Vec<usize>> = sizes.collect();
    sizes.ok_or_else(|| "a size or stride of an array is no number or negative".into())
}

/// Number of elements of a shape. A 0 makes it 0 whatever the others are.
fn count(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size))
}

/// Row-major strides.
pub(super) fn contiguous(shape: &[usize]) -> Option<Vec<usize>> {
    let mut strides = packed(shape.iter().rev())?;
    strides.reverse();
    Some(strides)
}

/// Column-major strides, numpy's "Fortran order".
pub(super) fn column_major(shape: &[usize]) -> Option<Vec<usize>> {
    packed(shape.iter())
}

/// Strides of axes given from the fastest to the slowest.
fn packed<'a>(sizes: impl Iterator<Item = &'a usize>) -> Option<Vec<usize>> {
    let mut next = 1usize;
    let strides = sizes.map(|&size| {
        let stride = next;
        next = next.checked_mul(size.max(1))?;
        Some(stride)
    });
    strides.collect()
}

/// Steps through a shape, last axis fastest. The caller has checked that every place can be read.
fn gather(read: impl Fn(usize) -> f32, shape: &[usize], strides: &[usize]) -> Vec<f32> {
    let mut values = Vec::with_capacity(shape.iter().product());
    let mut index = vec![0; shape.len()];
    let mut place = 0usize;
    loop {
        values.push(read(place));
        let mut axis = shape.len();
        loop {
            if axis == 0 {
                return values;
            }
            axis -= 1;
            index[axis] += 1;
            // The stride of an axis of size 1 may be anything: it is added and taken away again.
            place = place.wrapping_add(strides[axis]);
            if index[axis] < shape[axis] {
                break;
            }
            place = place.wrapping_sub(strides[axis].wrapping_mul(shape[axis]));
            index[axis] = 0;
        }
    }
}
