//! The images a report shows: the worst, the best, some in the middle, and where candidates differ most.

use std::collections::HashSet;
use std::path::Path;

use base64::Engine;

use super::metric::{Better, Metric};
use super::report::GalleryItem;
use crate::Result;
use crate::media::{Clip, Image, encode_image};

/// What images are ranked by, the first that there is: what people see before what pixels say.
const RANKING: [Metric; 7] = [
    Metric::LpipsVgg,
    Metric::LpipsAlex,
    Metric::StLpips,
    Metric::Ssim,
    Metric::Psnr,
    Metric::Mse,
    Metric::Mae,
];

/// Most images shown, and most clips.
const MOST_IMAGES: usize = 12;
const MOST_CLIPS: usize = 4;

/// An image's number and why it is shown.
pub(super) type Choice = (usize, String);

/// Chooses images by the scores of each candidate, in the order of images, which `scores` gives for a metric.
pub(super) fn choose(
    metrics: &[Metric],
    scores: impl Fn(Metric) -> Vec<Vec<Option<f64>>>,
    names: &[&str],
    are_clips: bool,
) -> Vec<Choice> {
    let Some(metric) = RANKING.into_iter().find(|metric| metrics.contains(metric)) else {
        return Vec::new();
    };
    let candidates = scores(metric);
    let Some(first) = candidates.first() else {
        return Vec::new();
    };
    let title = metric.key().to_uppercase();
    let of = match candidates.len() {
        1 => String::new(),
        _ => format!(" of {}", names[0]),
    };
    let ranked = from_worst(first, metric.better());
    let mut chosen = Chosen::default();
    chosen.add(ranked.iter().copied(), 4, &format!("among the worst {title}{of}"));
    if candidates.len() > 1 {
        let mut apart = ranked.clone();
        apart.sort_by(|&a, &b| spread(&candidates, b).total_cmp(&spread(&candidates, a)));
        chosen.add(apart.into_iter(), 4, &format!("models differ most in {title}"));
    }
    let middle = ranked.len().saturating_sub(3) / 2;
    chosen.add(
        ranked.iter().copied().skip(middle),
        3,
        &format!("a middling {title}{of}"),
    );
    chosen.add(ranked.iter().rev().copied(), 3, &format!("among the best {title}{of}"));
    let mut choices = chosen.choices;
    choices.truncate(if are_clips { MOST_CLIPS } else { MOST_IMAGES });
    choices
}

/// Images that have a score, from the worst to the best, equal ones in the order of the images.
fn from_worst(scores: &[Option<f64>], better: Better) -> Vec<usize> {
    let sign = match better {
        Better::Higher => 1.0,
        Better::Lower => -1.0,
    };
    let value = |i: usize| sign * scores[i].unwrap_or(f64::NAN);
    let mut ranked: Vec<usize> = (0..scores.len()).filter(|&i| scores[i].is_some()).collect();
    ranked.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
    ranked
}

/// The range of the candidates' finite scores of an image.
fn spread(candidates: &[Vec<Option<f64>>], image: usize) -> f64 {
    let scores = candidates.iter().filter_map(|scores| scores[image]);
    let finite = scores.filter(|score| score.is_finite());
    let (low, high) = finite.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    high - low
}

/// Images chosen so far, each once.
#[derive(Default)]
struct Chosen {
    choices: Vec<Choice>,
    taken: HashSet<usize>,
}

impl Chosen {
    /// Takes the first `count` images that are not taken yet.
    fn add(&mut self, images: impl Iterator<Item = usize>, count: usize, why: &str) {
        let taken = &mut self.taken;
        let new = images.filter(|image| taken.insert(*image)).take(count);
        self.choices.extend(new.map(|image| (image, why.to_owned())));
    }
}

/// A chosen image with every candidate's output, as the page takes them; all of one size, which is `note`d where it is
/// not the original's.
pub(super) fn show(
    (index, why): Choice,
    original: &Clip,
    outputs: &[&Clip],
    note: Option<String>,
) -> Result<GalleryItem> {
    let size = original.size();
    let frames = |clip: &Clip| clip.frames().iter().map(data_uri).collect::<Result<Vec<_>>>();
    Ok(GalleryItem {
        index,
        why: match note {
            Some(note) => format!("{why}; {note}"),
            None => why,
        },
        width: size.width,
        height: size.height,
        fps: original.fps(),
        original: frames(original)?,
        outputs: outputs.iter().map(|output| frames(output)).collect::<Result<_>>()?,
    })
}

/// An image as a PNG within a page.
fn data_uri(image: &Image) -> Result<String> {
    let png = encode_image(Path::new("frame.png"), image)?;
    let text = base64::engine::general_purpose::STANDARD.encode(png);
    Ok(format!("data:image/png;base64,{text}"))
}
