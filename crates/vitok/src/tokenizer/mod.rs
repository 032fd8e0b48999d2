//! The tokenizer: clips to latents and back.
//!
//! ```text
//! clips [3, T, H, W] -> patchify -> encoder -> bottleneck -> latents [L, c]
//! clips [3, T, H, W] <- unpatchify <- decoder <-------------- latents [L, c]
//! ```

mod bottleneck;
mod count;
mod network;
mod taps;
mod weights;

pub use bottleneck::{Code, Moments};
pub use count::Counts;
pub use network::{Decoder, Encoder, Network};
pub use taps::Taps;
pub use weights::{Half, WeightsLayout, plan_of_files};

use burn::tensor::{Device, Tensor, TensorData};

use crate::config::Plan;
use crate::device::to_host;
use crate::latents::Latents;
use crate::nn::{init, params};
use crate::patches::{Extent, Grid, Item, Layout, TokenBatch, patchify, unpatchify};
use crate::pixels::{Picture, clips_of_images, pictures_from_clip};
use crate::{Error, Result};

/// A network and the plan it was built from.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    plan: Plan,
    network: Network,
    device: Device,
    /// Identifies the encoder's weights; empty where there is no encoder, on disk either.
    fingerprint: String,
}

impl Tokenizer {
    /// A tokenizer with the initial values of [`init`].
    ///
    /// # Errors
    /// [`Error::Variant`] if the plan does not hold together.
    pub fn random(plan: Plan, seed: u64, device: &Device) -> Result<Self> {
        let layer_scale = plan.layer_scale;
        Self::from_values(plan, device, |path, shape| {
            let name = weights::tensor_name(path);
            Ok(init::initial_value(name, shape, layer_scale, seed))
        })
    }

    /// A tokenizer whose parameters have the values `source` returns for their path in [`Network`]
    /// and shape, row-major.
    ///
    /// # Errors
    /// [`Error::Variant`] if the plan does not hold together, or the first error of `source`.
    pub fn from_values(
        plan: Plan,
        device: &Device,
        source: impl FnMut(&str, &[usize]) -> Result<Vec<f32>>,
    ) -> Result<Self> {
        plan.check()?;
        let network = Network {
            encoder: Some(Encoder::new(&plan, device)),
            decoder: Some(Decoder::new(&plan, device)),
        };
        Self::filled(plan, network, device, Default::default(), source)
    }

    /// Pictures of any sizes, as one batch, through the bottleneck and back.
    ///
    /// # Errors
    /// As [`encode_clips`](Self::encode_clips) and [`decode_latents`](Self::decode_latents).
    pub fn reconstruct(&self, pictures: &[Picture]) -> Result<Vec<Picture>> {
        let latents = self.encode_clips(&clips_of_images(pictures, &self.device)?)?;
        let clips = self.decode_latents(&latents)?.into_iter();
        let frames = clips.map(|clip| Ok(pictures_from_clip(clip)?.remove(0)));
        frames.collect()
    }

    /// Fills a network's parameters, each known by its path and shape.
    fn filled(
        plan: Plan,
        network: Network,
        device: &Device,
        mut fingerprint: weights::Fingerprint,
        mut source: impl FnMut(&str, &[usize]) -> Result<Vec<f32>>,
    ) -> Result<Self> {
        let network = params::fill(network, |path, shape| {
            let values = source(path, shape)?;
            fingerprint.add(path, shape, &values);
            Ok(values)
        })?;
        Ok(Self {
            plan,
            network,
            device: device.clone(),
            fingerprint: fingerprint.finish(),
        })
    }

    /// What the network was built from.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The modules.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Where the weights are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Sixteen hexadecimal digits that identify the encoder's weights; latents carry them. Empty
    /// where there was only a decoder to load.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Patches `[B, N, 3qpp]` -> code `[B, N, c]`.
    ///
    /// # Errors
    /// [`Error::Input`] if only a decoder was loaded.
    pub fn encode(&self, patches: &TokenBatch, taps: &mut Taps) -> Result<Code> {
        let encoder = self.network.encoder.as_ref();
        let encoder = encoder.ok_or_else(|| Error::Input("this model has no encoder".into()))?;
        Ok(encoder.encode(&self.plan, patches, taps))
    }

    /// Code `[B, N, c]` -> patches `[B, N, 3qpp]`.
    ///
    /// # Errors
    /// [`Error::Input`] if only an encoder was loaded.
    pub fn decode(&self, latents: &TokenBatch, taps: &mut Taps) -> Result<TokenBatch> {
        let decoder = self.network.decoder.as_ref();
        let decoder = decoder.ok_or_else(|| Error::Input("this model has no decoder".into()))?;
        Ok(decoder.decode(&self.plan, latents, taps))
    }

    /// Clips `[3, T, H, W]` in [-1, 1], of any sizes, to their latents, as one batch.
    ///
    /// A model whose positions know no time codes a clip frame by frame; its latents are those of
    /// the frames, in order.
    ///
    /// # Errors
    /// [`Error::Input`] for no clips, an empty one, one without three colours, a model without
    /// encoder, or one whose latents are not finite.
    pub fn encode_clips(&self, clips: &[Tensor<4>]) -> Result<Vec<Latents>> {
        if let Some(clip) = clips
            .iter()
            .find(|clip| clip.dims()[0] != self.plan.colours)
        {
            return Err(Error::Input(format!(
                "clips have {} colours; one has {}",
                self.plan.colours,
                clip.dims()[0]
            )));
        }
        let extents: Vec<Extent> = clips.iter().map(extent_of).collect();
        let sequences = if self.plan.frame_by_frame() {
            clips
                .iter()
                .flat_map(|clip| clip.clone().split(1, 1))
                .collect()
        } else {
            clips.to_vec()
        };
        let patches = patchify(&sequences, self.plan.tubelet, None)?;
        let code = self.encode(&patches, &mut Taps::off())?.latents;
        let length = code.layout.length();
        let c = self.plan.channels;
        let values = to_host(code.tokens)?;
        check_finite(&values)?;
        let mut rows = code.layout.items().iter().zip(values.chunks(length * c));
        let latents = extents.into_iter().map(|extent| {
            let grid = Grid::covering(extent, self.plan.tubelet);
            let mut values = Vec::with_capacity(grid.tokens() * c);
            while values.len() < grid.tokens() * c {
                let Some((item, row)) = rows.next() else {
                    return Err(Error::Input("the code is shorter than its grid".into()));
                };
                values.extend_from_slice(&row[..item.grid.tokens() * c]);
            }
            Latents::new(values, c, grid, extent)
        });
        latents.collect()
    }

    /// Latents of any sizes to clips `[3, T, H, W]` of their original extents, as one batch.
    ///
    /// # Errors
    /// [`Error::Input`] if the latents do not fit this model, or it has no decoder.
    pub fn decode_latents(&self, latents: &[Latents]) -> Result<Vec<Tensor<4>>> {
        let c = self.plan.channels;
        let mut items = Vec::new();
        let mut sequences: Vec<&[f32]> = Vec::new();
        for one in latents {
            one.check_against(&self.plan)?;
            let parts = if self.plan.frame_by_frame() {
                one.grid.frames
            } else {
                1
            };
            let grid = Grid {
                frames: one.grid.frames / parts,
                ..one.grid
            };
            let extent = Extent {
                frames: one.extent.frames / parts,
                ..one.extent
            };
            items.extend(std::iter::repeat_n(Item { extent, grid }, parts));
            sequences.extend(one.values.chunks(grid.tokens() * c));
        }
        let layout = Layout::new(items)?;
        let n = layout.length();
        let mut values = vec![0f32; sequences.len() * n * c];
        for (row, sequence) in values.chunks_mut(n * c).zip(&sequences) {
            row[..sequence.len()].copy_from_slice(sequence);
        }
        let shape = [sequences.len(), n, c];
        let tokens = Tensor::from_data(TensorData::new(values, shape), &self.device);
        let patches = self.decode(&TokenBatch { tokens, layout }, &mut Taps::off())?;
        let mut parts = unpatchify(&patches, self.plan.tubelet)?.into_iter();
        let clips = latents.iter().map(|one| {
            let mut frames = Vec::new();
            let mut count = 0;
            while count < one.extent.frames {
                let Some(part) = parts.next() else { break };
                count += part.dims()[1];
                frames.push(part);
            }
            Tensor::cat(frames, 1)
        });
        Ok(clips.collect())
    }
}

fn extent_of(clip: &Tensor<4>) -> Extent {
    let [_, frames, height, width] = clip.dims();
    Extent {
        frames,
        height,
        width,
    }
}

/// Refuses what only a diverged or damaged model gives.
fn check_finite(values: &[f32]) -> Result<()> {
    match values.iter().find(|v| !v.is_finite()) {
        None => Ok(()),
        Some(value) => Err(Error::Input(format!(
            "the model gives {value} for this input; its weights are damaged or its training diverged"
        ))),
    }
}
