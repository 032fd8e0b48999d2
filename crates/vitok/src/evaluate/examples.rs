//! The images a reader looks at: those of the gallery, and the first ones on a sheet.

use std::collections::{BTreeMap, BTreeSet};

use super::gallery::{self, Choice};
use super::report::GalleryItem;
use super::scored_pairs::ScoredPairs;
use crate::Result;
use crate::media::{Clip, Image, make_grid};

/// Rows of the sheet.
const SHEET_ROWS: usize = 16;

/// Larger images are shown in part, without scaling: a report of whole ones would not open, nor a sheet.
const MOST_SIDE: usize = 768;
const SHEET_SIDE: usize = 512;

/// Images made or read together.
const BATCH: usize = 8;

/// What is shown of an evaluation.
#[derive(Default)]
pub(super) struct Examples {
    pub(super) shown: Vec<GalleryItem>,
    pub(super) sheet: Option<Image>,
}

/// An original and the outputs of the candidates so far, of each the part that is shown.
struct Example {
    parts: Vec<Clip>,
    /// Which part that is, if not the whole.
    note: Option<String>,
}

/// Reads and makes what is shown: the chosen images, and the first of `whole`, the images that every candidate has an
/// output of. `titles` are the names of the columns of the sheet.
pub(super) fn collect(
    candidates: &[ScoredPairs],
    choices: Vec<Choice>,
    whole: &[usize],
    titles: &[String],
) -> Result<Examples> {
    let first = &whole[..whole.len().min(SHEET_ROWS)];
    let wanted: BTreeSet<usize> = choices
        .iter()
        .map(|(index, _)| *index)
        .chain(first.iter().copied())
        .collect();
    let wanted: Vec<usize> = wanted.into_iter().collect();
    let mut examples: BTreeMap<usize, Example> = BTreeMap::new();
    for (number, scored) in candidates.iter().enumerate() {
        for batch in wanted.chunks(BATCH) {
            for (index, (original, output)) in scored.get_shown(batch)? {
                if number == 0 {
                    examples.insert(index, Example::of(&original)?);
                }
                if let Some(example) = examples.get_mut(&index) {
                    example.parts.push(center(&output, MOST_SIDE)?);
                }
            }
        }
        scored.keep_only(&wanted)?;
        // What has changed since it was scored is not shown.
        examples.retain(|_, example| example.parts.len() == number + 2);
    }
    let mut shown = Vec::new();
    for choice in choices {
        if let Some(Example { parts, note }) = examples.get(&choice.0) {
            let outputs: Vec<&Clip> = parts[1..].iter().collect();
            shown.push(gallery::show(choice, &parts[0], &outputs, note.clone())?);
        }
    }
    let rows = first.iter().filter_map(|index| examples.get(index));
    let rows: Vec<Vec<Image>> = rows.map(Example::row).collect::<Result<_>>()?;
    let sheet = match rows.is_empty() {
        true => None,
        false => Some(make_grid(&rows, Some(titles))?),
    };
    Ok(Examples { shown, sheet })
}

impl Example {
    fn of(original: &Clip) -> Result<Self> {
        let size = original.size();
        Ok(Self {
            parts: vec![center(original, MOST_SIDE)?],
            note: (size.longest() > MOST_SIDE).then(|| format!("the center of {size}")),
        })
    }

    /// A row of the sheet: the first frames.
    fn row(&self) -> Result<Vec<Image>> {
        let frames = self
            .parts
            .iter()
            .map(|clip| center_of_image(&clip.frames()[0], SHEET_SIDE));
        frames.collect()
    }
}

/// The middle of every frame, of at most `side` pixels each way.
fn center(clip: &Clip, side: usize) -> Result<Clip> {
    clip.clone().map(|frame| center_of_image(&frame, side))
}

fn center_of_image(image: &Image, side: usize) -> Result<Image> {
    let (width, height) = (image.width().min(side), image.height().min(side));
    let (x, y) = ((image.width() - width) / 2, (image.height() - height) / 2);
    image.crop(x, y, width, height)
}
