//! AdamW (Loshchilov and Hutter 2019, algorithm 2) for one parameter, together with its exponential moving average:
//!
//! ```text
//! g          = gradient_scale * gradient
//! exp_avg    = beta1 * exp_avg    + (1 - beta1) * g
//! exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * g^2
//! param      = (1 - lr * weight_decay) * param
//!              - lr * (exp_avg / bias_correction1) / (sqrt(exp_avg_sq / bias_correction2) + eps)
//! ema        = ema_decay * ema + (1 - ema_decay) * param
//! ```
//!
//! On the CPU that is one pass over the values; elsewhere it is composed of the device's operations.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::nn::kernels::{on_cpu, vectorized};

/// Values that one task takes: its five arrays stay in a core's cache.
const CHUNK: usize = 16 * 1024;

/// The numbers of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdamW {
    /// What gradients are multiplied by to clip their norm.
    pub gradient_scale: f64,
    pub betas: [f64; 2],
    /// `1 - beta^steps`: what each running average is divided by, since both start at 0.
    pub bias_correction: [f64; 2],
    pub eps: f64,
    pub lr: f64,
    /// `1 - lr * weight_decay`, or 1 for a parameter that is not decayed.
    pub param_scale: f64,
    /// Decay of the moving average at this step.
    pub ema_decay: f64,
}

/// A parameter and its state, all flat, with PyTorch's names.
#[derive(Clone, Debug)]
pub(super) struct ParamState {
    pub param: Tensor<1>,
    pub exp_avg: Tensor<1>,
    pub exp_avg_sq: Tensor<1>,
    pub ema: Option<Tensor<1>>,
}

impl AdamW {
    /// The state after a step with `gradient`.
    pub fn step(&self, state: ParamState, gradient: Tensor<1>) -> ParamState {
        let ParamState {
            param,
            exp_avg,
            exp_avg_sq,
            ema,
        } = &state;
        let ema = match ema {
            Some(ema) => on_cpu(ema).map(Some),
            None => Some(None),
        };
        let state_on_cpu = (on_cpu(param), on_cpu(exp_avg), on_cpu(exp_avg_sq), ema);
        match (state_on_cpu, on_cpu(&gradient)) {
            ((Some(param), Some(exp_avg), Some(exp_avg_sq), Some(ema)), Some(gradient)) => {
                drop(state); // so that the values have one owner and are changed in place
                self.fused([param, exp_avg, exp_avg_sq], ema, &gradient)
            }
            _ => self.composed(state, gradient),
        }
    }

    fn composed(&self, state: ParamState, gradient: Tensor<1>) -> ParamState {
        let ParamState {
            param,
            exp_avg,
            exp_avg_sq,
            ema,
        } = state;
        let [beta1, beta2] = self.betas;
        let gradient = gradient * self.gradient_scale;
        let exp_avg = exp_avg * beta1 + gradient.clone() * (1.0 - beta1);
        let exp_avg_sq = exp_avg_sq * beta2 + gradient.square() * (1.0 - beta2);
        let root = (exp_avg_sq.clone() / self.bias_correction[1]).sqrt() + self.eps;
        let param = param * self.param_scale - exp_avg.clone() / root * (self.lr / self.bias_correction[0]);
        let ema = ema.map(|ema| self.update_ema(ema, &param));
        ParamState {
            param,
            exp_avg,
            exp_avg_sq,
            ema,
        }
    }

    /// The moving average after `param` is added to it.
    pub fn update_ema(&self, ema: Tensor<1>, param: &Tensor<1>) -> Tensor<1> {
        ema * self.ema_decay + param.clone() * (1.0 - self.ema_decay)
    }

    fn fused(
        &self,
        [mut param, mut exp_avg, mut exp_avg_sq]: [FlexTensor; 3],
        mut ema: Option<FlexTensor>,
        gradient: &FlexTensor,
    ) -> ParamState {
        let [p, m, s] = [&mut param, &mut exp_avg, &mut exp_avg_sq].map(|x| x.storage_mut::<f32>());
        let chunks = p
            .par_chunks_mut(CHUNK)
            .zip(m.par_chunks_mut(CHUNK))
            .zip(s.par_chunks_mut(CHUNK))
            .zip(gradient.storage::<f32>().par_chunks(CHUNK));
        match &mut ema {
            Some(ema) => {
                let ema = ema.storage_mut::<f32>().par_chunks_mut(CHUNK);
                chunks
                    .zip(ema)
                    .for_each(|((((p, m), s), g), a)| self.update(p, m, s, g, a));
            }
            None => chunks.for_each(|(((p, m), s), g)| self.update(p, m, s, g, &mut [])),
        }
        let tensor = Tensor::from_primitive::<Flex>;
        ParamState {
            param: tensor(param),
            exp_avg: tensor(exp_avg),
            exp_avg_sq: tensor(exp_avg_sq),
            ema: ema.map(tensor),
        }
    }

    /// One pass over the values of `p` (param), `m` (exp_avg), `s` (exp_avg_sq), `g` (gradient) and `ema`, which may be
    /// empty.
    fn update(&self, p: &mut [f32], m: &mut [f32], s: &mut [f32], g: &[f32], ema: &mut [f32]) {
        let [scale, eps, param_scale] = [self.gradient_scale, self.eps, self.param_scale].map(|x| x as f32);
        let [beta1, beta2] = self.betas.map(|beta| beta as f32);
        let [rest1, rest2] = self.betas.map(|beta| (1.0 - beta) as f32);
        let (step_size, inverse_correction) = (
            (self.lr / self.bias_correction[0]) as f32,
            (1.0 / self.bias_correction[1]) as f32,
        );
        let (decay, weight) = (self.ema_decay as f32, (1.0 - self.ema_decay) as f32);
        vectorized(
            #[inline(always)]
            || {
                for (((p, m), s), g) in p.iter_mut().zip(&mut *m).zip(&mut *s).zip(g) {
                    let g = g * scale;
                    *m = *m * beta1 + g * rest1;
                    *s = *s * beta2 + g * g * rest2;
                    *p = *p * param_scale - *m / ((*s * inverse_correction).sqrt() + eps) * step_size;
                }
                for (a, p) in ema.iter_mut().zip(&*p) {
                    *a = *a * decay + p * weight;
                }
            },
        );
    }
}

/// The sum of squares in 64 bits, the same on any number of cores.
pub(super) fn sum_of_squares(values: &[f32]) -> f64 {
    let sums = values.par_chunks(CHUNK).map(|chunk| {
        vectorized(
            #[inline(always)]
            || {
                let mut sums = [0f64; 16];
                for values in chunk.chunks(16) {
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum += f64::from(*value) * f64::from(*value);
                    }
                }
                sums.iter().sum::<f64>()
            },
        )
    });
    sums.collect::<Vec<f64>>().iter().sum()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_fused_step_is_the_composed_one() {
        let step = AdamW {
            gradient_scale: 0.7,
            betas: [0.9, 0.95],
            bias_correction: [0.19, 0.0975],
            eps: 1e-8,
            lr: 1e-2,
            param_scale: 0.999,
            ema_decay: 0.9,
        };
        let vector = |seed: usize| {
            let values: Vec<f32> = (0..70_000).map(|i| (i * seed % 1013) as f32 / 1013.0).collect();
            Tensor::<1>::from_floats(&values[..], &Device::flex())
        };
        for ema in [None, Some(vector(19))] {
            let before = ParamState {
                param: vector(7),
                exp_avg: vector(11),
                exp_avg_sq: vector(13),
                ema,
            };
            let fused = step.step(before.clone(), vector(17));
            let composed = step.composed(before, vector(17));
            let same = |a: Tensor<1>, b: Tensor<1>| {
                let worst = (a - b).abs().max().into_scalar::<f32>();
                assert!(worst < 1e-6, "{worst}");
            };
            same(fused.param, composed.param);
            same(fused.exp_avg, composed.exp_avg);
            same(fused.exp_avg_sq, composed.exp_avg_sq);
            assert_eq!(fused.ema.is_some(), composed.ema.is_some());
            if let (Some(a), Some(b)) = (fused.ema, composed.ema) {
                same(a, b);
            }
        }
    }
}
