//! Where the network runs.

use burn::tensor::{Device, Tensor};

use crate::{Error, Result};

/// Opens a device by the name users give: `cpu`, `cuda`, `wgpu`, `vulkan`.
///
/// # Errors
/// [`Error::Device`] where this build has no such back end; the message names the cargo feature.
pub fn open_device(name: &str) -> Result<Device> {
    let wrong = |reason: String| Error::Device {
        name: name.to_owned(),
        reason,
    };
    match name {
        "cpu" => Ok(Device::flex()),
        "cuda" | "wgpu" | "vulkan" => Err(wrong(format!(
            "this build has no such back end; build it with: cargo build --release --features {name}"
        ))),
        _ => Err(wrong("no such device (cpu, cuda, wgpu, vulkan)".into())),
    }
}

/// Reads a tensor's values.
///
/// # Errors
/// [`Error::Device`] if the device failed while computing them.
pub(crate) fn to_host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let name = format!("{:?}", tensor.device());
    tensor.try_into_vec_as::<f32>().map_err(|e| Error::Device {
        name,
        reason: format!("the computation failed: {e}"),
    })
}
