//! Arrays as a buffer, an offset, a shape and strides describe them, read into row-major f32.

use crate::weights::dtype::Dtype;

/// Most axes of an array. numpy's own limit was 32 for long; torch's arrays have 5.
const MAX_AXES: usize = 32;

/// Where the elements of an array lie in a buffer; not checked against the buffer's length yet.
#[derive(Debug)]
pub(super) struct Strided {
    pub(super) dtype: Dtype,
    /// Elements of the buffer before the first.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// In elements, one for each axis.
    pub(super) strides: Vec<usize>,
}

impl Strided {
    /// Number of elements, if it can be counted.
    pub(super) fn count(&self) -> Option<usize> {
        count(&self.shape)
    }

    /// The values, row-major. `buffer` is all there is of the storage; whether there is memory for
    /// [`count`](Self::count) values the caller has checked.
    pub(super) fn values(&self, buffer: &[u8], big_endian: bool) -> Result<Vec<f32>, String> {
        let width = self.dtype.bytes();
        let held = buffer.len() / width;
        let needed = self.extent().ok_or("is larger than any memory")?;
        if needed > held {
            return Err(format!(
                "needs {needed} elements of a storage that has {held}; the file is damaged or incomplete"
            ));
        }
        if needed == 0 {
            return Ok(Vec::new());
        }
        let bytes = &buffer[self.offset * width..needed * width];
        if contiguous(&self.shape).as_ref() == Some(&self.strides) {
            return Ok(self.dtype.to_f32(bytes, big_endian).collect());
        }
        let at = |index: usize| self.dtype.read_f32(&bytes[index * width..][..width], big_endian);
        Ok(gather(at, &self.shape, &self.strides))
    }

    /// Elements of the buffer up to and with the last one of the array; 0 for an empty array.
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
pub(super) fn axes(sizes: impl ExactSizeIterator<Item = Option<usize>>) -> Result<Vec<usize>, String> {
    if sizes.len() > MAX_AXES {
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

/// The elements of a shape in row-major order. The caller has checked that every index can be read.
fn gather(read: impl Fn(usize) -> f32, shape: &[usize], strides: &[usize]) -> Vec<f32> {
    let mut values = Vec::with_capacity(shape.iter().product());
    let mut index = vec![0; shape.len()];
    let mut at = 0usize;
    loop {
        values.push(read(at));
        let mut axis = shape.len();
        loop {
            if axis == 0 {
                return values;
            }
            axis -= 1;
            index[axis] += 1;
            // The stride of an axis of size 1 may be anything: it is added and taken away again.
            at = at.wrapping_add(strides[axis]);
            if index[axis] < shape[axis] {
                break;
            }
            at = at.wrapping_sub(strides[axis].wrapping_mul(shape[axis]));
            index[axis] = 0;
        }
    }
}
