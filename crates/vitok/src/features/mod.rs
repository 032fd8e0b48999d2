//! Networks whose inner values say what images and clips are like: the features of Frechet
//! distances, and the trunks of perceptual distances.
//!
//! Their weights come from files of others (`vitok download metrics` says from where); nothing here
//! is trained. A number made with one network means nothing beside that of another, so every score
//! names its network and the hash of its file.

mod efficientnet;
mod extractor;
mod i3d;
mod inception;
mod layers;
mod lpips;
mod preprocess;
mod sequential;
mod vgg;

pub use efficientnet::EfficientNetLite0;
pub use extractor::{Extracted, Extractor, FeatureNetwork};
pub use i3d::I3d;
pub use inception::{Inception, InceptionBuild, InceptionOutput};
pub use layers::{Linear, Source};
pub use lpips::{LEAST_SIDE as LPIPS_LEAST_SIDE, Lpips};
pub use preprocess::{Preprocess, Range, Resize};
pub use vgg::Backbone;
