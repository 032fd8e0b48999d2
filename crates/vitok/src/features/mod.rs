//! Networks whose inner values say what pictures and clips are like: the features of Frechet
//! distances, and the trunks of perceptual distances.
//!
//! Their weights come from files of others (`vitok download metrics` says from where); nothing here
//! is trained. A number made with one network means nothing beside that of another, so every score
//! names its network and the hash of its file.

mod efficientnet;
mod extractor;
mod i3d;
mod inception;
pub mod known;
mod lpips;
mod preparation;
mod source;
mod steps;
mod vgg;

pub use efficientnet::EfficientNetLite0;
pub use extractor::{Extracted, Extractor, FeatureNetwork};
pub use i3d::I3d;
pub use inception::{Inception, InceptionBuild, InceptionOutput};
pub use lpips::{LEAST_SIDE as LPIPS_LEAST_SIDE, Lpips};
pub use preparation::{Preparation, Range, Resize};
pub use source::{Dense, Source};
pub use vgg::Trunk;
