//! Validation while training: scores on images that are not trained on, and grids of samples.

use std::collections::HashSet;

use super::config::TrainConfig;
use crate::data::Dataset;
use crate::media::{Clip, Image, ReadOptions, center_crop_guided_diffusion, make_grid};
use crate::metrics::{ImageScores, mean_scores, score_image};
use crate::observe::{Event, Observer};
use crate::tokenizer::Codec;
use crate::{Error, Result};

/// Columns of a sample grid; its rows are originals and reconstructions in turn.
const GRID_COLUMNS: usize = 8;

/// The validation clips, cropped to squares.
#[derive(Debug)]
pub struct Validation {
    clips: Vec<Clip>,
    size: usize,
    samples: usize,
    batch_size: usize,
}

impl Validation {
    /// Reads the images of `data.validation` and crops them to squares. Unreadable ones are left out with a warning; `train`
    /// is what is trained on.
    ///
    /// # Errors
    /// [`Error::Data`] for datasets that cannot be opened or hold nothing readable, and for a sample that is also trained
    /// on.
    pub fn read(config: &TrainConfig, train: &[Dataset], observer: &dyn Observer) -> Result<Self> {
        let size = config.validation_size();
        let warn = |text: &str| observer.event(Event::Warning(text));
        let mut clips = Vec::new();
        // Resolving the path of every file takes a while, so only where it is needed.
        let trained_on: HashSet<String> = match config.data.validation.is_empty() {
            true => HashSet::new(),
            false => train.iter().flat_map(Dataset::identities).collect(),
        };
        let mut first_failure = None;
        let max_images = match config.validation.max_images {
            0 => usize::MAX,
            max => max,
        };
        let options = ReadOptions {
            max_pixels: config.data.loader.max_pixels,
            ..Default::default()
        };
        for path in &config.data.validation {
            let dataset = Dataset::open(path)?;
            dataset.warnings().iter().for_each(|text| warn(text));
            let samples = dataset.samples().iter().zip(dataset.identities());
            for (index, (sample, identity)) in samples.enumerate() {
                if trained_on.contains(&identity) {
                    return Err(Error::Data {
                        name: path.clone(),
                        reason: format!("{} is in data.train too; scores on it would mean nothing", sample.name),
                    });
                }
                if clips.len() >= max_images {
                    continue;
                }
                let clip = dataset.clip(index, &options);
                match clip.and_then(|clip| clip.map(|frame| center_crop_guided_diffusion(&frame, size))) {
                    Ok(clip) => clips.push(clip),
                    Err(error) => {
                        warn(&format!("left out of validation: {}", error.message()));
                        first_failure.get_or_insert(error);
                    }
                }
            }
        }
        if let (true, Some(error)) = (clips.is_empty(), first_failure) {
            return Err(Error::Data {
                name: config.data.validation.join(", "),
                reason: format!(
                    "none of the validation images can be read; the first: {}",
                    error.message()
                ),
            });
        }
        Ok(Self {
            clips,
            size,
            samples: config.validation.samples,
            batch_size: config.validation.batch_size,
        })
    }

    /// Number of clips.
    pub fn count(&self) -> usize {
        self.clips.len()
    }

    /// Side of the squares in pixels.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Mean scores of a model, and a grid of `validation.samples` samples, if that is not 0: originals above their
    /// reconstructions (of a clip, its first frame).
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
