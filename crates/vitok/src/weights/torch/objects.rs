//! What a pickle may call: the functions that tensors, numpy arrays and ordered dictionaries are pickled as, written here
//! as what they mean. There is no way from a name to any other code.

use std::borrow::Cow;

use super::elements::{Element, View, axes, column_major, contiguous};
use super::heap::{Heap, Id, Value};
use super::{Outcome, shown};

/// A function or class a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    /// A view of a storage.
    Tensor,
    /// A tensor that is trained.
    Parameter,
    Size,
    Storage(Element),
    /// An array whose state is set afterwards.
    Reconstruct,
    /// An array of given bytes; protocol 5.
    FromBuffer,
    Scalar,
    Ndarray,
    Dtype,
    /// Bytes out of a text; protocol 2 has no bytes.
    Encode,
    /// Empty bytes, in protocol 2.
    Bytes,
}

/// By its name; unknown names are refused.
pub(super) fn global(module: &str, name: &str) -> Outcome<Global> {
    let known = match (module, name) {
        ("collections", "OrderedDict") => Some(Global::OrderedDict),
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Global::Tensor),
        ("torch._utils", "_rebuild_parameter") => Some(Global::Parameter),
        ("torch.nn.parameter", "Parameter") => Some(Global::Parameter),
        ("torch", "Size") => Some(Global::Size),
        ("torch", storage) => Element::of_storage(storage).map(Global::Storage),
        ("numpy", "ndarray") => Some(Global::Ndarray),
        ("numpy", "dtype") => Some(Global::Dtype),
        ("_codecs", "encode") => Some(Global::Encode),
        ("builtins" | "__builtin__", "bytes") => Some(Global::Bytes),
        // numpy 2 has renamed `core`.
        _ => match (module.strip_prefix("numpy."), name) {
            (Some("core.multiarray" | "_core.multiarray"), "_reconstruct") => Some(Global::Reconstruct),
            (Some("core.multiarray" | "_core.multiarray"), "scalar") => Some(Global::Scalar),
            (Some("core.numeric" | "_core.numeric"), "_frombuffer") => Some(Global::FromBuffer),
            _ => None,
        },
    };
    known.ok_or_else(|| {
        format!(
            "this pickle asks to run {}.{}, which is none of the few functions that make up weights; the file may be \
             hostile. Nothing was run. If you know it is sound, have it saved as safetensors",
            shown(module),
            shown(name)
        )
    })
}

/// The element of a storage's class.
pub(super) fn storage_element(heap: &Heap<'_>, class: Id) -> Option<Element> {
    match heap.get(class) {
        Value::Global(Global::Storage(element)) => Some(*element),
        _ => None,
    }
}

/// Calls a function. `may_copy` is how much may still be copied, and gets less.
pub(super) fn call<'a>(heap: &mut Heap<'a>, function: Id, arguments: Id, may_copy: &mut usize) -> Outcome<Id> {
    /// No function here takes more.
    const MOST: usize = 8;
    let Value::Global(function) = *heap.get(function) else {
        return Err("its pickle calls what is no function; the file is damaged".into());
    };
    let wrong = || format!("its pickle calls {function:?} with what it does not take");
    let arguments = match heap.get(arguments) {
        Value::Tuple(arguments) if arguments.len() <= MOST => arguments.clone(),
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
            Value::Dict(entries.collect::<Outcome<_>>()?)
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
        (Global::Dtype, [name, ..]) => Value::Dtype {
            element: Element::of_dtype(heap.text(*name).ok_or_else(wrong)?)?,
            big_endian: false,
        },
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
            Value::Bytes(Cow::Owned(bytes.collect::<Outcome<_>>()?))
        }
        (Global::Bytes, []) => Value::Bytes(Cow::Borrowed(&[])),
        _ => return Err(wrong()),
    };
    heap.add(made)
}

/// Sets what an object was made without.
pub(super) fn set_state(heap: &mut Heap<'_>, object: Id, state: Id) -> Outcome<()> {
    let wrong = || "its pickle sets a state that does not fit its object; the file is damaged".to_string();
    let new = match *heap.get(object) {
        // Attributes of a state dictionary, such as the versions of its modules.
        Value::Dict(_) => return Ok(()),
        Value::Dtype { element, .. } => {
            let Some([_version, order, ..]) = heap.items(state) else {
                return Err(wrong());
            };
            let big_endian = match heap.text(*order).ok_or_else(wrong)? {
                "<" | "|" | "=" => false,
                ">" => true,
                _ => return Err(wrong()),
            };
            Value::Dtype { element, big_endian }
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

/// `rest` is whether it is trained, hooks, and since PyTorch 2 whether its values are to be negated
/// or conjugated. An error without words is one of the arguments' kinds.
fn tensor<'a>(
    heap: &Heap<'a>,
    storage: Id,
    offset: Id,
    shape: Id,
    strides: Id,
    rest: &[Id],
) -> std::result::Result<Value<'a>, Option<String>> {
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
        element: held.element,
        big_endian: false,
        offset: heap.count(offset).ok_or(None)?,
        shape,
        strides,
    })))
}

/// A numpy array of `data`, which must be exactly its bytes.
fn array<'a>(heap: &Heap<'a>, data: Id, dtype: Id, shape: Id, columns: bool) -> Outcome<Value<'a>> {
    let wrong = || "its pickle has a numpy array whose parts do not fit; the file is damaged".to_string();
    let Value::Dtype { element, big_endian } = *heap.get(dtype) else {
        return Err(wrong());
    };
    let sizes = heap.items(shape).ok_or_else(wrong)?;
    let shape = axes(sizes.iter().map(|&n| heap.count(n)))?;
    let strides = if columns {
        column_major(&shape)
    } else {
        contiguous(&shape)
    };
    let view = View {
        data,
        element,
        big_endian,
        offset: 0,
        strides: strides.ok_or_else(wrong)?,
        shape,
    };
    let needed = view.count().and_then(|n| n.checked_mul(element.width()));
    if needed.is_none() || needed != heap.bytes(data).map(<[u8]>::len) {
        return Err(wrong());
    }
    Ok(Value::Array(Box::new(view)))
}

fn spend(may_copy: &mut usize, amount: usize) -> Outcome<()> {
    let left = may_copy.checked_sub(amount);
    *may_copy = left.ok_or("its pickle copies its parts again and again; it may be hostile")?;
    Ok(())
}
