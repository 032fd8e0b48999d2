//! Opening a GPU and seeing whether it computes.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Arc, Mutex};

use burn::tensor::{Device, DeviceType, Tensor};

/// Opens a device and computes four products on it: a kernel that is never tuned.
///
/// Looking for devices never panics, opening one may. A kernel that cannot be compiled because
/// NVRTC is missing does worse: it panics on a thread of the back end, which swallows that, and
/// reading its result then succeeds with whatever the memory held. So the values decide, and
/// the first panic on the way is only the explanation.
pub(super) fn open(
    kind: DeviceType,
    open: impl FnOnce() -> Device,
    absent: &str,
    advice: &str,
) -> Result<Device, String> {
    let (tried, said) = quietly(|| {
        if Device::enumerate(kind).is_empty() {
            return Err(absent.to_owned());
        }
        let device = open();
        let a = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &device);
        match (a.clone() * a).try_into_vec_as::<f32>() {
            Ok(got) if got == [1.0, 4.0, 9.0, 16.0] => Ok(device),
            Ok(_) => Err("it computes wrongly".to_owned()),
            Err(e) => Err(e.to_string()),
        }
    });
    let failed = match tried {
        Some(Ok(device)) => return Ok(device),
        Some(Err(reason)) if reason == absent => return Err(reason),
        Some(Err(reason)) => reason,
        None => String::new(),
    };
    let reason = short(&said.unwrap_or(failed));
    Err(format!("found, but cannot be used ({advice}): {reason}"))
}

/// One line of a message, without the kernel's source and the backtrace it may carry.
fn short(message: &str) -> String {
    let end = ["[Source]", "Backtrace:"]
        .iter()
        .filter_map(|mark| message.find(mark))
        .min()
        .unwrap_or(message.len());
    let line = message[..end].split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(500) {
        Some((cut, _)) => format!("{} …", &line[..cut]),
        None => line,
    }
}

/// Runs `act` with panics unprinted. Gives its result, and the first panic's words.
fn quietly<T>(act: impl FnOnce() -> T) -> (Option<T>, Option<String>) {
    let said = Arc::new(Mutex::new(None));
    let heard = said.clone();
    let hook = take_hook();
    set_hook(Box::new(move |panic| {
        let words = panic.payload_as_str().unwrap_or("panicked");
        if let Ok(mut heard) = heard.lock() {
            heard.get_or_insert_with(|| words.to_owned());
        }
    }));
    let result = catch_unwind(AssertUnwindSafe(act)).ok();
    set_hook(hook);
    let said = said.lock().ok().and_then(|mut said| said.take());
    (result, said)
}
