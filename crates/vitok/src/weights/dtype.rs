//! The element types of tensor files, in one table: their names in safetensors, `torch.save` and numpy, their sizes, and
//! how one element is read and written.

use half::{bf16, f16};
use safetensors::Dtype as SafetensorsDtype;
use serde::{Deserialize, Serialize};

use super::float8;

/// The type of a tensor's elements in a file.
///
/// All of them can be read, as far as a format has them; [`Dtype::STORABLE`] are those that this library writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// 16-bit float, IEEE half precision: 5 bits of exponent, 10 of mantissa.
    F16,
    /// 16-bit float, bfloat16: 8 bits of exponent, 7 of mantissa.
    Bf16,
    /// 64-bit signed integer.
    I64,
    /// 32-bit signed integer.
    I32,
    /// 16-bit signed integer.
    I16,
    /// 8-bit signed integer.
    I8,
    /// 64-bit unsigned integer.
    U64,
    /// 32-bit unsigned integer.
    U32,
    /// 16-bit unsigned integer.
    U16,
    /// 8-bit unsigned integer.
    U8,
    /// One byte, 0 or 1.
    Bool,
    /// 8-bit float: 4 bits of exponent, 3 of mantissa; no infinity.
    F8E4m3,
    /// 8-bit float: 5 bits of exponent, 2 of mantissa.
    F8E5m2,
    /// [`F8E4m3`](Self::F8E4m3) with a bias of 8, and NaN in the place of -0.
    F8E4m3Fnuz,
    /// [`F8E5m2`](Self::F8E5m2) with a bias of 16, no infinity, and NaN in the place of -0.
    F8E5m2Fnuz,
    /// 8 bits of exponent: the powers of 2 from 2^-127 to 2^127.
    F8E8m0,
}

/// Writes values as little-endian elements.
type Writer = fn(&[f32]) -> Vec<u8>;

/// What is known of a dtype.
struct Row {
    dtype: Dtype,
    /// As PyTorch abbreviates it.
    name: &'static str,
    bytes: usize,
    /// Largest finite value, rounded to f32.
    max: f32,
    safetensors: SafetensorsDtype,
    /// Class name of its storage in module `torch`.
    torch_storage: Option<&'static str>,
    /// numpy's `descr` without the byte order.
    numpy: Option<&'static str>,
}

const fn row(
    dtype: Dtype,
    name: &'static str,
    bytes: usize,
    max: f32,
    safetensors: SafetensorsDtype,
    torch_storage: Option<&'static str>,
    numpy: Option<&'static str>,
) -> Row {
    Row {
        dtype,
        name,
        bytes,
        max,
        safetensors,
        torch_storage,
        numpy,
    }
}

/// In the order of [`Dtype`].
#[rustfmt::skip]
const TABLE: [Row; 18] = {
    use SafetensorsDtype as S;
    [
        row(Dtype::F64, "f64", 8, f32::MAX, S::F64, Some("DoubleStorage"), Some("f8")),
        row(Dtype::F32, "f32", 4, f32::MAX, S::F32, Some("FloatStorage"), Some("f4")),
        row(Dtype::F16, "f16", 2, f16::MAX.to_f32_const(), S::F16, Some("HalfStorage"), Some("f2")),
        row(Dtype::Bf16, "bf16", 2, bf16::MAX.to_f32_const(), S::BF16, Some("BFloat16Storage"), None),
        row(Dtype::I64, "i64", 8, i64::MAX as f32, S::I64, Some("LongStorage"), Some("i8")),
        row(Dtype::I32, "i32", 4, i32::MAX as f32, S::I32, Some("IntStorage"), Some("i4")),
        row(Dtype::I16, "i16", 2, i16::MAX as f32, S::I16, Some("ShortStorage"), Some("i2")),
        row(Dtype::I8, "i8", 1, i8::MAX as f32, S::I8, Some("CharStorage"), Some("i1")),
        row(Dtype::U64, "u64", 8, u64::MAX as f32, S::U64, None, Some("u8")),
        row(Dtype::U32, "u32", 4, u32::MAX as f32, S::U32, None, Some("u4")),
        row(Dtype::U16, "u16", 2, u16::MAX as f32, S::U16, None, Some("u2")),
        row(Dtype::U8, "u8", 1, u8::MAX as f32, S::U8, Some("ByteStorage"), Some("u1")),
        row(Dtype::Bool, "bool", 1, 1.0, S::BOOL, Some("BoolStorage"), Some("b1")),
        row(Dtype::F8E4m3, "f8e4m3", 1, 448.0, S::F8_E4M3, None, None),
        row(Dtype::F8E5m2, "f8e5m2", 1, 57344.0, S::F8_E5M2, None, None),
        row(Dtype::F8E4m3Fnuz, "f8e4m3fnuz", 1, 240.0, S::F8_E4M3FNUZ, None, None),
        row(Dtype::F8E5m2Fnuz, "f8e5m2fnuz", 1, 57344.0, S::F8_E5M2FNUZ, None, None),
        row(Dtype::F8E8m0, "f8e8m0", 1, 1.7014118e38, S::F8_E8M0, None, None),
    ]
};

/// The reader of one little-endian element of a dtype, as `$to`.
macro_rules! reader {
    ($dtype:expr, $to:ty) => {
        match $dtype {
            Dtype::F64 => |b| f64::from_le_bytes(first(b)) as $to,
            Dtype::F32 => |b| f32::from_le_bytes(first(b)) as $to,
            Dtype::F16 => |b| f16::from_le_bytes(first(b)).to_f32() as $to,
            Dtype::Bf16 => |b| bf16::from_le_bytes(first(b)).to_f32() as $to,
            Dtype::I64 => |b| i64::from_le_bytes(first(b)) as $to,
            Dtype::I32 => |b| i32::from_le_bytes(first(b)) as $to,
            Dtype::I16 => |b| i16::from_le_bytes(first(b)) as $to,
            Dtype::I8 => |b| i8::from_le_bytes(first(b)) as $to,
            Dtype::U64 => |b| u64::from_le_bytes(first(b)) as $to,
            Dtype::U32 => |b| u32::from_le_bytes(first(b)) as $to,
            Dtype::U16 => |b| u16::from_le_bytes(first(b)) as $to,
            Dtype::U8 => |b| b[0] as $to,
            Dtype::Bool => |b| u8::from(b[0] != 0) as $to,
            Dtype::F8E4m3 => |b| float8::E4M3.value(b[0]) as $to,
            Dtype::F8E5m2 => |b| float8::E5M2.value(b[0]) as $to,
            Dtype::F8E4m3Fnuz => |b| float8::E4M3_FNUZ.value(b[0]) as $to,
            Dtype::F8E5m2Fnuz => |b| float8::E5M2_FNUZ.value(b[0]) as $to,
            Dtype::F8E8m0 => |b| float8::power_of_2(b[0]) as $to,
        }
    };
}

impl Dtype {
    /// The dtypes that tensors can be saved as.
    pub const STORABLE: [Self; 3] = [Self::F32, Self::F16, Self::Bf16];

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Its name as PyTorch abbreviates it: `f32`, `bf16`, `u8`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        self.row().bytes
    }

    /// The largest finite value, rounded to f32; [`f32::MAX`] for f64.
    pub fn max(self) -> f32 {
        self.row().max
    }

    /// Whether its elements are floats.
    pub fn is_float(self) -> bool {
        !matches!(
            self,
            Self::I64 | Self::I32 | Self::I16 | Self::I8 | Self::U64 | Self::U32 | Self::U16 | Self::U8 | Self::Bool
        )
    }

    /// By safetensors' type, where it is one of the table.
    pub(super) fn of_safetensors(dtype: SafetensorsDtype) -> Option<Self> {
        TABLE.iter().find(|row| row.safetensors == dtype).map(|row| row.dtype)
    }

    /// Its type in safetensors.
    pub(super) fn to_safetensors(self) -> SafetensorsDtype {
        self.row().safetensors
    }

    /// By the name of a storage class in module `torch`, such as `FloatStorage`.
    pub(super) fn of_torch_storage(class: &str) -> Option<Self> {
        let found = TABLE.iter().find(|row| row.torch_storage == Some(class));
        found.map(|row| row.dtype)
    }

    /// By numpy's `descr` without the byte order, such as `f4`.
    pub(super) fn of_numpy(descr: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.numpy == Some(descr)).map(|row| row.dtype)
    }

    /// Elements `[.., bytes]` as f32, row by row: the nearest f32 where it cannot hold the value.
    pub(super) fn to_f32(self, elements: &[u8], big_endian: bool) -> impl Iterator<Item = f32> {
        let read = self.f32_reader();
        self.little_endian(elements, big_endian, read)
    }

    /// The same as f64; integers beyond 2^53 are rounded.
    pub(super) fn to_f64(self, elements: &[u8], big_endian: bool) -> impl Iterator<Item = f64> {
        let read: fn(&[u8]) -> f64 = reader!(self, f64);
        self.little_endian(elements, big_endian, read)
    }

    /// The reader of one little-endian element.
    fn f32_reader(self) -> fn(&[u8]) -> f32 {
        reader!(self, f32)
    }

    /// One element of either byte order, as f32.
    pub(super) fn read_f32(self, element: &[u8], big_endian: bool) -> f32 {
        if !big_endian {
            return self.f32_reader()(element);
        }
        reversed(element, self.f32_reader())
    }

    fn little_endian<T>(self, elements: &[u8], big_endian: bool, read: fn(&[u8]) -> T) -> impl Iterator<Item = T> {
        elements
            .chunks_exact(self.bytes())
            .map(move |element| match big_endian {
                false => read(element),
                true => reversed(element, read),
            })
    }

    /// A value as it comes back after it is stored; for dtypes that are not [`STORABLE`](Self::STORABLE), itself.
    pub(super) fn rounded(self, value: f32) -> f32 {
        match self {
            Self::F16 => f16::from_f32(value).to_f32(),
            Self::Bf16 => bf16::from_f32(value).to_f32(),
            _ => value,
        }
    }

    /// The writer of values as little-endian elements, rounded to nearest; `None` for dtypes that are not
    /// [`STORABLE`](Self::STORABLE).
    pub(super) fn writer(self) -> Option<Writer> {
        match self {
            Self::F32 => Some(|values| values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Self::F16 => Some(|values| values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()),
            Self::Bf16 => Some(|values| values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect()),
            _ => None,
        }
    }
}

/// Reads a big-endian element of up to 8 bytes.
fn reversed<T>(element: &[u8], read: fn(&[u8]) -> T) -> T {
    let mut bytes = [0; 8];
    let bytes = &mut bytes[..element.len()];
    bytes.copy_from_slice(element);
    bytes.reverse();
    read(bytes)
}

/// The first bytes of a slice that is long enough, as an array.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[..N]);
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_dtypes_and_names_each_once() {
        for (place, row) in TABLE.iter().enumerate() {
            let dtype = row.dtype;
            assert_eq!(dtype as usize, place, "{}", row.name);
            assert_eq!(serde_json::json!(dtype), row.name);
            assert_eq!(Dtype::of_safetensors(dtype.to_safetensors()), Some(dtype));
            assert_eq!(dtype.to_safetensors().bitsize(), 8 * dtype.bytes());
            if let Some(class) = row.torch_storage {
                assert_eq!(Dtype::of_torch_storage(class), Some(dtype));
            }
            if let Some(descr) = row.numpy {
                assert_eq!(Dtype::of_numpy(descr), Some(dtype));
                assert!(descr.ends_with(&dtype.bytes().to_string()));
            }
            assert_eq!(dtype.writer().is_some(), Dtype::STORABLE.contains(&dtype));
        }
        assert_eq!(Dtype::F16.max(), 65504.0);
        assert_eq!(Dtype::of_safetensors(SafetensorsDtype::C64), None);
    }

    #[test]
    fn elements_of_either_byte_order_are_read() {
        let cases: [(Dtype, Vec<u8>, f64); 18] = [
            (Dtype::F64, (-1.5f64).to_le_bytes().into(), -1.5),
            (Dtype::F32, (-1.5f32).to_le_bytes().into(), -1.5),
            (Dtype::F16, f16::from_f32(-1.5).to_le_bytes().into(), -1.5),
            (Dtype::Bf16, bf16::from_f32(-1.5).to_le_bytes().into(), -1.5),
            (Dtype::I64, (-300i64).to_le_bytes().into(), -300.0),
            (Dtype::I32, (-300i32).to_le_bytes().into(), -300.0),
            (Dtype::I16, (-300i16).to_le_bytes().into(), -300.0),
            (Dtype::I8, (-3i8).to_le_bytes().into(), -3.0),
            (Dtype::U64, 300u64.to_le_bytes().into(), 300.0),
            (Dtype::U32, 300u32.to_le_bytes().into(), 300.0),
            (Dtype::U16, 300u16.to_le_bytes().into(), 300.0),
            (Dtype::U8, vec![200], 200.0),
            (Dtype::Bool, vec![2], 1.0),
            (Dtype::F8E4m3, vec![0b1011_1100], -1.5),
            (Dtype::F8E5m2, vec![0b1011_1110], -1.5),
            (Dtype::F8E4m3Fnuz, vec![0b1100_0100], -1.5),
            (Dtype::F8E5m2Fnuz, vec![0b1100_0010], -1.5),
            (Dtype::F8E8m0, vec![130], 8.0),
        ];
        for (dtype, little, value) in cases {
            let big: Vec<u8> = little.iter().rev().copied().collect();
            for (bytes, big_endian) in [(little, false), (big, true)] {
                let twice = bytes.repeat(2);
                let found: Vec<f32> = dtype.to_f32(&twice, big_endian).collect();
                assert_eq!(found, [value as f32; 2], "{dtype:?}");
                let found: Vec<f64> = dtype.to_f64(&twice, big_endian).collect();
                assert_eq!(found, [value; 2], "{dtype:?}");
                assert_eq!(dtype.read_f32(&bytes, big_endian), value as f32, "{dtype:?}");
            }
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for dtype in Dtype::STORABLE {
            let bytes = dtype.writer().unwrap()(&[0.5, -2.0]);
            assert_eq!(bytes.len(), 2 * dtype.bytes());
            assert_eq!(dtype.to_f32(&bytes, false).collect::<Vec<_>>(), [0.5, -2.0]);
        }
    }
}
