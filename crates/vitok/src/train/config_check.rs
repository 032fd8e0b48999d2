//! Which values a configuration may have.

use super::TrainConfig;
use crate::Result;
use crate::toml_file::invalid_value;

impl TrainConfig {
    /// Checks the ranges of the values.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) naming the key, [`Error::Variant`](crate::Error::Variant).
    pub fn check(&self) -> Result<()> {
        let model = self.model_config()?;
        self.data.check()?;
        let (train, loss) = (&self.train, &self.loss);
        let not_negative = |x: f64| x.is_finite() && x >= 0.0;
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let below_one = |x: f64| (0.0..1.0).contains(&x);
        let weights = [loss.mse, loss.charbonnier, loss.ssim, loss.kl.unwrap_or(0.0)];
        let rules = [
            (
                model.tubelet.frames == 1,
                "model.variant: images have one frame, so tubelets of one frame are needed",
            ),
            (train.steps > 0, "train.steps must be at least 1"),
            (
                (1..=1 << 20).contains(&train.batch_size),
                "train.batch_size must be 1 to 1048576",
            ),
            (
                (1..=256).contains(&train.micro_batches),
                "train.micro_batches must be 1 to 256",
            ),
            (positive(train.lr), "train.lr must be above 0"),
            (not_negative(train.min_lr), "train.min_lr must not be negative"),
            (
                train.betas.into_iter().all(below_one),
                "train.betas must be from 0 up to, but not, 1",
            ),
            (positive(train.eps), "train.eps must be above 0"),
            (
                not_negative(train.weight_decay),
                "train.weight_decay must not be negative",
            ),
            (not_negative(train.grad_clip), "train.grad_clip must not be negative"),
            (
                below_one(train.ema_decay),
                "train.ema_decay must be from 0 up to, but not, 1",
            ),
            (not_negative(train.max_loss), "train.max_loss must not be negative"),
            (
                train.checkpoint_every > 0 && train.log_every > 0 && self.validation.every > 0,
                "train.checkpoint_every, train.log_every and validation.every must be at least 1",
            ),
            (train.keep_last > 0, "train.keep_last must be at least 1"),
            (
                self.validation.batch_size > 0,
                "validation.batch_size must be at least 1",
            ),
            (
                weights.into_iter().all(not_negative),
                "the weights of loss must not be negative",
            ),
            (
                loss.mse + loss.charbonnier + loss.ssim > 0.0,
                "one of loss.mse, loss.charbonnier and loss.ssim must be above 0",
            ),
            (positive(loss.charbonnier_eps), "loss.charbonnier_eps must be above 0"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(invalid_value(*rule)),
            None => Ok(()),
        }
    }
}
