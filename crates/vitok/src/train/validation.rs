//! Scores on held-out clips, and sample grids, while training.

use std::collections::HashSet;

use super::config::TrainConfig;
use crate::data::Dataset;
use crate::media::{Clip, Image, ReadOptions, center_crop_guided_diffusion, make_grid};
use crate::metrics::{ImageScores, mean_scores, score_image};
use crate::tokenizer::Codec;
use crate::{Error, Result};

/// Rows of a sample grid are originals and reconstructions in turn, this many columns.
const GRID_COLUMNS: usize = 8;

/// The held-out clips, cropped to squares.
#[derive(Debug)]
pub struct Validation {
    clips: Vec<Clip>,
    size: usize,
    samples: usize,
    batch_size: usize,
}

impl Validation {
    /// Reads the held-out clips and crops them to squares. Unreadable ones are left out and described in the second
    /// result.
    ///
    /// # Errors
    /// [`Error::Data`] for datasets that cannot be opened or hold nothing readable, and for a sample that is also
    /// trained on.
    pub fn read(config: &TrainConfig, train: &[Dataset]) -> Result<(Self, Vec<String>)> {
        let size = config.validation_size();
        let mut warnings = Vec::new();
        let mut clips = Vec::new();
        // Looking up the true path of every file takes its time, so only where there is a use.
        let trained: HashSet<String> = match config.data.validation.is_empty() {
            true => HashSet::new(),
            false => train.iter().flat_map(Dataset::identities).collect(),
        };
        let mut first_failure = None;
        let most = match config.validation.max_images {
            0 => usize::MAX,
            most => most,
        };
        let options = ReadOptions {
            max_pixels: config.data.loader.max_pixels,
            ..Default::default()
        };
        for path in &config.data.validation {
            let dataset = Dataset::open(path)?;
            warnings.extend_from_slice(dataset.warnings());
            let samples = dataset.samples().iter().zip(dataset.identities());
            for (index, (sample, identity)) in samples.enumerate() {
                if trained.contains(&identity) {
                    return Err(Error::Data {
                        name: path.clone(),
                        reason: format!("{} is in data.train too; scores on it would mean nothing", sample.name),
                    });
                }
                if clips.len() >= most {
                    continue;
                }
                let clip = dataset.clip(index, &options);
                match clip.and_then(|clip| clip.map(|frame| center_crop_guided_diffusion(&frame, size))) {
                    Ok(clip) => clips.push(clip),
                    Err(error) => {
                        warnings.push(format!("held out, not scored: {}", error.message()));
                        first_failure.get_or_insert(error);
                    }
                }
            }
        }
        if let (true, Some(error)) = (clips.is_empty(), first_failure) {
            return Err(Error::Data {
                name: config.data.validation.join(", "),
                reason: format!(
                    "none of the held-out images can be read; the first: {}",
                    error.message()
                ),
            });
        }
        let validation = Self {
            clips,
            size,
            samples: config.validation.samples,
            batch_size: config.validation.batch_size,
        };
        Ok((validation, warnings))
    }

    /// How many clips there are.
    pub fn count(&self) -> usize {
        self.clips.len()
    }

    /// Side of the squares in pixels.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Mean scores of a model, and a grid of samples, if any are wanted: originals above their reconstructions (of a
    /// clip, its first frame).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a model whose outputs are not finite.
    pub fn score(&self, model: &dyn Codec) -> Result<(ImageScores, Option<Image>)> {
        let mut scores = Vec::with_capacity(self.clips.len());
        let mut samples = Vec::new();
        for batch in self.clips.chunks(self.batch_size) {
            for (original, output) in batch.iter().zip(model.reconstruct(batch)?) {
                let frames = original.frames().iter().zip(output.clip.frames());
                for (i, (original, output)) in frames.enumerate() {
                    if i == 0 && samples.len() < self.samples {
                        samples.push([original.clone(), output.clone()]);
                    }
                    scores.push(score_image(original, output)?);
                }
            }
        }
        let rows = samples
            .chunks(GRID_COLUMNS)
            .flat_map(|row| [0, 1].map(|which| row.iter().map(|sample| sample[which].clone()).collect()));
        let rows: Vec<Vec<Image>> = rows.collect();
        let grid = match rows.is_empty() {
            true => None,
            false => Some(make_grid(&rows, None)?),
        };
        Ok((mean_scores(&scores)?, grid))
    }
}
