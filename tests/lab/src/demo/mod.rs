//! The demo: a live story in seven steps, each of which must do what it should.

mod narrator;
mod stage;
mod steps;
mod summary;

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    process::ExitCode,
    time::Instant,
};

use narrator::Narrator;
use stage::Stage;
use summary::{Step, Summary};

/// Switches of the demo.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Options {
    /// One JSON object a line; the last one is the summary
    #[arg(long)]
    pub json: bool,
    /// Wait for Enter between the steps, to look around with ip(8)
    #[arg(long, conflicts_with = "json")]
    pub pause: bool,
}

/// Runs it with this binary of the agent, or with the workspace's own, built if need be. Success only if every step did
/// what it should.
pub fn run(options: Options, binary: Option<PathBuf>) -> ExitCode {
    let mut narrator = Narrator::new(options.json, wants_colour());
    let built = binary.map_or_else(
        || {
            narrator.note("building peerward, if it is not built yet");
            crate::find_binary()
        },
        Ok,
    );
    narrator.restart_clock();
    let started = Instant::now();
    let mut stage = match built.and_then(Stage::build) {
        Ok(stage) => stage,
        Err(error) => {
            narrator.failure(&error.to_string());
            narrator.summary(&Summary::default());
            return ExitCode::FAILURE;
        }
    };
    narrator.picture(&stage);
    let mut summary = Summary::default();
    for scene in steps::SCENES {
        if options.pause {
            pause();
        }
        let step = play(scene, &mut stage, &mut summary, &mut narrator);
        let ok = step.ok;
        narrator.result(&step);
        summary.steps.push(step);
        if !ok {
            // Later steps begin where this one should have ended.
            narrator.failure(&format!("end of the agent's log:\n{}", stage.agent.log_tail()));
            break;
        }
    }
    summary.finish(steps::SCENES.len(), started.elapsed());
    narrator.summary(&summary);
    if summary.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn play(scene: &steps::Scene, stage: &mut Stage, summary: &mut Summary, narrator: &mut Narrator) -> Step {
    narrator.step(scene.letter, scene.title);
    let started = Instant::now();
    let mut step = Step::new(scene.letter, scene.title);
    if let Err(error) = (scene.play)(stage, summary, narrator, &mut step) {
        step.ok = false;
        step.failure = Some(error.to_string());
    }
    step.seconds = summary::seconds(started.elapsed());
    step
}

/// Colours are for terminals, unless `NO_COLOR` (no-color.org) says otherwise.
fn wants_colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn pause() {
    eprint!("-- Enter to go on ");
    // At the end of the input the demo goes on without pauses.
    let _ = io::stdin().read_line(&mut String::new());
}
