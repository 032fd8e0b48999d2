//! The images a report shows: the worst, the best, some in the middle, and where models differ most.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Result;
use base64::Engine;
use vitok::evaluate::{Better, Metric};
use vitok::media::{Image, encode_image};

use super::items::Clip;
use super::report::Shown;

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

/// Larger images are shown in part: a report with whole ones would not open.
const MOST_SIDE: usize = 768;

/// The image's place and why it is shown.
pub type Choice = (usize, String);

/// Chooses images by the scores of each model, in the order of images; `scores` gives those of
/// a metric.
pub fn choose(
    metrics: &[Metric],
    scores: impl Fn(Metric) -> Vec<Vec<Option<f64>>>,
    names: &[String],
) -> Vec<Choice> {
    let Some(metric) = RANKING.into_iter().find(|m| metrics.contains(m)) else {
        return Vec::new();
    };
    let models = scores(metric);
    let sign = match metric.better() {
        Better::Higher => 1.0,
        Better::Lower => -1.0,
    };
    let Some(first) = models.first() else {
        return Vec::new();
    };
    let title = metric.key().to_uppercase();
    let mut chosen = Vec::new();
    let mut taken = HashSet::new();
    let mut take = |places: &mut dyn Iterator<Item = usize>, count: usize, why: &str| {
        let mut rank = 0;
        for place in places {
            if rank == count {
                break;
            }
            if taken.insert(place) {
                rank += 1;
                chosen.push((place, why.to_owned()));
            }
        }
    };
    // From the worst to the best, equal ones in the order of the images.
    let mut ranked: Vec<usize> = (0..first.len()).filter(|&i| first[i].is_some()).collect();
    let value = |i: usize| sign * first[i].unwrap_or(f64::NAN);
    ranked.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
    let of = match models.len() {
        1 => String::new(),
        _ => format!(" of {}", names[0]),
    };
    take(
        &mut ranked.iter().copied(),
        4,
        &format!("among the worst {title}{of}"),
    );
    if models.len() > 1 {
        let spread = |i: usize| {
            let known = models
                .iter()
                .filter_map(|model| model[i])
                .filter(|v| v.is_finite());
            let (low, high) = known.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
            high - low
        };
        let mut apart = ranked.clone();
        apart.sort_by(|&a, &b| spread(b).total_cmp(&spread(a)));
        take(
            &mut apart.into_iter(),
            4,
            &format!("models differ most in {title}"),
        );
    }
    let middle = ranked.len().saturating_sub(3) / 2;
    take(
        &mut ranked.iter().copied().skip(middle),
        3,
        &format!("a middling {title}{of}"),
    );
    take(
        &mut ranked.iter().rev().copied(),
        3,
        &format!("among the best {title}{of}"),
    );
    chosen
}

/// A chosen image with every model's output, as the page takes them.
pub fn show(choice: Choice, original: &Clip, outputs: &[Vec<Image>]) -> Result<Shown> {
    let (index, mut why) = choice;
    let size = original.frames[0].size();
    let part = |frame: &Image| -> Result<String> {
        let (width, height) = (size.width.min(MOST_SIDE), size.height.min(MOST_SIDE));
        let (x, y) = ((size.width - width) / 2, (size.height - height) / 2);
        let frame = frame.crop(x, y, width, height)?;
        let png = encode_image(Path::new("frame.png"), &frame)?;
        let text = base64::engine::general_purpose::STANDARD.encode(png);
        Ok(format!("data:image/png;base64,{text}"))
    };
    let all = |frames: &[Image]| frames.iter().map(part).collect::<Result<Vec<_>>>();
    if size.width.max(size.height) > MOST_SIDE {
        why += &format!("; the center of {size}");
    }
    Ok(Shown {
        index,
        why,
        width: size.width.min(MOST_SIDE),
        height: size.height.min(MOST_SIDE),
        fps: original.fps,
        original: all(&original.frames)?,
        outputs: outputs
            .iter()
            .map(|output| all(output))
            .collect::<Result<_>>()?,
    })
}
