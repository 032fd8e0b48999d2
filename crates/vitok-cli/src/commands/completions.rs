//! `vitok completions`

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};

pub fn run(args: &CompletionsArgs) -> anyhow::Result<bool> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "vitok", &mut script);
    crate::output::line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(true)
}
