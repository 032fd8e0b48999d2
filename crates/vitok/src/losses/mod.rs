//! Reconstruction losses: means over all values, differentiable, and the same whatever the order of a batch.

mod reconstruction;
mod ssim;

pub use reconstruction::{charbonnier, mse};
pub use ssim::one_minus_ssim;
