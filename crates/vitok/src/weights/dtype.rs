//! The types that tensors are stored as.

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

/// How floats are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit.
    F32,
    /// 16-bit, IEEE half.
    F16,
    /// 16-bit, bfloat.
    Bf16,
}

impl Dtype {
    /// Its name, as PyTorch shortens it.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::F16 => "f16",
            Dtype::Bf16 => "bf16",
        }
    }

    /// The largest finite value.
    pub fn max(self) -> f32 {
        match self {
            Dtype::F32 => f32::MAX,
            Dtype::F16 => f16::MAX.to_f32(),
            Dtype::Bf16 => bf16::MAX.to_f32(),
        }
    }

    /// Bytes of one value.
    pub fn bytes(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::Bf16 => 2,
        }
    }

    pub(super) fn in_safetensors(self) -> safetensors::Dtype {
        match self {
            Dtype::F32 => safetensors::Dtype::F32,
            Dtype::F16 => safetensors::Dtype::F16,
            Dtype::Bf16 => safetensors::Dtype::BF16,
        }
    }

    pub(super) fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Dtype::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Dtype::F16 => values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
            Dtype::Bf16 => values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect(),
        }
    }
}
