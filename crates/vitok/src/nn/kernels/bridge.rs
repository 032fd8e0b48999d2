//! Fused blocks as operations of Burn's automatic differentiation.
//!
//! Tokens are cut into panels by one operation, go through one for each block, and are put back by
//! a third; between them Burn holds panels `[panels, C, TILE]` as any other tensor.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Shape, Tensor, TensorData};

use super::block::Saved;
use super::{Form, Held, PanelLayout, Recorded, contiguous, parameters, slices};
use crate::nn::Block;

/// A tensor with a history.
type Tracked = FloatTensor<Autodiff<Flex>>;

/// Parents of a parallel block's operation: its input and parameters; and of a sequential one's.
const PARALLEL: usize = 1 + 8;
const SEQUENTIAL: usize = 1 + 11;

/// Sends `x` `[B, N, C]` through `blocks`; none if it or one of them is not in memory.
pub fn forward(blocks: &[Block], heads: usize, geometry: &Arc<PanelLayout>, x: &Tensor<3>) -> Option<Tensor<3>> {
    let way = |to_panels| Way {
        geometry: geometry.clone(),
        features: x.dims()[2],
        to_panels,
    };
    let mut panels = way(true).record(Recorded::take(x.clone())?);
    for block in blocks {
        let form = Form::of(block, heads);
        panels = match form.sequential {
            true => record_block::<SEQUENTIAL>(form, block, geometry, panels)?,
            false => record_block::<PARALLEL>(form, block, geometry, panels)?,
        };
    }
    let tokens = way(false).record(panels);
    Some(Tensor::from_primitive::<Autodiff<Flex>>(tokens))
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// Makes `y`, computed from inputs with the `nodes`, the result of an operation.
fn recorded<O: Backward<Flex, N>, const N: usize>(
    operation: O,
    nodes: [NodeGuard; N],
    y: FlexTensor,
    state: impl FnOnce() -> O::State,
) -> Tracked {
    let prepared = operation.prepare::<NoCheckpointing>(nodes);
    match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(state(), y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

/// Tokens to panels, or back.
#[derive(Debug)]
struct Rearrange;

#[derive(Clone, Debug)]
struct Way {
    geometry: Arc<PanelLayout>,
    features: usize,
    to_panels: bool,
}

impl Way {
    fn go(&self, x: FlexTensor, to_panels: bool) -> FlexTensor {
        let (geometry, features) = (&self.geometry, self.features);
        let x = contiguous(x);
        match to_panels {
            true => tensor(
                geometry.to_panels(x.storage(), features),
                geometry.panels_shape(features),
            ),
            false => tensor(
                geometry.to_tokens(x.storage(), features),
                geometry.tokens_shape(features),
            ),
        }
    }

    fn record(self, x: Tracked) -> Tracked {
        let (x, node) = x.into_parts();
        let y = self.go(x, self.to_panels);
        recorded(Rearrange, [node], y, || self)
    }
}

impl Backward<Flex, 1> for Rearrange {
    type State = Way;

    fn backward(self, ops: Ops<Way, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node);
        if let [Some(parent)] = &ops.parents {
            let dx = ops.state.go(dy, !ops.state.to_panels);
            gradients.register::<Flex>(parent.id, dx);
        }
    }
}

#[derive(Debug)]
struct FusedBlock;

/// What a block's way back starts from.
#[derive(Clone)]
struct State {
    form: Form,
    geometry: Arc<PanelLayout>,
    /// The block's input, in panels, and its parameters.
    x: FlexTensor,
    parameters: Vec<FlexTensor>,
    saved: Arc<Saved>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

/// Sends panels through a block whose operation has `N` parents.
fn record_block<const N: usize>(form: Form, block: &Block, geometry: &Arc<PanelLayout>, x: Tracked) -> Option<Tracked> {
    let inputs = std::iter::once(x).chain(parameters::<Recorded>(block)?);
    let (values, nodes): (Vec<_>, Vec<_>) = inputs
        .map(|input| {
            let (primitive, node) = input.into_parts();
            (contiguous(primitive), node)
        })
        .unzip();
    let nodes: [NodeGuard; N] = nodes.try_into().ok()?;
    let (x, parameters) = values.split_first()?;
    let weights = form.weights(&slices(parameters));
    let (y, saved) = weights.forward_saving(geometry, x.storage());
    let y = tensor(y, geometry.panels_shape(form.width));
    Some(recorded(FusedBlock, nodes, y, || State {
        form,
        geometry: geometry.clone(),
        x: x.clone(),
        parameters: parameters.to_vec(),
        saved: Arc::new(saved),
    }))
}

impl<const N: usize> Backward<Flex, N> for FusedBlock {
    type State = State;

    fn backward(self, ops: Ops<State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let State {
            form,
            geometry,
            x,
            parameters,
            saved,
        } = ops.state;
        let dy = contiguous(gradients.consume::<Flex>(&ops.node));
        let saved = Arc::try_unwrap(saved).unwrap_or_else(|saved| Saved::clone(&saved));
        let weights = form.weights(&slices(&parameters));
        let (dx, found) = weights.backward(&geometry, x.storage(), saved, dy.storage());
        let dx = tensor(dx, geometry.panels_shape(form.width));
        let shapes = parameters.iter().map(|p| p.layout().shape().clone());
        let found = found.into_list().into_iter().zip(shapes);
        let found = std::iter::once(dx).chain(found.map(|(values, shape)| tensor(values, shape)));
        for (parent, gradient) in ops.parents.iter().zip(found) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}
