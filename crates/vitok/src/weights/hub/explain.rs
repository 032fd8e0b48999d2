//! A failed download from the hub as an error that says what to do about it.

use super::model_ref::ModelRef;
use super::settings::Hub;
use crate::Error;
use crate::weights::download::Failure;

impl Hub {
    /// The error of a download of `model` that failed.
    pub(super) fn error(&self, failure: &Failure, model: &ModelRef) -> Error {
        if let Failure::Cancelled = failure {
            return Error::Cancelled;
        }
        let mut remedies = Vec::new();
        if failure.is_resumable() {
            remedies.push(model.download());
        }
        // Where other files would do as well as the hub's.
        if !matches!(
            failure,
            Failure::Missing(_) | Failure::StalePart | Failure::Locked(_) | Failure::Disk(_)
        ) {
            remedies.push(model.bring_files(&self.shown_endpoint()));
        }
        model.error(self.reason(failure, model), remedies)
    }

    fn reason(&self, failure: &Failure, model: &ModelRef) -> String {
        let endpoint = self.shown_endpoint();
        let (repository, revision) = (&model.repository, &model.revision);
        let message = failure.message(&endpoint, &self.cache_folder);
        match failure {
            Failure::Unreachable(_) | Failure::Busy(_) => format!("{message}; for a mirror set HF_ENDPOINT"),
            Failure::Refused(status) => format!(
                "{endpoint} refuses access to {repository} (status {status}): there is none of that name, or it is not \
                 public. Check the name{}; {}",
                model.suggestion(),
                self.token_advice()
            ),
            Failure::Missing(what) => format!(
                "{endpoint} has no {what} in {repository} at revision {revision} (status 404). Check the name{} and the \
                 revision; if a mirror is set with HF_ENDPOINT, it may lack the model",
                model.suggestion()
            ),
            Failure::Disk(_) => format!("{message}, or set HF_HOME to another folder"),
            Failure::Unexpected(what) => {
                format!("{endpoint} does not answer like a model hub ({what}). Check HF_ENDPOINT and the proxy")
            }
            _ => message,
        }
    }

    fn token_advice(&self) -> &'static str {
        if self.token.is_some() {
            "the token in use (HF_TOKEN, or the file token in HF_HOME) is not accepted or gives no access: set HF_TOKEN \
             to one that does"
        } else {
            "for a private or gated model set HF_TOKEN to a token with access"
        }
    }
}
