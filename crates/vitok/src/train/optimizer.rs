//! AdamW (Loshchilov and Hutter 2019) with clipping of the global gradient norm.
//!
//! Ours rather than Burn's, because Burn's keeps its state by ids that are random for every module: this one keeps it by
//! the parameters' names, so that it is saved beside the weights and a run resumes to the same bits.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::Ema;
use super::adamw::{AdamW, ParamState, sum_of_squares};
use crate::device::to_host;
use crate::nn::kernels::on_cpu;
use crate::nn::params;
use crate::{Error, Result};

/// AdamW's hyperparameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerConfig {
    /// Decay of the running averages of the gradient and of its square.
    pub betas: [f64; 2],
    /// Added to the root of the average square.
    pub eps: f64,
    /// Decoupled decay of weight matrices; norms, biases and scales are not decayed.
    pub weight_decay: f64,
    /// Largest norm of all gradients together; a larger one is scaled down. None: no clipping.
    pub grad_clip: Option<f64>,
}

impl Default for OptimizerConfig {
    /// The paper's: betas 0.9 and 0.95, weight decay 1e-4, clipping at 1 (section 2.3).
    fn default() -> Self {
        Self {
            betas: [0.9, 0.95],
            eps: 1e-8,
            weight_decay: 1e-4,
            grad_clip: Some(1.0),
        }
    }
}

/// The optimizer and its state.
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    steps: u64,
    /// By parameter: exp_avg and exp_avg_sq, flat.
    moments: BTreeMap<String, [Tensor<1>; 2]>,
}

impl Optimizer {
    /// An optimizer that has taken no step.
    pub fn new(config: OptimizerConfig) -> Self {
        Self {
            config,
            steps: 0,
            moments: BTreeMap::new(),
        }
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The state by name, `exp_avg.PARAMETER` and `exp_avg_sq.PARAMETER`, flat: what a checkpoint holds.
    pub fn state(&self) -> impl Iterator<Item = (String, Tensor<1>)> {
        self.moments.iter().flat_map(|(name, [exp_avg, exp_avg_sq])| {
            let named = |kind: &str| format!("{kind}.{name}");
            [
                (named("exp_avg"), exp_avg.clone()),
                (named("exp_avg_sq"), exp_avg_sq.clone()),
            ]
        })
    }

    /// An optimizer that goes on where another stopped: after `steps` steps, with its
    /// [state](Self::state).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a parameter has one of the two averages without the other.
    pub fn resume(
        config: OptimizerConfig,
        steps: u64,
        state: impl IntoIterator<Item = (String, Tensor<1>)>,
    ) -> Result<Self> {
        let mut state: BTreeMap<String, Tensor<1>> = state.into_iter().collect();
        let mut moments = BTreeMap::new();
        while let Some((name, exp_avg)) = state.pop_first() {
            // Names sort so that every exp_avg comes before its exp_avg_sq.
            let incomplete = || Error::InvalidArgument(format!("the optimizer's state has {name} without its pair"));
            let parameter = name.strip_prefix("exp_avg.").ok_or_else(incomplete)?;
            let exp_avg_sq = state
                .remove(&format!("exp_avg_sq.{parameter}"))
                .ok_or_else(incomplete)?;
            moments.insert(parameter.to_owned(), [exp_avg, exp_avg_sq]);
        }
        Ok(Self { config, steps, moments })
    }

    /// Takes a step with the gradients of a module, flat and by parameter, as [`params::gradients`] collects them, and
    /// updates `ema` with the new weights. Returns the module and the norm of the gradients before clipping. Parameters
    /// without a gradient stay as they are.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed.
    pub fn step<M: Module>(
        &mut self,
        module: M,
        mut gradients: BTreeMap<String, Tensor<1>>,
        lr: f64,
        mut ema: Option<&mut Ema>,
    ) -> Result<(M, f64)> {
        let norm = norm(gradients.values())?;
        self.steps += 1;
        let bias_correction = |beta: f64| 1.0 - beta.powi(self.steps.min(1 << 30) as i32);
        let step = AdamW {
            gradient_scale: match self.config.grad_clip {
                Some(max_norm) if norm > max_norm => max_norm / norm,
                _ => 1.0,
            },
            betas: self.config.betas,
            bias_correction: self.config.betas.map(bias_correction),
            eps: self.config.eps,
            lr,
            param_scale: 1.0,
            ema_decay: ema.as_ref().map_or(0.0, |ema| ema.decay(self.steps)),
        };
        let decayed_scale = 1.0 - lr * self.config.weight_decay;
        let module = params::update(module, |name, rank, value| {
            let average = ema.as_mut().map(|ema| ema.take(name, &value));
            let Some(gradient) = gradients.remove(name) else {
                if let (Some(ema), Some(average)) = (&mut ema, average) {
                    ema.put(name, step.update_ema(average, &value));
                }
                return value;
            };
            let [exp_avg, exp_avg_sq] = self.moments.remove(name).unwrap_or_else(|| {
                let zeros = gradient.zeros_like();
                [zeros.clone(), zeros]
            });
            let param_scale = if rank >= 2 { decayed_scale } else { 1.0 };
            let before = ParamState {
                param: value,
                exp_avg,
                exp_avg_sq,
                ema: average,
            };
            let after = AdamW { param_scale, ..step }.step(before, gradient);
            self.moments.insert(name.to_owned(), [after.exp_avg, after.exp_avg_sq]);
            if let (Some(ema), Some(average)) = (&mut ema, after.ema) {
                ema.put(name, average);
            }
            after.param
        });
        Ok((module, norm))
    }
}

/// The Euclidean norm of all gradients together.
fn norm<'a>(gradients: impl Iterator<Item = &'a Tensor<1>>) -> Result<f64> {
    let mut sum = 0.0;
    for gradient in gradients {
        sum += match on_cpu(gradient) {
            Some(gradient) => sum_of_squares(gradient.storage()),
            None => f64::from(to_host(gradient.clone().square().sum())?[0]),
        };
    }
    Ok(sum.sqrt())
}
