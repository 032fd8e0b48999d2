//! What a pickle may call: the functions that tensors, numpy arrays and ordered dictionaries are pickled as, written here
//! as what they mean.

use std::borrow::Cow;

use super::global::Global;
use super::heap::{Heap, Id, Value, View};
use super::printable::printable;
use super::strided::{Strided, axes, column_major, contiguous};
use crate::weights::dtype::Dtype;

/// The dtype of a storage's class.
pub(super) fn storage_dtype(heap: &Heap<'_>, class: Id) -> Option<Dtype> {
    match heap.get(class) {
        Value::Global(Global::Storage(dtype)) => Some(*dtype),
        _ => None,
    }
}

/// Calls a function. `may_copy` is how much may still be copied, and gets less.
pub(super) fn call<'a>(heap: &mut Heap<'a>, function: Id, arguments: Id, may_copy: &mut usize) -> Result<Id, String> {
    const MAX_ARGUMENTS: usize = 8;
    let Value::Global(function) = *heap.get(function) else {
        return Err("its pickle calls what is no function; the file is damaged".into());
    };
    let wrong = || format!("its pickle calls {function:?} with what it does not take");
    let arguments = match heap.get(arguments) {
        Value::Tuple(arguments) if arguments.len() <= MAX_ARGUMENTS => arguments.clone(),
        _ => return Err(wrong()),
    };
    let made = match (function, arguments.as_slice()) {
        (Global::OrderedDict, []) => Value::Dict(Vec::new()),
        (Global::OrderedDict, [pairs]) => {
            let pairs = heap.items(*pairs).ok_or_else(wrong)?;
            spend(may_copy, pairs.len())?;
            let entries = pairs.iter().map(|pair| match heap.items(*pair) {
                Some(&[key, value]) => Ok((key, value)),
                _ => Err(wrong()),
            });
            Value::Dict(entries.collect::<Result<_, String>>()?)
        }
        (Global::Tensor, [storage, offset, shape, strides, rest @ ..]) => {
            tensor(heap, *storage, *offset, *shape, *strides, rest).map_err(|e| e.unwrap_or_else(wrong))?
        }
        (Global::Parameter, [tensor, ..]) => {
            let Value::Array(_) = heap.get(*tensor) else {
                return Err(wrong());
            };
            return Ok(*tensor);
        }
        (Global::Size, [sizes]) => {
            let Value::Tuple(_) = heap.get(*sizes) else {
                return Err(wrong());
            };
            return Ok(*sizes);
        }
        (Global::Reconstruct, [class, ..]) => match heap.get(*class) {
            Value::Global(Global::Ndarray) => Value::Unset,
            _ => return Err(wrong()),
        },
        (Global::FromBuffer, [data, dtype, shape, order]) => {
            let columns = heap.text(*order) == Some("F");
            array(heap, *data, *dtype, *shape, columns)?
        }
        (Global::Scalar, [dtype, data]) => {
            let shape = heap.add(Value::Tuple(Vec::new()))?;
            array(heap, *data, *dtype, shape, false)?
        }
        (Global::Dtype, [name, ..]) => {
            let name = heap.text(*name).ok_or_else(wrong)?;
            let dtype = Dtype::of_numpy(name).ok_or_else(|| {
                let name = printable(name);
                format!("it holds an array of numpy's type \"{name}\"; only numbers can be read")
            })?;
            Value::Dtype {
                dtype,
                big_endian: false,
            }
        }
        (Global::Encode, [text, rest @ ..]) => {
            let text = heap.text(*text).ok_or_else(wrong)?;
            let [encoding] = rest else {
                return Err(wrong());
            };
            if heap.text(*encoding) != Some("latin1") {
                return Err(wrong());
            }
            spend(may_copy, text.len())?;
            let bytes = text.chars().map(|c| u8::try_from(c).map_err(|_| wrong()));
            Value::Bytes(Cow::Owned(bytes.collect::<Result<_, String>>()?))
        }
        (Global::Bytes, []) => Value::Bytes(Cow::Borrowed(&[])),
        _ => return Err(wrong()),
    };
    heap.add(made)
}

/// Sets what an object was made without.
pub(super) fn set_state(heap: &mut Heap<'_>, object: Id, state: Id) -> Result<(), String> {
    let wrong = || "its pickle sets a state that does not fit its object; the file is damaged".to_string();
    let new = match *heap.get(object) {
        // Attributes of a state dictionary, such as the versions of its modules.
        Value::Dict(_) => return Ok(()),
        Value::Dtype { dtype, .. } => {
            let Some([_version, order, ..]) = heap.items(state) else {
                return Err(wrong());
            };
            let big_endian = match heap.text(*order).ok_or_else(wrong)? {
                "<" | "|" | "=" => false,
                ">" => true,
                _ => return Err(wrong()),
            };
            Value::Dtype { dtype, big_endian }
        }
        Value::Unset => {
            let Some(&[_version, shape, dtype, columns, data]) = heap.items(state) else {
                return Err(wrong());
            };
            let columns = heap.truth(columns).ok_or_else(wrong)?;
            array(heap, data, dtype, shape, columns)?
        }
        _ => return Err(wrong()),
    };
    *heap.get_mut(object) = new;
    Ok(())
}

/// A tensor as a view of a storage. `rest` is whether it is trained, hooks, and since PyTorch 2 whether its values are to
/// be negated or conjugated. The error is `None` for arguments of wrong kinds.
fn tensor<'a>(
    heap: &Heap<'a>,
    storage: Id,
    offset: Id,
    shape: Id,
    strides: Id,
    rest: &[Id],
) -> Result<Value<'a>, Option<String>> {
    let Value::Storage(held) = heap.get(storage) else {
        return Err(None);
    };
    if let [_, _, flags, ..] = rest
        && !matches!(heap.get(*flags), Value::None)
        && heap.entries(*flags).is_none_or(|flags| !flags.is_empty())
    {
        return Err(Some(
            "a tensor of it is stored negated or conjugated, which is not supported".into(),
        ));
    }
    let sizes = |id| {
        let sizes = heap.items(id).ok_or(None)?;
        axes(sizes.iter().map(|&n| heap.count(n))).map_err(Some)
    };
    let (shape, strides) = (sizes(shape)?, sizes(strides)?);
    if shape.len() != strides.len() {
        return Err(None);
    }
    Ok(Value::Array(Box::new(View {
        data: storage,
        big_endian: false,
        elements: Strided {
            dtype: held.dtype,
            offset: heap.count(offset).ok_or(None)?,
            shape,
            strides,
        },
    })))
}

/// A numpy array of `data`, which must be exactly its bytes.
fn array<'a>(heap: &Heap<'a>, data: Id, dtype: Id, shape: Id, columns: bool) -> Result<Value<'a>, String> {
    let wrong = || "its pickle has a numpy array whose parts do not fit; the file is damaged".to_string();
    let Value::Dtype { dtype, big_endian } = *heap.get(dtype) else {
        return Err(wrong());
    };
    let sizes = heap.items(shape).ok_or_else(wrong)?;
    let shape = axes(sizes.iter().map(|&n| heap.count(n)))?;
    let strides = if columns {
        column_major(&shape)
    } else {
        contiguous(&shape)
    };
    let elements = Strided {
        dtype,
        offset: 0,
        strides: strides.ok_or_else(wrong)?,
        shape,
    };
    let needed = elements.count().and_then(|n| n.checked_mul(dtype.bytes()));
    if needed.is_none() || needed != heap.bytes(data).map(<[u8]>::len) {
        return Err(wrong());
    }
    Ok(Value::Array(Box::new(View {
        data,
        big_endian,
        elements,
    })))
}

fn spend(may_copy: &mut usize, amount: usize) -> Result<(), String> {
    let left = may_copy.checked_sub(amount);
    *may_copy = left.ok_or("its pickle copies its parts again and again; it may be hostile")?;
    Ok(())
}
