//! The arguments of `vitok completions`.

use clap::Args;

const HELP: &str = "Example:
  vitok completions bash > ~/.local/share/bash-completion/completions/vitok";

#[derive(Args)]
#[command(after_help = HELP)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
