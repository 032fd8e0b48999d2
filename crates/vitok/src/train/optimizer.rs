//! AdamW (Loshchilov and Hutter, 2019) with clipping of the global gradient norm.
//!
//! Ours rather than Burn's, so that its state is known by the parameters' names: it is saved beside
//! the weights and a run resumes exactly, whatever made the modules anew.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::Ema;
use super::adamw::{AdamW, Followed, sum_of_squares};
use crate::device::to_host;
use crate::nn::fused::in_memory;
use crate::nn::params;
use crate::{Error, Result};

/// What does not change during a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OptimizerConfig {
    /// Decay of the running mean and mean square of the gradient.
    pub betas: [f64; 2],
    /// Added to the root of the mean square.
    pub epsilon: f64,
    /// Decoupled decay of weight matrices; norms, biases and scales are not decayed.
    pub weight_decay: f64,
    /// Largest norm of all gradients together; larger ones are scaled down. None: no clipping.
    pub clip: Option<f64>,
}

impl Default for OptimizerConfig {
    /// The paper's: betas 0.9 and 0.95, decay 1e-4, clipping at 1 (section 2.3).
    fn default() -> Self {
        Self {
            betas: [0.9, 0.95],
            epsilon: 1e-8,
            weight_decay: 1e-4,
            clip: Some(1.0),
        }
    }
}

/// The optimiser and its state.
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    steps: u64,
    /// By parameter: running mean and mean square of the gradient, flat.
    moments: BTreeMap<String, [Tensor<1>; 2]>,
}

impl Optimizer {
    /// An optimiser that has seen nothing yet.
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

    /// The state by name, `mean.PARAMETER` and `square.PARAMETER`, flat: what a checkpoint holds.
    pub fn state(&self) -> impl Iterator<Item = (String, Tensor<1>)> {
        self.moments.iter().flat_map(|(name, [mean, square])| {
            let named = |kind: &str| format!("{kind}.{name}");
            [
                (named("mean"), mean.clone()),
                (named("square"), square.clone()),
            ]
        })
    }

    /// An optimiser that goes on where another stopped: after `steps` steps, with its
    /// [state](Self::state).
    ///
    /// # Errors
    /// [`Error::Input`] if a parameter has one moment without the other.
    pub fn resume(
        config: OptimizerConfig,
        steps: u64,
        state: impl IntoIterator<Item = (String, Tensor<1>)>,
    ) -> Result<Self> {
        let mut state: BTreeMap<String, Tensor<1>> = state.into_iter().collect();
        let mut moments = BTreeMap::new();
        while let Some((name, mean)) = state.pop_first() {
            let name = name.strip_prefix("mean.").unwrap_or_default().to_owned();
            let Some(square) = state.remove(&format!("square.{name}")) else {
                return Err(Error::Input(format!(
                    "the optimiser's state is incomplete: {name} has one moment of two"
                )));
            };
            moments.insert(name, [mean, square]);
        }
        Ok(Self {
            config,
            steps,
            moments,
        })
    }

    /// Takes a step down the gradients of a module, flat and by parameter, as
    /// [`params::gradients`] collects them, and takes the weights into `average`. Returns the module
    /// and the norm of the gradients before clipping. Parameters without a gradient stay as they are.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed.
    pub fn step<M: Module>(
        &mut self,
        module: M,
        mut gradients: BTreeMap<String, Tensor<1>>,
        rate: f64,
        mut average: Option<&mut Ema>,
    ) -> Result<(M, f64)> {
        let norm = norm(gradients.values())?;
        self.steps += 1;
        // Both moments start at 0; `seen` undoes that.
        let seen = |beta: f64| 1.0 - beta.powi(self.steps.min(1 << 30) as i32);
        let step = AdamW {
            gradient_scale: match self.config.clip {
                Some(most) if norm > most => most / norm,
                _ => 1.0,
            },
            betas: self.config.betas,
            seen: self.config.betas.map(seen),
            epsilon: self.config.epsilon,
            rate,
            kept: 1.0,
            average_decay: average.as_ref().map_or(0.0, |a| a.decay(self.steps)),
        };
        let decaying = 1.0 - rate * self.config.weight_decay;
        let module = params::update(module, |name, rank, value| {
            let averaged = average.as_mut().map(|average| average.take(name, &value));
            let Some(gradient) = gradients.remove(name) else {
                if let (Some(average), Some(averaged)) = (&mut average, averaged) {
                    average.put(name, step.averaged(averaged, &value));
                }
                return value;
            };
            let [mean, square] = self.moments.remove(name).unwrap_or_else(|| {
                let zeros = gradient.zeros_like();
                [zeros.clone(), zeros]
            });
            let kept = if rank >= 2 { decaying } else { 1.0 };
            let before = Followed {
                value,
                mean,
                square,
                average: averaged,
            };
            let after = AdamW { kept, ..step }.step(before, gradient);
            self.moments
                .insert(name.to_owned(), [after.mean, after.square]);
            if let (Some(average), Some(averaged)) = (&mut average, after.average) {
                average.put(name, averaged);
            }
            after.value
        });
        Ok((module, norm))
    }
}

/// The norm of all gradients together.
fn norm<'a>(gradients: impl Iterator<Item = &'a Tensor<1>>) -> Result<f64> {
    let mut sum = 0.0;
    for gradient in gradients {
        sum += match in_memory(gradient) {
            Some(gradient) => sum_of_squares(gradient.storage()),
            None => f64::from(to_host(gradient.clone().square().sum())?[0]),
        };
    }
    Ok(sum.sqrt())
}
