//! Where the network runs.

use burn::tensor::{Device, Tensor};

use crate::{Error, Result};

/// Names of the devices a build may have.
pub const DEVICES: [&str; 4] = ["cpu", "cuda", "wgpu", "vulkan"];

/// Opens a device by its name: the CPU, or the first one of a GPU back end.
///
/// # Errors
/// [`Error::Device`] where this build has no such back end (the message names the cargo feature)
/// or this machine no such device.
pub fn open_device(name: &str) -> Result<Device> {
    match name {
        "cpu" => Ok(Device::flex()),
        #[cfg(feature = "cuda")]
        "cuda" => probe(name, || Device::cuda(0)),
        #[cfg(feature = "wgpu")]
        "wgpu" => probe(name, || Device::wgpu(Default::default())),
        #[cfg(feature = "vulkan")]
        "vulkan" => probe(name, || Device::vulkan(Default::default())),
        _ => Err(Error::Device {
            name: name.to_owned(),
            reason: if DEVICES.contains(&name) {
                format!(
                    "this build has no such back end; build it with: cargo build --release --features {name}"
                )
            } else {
                format!("no such device ({})", DEVICES.join(", "))
            },
        }),
    }
}

/// Opens a device and computes with it once. The back ends panic where driver or hardware are
/// missing; here that becomes an error.
#[cfg(any(feature = "cuda", feature = "wgpu", feature = "vulkan"))]
fn probe(name: &str, open: impl FnOnce() -> Device + std::panic::UnwindSafe) -> Result<Device> {
    use std::sync::{Arc, Mutex};

    // The default hook would print a panic that is about to be explained better, and the back ends
    // panic on threads of their own, so the message is taken where it passes.
    let said = Arc::new(Mutex::new(String::new()));
    let hook = std::panic::take_hook();
    let heard = said.clone();
    std::panic::set_hook(Box::new(move |panic| {
        if let Ok(mut heard) = heard.lock()
            && heard.is_empty()
        {
            *heard = panic.to_string();
        }
    }));
    let opened = std::panic::catch_unwind(|| {
        let device = open();
        let sum = Tensor::<1>::ones([2], &device).sum();
        sum.try_into_vec_as::<f32>()
            .map(|_| device)
            .map_err(|e| e.to_string())
    });
    std::panic::set_hook(hook);
    let reason = match opened {
        Ok(Ok(device)) => return Ok(device),
        Ok(Err(reason)) => reason,
        Err(_) => said.lock().map(|said| said.clone()).unwrap_or_default(),
    };
    Err(Error::Device {
        name: name.to_owned(),
        reason: format!("cannot be used on this machine (is its driver installed?): {reason}"),
    })
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
