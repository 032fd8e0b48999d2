//! Pictures as the tensors the network takes.

use burn::tensor::{Device, Tensor, TensorData};

use super::{Picture, chw_to_picture, picture_to_chw};
use crate::device::to_host;
use crate::{Error, Result};

/// Frames of one size as a clip `[3, T, H, W]` in [-1, 1]; one frame is an image.
///
/// # Errors
/// [`Error::Input`] for no frames or frames of different sizes.
pub fn clip_from_pictures(frames: &[Picture], device: &Device) -> Result<Tensor<4>> {
    let Some(first) = frames.first() else {
        return Err(Error::Input("a clip needs at least one frame".into()));
    };
    let (width, height) = (first.width(), first.height());
    let planes = frames.iter().map(|frame| {
        if (frame.width(), frame.height()) != (width, height) {
            return Err(Error::Input(format!(
                "a clip's frames must be of one size; there are {width} x {height} and {} x {}",
                frame.width(),
                frame.height()
            )));
        }
        let data = TensorData::new(picture_to_chw(frame), [3, height, width]);
        Ok(Tensor::<3>::from_data(data, device))
    });
    Ok(Tensor::stack(planes.collect::<Result<_>>()?, 1))
}

/// Pictures of any sizes, each as the clip `[3, 1, H, W]` that it is by itself.
///
/// # Errors
/// None but those of [`clip_from_pictures`].
pub fn clips_of_images(pictures: &[Picture], device: &Device) -> Result<Vec<Tensor<4>>> {
    let clips = pictures
        .iter()
        .map(|picture| clip_from_pictures(std::slice::from_ref(picture), device));
    clips.collect()
}

/// The frames of a clip `[3, T, H, W]` in [-1, 1].
///
/// # Errors
/// [`Error::Input`] if the clip is not of three colours, empty or not finite; [`Error::Device`] if the device failed.
pub fn pictures_from_clip(clip: Tensor<4>) -> Result<Vec<Picture>> {
    let [colours, frames, height, width] = clip.dims();
    if colours != 3 || frames * height * width == 0 {
        return Err(Error::Input(format!(
            "a clip of {colours} x {frames} x {height} x {width} cannot be RGB pictures"
        )));
    }
    let values = to_host(clip.swap_dims(0, 1))?; // [T, 3, H, W]
    if let Some(value) = values.iter().find(|v| !v.is_finite()) {
        return Err(Error::Input(format!(
            "a pixel is {value}; the model's weights are damaged or its training diverged"
        )));
    }
    let frames = values.chunks_exact(3 * height * width);
    frames
        .map(|planes| chw_to_picture(planes, width, height))
        .collect()
}
