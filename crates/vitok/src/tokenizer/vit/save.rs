//! Writing a model.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;

use super::model::VitTokenizer;
use super::network::tensor_name;
use super::weights::{CONFIG, CONFIG_KEY, DECODER, ENCODER, MODEL};
use crate::files::write_atomically;
use crate::nn::params;
use crate::weights::{Dtype, NewTensor, Underflow, first_beyond, out_of_range, write_tensors};
use crate::{Error, Result};

/// How to lay weights out on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightsFormat {
    /// `config.json` and `model.safetensors`.
    Vitok,
    /// `encoder.safetensors` and `decoder.safetensors`, as the ViTok-v2 release, with `config.json` beside them.
    Release,
}

impl VitTokenizer {
    /// Writes the model to a folder, atomically file by file. Returns the tensors of which `dtype` turns many values into
    /// 0.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::WeightRange`] before anything is written, if a value is beyond `dtype`;
    /// [`Error::InvalidArgument`] if a part is absent.
    pub fn save(&self, folder: &Path, format: WeightsFormat, dtype: Dtype) -> Result<Vec<Underflow>> {
        let (Some(encoder), Some(decoder)) = (&self.network.encoder, &self.network.decoder) else {
            return Err(Error::InvalidArgument("only a whole model can be saved".into()));
        };
        let lost = self.lost_in(dtype, folder)?;
        let config = serde_json::to_string_pretty(&self.config)
            .map_err(|e| Error::InvalidArgument(format!("the config cannot be written as JSON: {e}")))?;
        let metadata = BTreeMap::from([(CONFIG_KEY.to_owned(), config.clone())]);
        let (encoder, decoder) = (tensors_of(encoder), tensors_of(decoder));
        match format {
            WeightsFormat::Vitok => {
                let tensors = encoder.into_iter().chain(decoder).collect();
                write_tensors(&folder.join(MODEL), &metadata, tensors, dtype)?;
            }
            WeightsFormat::Release => {
                write_tensors(&folder.join(ENCODER), &metadata, encoder, dtype)?;
                write_tensors(&folder.join(DECODER), &metadata, decoder, dtype)?;
            }
        }
        write_atomically(&folder.join(CONFIG), |out| {
            out.write_all(config.as_bytes())?;
            out.write_all(b"\n")
        })?;
        Ok(lost)
    }

    /// What storing the weights in a dtype loses.
    fn lost_in(&self, dtype: Dtype, folder: &Path) -> Result<Vec<Underflow>> {
        let mut lost = Vec::new();
        let mut outcome = Ok(());
        if dtype == Dtype::F32 {
            return Ok(lost);
        }
        params::for_each(&self.network, |path, _, parameter| {
            if outcome.is_err() {
                return;
            }
            let name = tensor_name(path);
            outcome = parameter.reader()().and_then(|values| match first_beyond(&values, dtype) {
                Some(value) => Err(out_of_range(folder, name.to_owned(), value, dtype)),
                None => {
                    lost.extend(Underflow::of(name, &values, dtype));
                    Ok(())
                }
            });
        });
        outcome.map(|()| lost)
    }
}

fn tensors_of<M: Module>(part: &M) -> Vec<NewTensor<'_>> {
    let mut tensors = Vec::new();
    params::for_each(part, |name, shape, parameter| {
        let read = parameter.reader();
        tensors.push(NewTensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            values: Box::new(move || read().map_err(std::io::Error::other)),
        });
    });
    tensors
}
