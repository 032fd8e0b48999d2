//! A fused block as one operation of Burn's automatic differentiation.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Shape, Tensor, TensorData};

use super::block::Saved;
use super::{Form, Geometry, Held, Recorded, contiguous, parameters, slices};
use crate::nn::Block;

/// Parents of a parallel block's operation: its input and parameters; and of a sequential one's.
const PARALLEL: usize = 1 + 8;
const SEQUENTIAL: usize = 1 + 11;

#[derive(Debug)]
struct FusedBlock;

/// What the way back starts from.
#[derive(Clone)]
struct State {
    form: Form,
    geometry: Arc<Geometry>,
    parameters: Vec<FlexTensor>,
    shape: [usize; 3],
    saved: Arc<Saved>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

/// Sends `x` `[B, N, C]` through a block; none if it or the block is not in memory.
pub fn forward(
    block: &Block,
    heads: usize,
    geometry: &Arc<Geometry>,
    x: &Tensor<3>,
) -> Option<Tensor<3>> {
    let form = Form::of(block, heads);
    if form.sequential {
        forward_of::<SEQUENTIAL>(form, block, geometry, x)
    } else {
        forward_of::<PARALLEL>(form, block, geometry, x)
    }
}

fn forward_of<const N: usize>(
    form: Form,
    block: &Block,
    geometry: &Arc<Geometry>,
    x: &Tensor<3>,
) -> Option<Tensor<3>> {
    let shape = x.dims();
    let x = Recorded::take(x.clone())?;
    let inputs = std::iter::once(x).chain(parameters::<Recorded>(block)?);
    let (values, nodes): (Vec<_>, Vec<_>) = inputs
        .map(|input| {
            let (primitive, node) = input.into_parts();
            (contiguous(primitive), node)
        })
        .unzip();
    let nodes: [NodeGuard; N] = nodes.try_into().ok()?;
    let (x, parameters) = values.split_first()?;
    let panels = geometry.to_panels(x.storage(), shape[2]);
    let (y, saved) = form
        .weights(&slices(parameters))
        .forward_saving(geometry, panels);
    let y = tensor(geometry.to_tokens(&y, shape[2]), shape.into());

    let prepared = FusedBlock.prepare::<NoCheckpointing>(nodes);
    let y = match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let state = State {
                form,
                geometry: geometry.clone(),
                parameters: parameters.to_vec(),
                shape,
                saved: Arc::new(saved),
            };
            prepared.finish(state, y)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    };
    Some(Tensor::from_primitive::<Autodiff<Flex>>(y))
}

fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

impl<const N: usize> Backward<Flex, N> for FusedBlock {
    type State = State;

    fn backward(self, ops: Ops<State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let State {
            form,
            geometry,
            parameters,
            shape,
            saved,
        } = ops.state;
        let dy = contiguous(gradients.consume::<Flex>(&ops.node));
        let dy = geometry.to_panels(dy.storage(), form.width);
        let saved = Arc::try_unwrap(saved).unwrap_or_else(|saved| Saved::clone(&saved));
        let weights = form.weights(&slices(&parameters));
        let (dx, found) = weights.backward(&geometry, saved, dy);
        let dx = tensor(geometry.to_tokens(&dx, form.width), shape.into());
        let shapes = parameters
            .iter()
            .map(|parameter| parameter.layout().shape().clone());
        let found = found.into_list().into_iter().zip(shapes);
        let found = std::iter::once(dx).chain(found.map(|(values, shape)| tensor(values, shape)));
        for (parent, gradient) in ops.parents.iter().zip(found) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}
