//! Micro-batches: the pieces of a step's batch whose gradients are computed apart and summed.
//!
//! What comes of a micro-batch depends on its own clips, its number, the step and the seed, and the sum has a fixed order
//! ([`TreeSum`]): not on threads, and not on which process computes which micro-batches.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{Device, Tensor};

use super::LossConfig;
use super::objective::{Losses, batch_of, loss};
use super::tree_sum::TreeSum;
use crate::media::Clip;
use crate::nn::params;
use crate::tokenizer::vit::{ModelConfig, Network};
use crate::{Error, Result};

/// A contiguous piece of a batch.
#[derive(Debug)]
pub(super) struct MicroBatch {
    /// Its number in the batch, from 0 on.
    number: u64,
    /// The fraction of the batch's clips that it has.
    share: f64,
    /// Sorted by size.
    clips: Vec<Clip>,
}

/// Cuts a batch, by position, into `count` pieces whose sizes differ by at most one clip; into fewer where there are fewer
/// clips.
pub(super) fn micro_batches(clips: Vec<Clip>, count: usize) -> Vec<MicroBatch> {
    let all = clips.len();
    let count = count.clamp(1, all.max(1));
    let mut clips = clips.into_iter();
    let pieces = (0..count).map(|i| {
        let size = (i + 1) * all / count - i * all / count;
        let mut clips: Vec<Clip> = clips.by_ref().take(size).collect();
        // Clips of one size go through the losses as one tensor; their order has no meaning.
        clips.sort_by_key(|clip| (clip.size().width, clip.size().height));
        MicroBatch {
            number: i as u64,
            share: size as f64 / all as f64,
            clips,
        }
    });
    pieces.collect()
}

/// What the gradients of a step are computed with.
pub(super) struct GradientContext<'a> {
    pub network: &'a Network,
    pub model: &'a ModelConfig,
    pub loss: &'a LossConfig,
    /// Where the network is; with autodiff.
    pub device: &'a Device,
    pub seed: u64,
    /// Steps taken before.
    pub step: u64,
}

/// Losses and gradients of micro-batches, each times its share of the batch.
#[derive(Debug)]
pub(super) struct Gradients {
    pub losses: Losses,
    /// By parameter, flat.
    pub gradients: BTreeMap<String, Tensor<1>>,
}

impl Gradients {
    fn add(self, other: Self) -> Self {
        let mut gradients = self.gradients;
        for (name, gradient) in other.gradients {
            let sum = match gradients.remove(&name) {
                Some(sum) => sum + gradient,
                None => gradient,
            };
            gradients.insert(name, sum);
        }
        Self {
            losses: self.losses + other.losses,
            gradients,
        }
    }
}

impl GradientContext<'_> {
    /// The sum over micro-batches in a row: at the same time on threads if `parallel`, otherwise one after the other.
    ///
    /// # Errors
    /// As [`loss`]; [`Error::Internal`] if computing panicked; [`Error::InvalidArgument`] for no micro-batches.
    pub fn sum(&self, micro_batches: &[MicroBatch], parallel: bool) -> Result<Gradients> {
        let mut sum = TreeSum::new(Gradients::add);
        if parallel {
            for gradients in self.on_threads(micro_batches) {
                sum.push(gradients?);
            }
        } else {
            for micro_batch in micro_batches {
                sum.push(self.compute(micro_batch)?);
            }
        }
        let empty = || Error::InvalidArgument("a batch needs at least one clip".into());
        sum.finish().ok_or_else(empty)
    }

    fn on_threads(&self, micro_batches: &[MicroBatch]) -> Vec<Result<Gradients>> {
        let Some((first, others)) = micro_batches.split_first() else {
            return Vec::new();
        };
        std::thread::scope(|scope| {
            let spawn = |micro_batch| scope.spawn(move || self.compute(micro_batch));
            let others: Vec<_> = others.iter().map(spawn).collect();
            // One stays on this thread, whose allocator holds the memory of the step before.
            let first = self.compute(first);
            let others = others
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err(panicked())));
            std::iter::once(first).chain(others).collect()
        })
    }

    /// Losses and gradients of one micro-batch, times its share.
    fn compute(&self, micro_batch: &MicroBatch) -> Result<Gradients> {
        let compute = || {
            let MicroBatch { number, share, clips } = micro_batch;
            // Parameters of its own, so that its autodiff graph is its own.
            let network = params::update(self.network.clone(), |_, _, value| value);
            let batch = batch_of(clips, self.model, self.device)?;
            let noise_seed = [self.seed, self.step, *number];
            let (total, losses) = loss(&network, self.model, &batch, self.loss, &noise_seed)?;
            let gradients = (total * *share).backward();
            Ok(Gradients {
                losses: losses.scaled(*share),
                gradients: params::gradients(&network, &gradients),
            })
        };
        catch_unwind(AssertUnwindSafe(compute)).unwrap_or_else(|_| Err(panicked()))
    }
}

fn panicked() -> Error {
    Error::Internal("computing a micro-batch panicked".into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::media::Image;
    use crate::tokenizer::vit::VitTokenizer;

    fn clips(count: usize) -> Vec<Clip> {
        let clip = |i: usize| {
            let (width, height) = (8 + 4 * (i % 3), 8 + 4 * (i % 2));
            let rgb = (0..3 * width * height).map(|j| ((i * 31 + j * 7) % 256) as u8);
            Clip::from(Image::new(width, height, rgb.collect()).unwrap())
        };
        (0..count).map(clip).collect()
    }

    #[test]
    fn a_batch_is_cut_by_position() {
        let cut = |count: usize, pieces: usize| {
            let all = micro_batches(clips(count), pieces);
            assert!((all.iter().map(|m| m.share).sum::<f64>() - 1.0).abs() < 1e-12);
            all
        };
        let sizes = |count, pieces| cut(count, pieces).iter().map(|m| m.clips.len()).collect::<Vec<_>>();
        assert_eq!(sizes(8, 4), [2, 2, 2, 2]);
        assert_eq!(sizes(10, 4), [2, 3, 2, 3]);
        assert_eq!(sizes(3, 8), [1, 1, 1]);
        let second = &cut(8, 4)[1];
        assert_eq!((second.number, second.share), (1, 0.25));
        assert!(second.clips.iter().all(|clip| clips(8)[2..4].contains(clip)));
    }

    /// Micro-batches computed all together, on threads or not, or by several processes, with noise of their own.
    #[test]
    fn any_number_of_processes_gives_the_same_bits() {
        let device = Device::flex().autodiff();
        let model = ModelConfig::of_variant("paper:w16_d1_h2/1x4x4").unwrap();
        let tokenizer = VitTokenizer::random(model.clone(), 3, &device).unwrap();
        let context = GradientContext {
            network: tokenizer.network(),
            model: &model,
            loss: &LossConfig::default(),
            device: &device,
            seed: 9,
            step: 4,
        };
        let batch = micro_batches(clips(8), 8);
        let bits = |gradients: Gradients| -> Vec<u32> {
            let values = gradients.gradients.into_values();
            let bits = values
                .flat_map(|x| x.try_into_vec_as::<f32>().unwrap())
                .map(f32::to_bits);
            bits.chain([(gradients.losses.loss as f32).to_bits()]).collect()
        };
        let whole = bits(context.sum(&batch, true).unwrap());
        assert_eq!(bits(context.sum(&batch, false).unwrap()), whole);
        for each in [1, 2, 4] {
            let mut sum = TreeSum::new(Gradients::add);
            for own in batch.chunks(each) {
                sum.push(context.sum(own, false).unwrap());
            }
            assert_eq!(bits(sum.finish().unwrap()), whole, "{each} micro-batches a process");
        }
        // Another step has other noise.
        let later = GradientContext { step: 5, ..context };
        assert_ne!(bits(later.sum(&batch, false).unwrap()), whole);
    }
}
