//! Between Burn and the kernels: tensors to slices and back, and blocks as operations of Burn's autodiff graph.
//!
//! In the graph, one operation makes panels of the tokens, each block is one operation from panels to panels, and a last
//! one makes tokens again; between them Burn holds panels `[panels, C, TILE]` as any other tensor.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, DispatchTensor, PrimitiveConversionError, Shape, Tensor, TensorData};

use super::block::{FusedBlock, SavedActivations, Scratch};
use super::block_params::BlockParams;
use super::panels::PanelLayout;

/// A tensor on the CPU in an autodiff graph.
type AutodiffTensor = FloatTensor<Autodiff<Flex>>;

/// Whether [`forward_blocks`] can take `x`: 32-bit floats on the CPU, in an autodiff graph or not.
pub fn supports(x: &Tensor<3>) -> bool {
    let dispatch = || x.clone().into_dispatch();
    x.dtype() == DType::F32 && (cpu_tensor(dispatch()).is_ok() || autodiff_tensor(dispatch()).is_ok())
}

/// The values of `x` in row-major order, if it is a contiguous tensor of 32-bit floats on the CPU, in no autodiff graph.
pub fn on_cpu<const D: usize>(x: &Tensor<D>) -> Option<FlexTensor> {
    let x = x.clone().try_into_primitive::<Flex>().ok()?;
    let contiguous = x.dtype() == DType::F32 && x.as_slice::<f32>()?.len() * 4 == x.bytes().len();
    contiguous.then_some(x)
}

/// A tensor on the CPU, of `values` in row-major order.
pub fn to_tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(flex_tensor(values, shape))
}

/// `x` `[B, N, C]` through blocks with these parameters; an operation of the autodiff graph where `x` or a parameter is
/// part of one. `None` if one of them is not on the CPU.
pub fn forward_blocks(
    blocks: &[BlockParams<DispatchTensor>],
    heads: usize,
    layout: &Arc<PanelLayout>,
    x: &Tensor<3>,
) -> Option<Tensor<3>> {
    let y = forward(blocks, heads, layout, x);
    y.or_else(|_| forward_autodiff(blocks, heads, layout, x)).ok()
}

/// A tensor of any rank outside of autodiff graphs.
fn cpu_tensor(x: DispatchTensor) -> Result<FlexTensor, PrimitiveConversionError> {
    Tensor::<1>::from_dispatch(x).try_into_primitive::<Flex>()
}

/// A tensor of any rank in an autodiff graph; one that is in none is a constant there.
fn autodiff_tensor(x: DispatchTensor) -> Result<AutodiffTensor, PrimitiveConversionError> {
    let x = Tensor::<1>::from_dispatch(x);
    let x = match x.clone().try_into_primitive::<Flex>() {
        Ok(_) => Tensor::from_inner(x),
        Err(_) => x,
    };
    x.try_into_primitive::<Autodiff<Flex>>()
}

fn flex_tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn contiguous(x: FlexTensor) -> FlexTensor {
    if x.is_contiguous() && x.layout().start_offset() == 0 {
        x
    } else {
        x.to_contiguous()
    }
}

/// A block with the values of contiguous tensors.
fn fused_block(heads: usize, params: &BlockParams<FlexTensor>) -> FusedBlock<'_> {
    FusedBlock::new(heads, params.as_ref().map(FlexTensor::storage))
}

/// [`forward_blocks`] outside of autodiff graphs.
fn forward(
    blocks: &[BlockParams<DispatchTensor>],
    heads: usize,
    layout: &PanelLayout,
    x: &Tensor<3>,
) -> Result<Tensor<3>, PrimitiveConversionError> {
    let width = x.dims()[2];
    let blocks = blocks.iter().map(|params| params.clone().try_map(cpu_tensor));
    let blocks: Vec<BlockParams<FlexTensor>> = blocks.collect::<Result<_, _>>()?;
    let x = contiguous(x.clone().try_into_primitive::<Flex>()?);
    let mut panels = layout.to_panels(x.storage(), width);
    let mut scratch = Scratch::default();
    for params in blocks {
        let params = params.map(contiguous);
        fused_block(heads, &params).forward(layout, &mut panels, &mut scratch);
    }
    Ok(to_tensor(layout.to_tokens(&panels, width), layout.tokens_shape(width)))
}

/// [`forward_blocks`] as operations of the autodiff graph.
fn forward_autodiff(
    blocks: &[BlockParams<DispatchTensor>],
    heads: usize,
    layout: &Arc<PanelLayout>,
    x: &Tensor<3>,
) -> Result<Tensor<3>, PrimitiveConversionError> {
    let rearrange = |to_panels| RearrangeState {
        layout: layout.clone(),
        features: x.dims()[2],
        to_panels,
    };
    let mut panels = rearrange(true).forward(autodiff_tensor(x.clone().into_dispatch())?);
    for params in blocks {
        let params = params.clone().try_map(autodiff_tensor)?;
        panels = block_operation(heads, params, layout, panels);
    }
    let tokens = rearrange(false).forward(panels);
    Ok(Tensor::from_primitive::<Autodiff<Flex>>(tokens))
}

/// Adds an operation to the autodiff graph: `y`, computed from inputs with these `nodes`. `state` is what its backward
/// pass needs.
fn add_operation<O: Backward<Flex, N>, const N: usize>(
    operation: O,
    nodes: [NodeGuard; N],
    y: FlexTensor,
    state: impl FnOnce() -> O::State,
) -> AutodiffTensor {
    let prepared = operation.prepare::<NoCheckpointing>(nodes);
    match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(state(), y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

/// The operation that makes panels of tokens or tokens of panels; its backward pass does the opposite.
#[derive(Debug)]
struct Rearrange;

#[derive(Clone, Debug)]
struct RearrangeState {
    layout: Arc<PanelLayout>,
    features: usize,
    /// From tokens to panels; otherwise from panels to tokens.
    to_panels: bool,
}

impl RearrangeState {
    fn apply(&self, x: FlexTensor, to_panels: bool) -> FlexTensor {
        let (layout, features) = (&self.layout, self.features);
        let x = contiguous(x);
        match to_panels {
            true => flex_tensor(layout.to_panels(x.storage(), features), layout.panels_shape(features)),
            false => flex_tensor(layout.to_tokens(x.storage(), features), layout.tokens_shape(features)),
        }
    }

    fn forward(self, x: AutodiffTensor) -> AutodiffTensor {
        let (x, node) = x.into_parts();
        let y = self.apply(x, self.to_panels);
        add_operation(Rearrange, [node], y, || self)
    }
}

impl Backward<Flex, 1> for Rearrange {
    type State = RearrangeState;

    fn backward(self, ops: Ops<RearrangeState, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node);
        if let [Some(parent)] = &ops.parents {
            let dx = ops.state.apply(dy, !ops.state.to_panels);
            gradients.register::<Flex>(parent.id, dx);
        }
    }
}

/// The operation that is a block, from panels to panels. Its parents are the input, then the parameters in the order of
/// [`BlockParams::into_vec`].
#[derive(Debug)]
struct BlockOperation;

/// Parents of a parallel block's operation, and of a sequential one's.
const PARALLEL: usize = 1 + 8;
const SEQUENTIAL: usize = 1 + 11;

/// What the backward pass of a block needs.
#[derive(Clone)]
struct BlockState {
    heads: usize,
    layout: Arc<PanelLayout>,
    /// The block's input, in panels.
    x: FlexTensor,
    params: BlockParams<FlexTensor>,
    saved: Arc<SavedActivations>,
}

impl std::fmt::Debug for BlockState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockState")
            .field("heads", &self.heads)
            .finish_non_exhaustive()
    }
}

/// Panels `x` through a block.
///
/// # Panics
/// If the parameters are neither a parallel nor a sequential block's.
fn block_operation(
    heads: usize,
    params: BlockParams<AutodiffTensor>,
    layout: &Arc<PanelLayout>,
    x: AutodiffTensor,
) -> AutodiffTensor {
    let (x, node) = x.into_parts();
    let x = contiguous(x);
    let param_nodes = params.as_ref().map(|param| param.node()).into_vec();
    let nodes: Vec<NodeGuard> = std::iter::once(node).chain(param_nodes).collect();
    let params = params.map(|param| contiguous(param.into_primitive()));

    let block = fused_block(heads, &params);
    let (y, saved) = block.forward_saving(layout, x.storage());
    let y = flex_tensor(y, layout.panels_shape(block.width));
    let state = || BlockState {
        heads,
        layout: layout.clone(),
        x,
        params,
        saved: Arc::new(saved),
    };
    let nodes = match <[NodeGuard; PARALLEL]>::try_from(nodes) {
        Ok(nodes) => return add_operation(BlockOperation, nodes, y, state),
        Err(nodes) => nodes,
    };
    match <[NodeGuard; SEQUENTIAL]>::try_from(nodes) {
        Ok(nodes) => add_operation(BlockOperation, nodes, y, state),
        Err(nodes) => panic!("a block with {} parameters", nodes.len() - 1),
    }
}

impl<const N: usize> Backward<Flex, N> for BlockOperation {
    type State = BlockState;

    fn backward(self, ops: Ops<BlockState, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let BlockState {
            heads,
            layout,
            x,
            params,
            saved,
        } = ops.state;
        let dy = contiguous(gradients.consume::<Flex>(&ops.node));
        let saved = Arc::try_unwrap(saved).unwrap_or_else(|saved| SavedActivations::clone(&saved));
        let block = fused_block(heads, &params);
        let (dx, d_params) = block.backward(&layout, x.storage(), saved, dy.storage());

        let mut parents = ops.parents.into_iter();
        if let Some(Some(parent)) = parents.next() {
            gradients.register::<Flex>(parent.id, flex_tensor(dx, layout.panels_shape(block.width)));
        }
        let parents = params.as_ref().map(|_| parents.next().flatten());
        for ((param, gradient), parent) in params.as_ref().zip(d_params).zip(parents).into_vec() {
            if let Some(parent) = parent {
                let gradient = flex_tensor(gradient, param.layout().shape().clone());
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}
