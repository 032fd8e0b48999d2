//! The vitok command line: parses, dispatches, and turns errors into exit codes.
//!
//! Exit codes: 0 all went well; 1 something failed (also one file of many); 2 the command line
//! could not be understood; 130 stopped by Ctrl-C.

mod ahead;
mod args;
mod batch;
mod commands;
mod interrupt;
mod memory;
mod model;
mod output;
mod preprocess;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    interrupt::handle();
    memory::keep();
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Info(args) => commands::info::run(&args),
        Command::Download(args) => commands::download::run(&args),
        Command::Encode(args) => commands::encode::run(&args),
        Command::Decode(args) => commands::decode::run(&args),
        Command::Reconstruct(args) => commands::reconstruct::run(&args),
        Command::Train(args) => commands::train::run(&args),
        Command::Compare(args) => commands::compare::run(&args),
        Command::Evaluate(args) => commands::evaluate::run(&args),
        Command::Convert(args) => commands::convert::run(&args),
        Command::Init(args) => commands::init::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            output::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
