//! Held-out scores and sample grids while training.

use std::collections::HashSet;

use super::TrainConfig;
use crate::data::Collection;
use crate::evaluate::{PictureScores, mean_scores, score_picture};
use crate::pixels::{Picture, ReadOptions, centre_crop_guided_diffusion, picture_grid};
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};

/// Rows of a sample grid are originals and reconstructions in turn, this many to a row.
const GRID_COLUMNS: usize = 8;

/// The held-out pictures, ready.
#[derive(Debug)]
pub struct HeldOut {
    pictures: Vec<Picture>,
    size: usize,
    samples: usize,
    batch: usize,
}

impl HeldOut {
    /// Reads the held-out pictures and crops them to squares. Unreadable ones are left out and
    /// described in the second result.
    ///
    /// # Errors
    /// [`Error::Data`] for data sets that cannot be opened or hold nothing readable, and for a
    /// picture that is also trained on.
    pub fn read(config: &TrainConfig, train: &[Collection]) -> Result<(Self, Vec<String>)> {
        let size = config.evaluation_size();
        let mut warnings = Vec::new();
        let mut pictures = Vec::new();
        // Looking up the true path of every file takes its time, so only where there is a use.
        let trained: HashSet<String> = match config.data.held_out.is_empty() {
            true => HashSet::new(),
            false => train.iter().flat_map(Collection::identities).collect(),
        };
        let mut first_failure = None;
        let most = match config.evaluate.pictures {
            0 => usize::MAX,
            most => most,
        };
        let options = ReadOptions {
            max_pixels: config.data.loader.max_pixels,
            ..Default::default()
        };
        for path in &config.data.held_out {
            let collection = Collection::open(path)?;
            warnings.extend_from_slice(collection.warnings());
            let records = collection.records().iter().zip(collection.identities());
            for (index, (record, identity)) in records.enumerate() {
                if trained.contains(&identity) {
                    return Err(Error::Data {
                        name: path.clone(),
                        reason: format!(
                            "{} is in data.train too; scores on it would mean nothing",
                            record.name
                        ),
                    });
                }
                if pictures.len() >= most {
                    continue;
                }
                let picture = collection.picture(index, &options);
                match picture.and_then(|p| centre_crop_guided_diffusion(&p, size)) {
                    Ok(picture) => pictures.push(picture),
                    Err(error) => {
                        warnings.push(format!("held out, not scored: {error}"));
                        first_failure.get_or_insert(error);
                    }
                }
            }
        }
        if let (true, Some(error)) = (pictures.is_empty(), first_failure) {
            return Err(Error::Data {
                name: config.data.held_out.join(", "),
                reason: format!("none of the held-out pictures can be read; the first: {error}"),
            });
        }
        let held_out = Self {
            pictures,
            size,
            samples: config.evaluate.samples,
            batch: config.evaluate.batch,
        };
        Ok((held_out, warnings))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.pictures.len()
    }

    /// Side of the squares in pixels.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Mean scores of a model, and a sheet of samples, if any are wanted: originals above their
    /// reconstructions.
    ///
    /// # Errors
    /// [`Error::Input`] for a model that gives no numbers.
    pub fn score(&self, model: &Tokenizer) -> Result<(PictureScores, Option<Picture>)> {
        let mut scores = Vec::with_capacity(self.pictures.len());
        let mut panels = Vec::new();
        for batch in self.pictures.chunks(self.batch) {
            for (original, found) in batch.iter().zip(model.reconstruct(batch)?) {
                if scores.len() < self.samples {
                    panels.push([original.clone(), found.clone()]);
                }
                scores.push(score_picture(original, &found)?);
            }
        }
        let rows = panels.chunks(GRID_COLUMNS).flat_map(|row| {
            [0, 1].map(|which| row.iter().map(|panel| panel[which].clone()).collect())
        });
        let rows: Vec<Vec<Picture>> = rows.collect();
        let sheet = match rows.is_empty() {
            true => None,
            false => Some(picture_grid(&rows)?),
        };
        Ok((mean_scores(&scores)?, sheet))
    }
}
