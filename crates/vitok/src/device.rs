//! Where the network runs.

#[cfg(any(feature = "cuda", feature = "wgpu", feature = "vulkan"))]
mod gpu;

#[cfg(any(feature = "cuda", feature = "wgpu", feature = "vulkan"))]
use burn::tensor::DeviceType;
use burn::tensor::{Device, Tensor};

use crate::{Error, Result};

/// Names of the devices a build may have.
const DEVICES: [&str; 4] = ["cpu", "cuda", "wgpu", "vulkan"];

/// Opens a device by its name: the CPU, or the first one of a GPU back end.
///
/// # Errors
/// [`Error::MissingBackend`] for `cuda`, `wgpu` or `vulkan` where this build does not have its back end; [`Error::Device`]
/// for other names, and where this machine has no such device or one that does not compute.
pub fn open_device(name: &str) -> Result<Device> {
    let opened = match name {
        "cpu" => Ok(Device::flex()),
        #[cfg(feature = "cuda")]
        "cuda" => gpu::open(
            DeviceType::Cuda,
            || Device::cuda(0),
            "no NVIDIA GPU, or its driver (libcuda) is not installed",
            "kernels are compiled at run time: install the CUDA toolkit's NVRTC and headers, and \
             set CUDA_PATH where it is not at /usr/local/cuda",
        ),
        #[cfg(feature = "wgpu")]
        "wgpu" => gpu::open(
            DeviceType::Wgpu,
            || Device::wgpu(Default::default()),
            "wgpu finds no adapter",
            "is its driver up to date?",
        ),
        #[cfg(feature = "vulkan")]
        "vulkan" => gpu::open(
            DeviceType::Vulkan,
            || Device::vulkan(Default::default()),
            "no GPU with a Vulkan driver",
            "is its driver up to date?",
        ),
        _ if DEVICES.contains(&name) => return Err(Error::MissingBackend { name: name.to_owned() }),
        _ => Err(format!("no such device ({})", DEVICES.join(", "))),
    };
    opened.map_err(|reason| Error::Device {
        name: name.to_owned(),
        reason,
    })
}

/// Whether tensors of a device are in this process's memory.
pub(crate) fn is_cpu(device: &Device) -> bool {
    // Compares what computes, with autodiff or without.
    *device == Device::flex()
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
