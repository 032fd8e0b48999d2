//! `--explain`: the same images scored in the other ways that are common, so that a reader whose
//! number differs can see which of them it is.

use std::collections::BTreeMap;

use anyhow::Result;
use rayon::prelude::*;
use vitok::metrics::{FeatureSet, FeatureStatistics, FeatureStatisticsSum, SsimConvention, frechet, psnr, psnr_from_mse, ssim};
use vitok::evaluate::{Metric, Protocol};
use vitok::media::byte_planes;
use vitok::features::{Extractor, Preprocess, Range, Resize};
use vitok::media::Image;

use super::report::{MetricUsed, Score};

/// Branches to prepare an image that programs use, with their names.
const PREPARATIONS: [(&str, Resize, Range); 6] = [
    ("as pytorch-fid", Resize::Bilinear, Range::Signed),
    ("as clean-fid", Resize::BicubicPillow, Range::By128),
    (
        "as torch-fidelity (TensorFlow 1's bilinear)",
        Resize::BilinearTensorflow,
        Range::By128,
    ),
    ("align_corners=True", Resize::BilinearCorners, Range::Signed),
    ("bilinear, (x - 128) / 128", Resize::Bilinear, Range::By128),
    (
        "Pillow's bicubic, x / 127.5 - 1",
        Resize::BicubicPillow,
        Range::Signed,
    ),
];

/// The variants of a pass over originals and one model's outputs.
pub struct Explain<'a> {
    protocol: &'a Protocol,
    extractor: Option<&'a Extractor>,
    /// Those that are common, and the protocol's own.
    preparations: Vec<(&'static str, Preprocess)>,
    /// Of originals and outputs, for each preprocess.
    sums: Vec<[FeatureStatisticsSum; 2]>,
    /// Of half of the images, as the protocol has it.
    half: [FeatureStatisticsSum; 2],
    images: usize,
    pixels: BTreeMap<&'static str, Vec<f64>>,
}

impl<'a> Explain<'a> {
    pub fn new(protocol: &'a Protocol, extractor: Option<&'a Extractor>) -> Self {
        let dims = protocol.network.features();
        let both = || [FeatureStatisticsSum::new(dims), FeatureStatisticsSum::new(dims)];
        let common = PREPARATIONS.into_iter();
        let mut preparations: Vec<(&str, Preprocess)> = common
            .map(|(name, resize, range)| (name, Preprocess { resize, range }))
            .collect();
        if preparations
            .iter()
            .all(|(_, one)| *one != protocol.preprocess)
        {
            preparations.push(("as the protocol has it", protocol.preprocess));
        }
        Self {
            protocol,
            extractor,
            sums: preparations.iter().map(|_| both()).collect(),
            preparations,
            half: both(),
            images: 0,
            pixels: BTreeMap::new(),
        }
    }

    /// Adds originals and their outputs, still images of one batch.
    pub fn add(&mut self, pairs: &[(Image, Image)]) -> Result<()> {
        for (original, output) in pairs {
            self.add_pixels(original, output)?;
        }
        let Some(extractor) = self.extractor else {
            return Ok(());
        };
        for (i, &(_, preprocess)) in self.preparations.iter().enumerate() {
            let sides: [Vec<&Image>; 2] = [
                pairs.iter().map(|(original, _)| original).collect(),
                pairs.iter().map(|(_, output)| output).collect(),
            ];
            for (side, images) in sides.into_iter().enumerate() {
                let rows = rows(extractor, preprocess, &images)?;
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
        let mut note = |key, value: Option<f64>| {
            if let Some(value) = value {
                self.pixels.entry(key).or_default().push(value);
            }
        };
        note("mse", Some(vitok::metrics::mse(&a, &b)?));
        let (luma_a, luma_b) = (luma(&a), luma(&b));
        note("psnr of luma", Some(psnr(&luma_a, &luma_b, 255.0)?));
        let plane = [1, shape[1], shape[2]];
        let of = |convention| ssim(&a, &b, shape, 255.0, convention).ok();
        note("ssim uniform", of(SsimConvention::SkimageUniform7));
        note("ssim gaussian", of(SsimConvention::SkimageGaussian));
        let torchmetrics = SsimConvention::Torchmetrics;
        note(
            "ssim of luma",
            ssim(&luma_a, &luma_b, plane, 255.0, torchmetrics).ok(),
        );
        Ok(())
    }

    /// The variants' names and scores.
    pub fn finish(self) -> Result<Vec<(MetricUsed, Score)>> {
        let mean = |key: &str| {
            let values = self.pixels.get(key).filter(|values| !values.is_empty())?;
            Some(values.iter().sum::<f64>() / values.len() as f64)
        };
        let mut found = Vec::new();
        let mut add = |key: &str, metric: Metric, how: &str, about: &str, value: Option<f64>| {
            let score = value.map_or(Score::none("too few images".into()), Score::of);
            let used = MetricUsed {
                key: format!("explain {key}"),
                name: format!("{}: {how}", metric.title(self.protocol.network)),
                unit: metric.unit(),
                better: Some(metric.better()),
                about: about.into(),
                source: "",
                per_image: false,
            };
            found.push((used, score));
        };
        let whole = mean("mse")
            .map(|mse| psnr_from_mse(mse, 255.0))
            .transpose()?;
        let about =
            "one ratio of the mean error of all images, instead of the mean of their ratios";
        add(
            "psnr of mean mse",
            Metric::Psnr,
            "of the mean MSE",
            about,
            whole,
        );
        let about = "on luma (BT.601) instead of red, green and blue";
        add(
            "psnr of luma",
            Metric::Psnr,
            "luma",
            about,
            mean("psnr of luma"),
        );
        add(
            "ssim of luma",
            Metric::Ssim,
            "luma",
            about,
            mean("ssim of luma"),
        );
        let about = "scikit-image's defaults: 7 x 7 pixels of equal weight, sample variance";
        add(
            "ssim uniform",
            Metric::Ssim,
            "7 x 7 uniform",
            about,
            mean("ssim uniform"),
        );
        let about = "scikit-image, gaussian_weights=True: no reflected border";
        add(
            "ssim gaussian",
            Metric::Ssim,
            "without border",
            about,
            mean("ssim gaussian"),
        );
        if self.extractor.is_none() {
            return Ok(found);
        }
        let distance = |[a, b]: [FeatureStatisticsSum; 2]| -> Option<f64> {
            let finish = |sum: FeatureStatisticsSum| -> vitok::Result<FeatureStatistics> { sum.finish() };
            frechet(&finish(a).ok()?, &finish(b).ok()?).ok()
        };
        for ((name, preprocess), sums) in self.preparations.into_iter().zip(self.sums) {
            let Preprocess { resize, range } = preprocess;
            let about = format!("{resize}; then {range}");
            add(
                &format!("frechet {name}"),
                Metric::Frechet,
                name,
                &about,
                distance(sums),
            );
        }
        let about = "every other image: how much the distance grows when there are half as many";
        add(
            "frechet half",
            Metric::Frechet,
            "half of the images",
            about,
            distance(self.half),
        );
        Ok(found)
    }
}

fn rows(
    extractor: &Extractor,
    preprocess: Preprocess,
    images: &[&Image],
) -> Result<FeatureSet> {
    let prepared = images
        .par_iter()
        .map(|image| extractor.prepare_by(preprocess, std::slice::from_ref(*image)));
    let prepared: Vec<Vec<f32>> = prepared.collect::<vitok::Result<_>>()?;
    let features = extractor.extract(&prepared)?.features;
    Ok(FeatureSet::new(
        "images",
        extractor.kind().features(),
        features,
    )?)
}

/// BT.601's luma of planes of red, green and blue.
fn luma(planes: &[f32]) -> Vec<f32> {
    let (red, rest) = planes.split_at(planes.len() / 3);
    let (green, blue) = rest.split_at(rest.len() / 2);
    let colors = red.iter().zip(green).zip(blue);
    let luma = colors.map(|((r, g), b)| 0.299 * r + 0.587 * g + 0.114 * b);
    luma.collect()
}
