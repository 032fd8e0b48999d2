//! Safetensors files, read tensor by tensor and written as a stream, so that no file is ever in memory beside the
//! tensors made from it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Metadata, TensorInfo};

use super::dtype::Dtype;
use super::range::{first_beyond, wide_enough};
use crate::files::write_atomically;
use crate::{Error, Result};

/// The format's own limit on its header.
const MAX_HEADER: u64 = 100_000_000;

/// Values converted at once when the file is not f32.
const CHUNK: usize = 1 << 20;

/// An open safetensors file whose header has been checked.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    file: File,
    header: Metadata,
    data_start: u64,
}

impl TensorFile {
    /// Opens a file and checks that its header is sound and describes the whole file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Weights`] if it is no safetensors file or
    /// its length is not what the header says.
    pub fn open(path: &Path) -> Result<Self> {
        let unreadable = |e| Error::io(path, "read", e);
        let bad = |reason: String| Error::Weights {
            path: path.to_owned(),
            reason,
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        if !about.is_file() {
            return Err(bad("not a file; expected a .safetensors file".into()));
        }
        let size = about.len();
        if size < 8 {
            return Err(bad(format!("{size} bytes are too few for a safetensors file")));
        }
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(unreadable)?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER || length > size - 8 {
            return Err(bad(format!(
                "not a safetensors file, or a damaged one: it announces a header of {length} bytes \
                 and is {size} bytes long"
            )));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(unreadable)?;
        let header: Metadata =
            serde_json::from_slice(&header).map_err(|e| bad(format!("damaged safetensors header: {e}")))?;
        let expected = (8 + length).checked_add(header.data_len() as u64);
        if expected != Some(size) {
            return Err(bad(format!(
                "the file is {size} bytes long but its header describes {}; an incomplete download \
                 or copy? Fetch it again",
                expected.map_or("more than fits".into(), |n| n.to_string())
            )));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            header,
            data_start: 8 + length,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.header.offset_keys();
        names.sort_unstable();
        names
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.header.info(name).map(|info| info.shape.as_slice())
    }

    /// The dtype of a tensor; none for a type of the format that is not read.
    pub fn dtype(&self, name: &str) -> Option<Dtype> {
        self.header
            .info(name)
            .and_then(|info| Dtype::of_safetensors(info.dtype))
    }

    /// An entry of the file's string metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let all = self.header.metadata().as_ref()?;
        all.get(key).map(String::as_str)
    }

    /// Reads a tensor as f32, row-major; each value is the nearest that f32 has.
    ///
    /// # Errors
    /// [`Error::Weights`] if there is no such tensor, it is complex or packed in less than a byte a value, or it holds
    /// NaN or infinite values, or f64 beyond f32; [`Error::Io`] if the read fails.
    pub fn read(&mut self, name: &str) -> Result<Vec<f32>> {
        let info = self
            .header
            .info(name)
            .cloned()
            .ok_or_else(|| self.bad(format!("no tensor {name}")))?;
        let values = self.read_values(name, &info)?;
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let cause = match self.dtype(name) {
                Some(Dtype::F64) => "as f32; it is damaged, its training diverged, or its values are beyond f32",
                _ => "; the file is damaged or its training diverged",
            };
            return Err(self.bad(format!("tensor {name} holds {} at place {at}{cause}", values[at])));
        }
        Ok(values)
    }

    fn read_values(&mut self, name: &str, info: &TensorInfo) -> Result<Vec<f32>> {
        let (start, end) = info.data_offsets;
        let count = info.shape.iter().product::<usize>();
        let Some(dtype) = Dtype::of_safetensors(info.dtype) else {
            // Complex numbers, and values of 4 or 6 bits, which mean nothing without the scales of their blocks.
            let reason = format!("tensor {name} is {:?}, which are no weights by themselves", info.dtype);
            return Err(self.bad(reason));
        };
        let unreadable = |path: &Path, e| Error::io(path, "read", e);
        let from = SeekFrom::Start(self.data_start + start as u64);
        self.file.seek(from).map_err(|e| unreadable(&self.path, e))?;
        if dtype == Dtype::F32 && cfg!(target_endian = "little") {
            let mut values = vec![0f32; count];
            let read = self.file.read_exact(bytemuck::cast_slice_mut(&mut values));
            read.map_err(|e| unreadable(&self.path, e))?;
            return Ok(values);
        }
        let mut values = Vec::with_capacity(count);
        let mut buffer = vec![0; CHUNK.min(count) * dtype.bytes()];
        let mut left = end - start;
        while left > 0 {
            let piece = &mut buffer[..left.min(CHUNK * dtype.bytes())];
            self.file.read_exact(piece).map_err(|e| unreadable(&self.path, e))?;
            values.extend(dtype.to_f32(piece, false));
            left -= piece.len();
        }
        Ok(values)
    }

    fn bad(&self, reason: String) -> Error {
        Error::Weights {
            path: self.path.clone(),
            reason,
        }
    }
}

/// A tensor to be written: its name, shape, and where its values come from.
pub struct NewTensor<'a> {
    /// Name in the file.
    pub name: String,
    /// Shape, row-major.
    pub shape: Vec<usize>,
    /// Called once, when the tensor's turn comes.
    pub values: Box<dyn FnOnce() -> std::io::Result<Vec<f32>> + 'a>,
}

/// Writes a safetensors file atomically, one tensor in memory at a time.
///
/// The same tensors and metadata give the same bytes.
///
/// # Errors
/// [`Error::InvalidArgument`] for a dtype that is not [`Dtype::STORABLE`]; [`Error::WeightRange`] for a finite value that
/// it cannot hold; [`Error::Io`] naming `path`.
pub fn write_tensors(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    tensors: Vec<NewTensor<'_>>,
    dtype: Dtype,
) -> Result<()> {
    let Some(encode) = dtype.writer() else {
        let storable = Dtype::STORABLE.map(Dtype::name).join(", ");
        let name = dtype.name();
        return Err(Error::InvalidArgument(format!(
            "tensors are saved as {storable}, not as {name}"
        )));
    };
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), serde_json::json!(metadata));
    let mut end = 0;
    for tensor in &tensors {
        let start = end;
        end += tensor.shape.iter().product::<usize>() * dtype.bytes();
        let info = TensorInfo {
            dtype: dtype.to_safetensors(),
            shape: tensor.shape.clone(),
            data_offsets: (start, end),
        };
        header.insert(tensor.name.clone(), serde_json::json!(info));
    }
    let mut header = serde_json::Value::Object(header).to_string().into_bytes();
    // The format asks for data aligned to 8 bytes; spaces after the JSON are part of the header.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut beyond = None;
    let written = write_atomically(path, |out: &mut dyn Write| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for tensor in tensors {
            let values = (tensor.values)()?;
            if let Some(value) = first_beyond(&values, dtype) {
                beyond = Some((tensor.name, value));
                return Err(std::io::ErrorKind::InvalidData.into());
            }
            for piece in values.chunks(CHUNK) {
                out.write_all(&encode(piece))?;
            }
        }
        Ok(())
    });
    match beyond {
        None => written,
        Some((tensor, value)) => Err(out_of_range(path, tensor, value, dtype)),
    }
}

/// The error of a tensor with a value beyond the dtype that it was to be stored in.
pub(crate) fn out_of_range(path: &Path, tensor: String, value: f32, dtype: Dtype) -> Error {
    Error::WeightRange {
        path: path.to_owned(),
        tensor,
        value,
        dtype: dtype.name(),
        wide_enough: wide_enough(value),
    }
}
