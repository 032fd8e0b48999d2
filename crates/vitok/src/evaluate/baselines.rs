//! Codes without a network, of as many values as a model's latents: what the model must beat.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::candidate::Candidate;
use super::clip_set::ClipSet;
use crate::data::prefetch::{PrefetchLimits, prefetch};
use crate::observe::{Event, Observer};
use crate::tokenizer::Tokenizer;
use crate::tokenizer::baselines::{Bicubic, CodeSize, Jpeg, Pca, PcaFit};
use crate::{Error, Result};

/// The PCA that may lie in a model's folder.
const PCA_FILE: &str = "pca.safetensors";

/// Clips and bytes of pixels read ahead.
const PREFETCH: usize = 16;
const PREFETCH_BYTES: u64 = 256 << 20;

/// PCA of patches, bicubic and JPEG, beside the candidates of an evaluation.
#[derive(Clone, Debug)]
pub struct Baselines {
    /// How many values they may keep of a clip: as many as those of the model they stand beside.
    pub size: CodeSize,
    /// Where the principal components come from.
    pub pca: PcaSource,
}

/// Where the PCA of an evaluation comes from.
#[derive(Clone, Debug)]
pub enum PcaSource {
    /// There is none.
    None,
    /// One that was fitted before.
    Fitted(Pca),
    /// It is fitted on datasets, cropped as the protocol says.
    Fit {
        /// The datasets, none of whose images may be among the originals.
        data: Vec<String>,
        /// Where to write it.
        save: Option<PathBuf>,
    },
}

impl Baselines {
    /// Codes of the size of a model's latents, PCA by itself left out.
    pub fn of(model: &dyn Tokenizer) -> Self {
        Self {
            size: CodeSize::of(model),
            pca: PcaSource::None,
        }
    }

    /// The file of the PCA that lies in a model's folder, if there is one.
    pub fn pca_in(model: &Path) -> Option<PathBuf> {
        Some(model.join(PCA_FILE)).filter(|path| path.is_file())
    }

    /// Components of a PCA of single frames that has no fewer values than the latents.
    fn components(&self) -> usize {
        self.size.channels.div_ceil(self.size.tubelet.frames)
    }

    /// Refuses a PCA of another size, and to overwrite what is no PCA.
    pub(super) fn check(&self) -> Result<()> {
        match &self.pca {
            PcaSource::Fitted(pca) => {
                let (patch, components) = (self.size.tubelet.patch, self.components());
                if (pca.patch(), pca.channels()) == (patch, components) {
                    return Ok(());
                }
                Err(Error::InvalidArgument(format!(
                    "a PCA of {p} x {p} pixels to {} components cannot stand beside a model, for which it would be of \
                     {patch} x {patch} to {components}",
                    pca.channels(),
                    p = pca.patch(),
                )))
            }
            PcaSource::Fit { save: Some(path), .. } if path.exists() && Pca::load(path).is_err() => {
                Err(Error::Occupied {
                    path: path.clone(),
                    reason: "exists and is no PCA, so it is not overwritten".into(),
                })
            }
            _ => Ok(()),
        }
    }

    /// The codecs, after PCA is fitted where it must be, on what `open` makes of its datasets. What of these cannot be
    /// read is named in the second result. `originals` are the true paths of the originals.
    pub(super) fn candidates(
        &self,
        open: impl Fn(&[String]) -> Result<ClipSet>,
        originals: &[String],
        observer: &dyn Observer,
    ) -> Result<(Vec<Candidate>, Vec<Unread>)> {
        let mut unread = Vec::new();
        let pca = match &self.pca {
            PcaSource::None => None,
            PcaSource::Fitted(pca) => Some(pca.clone()),
            PcaSource::Fit { data, save } => {
                let clips = open(data)?;
                check_apart(originals, &clips)?;
                let pca = self.fit(&clips, observer, &mut unread)?;
                if let Some(path) = save {
                    pca.save(path)?;
                }
                Some(pca)
            }
        };
        let pca = pca.map(|pca| {
            let fingerprint = pca.digest()?;
            Ok(Candidate::baseline(pca, fingerprint))
        });
        let CodeSize { tubelet, channels } = self.size;
        let settings = format!("{} x {p} x {p} to {channels}", tubelet.frames, p = tubelet.patch);
        let mut candidates: Vec<Candidate> = pca.into_iter().collect::<Result<_>>()?;
        candidates.push(Candidate::baseline(Bicubic { size: self.size }, settings.clone()));
        candidates.push(Candidate::baseline(Jpeg { size: self.size }, settings));
        Ok((candidates, unread))
    }

    /// Fits the principal components of the patches of every frame.
    fn fit(&self, clips: &ClipSet, observer: &dyn Observer, unread: &mut Vec<Unread>) -> Result<Pca> {
        clips
            .warnings()
            .for_each(|warning| observer.event(Event::Warning(warning)));
        let limits = PrefetchLimits {
            workers: rayon::current_num_threads(),
            items: PREFETCH,
            bytes: PREFETCH_BYTES,
        };
        let mut fit = PcaFit::new(self.size.tubelet.patch);
        observer.event(Event::Begin {
            task: "fitting PCA",
            done: 0,
            total: clips.len() as u64,
        });
        let fitted = prefetch(
            clips.len(),
            limits,
            |index| clips.size_hint(index),
            |index| clips.read(index),
            |read| -> Result<()> {
                for (index, clip) in read.enumerate() {
                    if observer.cancelled() {
                        return Err(Error::Cancelled);
                    }
                    let clip = clip.unwrap_or_else(|| Err(Error::Internal("reading a file failed".into())));
                    let added = clip.and_then(|clip| clip.frames().iter().try_for_each(|frame| fit.add(frame)));
                    if let Err(error) = added {
                        unread.push((clips.name(index).to_owned(), error.message()));
                    }
                    observer.event(Event::Progress {
                        done: index as u64 + 1,
                        item: clips.name(index),
                    });
                }
                Ok(())
            },
        );
        observer.event(Event::End);
        fitted?;
        fit.finish(self.components())
    }
}

/// A file of the data that PCA is fitted on, and why it could not be read.
pub(super) type Unread = (String, String);

/// A baseline that is fitted on what it is scored on would be flattered.
fn check_apart(originals: &[String], fitted_on: &ClipSet) -> Result<()> {
    let originals: HashSet<&String> = originals.iter().collect();
    let fitted_on = fitted_on.identities();
    match fitted_on.into_iter().find(|fitted| originals.contains(fitted)) {
        Some(both) => Err(Error::Data {
            name: both,
            reason: "is among the originals and among the data that PCA is fitted on, too".into(),
        }),
        None => Ok(()),
    }
}
