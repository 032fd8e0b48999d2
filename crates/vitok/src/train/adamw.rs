//! The arithmetic of a step of AdamW for one parameter, with that of its moving average.
//!
//! In memory it is one pass over the values; elsewhere it is composed of the device's operations.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::nn::fused::{in_memory, vectorised};

/// Values a core takes at once; eight arrays of them stay in its cache.
const CHUNK: usize = 16 * 1024;

/// What a step is for every parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdamW {
    /// From clipping.
    pub gradient_scale: f64,
    pub betas: [f64; 2],
    /// What each running mean is divided by, as both start at 0.
    pub seen: [f64; 2],
    pub epsilon: f64,
    pub rate: f64,
    /// What is left of a value after its decay.
    pub kept: f64,
    /// Decay of the moving average.
    pub average_decay: f64,
}

/// A parameter and what follows it, all flat.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    pub value: Tensor<1>,
    pub mean: Tensor<1>,
    pub square: Tensor<1>,
    pub average: Option<Tensor<1>>,
}

impl AdamW {
    /// After a step down `gradient`.
    pub fn step(&self, followed: Followed, gradient: Tensor<1>) -> Followed {
        let Followed {
            value,
            mean,
            square,
            average,
        } = &followed;
        let average = match average {
            Some(average) => in_memory(average).map(Some),
            None => Some(None),
        };
        let held = (
            in_memory(value),
            in_memory(mean),
            in_memory(square),
            average,
        );
        match (held, in_memory(&gradient)) {
            ((Some(value), Some(mean), Some(square), Some(average)), Some(gradient)) => {
                drop(followed); // so that the values have one owner and need not be copied
                self.fused([value, mean, square], average, &gradient)
            }
            _ => self.composed(followed, gradient),
        }
    }

    fn composed(&self, followed: Followed, gradient: Tensor<1>) -> Followed {
        let Followed {
            value,
            mean,
            square,
            average,
        } = followed;
        let [beta1, beta2] = self.betas;
        let gradient = gradient * self.gradient_scale;
        let mean = mean * beta1 + gradient.clone() * (1.0 - beta1);
        let square = square * beta2 + gradient.square() * (1.0 - beta2);
        let root = (square.clone() / self.seen[1]).sqrt() + self.epsilon;
        let value = value * self.kept - mean.clone() / root * (self.rate / self.seen[0]);
        let average = average.map(|average| self.averaged(average, &value));
        Followed {
            value,
            mean,
            square,
            average,
        }
    }

    /// A moving average after it took in `value`.
    pub fn averaged(&self, average: Tensor<1>, value: &Tensor<1>) -> Tensor<1> {
        average * self.average_decay + value.clone() * (1.0 - self.average_decay)
    }

    fn fused(
        &self,
        [mut value, mut mean, mut square]: [FlexTensor; 3],
        mut average: Option<FlexTensor>,
        gradient: &FlexTensor,
    ) -> Followed {
        let [v, m, s] = [&mut value, &mut mean, &mut square].map(|x| x.storage_mut::<f32>());
        let chunks = v
            .par_chunks_mut(CHUNK)
            .zip(m.par_chunks_mut(CHUNK))
            .zip(s.par_chunks_mut(CHUNK))
            .zip(gradient.storage::<f32>().par_chunks(CHUNK));
        match &mut average {
            Some(average) => {
                let average = average.storage_mut::<f32>().par_chunks_mut(CHUNK);
                chunks
                    .zip(average)
                    .for_each(|((((v, m), s), g), a)| self.pass(v, m, s, g, a));
            }
            None => chunks.for_each(|(((v, m), s), g)| self.pass(v, m, s, g, &mut [])),
        }
        let back = Tensor::from_primitive::<Flex>;
        Followed {
            value: back(value),
            mean: back(mean),
            square: back(square),
            average: average.map(back),
        }
    }

    fn pass(&self, v: &mut [f32], m: &mut [f32], s: &mut [f32], g: &[f32], average: &mut [f32]) {
        let [scale, epsilon, kept] =
            [self.gradient_scale, self.epsilon, self.kept].map(|x| x as f32);
        let [beta1, beta2] = self.betas.map(|beta| beta as f32);
        let [rest1, rest2] = self.betas.map(|beta| (1.0 - beta) as f32);
        let (step, seen) = (
            (self.rate / self.seen[0]) as f32,
            (1.0 / self.seen[1]) as f32,
        );
        let (decay, taken) = (self.average_decay as f32, (1.0 - self.average_decay) as f32);
        vectorised(
            #[inline(always)]
            || {
                for (((v, m), s), g) in v.iter_mut().zip(&mut *m).zip(&mut *s).zip(g) {
                    let g = g * scale;
                    *m = *m * beta1 + g * rest1;
                    *s = *s * beta2 + g * g * rest2;
                    *v = *v * kept - *m / ((*s * seen).sqrt() + epsilon) * step;
                }
                for (a, v) in average.iter_mut().zip(&*v) {
                    *a = *a * decay + v * taken;
                }
            },
        );
    }
}

/// In 64 bits, and the same on any number of cores.
pub(super) fn sum_of_squares(values: &[f32]) -> f64 {
    let sums = values.par_chunks(CHUNK).map(|chunk| {
        vectorised(
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
    fn one_pass_is_the_composed_step() {
        let step = AdamW {
            gradient_scale: 0.7,
            betas: [0.9, 0.95],
            seen: [0.19, 0.0975],
            epsilon: 1e-8,
            rate: 1e-2,
            kept: 0.999,
            average_decay: 0.9,
        };
        let vector = |seed: usize| {
            let values: Vec<f32> = (0..70_000)
                .map(|i| (i * seed % 1013) as f32 / 1013.0)
                .collect();
            Tensor::<1>::from_floats(&values[..], &Device::flex())
        };
        for average in [None, Some(vector(19))] {
            let before = Followed {
                value: vector(7),
                mean: vector(11),
                square: vector(13),
                average,
            };
            let fused = step.step(before.clone(), vector(17));
            let composed = step.composed(before, vector(17));
            let same = |a: Tensor<1>, b: Tensor<1>| {
                let worst = (a - b).abs().max().into_scalar::<f32>();
                assert!(worst < 1e-6, "{worst}");
            };
            same(fused.value, composed.value);
            same(fused.mean, composed.mean);
            same(fused.square, composed.square);
            assert_eq!(fused.average.is_some(), composed.average.is_some());
            if let (Some(a), Some(b)) = (fused.average, composed.average) {
                same(a, b);
            }
        }
    }
}
