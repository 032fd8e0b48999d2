//! The ViTok auto-encoder: an encoder and a decoder of transformer blocks around a narrow bottleneck (arXiv 2501.09755;
//! ViTok-v2).
//!
//! ```text
//! clips [3, T, H, W] -> patchify -> encoder -> bottleneck -> latents [L, c]
//! clips [3, T, H, W] <- unpatchify <- decoder <-------------- latents [L, c]
//! ```
//!
//! The letters, here and in shapes throughout: B sequences of a batch, N positions of a sequence with padding, L tokens
//! of a clip, C channels inside the network (its width), c channels of a latent, E = L * c values of a clip, and q x p x p
//! frames and pixels of a tubelet, which is a token's patch.
//!
//! What network to build comes in three steps, each its own type: a [`Variant`] is a name taken apart ("S-B/4x16"), a
//! [`ModelSpec`] is what a user wrote (a variant and the choices that differ from its family's), and a [`ModelConfig`]
//! holds every number the network is built from. Only the config reaches the network, and it travels with the weights.

mod activations;
mod bottleneck;
mod config;
mod count;
mod fingerprint;
mod infer;
mod model;
mod network;
mod save;
mod spec;
mod variant;
mod weights;

pub use activations::Activations;
pub use bottleneck::{Bottleneck, DiagonalGaussian, EncoderOutput};
pub use config::ModelConfig;
pub use count::Counts;
pub use model::VitTokenizer;
pub use network::{Decoder, Encoder, Network};
pub use save::WeightsFormat;
pub use spec::ModelSpec;
pub use variant::{DEFAULT_MLP_RATIO, Family, Size, Variant};
pub use weights::config_of_files;
