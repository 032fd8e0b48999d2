//! `vitok completions`

use clap::CommandFactory;

use super::Outcome;
use crate::args::{Cli, CompletionsArgs};
use crate::terminal;

pub fn run(args: &CompletionsArgs) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "vitok", &mut script);
    terminal::line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Outcome::Done)
}
