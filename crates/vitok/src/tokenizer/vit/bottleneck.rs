//! From the encoder's last tokens to the latents (paper, section 2; v2).

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::nn::layer_norm;
use crate::patches::{BatchLayout, TokenBatch};

/// Keeps `exp(logvar)` finite (paper, section 2).
const LOGVAR_RANGE: (f64, f64) = (-30.0, 20.0);

/// How the encoder's last tokens become the latents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Bottleneck {
    /// Mean and log-variance of a Gaussian (paper, section 2).
    Kl,
    /// LayerNorm over the channels, no affine (v2).
    LayerNorm,
}

/// What an encoder gives: the latents and, with a KL bottleneck, the distribution they are the mean of.
#[derive(Clone, Debug)]
pub struct EncoderOutput {
    /// The latents `[B, N, c]`; with a KL bottleneck the mean.
    pub latents: TokenBatch,
    /// The posterior, with a KL bottleneck.
    pub posterior: Option<DiagonalGaussian>,
}

/// A Gaussian for every latent value.
#[derive(Clone, Debug)]
pub struct DiagonalGaussian {
    /// `[B, N, c]`.
    pub mean: Tensor<3>,
    /// `[B, N, c]`, clamped to [-30, 20].
    pub logvar: Tensor<3>,
    layout: BatchLayout,
}

impl EncoderOutput {
    /// From the output of the `to_code` layer: `[B, N, c]`, or `[B, N, 2c]` with a KL bottleneck.
    pub(super) fn new(x: Tensor<3>, bottleneck: Bottleneck, layout: &BatchLayout) -> Self {
        let latents = |tokens| TokenBatch {
            tokens: layout.clear_padding(tokens),
            layout: layout.clone(),
        };
        match bottleneck {
            Bottleneck::LayerNorm => Self {
                latents: latents(layer_norm(x)),
                posterior: None,
            },
            Bottleneck::Kl => {
                let c = x.dims()[2] / 2;
                let mean = x.clone().narrow(2, 0, c);
                let logvar = x.narrow(2, c, c).clamp(LOGVAR_RANGE.0, LOGVAR_RANGE.1);
                Self {
                    latents: latents(mean.clone()),
                    posterior: Some(DiagonalGaussian {
                        mean,
                        logvar,
                        layout: layout.clone(),
                    }),
                }
            }
        }
    }
}

impl DiagonalGaussian {
    /// `mean + exp(logvar / 2) * eps`, with standard normal `eps` of the mean's shape.
    pub fn sample(&self, eps: Tensor<3>) -> TokenBatch {
        let z = self.mean.clone() + (self.logvar.clone() * 0.5).exp() * eps;
        TokenBatch {
            tokens: self.layout.clear_padding(z),
            layout: self.layout.clone(),
        }
    }

    /// KL divergence from the standard normal, `[1]`: the mean over real tokens and channels of
    /// `0.5 (mean^2 + exp(logvar) - 1 - logvar)` (the paper's research code).
    pub fn kl(&self) -> Tensor<1> {
        let each = self.mean.clone().square() + self.logvar.clone().exp() - 1.0 - self.logvar.clone();
        let tokens: usize = self.layout.sequences().iter().map(|i| i.grid.tokens()).sum();
        let values = tokens * each.dims()[2];
        self.layout.clear_padding(each).sum() * (0.5 / values as f64)
    }
}
