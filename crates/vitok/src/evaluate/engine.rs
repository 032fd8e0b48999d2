//! The one function that evaluates.

use super::assemble::report;
use super::config::EvaluateConfig;
use super::evaluation::Evaluation;
use super::previous_report;
use super::report::Report;
use crate::observe::Observer;
use crate::{Device, Result};

/// Scores every candidate of `config` against the originals. Networks of metrics compute on `device`; codecs where they
/// are.
///
/// What is done is stored in [`EvaluateConfig::out`] clip by clip: an evaluation that was stopped, by the observer, an
/// error or the end of the program, goes on from there to the same scores, and a later one takes from there what has not
/// changed. Scores are stored under the hashes of the files they are of, so that no other file's are taken, whatever is
/// called what; what has changed the observer is told. Clips that cannot be read, reconstructed or compared are
/// [skipped](Report::skipped) and the others scored.
///
/// # Errors
/// - [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a configuration that contradicts itself;
/// - [`Error::Data`](crate::Error::Data), [`Error::NoPairs`](crate::Error::NoPairs) for datasets that cannot be used;
/// - [`Error::TooFewFrames`](crate::Error::TooFewFrames) for a metric or model of longer clips;
/// - [`Error::PretrainedWeights`](crate::Error::PretrainedWeights), [`Error::Weights`](crate::Error::Weights) for a
///   metric asked for without usable weights;
/// - [`Error::InUse`](crate::Error::InUse) while another evaluation works in the folder;
/// - [`Error::Cancelled`](crate::Error::Cancelled) if the observer asked for it;
/// - [`Error::Io`](crate::Error::Io).
pub fn evaluate(config: &EvaluateConfig, device: &Device, observer: &dyn Observer) -> Result<Report> {
    config.check()?;
    let evaluation = Evaluation::open(config, device, observer)?;
    previous_report::compare(&evaluation);
    let passes = evaluation.run()?;
    report(&evaluation, &passes)
}
