//! What training minimizes. Every loss is a mean, differentiable, and independent of batch order.

mod reconstruction;
mod ssim;

pub use reconstruction::{charbonnier, mse};
pub use ssim::one_minus_ssim;
