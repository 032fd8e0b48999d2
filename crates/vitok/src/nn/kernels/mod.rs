//! Blocks on the CPU, fused: what [`Block::forward`](super::Block::forward) composes of Burn's
//! operations, in few passes over memory and on all cores.
//!
//! ```text
//! tokens [B, N, C] -> panels -> norm -> qkv, turned -> attention -> gate -> + residual -> tokens
//! ```
//!
//! Padding is left out, windows and causal masks are ranges of keys, and no score outlives its
//! panel. Inference sends panels through a whole stack; training records one operation a block,
//! whose way back is written by hand. A test holds both to the composition, values and gradients.

mod attention;
mod block;
mod block_backward;
mod bridge;
mod buffers;
pub(super) mod conv;
mod elementwise;
mod gemm;
mod linear;
mod panels;
mod softmax;

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::module::Param;
use burn::tensor::{DType, Tensor, TensorData};

pub(crate) use gemm::vectorized;
pub use panels::PanelLayout;

use super::{Block, Norm};
use attention::Heads;
use block::{LinearWeights, NormWeights, Scratch, Weights};

/// Whether the kernels can take `x`: 32-bit floats in memory, with a history to differentiate or
/// without.
pub fn supports(x: &Tensor<3>) -> bool {
    x.dtype() == DType::F32 && (Plain::take(x.clone()).is_some() || Recorded::take(x.clone()).is_some())
}

/// How tensors in memory are held.
trait Held {
    /// What Burn has of them.
    type Primitive;
    /// A tensor's primitive; none if it is held otherwise.
    fn take<const D: usize>(x: Tensor<D>) -> Option<Self::Primitive>;
}

/// Without a history.
struct Plain;

impl Held for Plain {
    type Primitive = FlexTensor;
    fn take<const D: usize>(x: Tensor<D>) -> Option<FlexTensor> {
        x.try_into_primitive::<Flex>().ok()
    }
}

/// With a history; one without is a constant.
struct Recorded;

impl Held for Recorded {
    type Primitive = FloatTensor<Autodiff<Flex>>;
    fn take<const D: usize>(x: Tensor<D>) -> Option<Self::Primitive> {
        let x = if x.clone().try_into_primitive::<Flex>().is_ok() {
            Tensor::from_inner(x)
        } else {
            x
        };
        x.try_into_primitive::<Autodiff<Flex>>().ok()
    }
}

/// The values of `x`, where they are 32-bit floats in memory in their order.
pub(crate) fn on_cpu<const D: usize>(x: &Tensor<D>) -> Option<FlexTensor> {
    let x = x.clone().try_into_primitive::<Flex>().ok()?;
    let whole = x.dtype() == DType::F32 && x.as_slice::<f32>()?.len() * 4 == x.bytes().len();
    whole.then_some(x)
}

/// Sends `x` `[B, N, C]` through `blocks`, recorded where it or one of them has a history; none if
/// something is not in memory.
pub fn forward_blocks(blocks: &[Block], heads: usize, geometry: &Arc<PanelLayout>, x: &Tensor<3>) -> Option<Tensor<3>> {
    let plain = forward(blocks, heads, geometry, x);
    plain.or_else(|| bridge::forward(blocks, heads, geometry, x))
}

/// [`forward_blocks`] without a history.
fn forward(blocks: &[Block], heads: usize, geometry: &PanelLayout, x: &Tensor<3>) -> Option<Tensor<3>> {
    let width = x.dims()[2];
    let parameters = blocks.iter().map(parameters::<Plain>);
    let parameters: Vec<Vec<FlexTensor>> = parameters.collect::<Option<_>>()?;
    let x = contiguous(Plain::take(x.clone())?);
    let mut panels = geometry.to_panels(x.storage(), width);
    let mut scratch = Scratch::default();
    for (block, parameters) in blocks.iter().zip(parameters) {
        let parameters: Vec<_> = parameters.into_iter().map(contiguous).collect();
        let weights = Form::of(block, heads).weights(&slices(&parameters));
        weights.forward(geometry, &mut panels, &mut scratch);
    }
    let shape = geometry.tokens_shape(width);
    let tokens = TensorData::new(geometry.to_tokens(&panels, width), shape);
    let tokens = FlexTensor::from_data(tokens);
    Some(Tensor::from_primitive::<Flex>(tokens))
}

fn contiguous(x: FlexTensor) -> FlexTensor {
    if x.is_contiguous() && x.layout().start_offset() == 0 {
        x
    } else {
        x.to_contiguous()
    }
}

fn slices(parameters: &[FlexTensor]) -> Vec<&[f32]> {
    parameters.iter().map(FlexTensor::storage).collect()
}

/// The parameters of a block in the order of [`Form::weights`]; none if they are held otherwise.
fn parameters<H: Held>(block: &Block) -> Option<Vec<H::Primitive>> {
    fn add<H: Held, const D: usize>(list: &mut Vec<H::Primitive>, parameter: Option<&Param<Tensor<D>>>) -> Option<()> {
        if let Some(parameter) = parameter {
            list.push(H::take(parameter.val())?);
        }
        Some(())
    }
    let weight = |norm: &Option<Norm>| norm.as_ref().map(|norm| norm.weight.clone());
    let Block {
        norm1,
        attn,
        norm2,
        ffn,
        layer_scale,
    } = block;
    let mut list = Vec::new();
    add::<H, 1>(&mut list, Some(&norm1.weight))?;
    add::<H, 1>(&mut list, norm1.bias.as_ref())?;
    add::<H, 1>(&mut list, weight(&attn.norm_q).as_ref())?;
    add::<H, 1>(&mut list, weight(&attn.norm_k).as_ref())?;
    add::<H, 2>(&mut list, Some(&attn.qkv_proj.weight))?;
    add::<H, 2>(&mut list, Some(&attn.out_proj.weight))?;
    add::<H, 1>(&mut list, attn.out_proj.bias.as_ref())?;
    add::<H, 1>(&mut list, weight(norm2).as_ref())?;
    add::<H, 1>(&mut list, norm2.as_ref().and_then(|n| n.bias.as_ref()))?;
    add::<H, 2>(&mut list, Some(&ffn.fc1.weight))?;
    add::<H, 1>(&mut list, ffn.fc1.bias.as_ref())?;
    add::<H, 2>(&mut list, Some(&ffn.fc2.weight))?;
    add::<H, 1>(&mut list, ffn.fc2.bias.as_ref())?;
    add::<H, 1>(&mut list, layer_scale.as_ref().map(|scale| &scale.gamma))?;
    Some(list)
}

/// What a block is made of.
#[derive(Clone, Copy, Debug)]
struct Form {
    width: usize,
    hidden: usize,
    heads: usize,
    sequential: bool,
}

impl Form {
    fn of(block: &Block, heads: usize) -> Self {
        let [width, hidden] = block.ffn.fc2.weight.lazy_shape().dims();
        Self {
            width,
            hidden,
            heads,
            sequential: block.norm2.is_some(),
        }
    }

    /// The parameters by name, from their values in order.
    fn weights<'a>(&self, values: &[&'a [f32]]) -> Weights<'a> {
        let mut values = values.iter().copied();
        let mut next = |present: bool| present.then(|| values.next().unwrap_or_default());
        let Self {
            width,
            hidden,
            heads,
            sequential,
        } = *self;
        let weight = Option::unwrap_or_default;
        Weights {
            width,
            hidden,
            heads: Heads {
                heads,
                dim: width / heads,
            },
            norm1: NormWeights {
                weight: weight(next(true)),
                bias: next(sequential),
            },
            qk_norms: next(!sequential).zip(next(!sequential)).map(|(q, k)| [q, k]),
            qkv: weight(next(true)),
            out: LinearWeights {
                weight: weight(next(true)),
                bias: next(sequential),
            },
            norm2: next(sequential).map(|weight| NormWeights {
                weight,
                bias: next(true),
            }),
            fc1: LinearWeights {
                weight: weight(next(true)),
                bias: next(sequential),
            },
            fc2: LinearWeights {
                weight: weight(next(true)),
                bias: next(sequential),
            },
            gamma: next(!sequential),
        }
    }
}
