//! How long a large clip will take, to be told before it is begun: with full attention the time grows with the square of
//! the tokens, which surprises whoever has only seen small images.

use std::path::Path;
use std::time::{Duration, Instant};

use super::codec::Codec;
use crate::Result;
use crate::media::ClipShape;
use crate::observe::{Event, Observer};

/// Clips with fewer tokens are not estimated.
const LARGE: usize = 16_384;

/// Tokens of the blank clip that is timed, about.
const TIMED_TOKENS: usize = 1024;

/// Estimates below this are not worth telling.
const LONG: Duration = Duration::from_secs(10);

/// Estimates times from the multiply-adds of a clip and the time that a small blank one takes on this machine.
#[derive(Debug, Default)]
pub struct Estimator {
    seconds_per_mac: Option<f64>,
    /// The longest estimate given so far: a folder of equally large images is told of once.
    told: Duration,
}

impl Estimator {
    /// Tells the observer of the clip in `file` if it will take long, unless a clip before it was told to take as long. `run`
    /// does the work on a blank clip of the shape it is given; it is called for the first large clip.
    pub fn tell_if_long<T>(
        &mut self,
        codec: &dyn Codec,
        file: &Path,
        shape: ClipShape,
        run: impl Fn(ClipShape) -> Result<T>,
        observer: &dyn Observer,
    ) {
        let time = |shape| {
            let start = Instant::now();
            // What cannot be run will say so with the real clip.
            run(shape).ok().map(|_| start.elapsed())
        };
        if let Some(estimate) = self.estimate(codec, shape, time) {
            observer.event(Event::LongClip {
                file,
                tokens: codec.tokens(shape),
                seconds: estimate.as_secs_f64(),
            });
        }
    }

    /// About how long a clip of `shape` will take, if that is long and no clip before it was told to take as long.
    /// `time` says how long a blank clip of the shape it is given takes.
    fn estimate(
        &mut self,
        codec: &dyn Codec,
        shape: ClipShape,
        time: impl Fn(ClipShape) -> Option<Duration>,
    ) -> Option<Duration> {
        if codec.tokens(shape) < LARGE {
            return None;
        }
        let macs = codec.macs(shape)?;
        let rate = match self.seconds_per_mac {
            Some(rate) => rate,
            None => {
                let small = smaller(codec, shape);
                // The first time is also that of starting threads and getting memory.
                let seconds = time(small)?.min(time(small)?).as_secs_f64();
                *self.seconds_per_mac.insert(seconds / codec.macs(small)? as f64)
            }
        };
        let estimate = Duration::try_from_secs_f64(macs as f64 * rate).unwrap_or(Duration::MAX);
        if estimate < LONG || estimate <= self.told {
            return None;
        }
        self.told = estimate;
        Some(estimate)
    }
}

/// A shape of the same aspect ratio with about [`TIMED_TOKENS`] tokens and as few frames as possible.
fn smaller(codec: &dyn Codec, shape: ClipShape) -> ClipShape {
    let frames = codec.min_frames();
    let tokens = codec.tokens(ClipShape { frames, ..shape });
    let scale = (TIMED_TOKENS as f64 / tokens as f64).sqrt().min(1.0);
    let side = |length: usize| ((length as f64 * scale) as usize).max(1);
    ClipShape {
        frames,
        height: side(shape.height),
        width: side(shape.width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Clip;
    use crate::tokenizer::Reconstruction;

    /// A token a pixel, and as many multiply-adds as pairs of tokens.
    struct Quadratic;

    impl Codec for Quadratic {
        fn name(&self) -> String {
            "quadratic".into()
        }

        fn reconstruct(&self, _: &[Clip]) -> Result<Vec<Reconstruction>> {
            Ok(Vec::new())
        }

        fn tokens(&self, shape: ClipShape) -> usize {
            shape.width * shape.height
        }

        fn macs(&self, shape: ClipShape) -> Option<u64> {
            Some((self.tokens(shape) as u64).pow(2))
        }
    }

    fn slow(shape: ClipShape) -> Option<Duration> {
        assert_eq!((shape.width, shape.height), (32, 32));
        Some(Duration::from_millis(20))
    }

    fn unused(_: ClipShape) -> Option<Duration> {
        unreachable!("timed before")
    }

    #[test]
    fn large_clips_are_told_of_once() {
        let mut estimator = Estimator::default();
        let image = |side| ClipShape::image(side, side);
        assert_eq!(estimator.estimate(&Quadratic, image(64), unused), None, "not large");
        // 64 times the side, so 64^4 times the 20 ms.
        let estimate = estimator.estimate(&Quadratic, image(2048), slow);
        assert_eq!(estimate.map(|estimate| estimate.as_secs()), Some(335_544));
        assert_eq!(estimator.estimate(&Quadratic, image(2048), unused), None, "told before");
        assert!(estimator.estimate(&Quadratic, image(4096), unused).is_some());
    }

    #[test]
    fn what_is_quick_or_cannot_be_run_is_not_told_of() {
        let mut estimator = Estimator::default();
        assert_eq!(
            estimator.estimate(&Quadratic, ClipShape::image(256, 256), |_| None),
            None
        );
        assert_eq!(
            estimator.estimate(&Quadratic, ClipShape::image(128, 128), slow),
            None,
            "5 s"
        );
    }
}
