//! The tokenizer around the network: clips in, latents out, and back.

use burn::tensor::{Device, Tensor, TensorData};

use super::activations::Activations;
use super::bottleneck::EncoderOutput;
use super::config::ModelConfig;
use super::count::Counts;
use super::fingerprint::{Fingerprint, digest};
use super::network::{Decoder, Encoder, Network, tensor_name};
use crate::device::to_host;
use crate::media::{Clip, ClipShape, clip_from_tensor, clip_to_tensor};
use crate::nn::{init, params};
use crate::patches::{BatchLayout, Sequence, TokenBatch, TokenGrid, patchify, unpatchify};
use crate::tokenizer::codec::reconstruct_by_latents;
use crate::tokenizer::{Codec, Latents, Reconstruction, Tokenizer, TokenizerInfo};
use crate::{Error, Result};

/// A network and the config it was built from.
#[derive(Clone, Debug)]
pub struct VitTokenizer {
    pub(super) config: ModelConfig,
    pub(super) network: Network,
    device: Device,
    /// Identifies the encoder's weights; empty where there is no encoder, on disk either.
    fingerprint: String,
}

impl VitTokenizer {
    /// A tokenizer with the initial values of [`init`].
    ///
    /// # Errors
    /// [`Error::Variant`] if the config does not hold together.
    pub fn random(config: ModelConfig, seed: u64, device: &Device) -> Result<Self> {
        let layer_scale = config.layer_scale;
        Self::from_values(config, device, |path, shape| {
            let name = tensor_name(path);
            Ok(init::initial_value(name, shape, layer_scale, seed))
        })
    }

    /// A tokenizer whose parameters have the values `source` returns for their path in [`Network`]
    /// and shape, row-major.
    ///
    /// # Errors
    /// [`Error::Variant`] if the config does not hold together, or the first error of `source`.
    pub fn from_values(
        config: ModelConfig,
        device: &Device,
        source: impl FnMut(&str, &[usize]) -> Result<Vec<f32>>,
    ) -> Result<Self> {
        config.check()?;
        let network = Network {
            encoder: Some(Encoder::new(&config, device)),
            decoder: Some(Decoder::new(&config, device)),
        };
        Self::filled(config, network, device, Default::default(), source)
    }

    /// Fills a network's parameters, each known by its path and shape.
    pub(super) fn filled(
        config: ModelConfig,
        network: Network,
        device: &Device,
        mut fingerprint: Fingerprint,
        mut source: impl FnMut(&str, &[usize]) -> Result<Vec<f32>>,
    ) -> Result<Self> {
        let network = params::fill(network, |path, shape| {
            let values = source(path, shape)?;
            fingerprint.add(path, shape, &values);
            Ok(values)
        })?;
        Ok(Self {
            config,
            network,
            device: device.clone(),
            fingerprint: fingerprint.finish(),
        })
    }

    /// What the network was built from.
    pub fn config(&self) -> &ModelConfig {
        &self.config
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

    /// Patches `[B, N, 3qpp]` -> latents `[B, N, c]`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if only a decoder was loaded.
    pub fn forward_encoder(&self, patches: &TokenBatch, activations: &mut Activations) -> Result<EncoderOutput> {
        let encoder = self.network.encoder.as_ref();
        let encoder = encoder.ok_or_else(|| Error::InvalidArgument("this model has no encoder".into()))?;
        Ok(encoder.encode(&self.config, patches, activations))
    }

    /// Latents `[B, N, c]` -> patches `[B, N, 3qpp]`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if only an encoder was loaded.
    pub fn forward_decoder(&self, latents: &TokenBatch, activations: &mut Activations) -> Result<TokenBatch> {
        let decoder = self.network.decoder.as_ref();
        let decoder = decoder.ok_or_else(|| Error::InvalidArgument("this model has no decoder".into()))?;
        Ok(decoder.decode(&self.config, latents, activations))
    }

    /// Clips `[3, T, H, W]` in [-1, 1], of any sizes, to their latents, as one batch.
    ///
    /// A model whose RoPE is 2D encodes a clip frame by frame; its latents are those of
    /// the frames, in order.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for no clips, an empty one, one without three colors, a model without
    /// encoder, or one whose latents are not finite.
    pub fn encode_tensors(&self, clips: &[Tensor<4>]) -> Result<Vec<Latents>> {
        if let Some(clip) = clips.iter().find(|clip| clip.dims()[0] != self.config.colors) {
            return Err(Error::InvalidArgument(format!(
                "clips have {} colors; one has {}",
                self.config.colors,
                clip.dims()[0]
            )));
        }
        let shapes: Vec<ClipShape> = clips.iter().map(shape_of).collect();
        let sequences = if self.config.frame_by_frame() {
            clips.iter().flat_map(|clip| clip.clone().split(1, 1)).collect()
        } else {
            clips.to_vec()
        };
        let patches = patchify(&sequences, self.config.tubelet, None)?;
        let latents = self.forward_encoder(&patches, &mut Activations::off())?.latents;
        let length = latents.layout.length();
        let c = self.config.channels;
        let values = to_host(latents.tokens)?;
        check_finite(&values)?;
        let mut rows = latents.layout.sequences().iter().zip(values.chunks(length * c));
        let all = shapes.into_iter().map(|shape| {
            let grid = TokenGrid::covering(shape, self.config.tubelet);
            let mut values = Vec::with_capacity(grid.tokens() * c);
            while values.len() < grid.tokens() * c {
                let Some((sequence, row)) = rows.next() else {
                    return Err(Error::InvalidArgument("the latents are shorter than their grid".into()));
                };
                values.extend_from_slice(&row[..sequence.grid.tokens() * c]);
            }
            Latents::new(values, c, grid, shape)
        });
        all.collect()
    }

    /// Latents of any sizes to clips `[3, T, H, W]` of their original shapes, as one batch.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the latents do not fit this model, or it has no decoder.
    pub fn decode_tensors(&self, latents: &[Latents]) -> Result<Vec<Tensor<4>>> {
        let c = self.config.channels;
        let mut layout = Vec::new();
        let mut sequences: Vec<&[f32]> = Vec::new();
        for one in latents {
            self.check_latents(one)?;
            let parts = if self.config.frame_by_frame() {
                one.grid.frames
            } else {
                1
            };
            let grid = TokenGrid {
                frames: one.grid.frames / parts,
                ..one.grid
            };
            let shape = ClipShape {
                frames: one.shape.frames / parts,
                ..one.shape
            };
            layout.extend(std::iter::repeat_n(Sequence { shape, grid }, parts));
            sequences.extend(one.values.chunks(grid.tokens() * c));
        }
        let layout = BatchLayout::new(layout)?;
        let n = layout.length();
        let mut values = vec![0f32; sequences.len() * n * c];
        for (row, sequence) in values.chunks_mut(n * c).zip(&sequences) {
            row[..sequence.len()].copy_from_slice(sequence);
        }
        let shape = [sequences.len(), n, c];
        let tokens = Tensor::from_data(TensorData::new(values, shape), &self.device);
        let patches = self.forward_decoder(&TokenBatch { tokens, layout }, &mut Activations::off())?;
        let mut parts = unpatchify(&patches, self.config.tubelet)?.into_iter();
        let clips = latents.iter().map(|one| {
            let mut frames = Vec::new();
            let mut count = 0;
            while count < one.shape.frames {
                let Some(part) = parts.next() else { break };
                count += part.dims()[1];
                frames.push(part);
            }
            Tensor::cat(frames, 1)
        });
        Ok(clips.collect())
    }
}

impl Codec for VitTokenizer {
    fn name(&self) -> String {
        self.config.variant.clone()
    }

    fn reconstruct(&self, clips: &[Clip]) -> Result<Vec<Reconstruction>> {
        reconstruct_by_latents(self, clips)
    }

    fn tokens(&self, shape: ClipShape) -> usize {
        TokenGrid::covering(shape, self.config.tubelet).tokens()
    }

    fn macs(&self, shape: ClipShape) -> Option<u64> {
        let counts = Counts::new(&self.config, shape);
        Some(counts.encoder_macs.saturating_add(counts.decoder_macs))
    }

    fn min_frames(&self) -> usize {
        self.config.tubelet.frames
    }
}

impl Tokenizer for VitTokenizer {
    fn info(&self) -> TokenizerInfo {
        TokenizerInfo {
            kind: "vit".into(),
            name: self.config.variant.clone(),
            fingerprint: self.fingerprint.clone(),
        }
    }

    fn digest(&self) -> Result<String> {
        digest(&self.config, &self.network)
    }

    fn latent_shape(&self, shape: ClipShape) -> (TokenGrid, usize) {
        self.config.latent_shape(shape)
    }

    fn patch_size(&self) -> usize {
        self.config.tubelet.patch
    }

    fn encode(&self, clips: &[Clip]) -> Result<Vec<Latents>> {
        let tensors: Vec<Tensor<4>> = clips.iter().map(|clip| clip_to_tensor(clip, &self.device)).collect();
        let latents = self.encode_tensors(&tensors)?.into_iter().zip(clips);
        let latents = latents.map(|(latents, clip)| Latents {
            fps: clip.fps(),
            ..latents
        });
        Ok(latents.collect())
    }

    fn decode(&self, latents: &[Latents]) -> Result<Vec<Clip>> {
        let tensors = self.decode_tensors(latents)?.into_iter().zip(latents);
        tensors
            .map(|(tensor, latents)| clip_from_tensor(tensor, latents.fps))
            .collect()
    }
}

fn shape_of(clip: &Tensor<4>) -> ClipShape {
    let [_, frames, height, width] = clip.dims();
    ClipShape { frames, height, width }
}

/// Refuses what only a diverged or damaged model gives.
fn check_finite(values: &[f32]) -> Result<()> {
    match values.iter().find(|v| !v.is_finite()) {
        None => Ok(()),
        Some(value) => Err(Error::InvalidArgument(format!(
            "the model gives {value} for this input; its weights are damaged or its training diverged"
        ))),
    }
}
