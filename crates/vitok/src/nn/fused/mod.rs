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
mod backward;
mod block;
mod buffers;
mod elementwise;
mod geometry;
mod multiply;
mod product;
mod record;

use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Backend, DispatchKindConversion, DispatchTensor, Flex};
use burn::module::Param;
use burn::tensor::{DType, Tensor, TensorData};

pub use geometry::Geometry;
pub(crate) use multiply::vectorised;

use super::{Block, Norm};
use attention::Heads;
use block::{LinearWeights, NormWeights, Scratch, Weights};

/// How tensors are held, where these kernels serve them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// In memory.
    Plain,
    /// In memory, with a history to differentiate.
    Recorded,
}

/// How `x` is held; none if it is not in memory, or not of 32-bit floats.
pub fn held(x: &Tensor<3>) -> Option<Held> {
    if x.dtype() != DType::F32 {
        return None;
    }
    if x.clone().try_into_primitive::<Flex>().is_ok() {
        return Some(Held::Plain);
    }
    let recorded = x.clone().try_into_primitive::<Autodiff<Flex>>().is_ok();
    recorded.then_some(Held::Recorded)
}

/// The values of `x`, where they are 32-bit floats in memory in their order.
pub(crate) fn in_memory<const D: usize>(x: &Tensor<D>) -> Option<FlexTensor> {
    let x = x.clone().try_into_primitive::<Flex>().ok()?;
    let whole = x.dtype() == DType::F32 && x.as_slice::<f32>()?.len() * 4 == x.bytes().len();
    whole.then_some(x)
}

/// Sends `x` `[B, N, C]` through `blocks`; none if it or they are not held [`Plain`](Held::Plain).
pub fn forward(
    blocks: &[Block],
    heads: usize,
    geometry: &Geometry,
    x: &Tensor<3>,
) -> Option<Tensor<3>> {
    let shape = x.dims();
    let width = shape[2];
    let x = contiguous(x.clone().try_into_primitive::<Flex>().ok()?);
    let mut panels = geometry.to_panels(x.storage(), width);
    let mut scratch = Scratch::default();
    for block in blocks {
        let parameters: Vec<_> = parameters::<Flex>(block)?
            .into_iter()
            .map(contiguous)
            .collect();
        let form = Form::of(block, heads);
        form.weights(&slices(&parameters))
            .forward(geometry, &mut panels, &mut scratch);
    }
    let tokens = TensorData::new(geometry.to_tokens(&panels, width), shape);
    Some(Tensor::from_primitive::<Flex>(FlexTensor::from_data(
        tokens,
    )))
}

/// [`forward`] through one block, recorded: none if not held [`Recorded`](Held::Recorded).
pub use record::forward as forward_recorded;

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
fn parameters<B: Backend>(block: &Block) -> Option<Vec<B::FloatTensorPrimitive>>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    fn add<B: Backend, const D: usize>(
        list: &mut Vec<B::FloatTensorPrimitive>,
        parameter: Option<&Param<Tensor<D>>>,
    ) -> Option<()>
    where
        DispatchTensor: DispatchKindConversion<B>,
    {
        if let Some(parameter) = parameter {
            list.push(parameter.val().try_into_primitive::<B>().ok()?);
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
    add::<B, 1>(&mut list, Some(&norm1.weight))?;
    add::<B, 1>(&mut list, norm1.bias.as_ref())?;
    add::<B, 1>(&mut list, weight(&attn.norm_q).as_ref())?;
    add::<B, 1>(&mut list, weight(&attn.norm_k).as_ref())?;
    add::<B, 2>(&mut list, Some(&attn.qkv_proj.weight))?;
    add::<B, 2>(&mut list, Some(&attn.out_proj.weight))?;
    add::<B, 1>(&mut list, attn.out_proj.bias.as_ref())?;
    add::<B, 1>(&mut list, weight(norm2).as_ref())?;
    add::<B, 1>(&mut list, norm2.as_ref().and_then(|n| n.bias.as_ref()))?;
    add::<B, 2>(&mut list, Some(&ffn.fc1.weight))?;
    add::<B, 1>(&mut list, ffn.fc1.bias.as_ref())?;
    add::<B, 2>(&mut list, Some(&ffn.fc2.weight))?;
    add::<B, 1>(&mut list, ffn.fc2.bias.as_ref())?;
    add::<B, 1>(&mut list, layer_scale.as_ref().map(|scale| &scale.gamma))?;
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
        let mut next = || values.next().unwrap_or_default();
        let heads = Heads {
            heads: self.heads,
            dim: self.width / self.heads,
        };
        let Self { width, hidden, .. } = *self;
        if self.sequential {
            Weights {
                width,
                hidden,
                heads,
                norm1: NormWeights {
                    weight: next(),
                    bias: Some(next()),
                },
                qk_norms: None,
                qkv: next(),
                out: LinearWeights {
                    weight: next(),
                    bias: Some(next()),
                },
                norm2: Some(NormWeights {
                    weight: next(),
                    bias: Some(next()),
                }),
                fc1: LinearWeights {
                    weight: next(),
                    bias: Some(next()),
                },
                fc2: LinearWeights {
                    weight: next(),
                    bias: Some(next()),
                },
                gamma: None,
            }
        } else {
            let layer = |weight| LinearWeights { weight, bias: None };
            Weights {
                width,
                hidden,
                heads,
                norm1: NormWeights {
                    weight: next(),
                    bias: None,
                },
                qk_norms: Some([next(), next()]),
                qkv: next(),
                out: layer(next()),
                norm2: None,
                fc1: layer(next()),
                fc2: layer(next()),
                gamma: Some(next()),
            }
        }
    }
}
