//! Reading a weight file of any known kind into named arrays.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::safetensors_file::TensorFile;
use super::state_dict::{Array, StateDict};
use super::torch;
use crate::{Error, Result};

/// Reads every array of a weight file. What kind of file it is its first bytes tell, not its name.
///
/// Known are safetensors, `torch.save` of a state dictionary (the zip format and the older one of
/// plain pickles), and pickled dictionaries of numpy arrays (protocols 2 to 5). Where the outermost
/// dictionary has a dictionary under `state_dict` or `model`, that one is read. Names of nested
/// dictionaries are joined with `/`; what is not an array in a dictionary (numbers, lists) is passed
/// over.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read. [`Error::Weights`] if it is of another kind, damaged,
/// holds no named arrays, or NaN or infinite values; and if its pickle asks for any function but
/// those that make arrays: nothing else is ever run.
pub fn read_state_dict(path: &Path) -> Result<StateDict> {
    let unreadable = |e| Error::io(path, "read", e);
    let mut file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut head = Vec::new();
    file.by_ref().take(9).read_to_end(&mut head).map_err(unreadable)?;
    if is_safetensors(&head, size) {
        return read_safetensors(path);
    }
    let read: fn(&[u8]) -> std::result::Result<StateDict, String> = match head.as_slice() {
        [b'P', b'K', 3, 4, ..] => torch::read_zip,
        [torch::PROTO, 2..=5, ..] => torch::read_pickles,
        _ => {
            return Err(bad(
                path,
                "no weight file of a known kind: safetensors, torch.save of a state dict, or a \
                 pickle (protocol 2 to 5) of numpy arrays; an incomplete or mistaken download?"
                    .into(),
            ));
        }
    };
    let mut bytes = head;
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    let arrays = read(&bytes).map_err(|reason| bad(path, reason))?;
    for (name, array) in &arrays {
        if let Some(at) = array.values.iter().position(|v| !v.is_finite()) {
            let value = array.values[at];
            return Err(bad(
                path,
                format!("array {name} holds {value} at place {at}; the file is damaged"),
            ));
        }
    }
    Ok(arrays)
}

/// The length of a header of JSON, then the header.
fn is_safetensors(head: &[u8], size: u64) -> bool {
    let Some((length, [b'{'])) = head.split_first_chunk::<8>() else {
        return false;
    };
    u64::from_le_bytes(*length) < size
}

fn read_safetensors(path: &Path) -> Result<StateDict> {
    let mut file = TensorFile::open(path)?;
    let mut arrays = StateDict::new();
    for name in file.names() {
        let shape = file.shape(&name).unwrap_or_default().to_vec();
        let values = file.read(&name)?;
        arrays.insert(name, Array { shape, values });
    }
    Ok(arrays)
}

fn bad(path: &Path, reason: String) -> Error {
    Error::Weights {
        path: path.to_owned(),
        reason,
    }
}
