//! Latents and their files.
//!
//! One safetensors file for each image or clip: a tensor `latents` `[frames, rows, cols, c]`, and
//! metadata that says all a reader needs (see [`LatentsInfo`]). Readable from any language that
//! reads safetensors.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::info::TokenizerInfo;
use crate::media::ClipShape;
use crate::patches::TokenGrid;
use crate::weights::{Dtype, NewTensor, TensorFile, write_tensors};
use crate::{Error, Result};

/// Marks the format; a later, incompatible one gets another number.
const FORMAT: &str = "vitok-latents/2";

/// The latents of one clip: L tokens of c channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Latents {
    /// L * c values: tokens in (time, row, column) order, channels within a token.
    pub values: Vec<f32>,
    /// Channels c.
    pub channels: usize,
    /// Size in tokens.
    pub grid: TokenGrid,
    /// Shape of the clip that decoding gives back.
    pub shape: ClipShape,
    /// The clip's frames a second, where that is known.
    pub fps: Option<f64>,
}

/// What a latent file says of itself. In the file each field is a metadata entry of this name:
/// text as it is, everything else in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatentsInfo {
    /// The tokenizer that made them, in JSON.
    pub tokenizer: TokenizerInfo,
    /// Size in tokens.
    pub grid: TokenGrid,
    /// Shape of the original clip.
    pub shape: ClipShape,
    /// Frames a second, for clips that have a rate.
    pub fps: Option<f64>,
    /// Name of the file the latents were made from.
    pub source: Option<String>,
    /// Statistics of the values.
    pub statistics: ChannelStatistics,
}

/// Statistics of latents over all tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelStatistics {
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel (population).
    pub std: Vec<f32>,
    /// Smallest value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
}

impl Latents {
    /// Latents of the given values.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the values do not fill the grid.
    pub fn new(values: Vec<f32>, channels: usize, grid: TokenGrid, shape: ClipShape) -> Result<Self> {
        if grid.checked_tokens() == Some(0) || shape.values() == 0 || channels == 0 {
            return Err(Error::InvalidArgument(format!(
                "latents of {shape} in a grid of {grid:?} and {channels} channels hold nothing"
            )));
        }
        let wanted = grid.checked_tokens().and_then(|n| n.checked_mul(channels));
        if wanted != Some(values.len()) {
            return Err(Error::InvalidArgument(format!(
                "{} values cannot be a grid of {grid:?} with {channels} channels",
                values.len()
            )));
        }
        Ok(Self {
            values,
            channels,
            grid,
            shape,
            fps: None,
        })
    }

    /// Refuses latents of another shape than the grid and channels that a tokenizer called `name` has for the clip.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`].
    pub fn check_fits(&self, name: &str, (grid, channels): (TokenGrid, usize)) -> Result<()> {
        let wrong = |reason: String| {
            Err(Error::InvalidArgument(format!(
                "latents do not fit the tokenizer {name}: {reason}"
            )))
        };
        if channels != self.channels {
            return wrong(format!("they have {} channels, it has {channels}", self.channels));
        }
        if grid != self.grid {
            return wrong(format!(
                "a grid of {grid:?} was expected for {}, theirs is {:?}",
                self.shape, self.grid
            ));
        }
        Ok(())
    }

    /// Statistics over all tokens, accumulated in f64.
    pub fn statistics(&self) -> ChannelStatistics {
        let c = self.channels;
        let count = self.grid.tokens() as f64;
        let (mut sum, mut squares) = (vec![0f64; c], vec![0f64; c]);
        let (mut min, mut max) = (f32::INFINITY, f32::NEG_INFINITY);
        for token in self.values.chunks(c) {
            for (i, &v) in token.iter().enumerate() {
                sum[i] += f64::from(v);
                squares[i] += f64::from(v) * f64::from(v);
                min = min.min(v);
                max = max.max(v);
            }
        }
        let mean: Vec<f64> = sum.iter().map(|s| s / count).collect();
        let std = squares.iter().zip(&mean);
        let std = std.map(|(s, m)| (s / count - m * m).max(0.0).sqrt() as f32);
        ChannelStatistics {
            std: std.collect(),
            mean: mean.iter().map(|&m| m as f32).collect(),
            min,
            max,
        }
    }

    /// Writes a latent file, atomically. `info` describes `self` (see [`LatentsInfo::new`]).
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::LatentRange`] for values that are not finite, or too large for the dtype.
    pub fn write(&self, path: &Path, info: &LatentsInfo, dtype: Dtype) -> Result<()> {
        if let Some(&value) = self.values.iter().find(|v| v.is_nan() || v.abs() > dtype.max()) {
            return Err(Error::LatentRange {
                path: path.to_owned(),
                value,
                dtype: dtype.name(),
            });
        }
        let mut metadata = BTreeMap::from([("format".to_owned(), FORMAT.to_owned())]);
        if let serde_json::Value::Object(fields) = serde_json::json!(info) {
            let present = fields.into_iter().filter(|(_, value)| !value.is_null());
            metadata.extend(present.map(|(key, value)| {
                let text = match value {
                    serde_json::Value::String(text) => text,
                    other => other.to_string(),
                };
                (key, text)
            }));
        }
        let TokenGrid { frames, rows, cols } = self.grid;
        let tensor = NewTensor {
            name: "latents".into(),
            shape: vec![frames, rows, cols, self.channels],
            values: Box::new(|| Ok(self.values.clone())),
        };
        write_tensors(path, &metadata, vec![tensor], dtype)
    }

    /// Reads a latent file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Latents`] if it is damaged or another kind of
    /// file.
    pub fn read(path: &Path) -> Result<(Self, LatentsInfo)> {
        let bad = |reason: String| Error::Latents {
            path: path.to_owned(),
            reason,
        };
        let as_latents = |e: Error| match e {
            Error::Weights { reason, .. } => bad(reason),
            other => other,
        };
        let mut file = TensorFile::open(path).map_err(as_latents)?;
        match file.metadata("format") {
            Some(FORMAT) => {}
            Some(other) => {
                return Err(bad(format!(
                    "format \"{other}\" is not one this version reads ({FORMAT})"
                )));
            }
            None => return Err(bad("a safetensors file, but not of latents".into())),
        }
        let info = LatentsInfo::from_metadata(&file).map_err(bad)?;
        let TokenGrid { frames, rows, cols } = info.grid;
        let channels = match file.shape("latents") {
            Some(&[f, r, c, channels]) if [f, r, c] == [frames, rows, cols] && channels > 0 => channels,
            Some(shape) => {
                return Err(bad(format!(
                    "latents are {shape:?}, but the grid is {frames} x {rows} x {cols}"
                )));
            }
            None => return Err(bad("no tensor \"latents\"".into())),
        };
        let values = file.read("latents").map_err(as_latents)?;
        let latents = Self::new(values, channels, info.grid, info.shape).map_err(|e| bad(e.to_string()))?;
        let latents = Self {
            fps: info.fps,
            ..latents
        };
        Ok((latents, info))
    }
}

impl LatentsInfo {
    /// Describes `latents` of a tokenizer.
    pub fn new(latents: &Latents, tokenizer: TokenizerInfo) -> Self {
        Self {
            tokenizer,
            grid: latents.grid,
            shape: latents.shape,
            fps: latents.fps,
            source: None,
            statistics: latents.statistics(),
        }
    }

    fn from_metadata(file: &TensorFile) -> std::result::Result<Self, String> {
        let text = |key: &str| file.metadata(key).ok_or(format!("no \"{key}\" in the metadata"));
        fn json<T: for<'de> Deserialize<'de>>(key: &str, text: &str) -> std::result::Result<T, String> {
            serde_json::from_str(text).map_err(|e| format!("\"{key}\" in the metadata: {e}"))
        }
        let fps = file.metadata("fps").map(|text| json("fps", text));
        Ok(Self {
            tokenizer: json("tokenizer", text("tokenizer")?)?,
            grid: json("grid", text("grid")?)?,
            shape: json("shape", text("shape")?)?,
            fps: fps.transpose()?,
            source: file.metadata("source").map(str::to_owned),
            statistics: json("statistics", text("statistics")?)?,
        })
    }
}
