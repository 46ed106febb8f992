//! The command line: each subcommand a file, named as the user types it.
//!
//! May know everything below through public APIs. What a command shows is made by pure functions from the values of
//! [`crate::domain::view`]; what it prints goes through [`output`], and how it ends through [`failure`].

mod arguments;
mod asking;
mod candidate;
mod check;
mod doctor;
mod explain;
mod failure;
mod figures;
mod logging;
mod output;
mod paths;
mod plan;
mod probe;
mod qualification;
mod replay;
mod routes;
mod run;
mod sparkline;
mod status;
mod survey;
mod table;
mod version;
mod withdraw;

#[cfg(test)]
pub(crate) mod golden;

#[cfg(test)]
pub(crate) fn explanation_in_words(explanation: &crate::domain::view::Explanation) -> String {
    explain::render(explanation, Style::default())
}

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use failure::Failure;
use output::Style;

/// Parses the arguments and runs the subcommand.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => {
            // Help and version end here too; a closed pipe is no reason to complain.
            let _ = answer.print();
            return ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(1));
        }
    };
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn dispatch(Arguments { global, command }: Arguments) -> Result<(), Failure> {
    let style = Style::of_stdout();
    match command {
        Command::Run { log_level } => run::run(&global, log_level),
        Command::Check { file, effective } => check::run(&global, file, effective, style),
        Command::Status => status::run(&global, style),
        Command::Paths { class, uplink } => paths::run(&global, &paths::Choice { class, uplink }, style),
        Command::Probe(asked) => probe::run(&global, &asked),
        Command::Plan { new, against } => plan::run(&global, new.as_deref(), &against, style),
        Command::Replay(asked) => replay::run(&global, &asked, style),
        Command::Survey(asked) => survey::run(&global, &asked, style),
        Command::Routes => routes::run(&global, style),
        Command::Explain { query, from } => explain::run(&global, query, from, style),
        Command::Doctor => doctor::run(&global, style),
        Command::Withdraw => withdraw::run(&global),
        Command::Version => version::run(&global),
    }
}

/// A replay's outcome as people read it on no screen in particular.
#[cfg(test)]
pub(crate) fn replay_in_words(report: &crate::replay::Report) -> String {
    replay::render(report, Style::default())
}

/// A plan as people read it on no screen in particular.
#[cfg(test)]
pub(crate) fn plan_in_words(name: &str, outcome: &crate::rehearsal::Outcome) -> String {
    plan::render(name, outcome, Style::default())
}

#[cfg(test)]
pub(crate) use golden::assert_golden;

/// A survey as people read it on no screen in particular.
#[cfg(test)]
pub(crate) fn survey_in_words(report: &crate::survey::SurveyReport) -> String {
    survey::render(report, Style::default())
}
