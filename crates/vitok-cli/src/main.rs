//! The vitok command line: parses, dispatches, and turns outcomes into exit codes.
//!
//! Exit codes: 0 all went well; 1 something failed (also one file of many); 2 the command line could not be understood;
//! 130 stopped by Ctrl-C.

mod args;
mod commands;
mod interrupt;
mod memory;
mod terminal;

use std::process::{ExitCode, exit};

use clap::Parser;

use args::{Cli, Command};
use commands::Outcome;

fn main() -> ExitCode {
    interrupt::handle(|code| exit(code.into()), terminal::note);
    memory::keep();
    let outcome = match Cli::parse().command {
        Command::Info(args) => commands::info::run(&args),
        Command::Download(args) => commands::download::run(&args),
        Command::Encode(args) => commands::encode::run(&args),
        Command::Decode(args) => commands::decode::run(&args),
        Command::Reconstruct(args) => commands::reconstruct::run(&args),
        Command::Train(args) => commands::train::run(&args),
        Command::Evaluate(args) => commands::evaluate::run(&args),
        Command::Convert(args) => commands::convert::run(&args),
        Command::Init(args) => commands::init::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failures) => ExitCode::FAILURE,
        Ok(Outcome::Stopped) => ExitCode::from(interrupt::EXIT_CODE),
        Err(error) => {
            terminal::error(&terminal::describe(&error));
            ExitCode::FAILURE
        }
    }
}
