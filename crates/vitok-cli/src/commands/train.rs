//! `vitok train`

use crate::args::TrainArgs;
pub fn run(_args: &TrainArgs) -> anyhow::Result<super::Outcome> {
    todo!("after the training wing")
}
