//! `--explain`: the same pictures scored in the other ways that are common, so that a reader whose
//! number differs can see which of them it is.

use std::collections::BTreeMap;

use anyhow::Result;
use rayon::prelude::*;
use vitok::evaluate::{
    FeatureSet, Metric, Moments, MomentsSum, Protocol, SsimConvention, byte_planes, frechet, psnr,
    psnr_from_mse, ssim,
};
use vitok::features::{Extractor, Preparation, Range, Resize};
use vitok::pixels::Picture;

use super::report::{MetricUsed, Score};

/// Ways to prepare a picture that programs use, with their names.
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
    preparations: Vec<(&'static str, Preparation)>,
    /// Of originals and outputs, for each preparation.
    sums: Vec<[MomentsSum; 2]>,
    /// Of half of the pictures, as the protocol has it.
    half: [MomentsSum; 2],
    pictures: usize,
    pixels: BTreeMap<&'static str, Vec<f64>>,
}

impl<'a> Explain<'a> {
    pub fn new(protocol: &'a Protocol, extractor: Option<&'a Extractor>) -> Self {
        let dims = protocol.network.features();
        let both = || [MomentsSum::new(dims), MomentsSum::new(dims)];
        let common = PREPARATIONS.into_iter();
        let mut preparations: Vec<(&str, Preparation)> = common
            .map(|(name, resize, range)| (name, Preparation { resize, range }))
            .collect();
        if preparations
            .iter()
            .all(|(_, one)| *one != protocol.preparation)
        {
            preparations.push(("as the protocol has it", protocol.preparation));
        }
        Self {
            protocol,
            extractor,
            sums: preparations.iter().map(|_| both()).collect(),
            preparations,
            half: both(),
            pictures: 0,
            pixels: BTreeMap::new(),
        }
    }

    /// Adds originals and their outputs, still pictures of one batch.
    pub fn add(&mut self, pairs: &[(Picture, Picture)]) -> Result<()> {
        for (original, output) in pairs {
            self.add_pixels(original, output)?;
        }
        let Some(extractor) = self.extractor else {
            return Ok(());
        };
        for (i, &(_, preparation)) in self.preparations.iter().enumerate() {
            let sides: [Vec<&Picture>; 2] = [
                pairs.iter().map(|(original, _)| original).collect(),
                pairs.iter().map(|(_, output)| output).collect(),
            ];
            for (side, pictures) in sides.into_iter().enumerate() {
                let rows = rows(extractor, preparation, &pictures)?;
                if preparation == self.protocol.preparation {
                    let even = |row: usize| (self.pictures + row).is_multiple_of(2);
                    let half = (0..rows.len()).filter(|row| even(*row));
                    let values: Vec<f32> = half.flat_map(|row| rows.row(row).to_vec()).collect();
                    if !values.is_empty() {
                        self.half[side].add(&FeatureSet::new("half", rows.dims(), values)?)?;
                    }
                }
                self.sums[i][side].add(&rows)?;
            }
        }
        self.pictures += pairs.len();
        Ok(())
    }

    fn add_pixels(&mut self, original: &Picture, output: &Picture) -> Result<()> {
        let (a, b) = (byte_planes(original), byte_planes(output));
        let shape = [3, original.height(), original.width()];
        let mut note = |key, value: Option<f64>| {
            if let Some(value) = value {
                self.pixels.entry(key).or_default().push(value);
            }
        };
        note("mse", Some(vitok::evaluate::mse(&a, &b)?));
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
            let score = value.map_or(Score::none("too few pictures".into()), Score::of);
            let used = MetricUsed {
                key: format!("explain {key}"),
                name: format!("{}: {how}", metric.title(self.protocol.network)),
                unit: metric.unit(),
                better: Some(metric.better()),
                about: about.into(),
                source: "",
                per_picture: false,
            };
            found.push((used, score));
        };
        let whole = mean("mse")
            .map(|mse| psnr_from_mse(mse, 255.0))
            .transpose()?;
        let about =
            "one ratio of the mean error of all pictures, instead of the mean of their ratios";
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
        let distance = |[a, b]: [MomentsSum; 2]| -> Option<f64> {
            let finish = |sum: MomentsSum| -> vitok::Result<Moments> { sum.finish() };
            frechet(&finish(a).ok()?, &finish(b).ok()?).ok()
        };
        for ((name, preparation), sums) in self.preparations.into_iter().zip(self.sums) {
            let Preparation { resize, range } = preparation;
            let about = format!("{resize}; then {range}");
            add(
                &format!("frechet {name}"),
                Metric::Frechet,
                name,
                &about,
                distance(sums),
            );
        }
        let about = "every other picture: how much the distance grows when there are half as many";
        add(
            "frechet half",
            Metric::Frechet,
            "half of the pictures",
            about,
            distance(self.half),
        );
        Ok(found)
    }
}

fn rows(
    extractor: &Extractor,
    preparation: Preparation,
    pictures: &[&Picture],
) -> Result<FeatureSet> {
    let prepared = pictures
        .par_iter()
        .map(|picture| extractor.prepare_by(preparation, std::slice::from_ref(*picture)));
    let prepared: Vec<Vec<f32>> = prepared.collect::<vitok::Result<_>>()?;
    let features = extractor.extract(&prepared)?.features;
    Ok(FeatureSet::new(
        "pictures",
        extractor.kind().features(),
        features,
    )?)
}

/// BT.601's luma of planes of red, green and blue.
fn luma(planes: &[f32]) -> Vec<f32> {
    let (red, rest) = planes.split_at(planes.len() / 3);
    let (green, blue) = rest.split_at(rest.len() / 2);
    let colours = red.iter().zip(green).zip(blue);
    let luma = colours.map(|((r, g), b)| 0.299 * r + 0.587 * g + 0.114 * b);
    luma.collect()
}
