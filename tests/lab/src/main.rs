//! `peerward-lab`: the branch in a box for people.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
#[cfg(feature = "bench")]
use peerward_lab::bench;
use peerward_lab::demo;

/// A branch router, its ISPs and a Microsoft edge in network namespaces of this machine.
#[derive(Debug, Parser)]
#[command(version, about)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the real peerward in the box and shows how it steers, fails over and reports
    Demo(demo::Options),
    /// Measures Peerward beside `ip`, BIRD and FRR in namespaces of this machine
    #[cfg(feature = "bench")]
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let line = CommandLine::parse();
    // Before any thread starts: a process with threads cannot enter a user namespace.
    if let Err(error) = peerward_lab::enter() {
        eprintln!("peerward-lab: {error}");
        return ExitCode::FAILURE;
    }
    match line.command {
        Command::Demo(options) => demo::run(options, None),
        #[cfg(feature = "bench")]
        Command::Bench(options) => bench::run(&options, None),
    }
}
