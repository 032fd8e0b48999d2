//! Reference tensors of independent implementations; `tests/golden/README.md` says whose.

use std::path::PathBuf;

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};

/// A golden file in memory.
pub struct Golden {
    name: String,
    bytes: Vec<u8>,
}

pub fn open(name: &str) -> Golden {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.safetensors"));
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Golden {
        name: name.to_owned(),
        bytes,
    }
}

impl Golden {
    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).expect("a sound golden file")
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.file().names().iter().map(|n| n.to_string()).collect();
        names.sort();
        names
    }

    pub fn metadata(&self, key: &str) -> String {
        let (_, header) = SafeTensors::read_metadata(&self.bytes).expect("a sound golden file");
        let all = header.metadata().clone().expect("metadata");
        all[key].clone()
    }

    pub fn has(&self, name: &str) -> bool {
        self.file().tensor(name).is_ok()
    }

    /// Shape and values of a tensor; integers and bytes become floats.
    pub fn values(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let file = self.file();
        let view = file
            .tensor(name)
            .unwrap_or_else(|e| panic!("{}: {name}: {e}", self.name));
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => data
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
                .collect(),
            Dtype::I32 => data
                .chunks_exact(4)
                .map(|b| i32::from_le_bytes(b.try_into().unwrap()) as f32)
                .collect(),
            Dtype::I64 => data
                .chunks_exact(8)
                .map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f32)
                .collect(),
            Dtype::U8 => data.iter().map(|&b| b as f32).collect(),
            other => panic!("{name}: {other:?}"),
        };
        (view.shape().to_vec(), values)
    }

    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let (shape, values) = self.values(name);
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

/// Largest difference over the expected tensor's own scale (its largest magnitude).
pub fn relative_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len(), "sizes differ");
    let scale = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
    let difference = found.iter().zip(expected).fold(0f32, |m, (a, b)| {
        // A NaN must not vanish in the maximum.
        let d = (a - b).abs();
        if d.is_nan() { f32::INFINITY } else { m.max(d) }
    });
    if difference == 0.0 { 0.0 } else { difference / scale }
}

/// Fails with the name of the tensor if it is off by more than `limit` of its own scale.
pub fn assert_close(name: &str, found: &[f32], expected: &[f32], limit: f32) {
    let difference = relative_difference(found, expected);
    println!("{name}: {difference:.2e}");
    assert!(
        difference <= limit,
        "{name}: off by {difference:e} of its scale, allowed {limit:e}"
    );
}
