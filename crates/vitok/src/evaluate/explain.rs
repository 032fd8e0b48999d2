//! The same images scored in the other common ways, so that a reader whose number differs can see which of them it is.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::metric::Metric;
use super::protocol::Protocol;
use super::report::{MetricUsed, Score};
use super::scored_pairs::ScoredPairs;
use crate::features::{Extractor, FeatureNetwork, Preprocess, Range, Resize};
use crate::media::{Clip, Image, byte_planes};
use crate::metrics::{
    BYTE_RANGE, FeatureSet, FeatureStatisticsSum, SsimConvention, frechet, mse, psnr, psnr_from_mse, ssim,
};
use crate::observe::{Event, Observer};
use crate::{Error, Result};

/// Images looked at together.
const BATCH: usize = 8;

/// How programs preprocess an image for Inception, with their names.
const PREPROCESSES: [(&str, Resize, Range); 6] = [
    ("as pytorch-fid", Resize::Bilinear, Range::Signed),
    ("as clean-fid", Resize::BicubicPillow, Range::By128),
    (
        "as torch-fidelity (TensorFlow 1's bilinear)",
        Resize::BilinearTensorflow,
        Range::By128,
    ),
    ("align_corners=True", Resize::BilinearCorners, Range::Signed),
    ("bilinear, (x - 128) / 128", Resize::Bilinear, Range::By128),
    ("Pillow's bicubic, x / 127.5 - 1", Resize::BicubicPillow, Range::Signed),
];

/// What differs between programs in PSNR and SSIM: a key, the metric, a title and an explanation.
const PIXEL_VARIANTS: [(&str, Metric, &str, &str); 5] = [
    (
        "psnr of mean mse",
        Metric::Psnr,
        "of the mean MSE",
        "one ratio of the mean error of all images, each counted alike; PSNR (pooled) counts each pixel alike",
    ),
    (
        "psnr of luma",
        Metric::Psnr,
        "luma",
        "on luma (BT.601) instead of red, green and blue",
    ),
    (
        "ssim of luma",
        Metric::Ssim,
        "luma",
        "on luma (BT.601) instead of red, green and blue",
    ),
    (
        "ssim uniform",
        Metric::Ssim,
        "7 x 7 uniform",
        "scikit-image's defaults: 7 x 7 pixels of equal weight, sample variance",
    ),
    (
        "ssim gaussian",
        Metric::Ssim,
        "without border",
        "scikit-image, gaussian_weights=True: no reflected border",
    ),
];

/// The scores of a candidate's outputs in the other common ways.
///
/// # Errors
/// [`Error::Cancelled`] if the observer asks for it.
pub(super) fn explain(
    title: &str,
    scored: &ScoredPairs,
    protocol: &Protocol,
    extractor: Option<&Extractor>,
    observer: &dyn Observer,
) -> Result<Vec<(MetricUsed, Score)>> {
    let count = scored.pairs.originals.len();
    let task = format!("explaining {title}");
    observer.event(Event::Begin {
        task: &task,
        done: 0,
        total: count as u64,
    });
    let mut variants = Variants::new(protocol, extractor);
    for first in (0..count).step_by(BATCH) {
        if observer.cancelled() {
            observer.event(Event::End);
            return Err(Error::Cancelled);
        }
        let end = count.min(first + BATCH);
        let found = scored.get(&(first..end).collect::<Vec<_>>()).into_values();
        variants.add(&found.collect::<Vec<_>>())?;
        observer.event(Event::Progress {
            done: end as u64,
            item: "",
        });
    }
    observer.event(Event::End);
    variants.finish()
}

/// Sums over the images seen so far.
struct Variants<'a> {
    protocol: &'a Protocol,
    extractor: Option<&'a Extractor>,
    /// Those that are common, and the protocol's own.
    preprocesses: Vec<(&'static str, Preprocess)>,
    /// Of originals and of outputs, for each preprocess.
    sums: Vec<[FeatureStatisticsSum; 2]>,
    /// Of every other image, as the protocol has it.
    half: [FeatureStatisticsSum; 2],
    images: usize,
    /// Scores of every image, by the keys of [`PIXEL_VARIANTS`] and "mse".
    pixels: BTreeMap<&'static str, Vec<f64>>,
}

impl<'a> Variants<'a> {
    fn new(protocol: &'a Protocol, extractor: Option<&'a Extractor>) -> Self {
        let dims = protocol.network.features();
        let both = || [FeatureStatisticsSum::new(dims), FeatureStatisticsSum::new(dims)];
        let common = PREPROCESSES.into_iter();
        let mut preprocesses: Vec<(&str, Preprocess)> = common
            .map(|(name, resize, range)| (name, Preprocess { resize, range }))
            .collect();
        if preprocesses.iter().all(|(_, one)| *one != protocol.preprocess) {
            preprocesses.push(("as the protocol has it", protocol.preprocess));
        }
        Self {
            protocol,
            extractor,
            sums: preprocesses.iter().map(|_| both()).collect(),
            preprocesses,
            half: both(),
            images: 0,
            pixels: BTreeMap::new(),
        }
    }

    /// Adds originals and their outputs, images of one frame.
    fn add(&mut self, pairs: &[(Clip, Clip)]) -> Result<()> {
        for (original, output) in pairs {
            self.add_pixels(&original.frames()[0], &output.frames()[0])?;
        }
        let Some(extractor) = self.extractor.filter(|_| !pairs.is_empty()) else {
            return Ok(());
        };
        for (i, &(_, preprocess)) in self.preprocesses.iter().enumerate() {
            let sides: [Vec<&Clip>; 2] = [
                pairs.iter().map(|(original, _)| original).collect(),
                pairs.iter().map(|(_, output)| output).collect(),
            ];
            for (side, clips) in sides.into_iter().enumerate() {
                let rows = features(extractor, preprocess, &clips)?;
                if preprocess == self.protocol.preprocess {
                    let even = |row: usize| (self.images + row).is_multiple_of(2);
                    let half = (0..rows.len()).filter(|row| even(*row));
                    let values: Vec<f32> = half.flat_map(|row| rows.row(row).to_vec()).collect();
                    if !values.is_empty() {
                        self.half[side].add(&FeatureSet::new("half", rows.dims(), values)?)?;
                    }
                }
                self.sums[i][side].add(&rows)?;
            }
        }
        self.images += pairs.len();
        Ok(())
    }

    fn add_pixels(&mut self, original: &Image, output: &Image) -> Result<()> {
        let (a, b) = (byte_planes(original), byte_planes(output));
        let shape = [3, original.height(), original.width()];
        let (luma_a, luma_b) = (luma(&a), luma(&b));
        let plane = [1, shape[1], shape[2]];
        let structure = |convention| ssim(&a, &b, shape, BYTE_RANGE, convention).ok();
        let found = [
            ("mse", Some(mse(&a, &b)?)),
            ("psnr of luma", Some(psnr(&luma_a, &luma_b, BYTE_RANGE)?)),
            ("ssim uniform", structure(SsimConvention::SkimageUniform7)),
            ("ssim gaussian", structure(SsimConvention::SkimageGaussian)),
            (
                "ssim of luma",
                ssim(&luma_a, &luma_b, plane, BYTE_RANGE, SsimConvention::Torchmetrics).ok(),
            ),
        ];
        for (key, value) in found {
            self.pixels.entry(key).or_default().extend(value);
        }
        Ok(())
    }

    /// The variants' names and scores.
    fn finish(self) -> Result<Vec<(MetricUsed, Score)>> {
        let mean = |key: &str| {
            let values = self.pixels.get(key).filter(|values| !values.is_empty())?;
            Some(values.iter().sum::<f64>() / values.len() as f64)
        };
        let mut found = Vec::new();
        for (key, metric, title, about) in PIXEL_VARIANTS {
            let value = match key {
                "psnr of mean mse" => mean("mse").map(|mse| psnr_from_mse(mse, BYTE_RANGE)).transpose()?,
                _ => mean(key),
            };
            found.push(self.variant(key, metric, title, about, value));
        }
        if self.extractor.is_none() {
            return Ok(found);
        }
        for ((name, preprocess), sums) in self.preprocesses.iter().zip(&self.sums) {
            let Preprocess { resize, range } = preprocess;
            let about = format!("{resize}; then {range}");
            let key = format!("frechet {name}");
            found.push(self.variant(&key, Metric::Frechet, name, &about, distance(sums)));
        }
        let about = "every other image: how much the distance grows when there are half as many";
        let half = distance(&self.half);
        found.push(self.variant("frechet half", Metric::Frechet, "half of the images", about, half));
        Ok(found)
    }

    fn variant(&self, key: &str, metric: Metric, title: &str, about: &str, value: Option<f64>) -> (MetricUsed, Score) {
        let used = MetricUsed {
            key: format!("explain {key}"),
            name: format!("{}: {title}", name_of(metric, self.protocol.network)),
            image_name: None,
            unit: metric.unit(),
            better: Some(metric.better()),
            about: about.into(),
            source: "",
            per_image: false,
        };
        (used, value.map_or(Score::none("too few images".into()), Score::of))
    }
}

/// Whose variant it is: of PSNR without its convention, which is what varies.
fn name_of(metric: Metric, network: FeatureNetwork) -> String {
    match metric {
        Metric::Psnr => "PSNR".into(),
        _ => metric.title(network),
    }
}

/// The Fréchet distance of two sums; none for too few images.
fn distance([originals, outputs]: &[FeatureStatisticsSum; 2]) -> Option<f64> {
    frechet(&originals.clone().finish().ok()?, &outputs.clone().finish().ok()?).ok()
}

/// Features `[n, features]` of images by another preprocess.
fn features(extractor: &Extractor, preprocess: Preprocess, clips: &[&Clip]) -> Result<FeatureSet> {
    let prepared = clips
        .par_iter()
        .map(|clip| extractor.prepare_by(preprocess, clip.frames()));
    let prepared: Vec<Vec<f32>> = prepared.collect::<Result<_>>()?;
    let features = extractor.extract(&prepared)?.features;
    FeatureSet::new("images", extractor.kind().features(), features)
}

/// BT.601's luma of planes of red, green and blue.
fn luma(planes: &[f32]) -> Vec<f32> {
    let (red, rest) = planes.split_at(planes.len() / 3);
    let (green, blue) = rest.split_at(rest.len() / 2);
    let colors = red.iter().zip(green).zip(blue);
    let luma = colors.map(|((r, g), b)| 0.299 * r + 0.587 * g + 0.114 * b);
    luma.collect()
}
