//! The functions and classes a pickle may name. There is no way from a name to any other code.

use super::printable::printable;
use crate::weights::dtype::Dtype;

/// A function or class a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// torch's rebuilding of a tensor as a view of a storage.
    Tensor,
    /// A tensor that is trained.
    Parameter,
    /// `torch.Size`: a tuple.
    Size,
    /// A storage class of torch, such as `torch.FloatStorage`.
    Storage(Dtype),
    /// numpy's rebuilding of an array whose state is set afterwards.
    Reconstruct,
    /// A numpy array of given bytes; protocol 5.
    FromBuffer,
    /// A numpy scalar.
    Scalar,
    /// `numpy.ndarray`.
    Ndarray,
    /// `numpy.dtype`.
    Dtype,
    /// Bytes out of a text; protocol 2 has no bytes.
    Encode,
    /// Empty bytes, in protocol 2.
    Bytes,
}

impl Global {
    /// By its name; unknown names are refused.
    pub(super) fn named(module: &str, name: &str) -> Result<Self, String> {
        let known = match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Self::Tensor),
            ("torch._utils", "_rebuild_parameter") => Some(Self::Parameter),
            ("torch.nn.parameter", "Parameter") => Some(Self::Parameter),
            ("torch", "Size") => Some(Self::Size),
            ("torch", storage) => Dtype::of_torch_storage(storage).map(Self::Storage),
            ("numpy", "ndarray") => Some(Self::Ndarray),
            ("numpy", "dtype") => Some(Self::Dtype),
            ("_codecs", "encode") => Some(Self::Encode),
            ("builtins" | "__builtin__", "bytes") => Some(Self::Bytes),
            // numpy 2 has renamed `core`.
            _ => match (module.strip_prefix("numpy."), name) {
                (Some("core.multiarray" | "_core.multiarray"), "_reconstruct") => Some(Self::Reconstruct),
                (Some("core.multiarray" | "_core.multiarray"), "scalar") => Some(Self::Scalar),
                (Some("core.numeric" | "_core.numeric"), "_frombuffer") => Some(Self::FromBuffer),
                _ => None,
            },
        };
        known.ok_or_else(|| {
            format!(
                "this pickle asks to run {}.{}, which is none of the few functions that make up weights; the file may be \
                 hostile. Nothing was run. If you know it is sound, have it saved as safetensors",
                printable(module),
                printable(name)
            )
        })
    }
}
