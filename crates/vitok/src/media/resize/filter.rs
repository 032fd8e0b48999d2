//! The four resampling kernels.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// A resampling kernel, widened when an image shrinks so that every source pixel counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Every source pixel under the target pixel counts the same.
    Box,
    /// A triangle, one source pixel to each side.
    Bilinear,
    /// Keys' cubic with a = -0.5, two source pixels to each side.
    Bicubic,
    /// Lanczos' windowed sinc, three source pixels to each side.
    Lanczos,
}

impl Filter {
    /// All filters, from the bluntest to the sharpest.
    pub const ALL: [Filter; 4] = [Filter::Box, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];

    /// The name users write.
    pub fn name(self) -> &'static str {
        match self {
            Filter::Box => "box",
            Filter::Bilinear => "bilinear",
            Filter::Bicubic => "bicubic",
            Filter::Lanczos => "lanczos",
        }
    }

    /// Beyond this distance, in source pixels at scale 1, the kernel is zero.
    pub(super) fn support(self) -> f64 {
        match self {
            Filter::Box => 0.5,
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }

    /// The kernel at signed distance `x`, not yet normalized.
    pub(super) fn at(self, x: f64) -> f64 {
        let distance = x.abs();
        match self {
            // Open on one side, so that a pixel on the border of two boxes is counted once.
            Filter::Box => f64::from(x > -0.5 && x <= 0.5),
            Filter::Bilinear => (1.0 - distance).max(0.0),
            Filter::Bicubic => cubic(distance),
            Filter::Lanczos if distance < 3.0 => sinc(x) * sinc(x / 3.0),
            Filter::Lanczos => 0.0,
        }
    }
}

/// Keys' cubic. The order of the operations decides the last bit of a weight and with it, now and
/// then, a byte of the result; Horner's scheme is the order that agrees with Pillow.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else {
        let x = x * PI;
        x.sin() / x
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Filter::ALL
            .into_iter()
            .find(|filter| filter.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                Error::InvalidArgument(format!(
                    "no filter \"{name}\"; there are {}",
                    Filter::ALL.map(Filter::name).join(", ")
                ))
            })
    }
}
