//! Keys that were given and change nothing.

use super::{LossConfig, StepConfig, TrainConfig, ValidationConfig};
use crate::Result;
use crate::data::{Augment, Recipe};
use crate::nn::BlockKind;
use crate::tokenizer::vit::Bottleneck;

impl TrainConfig {
    /// Keys with a value of the user's that changes nothing beside the other values, each with the reason, as
    /// `loss.kl has no effect: …`.
    ///
    /// # Errors
    /// [`Error::Variant`](crate::Error::Variant).
    pub fn unused_keys(&self) -> Result<Vec<String>> {
        let model = self.model_config()?;
        let Self { data, loss, train, .. } = self;
        let augment = &data.augment;
        let (augments, losses, steps) = (Augment::default(), LossConfig::default(), StepConfig::default());
        let paper_recipe = augment.recipe == Recipe::Paper;
        let crops_only = "data.augment.crop_prob is 1, so every image is cropped";
        let never_crops = "data.augment.crop_prob is 0, so no image is cropped at random";
        let unused = [
            (
                "loss.kl",
                loss.kl.is_some_and(|weight| weight > 0.0) && model.bottleneck != Bottleneck::Kl,
                "the model's bottleneck is a LayerNorm, which has no KL divergence (model.bottleneck = \"kl\" has)",
            ),
            (
                "loss.charbonnier_eps",
                loss.charbonnier_eps != losses.charbonnier_eps && loss.charbonnier == 0.0,
                "loss.charbonnier is 0",
            ),
            (
                "model.layer_scale",
                self.model.layer_scale.is_some() && model.block != BlockKind::Parallel,
                "the model's blocks are sequential; only parallel ones have a LayerScale",
            ),
            (
                "data.augment.max_tokens",
                augment.max_tokens != augments.max_tokens && (paper_recipe || augment.crop_prob == 1.0),
                if paper_recipe { PAPER_RECIPE } else { crops_only },
            ),
            (
                "data.augment.crop_prob",
                augment.crop_prob != augments.crop_prob && paper_recipe,
                PAPER_RECIPE,
            ),
            (
                "data.augment.scale",
                augment.scale != augments.scale && (paper_recipe || augment.crop_prob == 0.0),
                if paper_recipe { PAPER_RECIPE } else { never_crops },
            ),
            (
                "data.augment.ratio",
                augment.ratio != augments.ratio && (paper_recipe || augment.crop_prob == 0.0),
                if paper_recipe { PAPER_RECIPE } else { never_crops },
            ),
            (
                "train.min_lr",
                train.min_lr != steps.min_lr && train.warmup_steps >= train.steps,
                "the warm-up takes all steps (train.warmup_steps)",
            ),
            (
                "validation",
                self.validation != ValidationConfig::default() && data.validation.is_empty(),
                "data.validation names no images",
            ),
        ];
        let unused = unused.into_iter().filter(|(_, is_unused, _)| *is_unused);
        Ok(unused
            .map(|(key, _, why)| format!("{key} has no effect: {why}"))
            .collect())
    }
}

const PAPER_RECIPE: &str = "data.augment.recipe is \"paper\", which resizes and crops every image alike";
