//! Published networks for scores and losses: the features of Frechet distances, and the backbones of perceptual distances.
//!
//! Their weights come from files of others ([`pretrained`](crate::weights::pretrained) says from where); nothing here is
//! trained. A number made with one network cannot be compared to that of another, so every score names its network and
//! the hash of its file.

mod batch_norm;
mod efficientnet;
mod extractor;
mod i3d;
mod inception;
mod linear;
mod lpips;
mod preprocess;
mod sequential;
mod state_dict_loader;
mod vgg;

pub use efficientnet::EfficientNetLite0;
pub use extractor::{Extracted, Extractor, FeatureNetwork};
pub use i3d::I3d;
pub use inception::{Inception, InceptionBuild, InceptionOutput};
pub use linear::Linear;
pub use lpips::{Lpips, MIN_SIDE as LPIPS_MIN_SIDE};
pub use preprocess::{Preprocess, Range, Resize};
pub use state_dict_loader::StateDictLoader;
pub use vgg::Backbone;
