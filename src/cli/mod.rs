//! The command line: each subcommand a file.
//!
//! May know everything below through public APIs.

use std::process::ExitCode;

/// Parses the arguments and runs the subcommand.
pub fn main() -> ExitCode {
    todo!()
}
