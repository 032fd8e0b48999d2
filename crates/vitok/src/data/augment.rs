//! Random crops, resizing and flips: what is done to a clip between its file and the batch.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::media::{Clip, Filter, Image, Size, resize_u8, token_budget_size};
use crate::toml_file::invalid_value;

/// Times a random crop is tried before the largest centered one is taken, as in torchvision's `RandomResizedCrop`.
const ATTEMPTS: usize = 10;

/// How images are cropped and resized.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// How images are cropped.
    pub recipe: Recipe,
    /// Side of a square crop, in pixels, 8 to 16384.
    pub size: usize,
    /// v2: most tokens of an image that keeps its aspect ratio; 0: as many as a square crop has.
    pub max_tokens: usize,
    /// v2: probability of a square random-resized crop.
    pub crop_prob: f64,
    /// v2: smallest and largest fraction of an image's area that a crop takes.
    pub scale: [f64; 2],
    /// v2: smallest and largest aspect ratio (width / height) of a crop, before it is resized to a square.
    pub ratio: [f64; 2],
    /// Probability of a horizontal flip.
    pub flip: f64,
}

/// How images are cropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// ViTok-v2's: square random-resized crops with probability `crop_prob`, otherwise whole images of their own aspect
    /// ratio under a token budget.
    V2,
    /// The paper's: shorter side resized to `size`, a square cut out at a random position.
    Paper,
}

impl Default for Augment {
    fn default() -> Self {
        Self {
            recipe: Recipe::V2,
            size: 256,
            max_tokens: 0,
            crop_prob: 0.25,
            scale: [0.08, 1.0],
            ratio: [0.75, 4.0 / 3.0],
            flip: 0.5,
        }
    }
}

impl Augment {
    /// Checks the ranges of the values.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) naming the key.
    pub fn check(&self) -> Result<()> {
        let wrong = |text: &str| Err(invalid_value(format!("data.augment.{text}")));
        let range = |[low, high]: [f64; 2], max: f64| low > 0.0 && low <= high && high <= max;
        let probability = |x: f64| (0.0..=1.0).contains(&x);
        if !(8..=1 << 14).contains(&self.size) {
            return wrong("size must be 8 to 16384 pixels");
        }
        if self.max_tokens > 1 << 20 {
            return wrong("max_tokens may be at most 1048576");
        }
        if !probability(self.crop_prob) || !probability(self.flip) {
            return wrong("crop_prob and data.augment.flip are probabilities, from 0 to 1");
        }
        if !range(self.scale, 1.0) {
            return wrong("scale is [smallest, largest], above 0 and up to 1");
        }
        if !range(self.ratio, 100.0) {
            return wrong("ratio is [smallest, largest], above 0 and up to 100");
        }
        Ok(())
    }

    /// The clip as it goes into a batch; every frame is cropped and flipped alike. `patch_size` is the side of a token in
    /// pixels.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for clips so elongated that they cannot be resized.
    pub fn apply(&self, clip: &Clip, patch_size: usize, rng: &mut impl Rng) -> Result<Clip> {
        let square = Size::new(self.size, self.size);
        let transform: Transform = match self.recipe {
            Recipe::Paper => self.paper_crop(clip.size(), rng),
            Recipe::V2 if rng.random_bool(self.crop_prob) => {
                let (x, y, size) = self.random_crop(clip.size(), rng);
                Box::new(move |frame| {
                    let crop = frame.crop(x, y, size.width, size.height)?;
                    resize_u8(&crop, square, Filter::Bicubic)
                })
            }
            Recipe::V2 => {
                let tokens = match self.max_tokens {
                    0 => self.size.div_ceil(patch_size).pow(2),
                    tokens => tokens,
                };
                let size = token_budget_size(clip.size(), patch_size, tokens)?;
                Box::new(move |frame| resize_u8(frame, size, Filter::Bicubic))
            }
        };
        let flip = rng.random_bool(self.flip);
        let frames = clip.frames().iter().map(|frame| match flip {
            true => flipped(transform(frame)?),
            false => transform(frame),
        });
        Clip::new(frames.collect::<Result<_>>()?, clip.fps())
    }

    fn paper_crop(&self, size: Size, rng: &mut impl Rng) -> Transform {
        let crop = self.size;
        let scale = crop as f64 / size.shortest() as f64;
        let side = |length: usize| ((length as f64 * scale).round() as usize).max(crop);
        let resized = Size::new(side(size.width), side(size.height));
        let x = rng.random_range(0..=resized.width - crop);
        let y = rng.random_range(0..=resized.height - crop);
        Box::new(move |frame| resize_u8(frame, resized, Filter::Bicubic)?.crop(x, y, crop, crop))
    }

    /// Left, top and size of a random crop: its fraction of the area is uniform in `scale`, its aspect ratio log-uniform in
    /// `ratio` (torchvision's `RandomResizedCrop`).
    fn random_crop(&self, from: Size, rng: &mut impl Rng) -> (usize, usize, Size) {
        let [low, high] = self.ratio.map(f64::ln);
        for _ in 0..ATTEMPTS {
            let area = uniform(rng, self.scale) * from.pixels() as f64;
            let ratio = uniform(rng, [low, high]).exp();
            let width = (area * ratio).sqrt().round() as usize;
            let height = (area / ratio).sqrt().round() as usize;
            if (1..=from.width).contains(&width) && (1..=from.height).contains(&height) {
                let x = rng.random_range(0..=from.width - width);
                let y = rng.random_range(0..=from.height - height);
                return (x, y, Size::new(width, height));
            }
        }
        let [low, high] = self.ratio;
        let ratio = (from.width as f64 / from.height as f64).clamp(low, high);
        let width = (from.height as f64 * ratio).round() as usize;
        let height = (from.width as f64 / ratio).round() as usize;
        let size = Size::new(width.clamp(1, from.width), height.clamp(1, from.height));
        let (x, y) = (from.width - size.width, from.height - size.height);
        (x / 2, y / 2, size)
    }
}

/// What is done to every frame of a clip.
type Transform = Box<dyn Fn(&Image) -> Result<Image>>;

fn uniform(rng: &mut impl Rng, [low, high]: [f64; 2]) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

fn flipped(image: Image) -> Result<Image> {
    let (width, height) = (image.width(), image.height());
    let mut rgb = Vec::with_capacity(image.rgb().len());
    for row in image.rgb().chunks_exact(3 * width) {
        rgb.extend(row.rchunks_exact(3).flatten());
    }
    Image::new(width, height, rgb)
}
