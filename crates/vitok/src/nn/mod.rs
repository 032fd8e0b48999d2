//! The layers, as plain Burn compositions that run on every device.
//!
//! Linear weights are kept `[out, in]` and every field is named as in the ViTok-v2 files, so a
//! parameter's path in the module tree is its name on disk and loading needs no table of names.

mod attention;
mod block;
pub mod convolution;
pub mod fused;
pub mod init;
mod linear;
mod mlp;
mod norm;
pub mod params;
mod rope;
mod sight;
pub mod window;

pub use attention::SelfAttention;
pub use block::{Block, LayerScale};
pub use linear::Linear;
pub use mlp::GatedMlp;
pub use norm::{Norm, layer_norm};
pub use rope::RopeTable;
pub use sight::{COMPOSED, Sight};

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Shape, Tensor};

/// A parameter with a shape and no memory yet; [`init`] or the weight files fill it.
pub(crate) fn unfilled<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::uninitialized(
        ParamId::new(),
        move |device, track| {
            let zeros = Tensor::zeros(shape, device);
            if track { zeros.require_grad() } else { zeros }
        },
        device.clone(),
        true,
        Shape::new(shape),
    )
}
