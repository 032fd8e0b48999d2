//! Clips as the tensors a network takes.

use burn::tensor::{Device, Tensor, TensorData};

use super::{Clip, chw_to_image, image_to_chw};
use crate::device::to_host;
use crate::{Error, Result};

/// A clip as `[3, T, H, W]` in [-1, 1].
pub fn clip_to_tensor(clip: &Clip, device: &Device) -> Tensor<4> {
    let shape = clip.shape();
    let frames = clip.frames().iter().map(|frame| {
        let data = TensorData::new(image_to_chw(frame), [3, shape.height, shape.width]);
        Tensor::<3>::from_data(data, device)
    });
    Tensor::stack(frames.collect(), 1)
}

/// The clip of a tensor `[3, T, H, W]` in [-1, 1], rounded to bytes.
///
/// # Errors
/// [`Error::InvalidArgument`] if the tensor is not of three colors, empty or not finite;
/// [`Error::Device`] if the device failed.
pub fn clip_from_tensor(tensor: Tensor<4>, fps: Option<f64>) -> Result<Clip> {
    let [colors, frames, height, width] = tensor.dims();
    if colors != 3 || frames * height * width == 0 {
        return Err(Error::InvalidArgument(format!(
            "a tensor of {colors} x {frames} x {height} x {width} cannot be a clip of RGB images"
        )));
    }
    let values = to_host(tensor.swap_dims(0, 1))?; // [T, 3, H, W]
    if let Some(value) = values.iter().find(|v| !v.is_finite()) {
        return Err(Error::InvalidArgument(format!(
            "a pixel is {value}; the model's weights are damaged or its training diverged"
        )));
    }
    let frames = values.chunks_exact(3 * height * width);
    let frames = frames.map(|planes| chw_to_image(planes, width, height));
    Clip::new(frames.collect::<Result<_>>()?, fps)
}
