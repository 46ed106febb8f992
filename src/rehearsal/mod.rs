//! Pure: what a new configuration would change, before anybody loads it. It is put in charge of what is known of the router
//! and its paths, time runs on until no hold keeps anything, and the outcome is laid beside what stands.
//!
//! May know the agent's engine, plan and views, all as values. Does no I/O, reads no clock; writes nothing.
//!
//! | file | its one idea |
//! |---|---|
//! | `knowledge` | what a running agent tells of paths and of what is in charge, in the words of another configuration |
//! | `steady` | a router on which everything works, for two configurations that are compared on paper |
//! | `outcome` | what changes, as data |
//! | `concerns` | what should be thought over before |

mod concerns;
mod knowledge;
mod outcome;
mod steady;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::{
    agent::{Candidate, Engine},
    domain::{BootTime, RouterState, view::Snapshot},
    plan::Fib,
};

pub use outcome::{ClassOutcome, KernelOutcome, Outcome, Space};
use outcome::{Standing, Stood};

/// How far time runs on: longer than any hold but the windows of another day.
const HORIZON: Duration = Duration::from_secs(24 * 3600);

/// Reviews after which it ends, whatever is still held.
const MOST_REVIEWS: usize = 10_000;

/// What is known of a router on which an agent runs.
#[derive(Debug)]
pub struct Running<'a> {
    /// What the agent tells.
    pub snapshot: &'a Snapshot,
    /// The picture of the router.
    pub router: &'a RouterState,
    /// What our tables hold; absent when it cannot be read.
    pub held: Option<&'a Fib>,
}

/// What would become of a running agent with that configuration, begun at `now`.
pub fn against_running(candidate: &Candidate, engine: Engine, running: &Running<'_>, now: BootTime) -> Outcome {
    let engine = knowledge::given(engine, running.snapshot, now);
    let (engine, after) = settled(engine, running.router, now);
    let stood = Stood::of_snapshot(running.snapshot);
    let held = running.held.cloned().unwrap_or_default();
    let mut outcome = outcome::compare(&engine, &stood, &held, &after, "running");
    outcome.kernel.known = running.held.is_some();
    outcome.concerns.extend(concerns::of(candidate, &engine.desired()));
    outcome.concerns.extend(concerns::of_identity(candidate, running.snapshot));
    outcome
}

/// What two configurations make of a router on which every uplink works.
pub fn against_other(candidate: &Candidate, other: &Candidate) -> Outcome {
    let now = BootTime(2 * HORIZON);
    let at_rest = |of: &Candidate, interfaces: &[String]| {
        settled(steady::given(of.engine(now), now), &steady::router(interfaces), now)
    };
    let interfaces = steady::interfaces(&[&other.config, &candidate.config]);
    let (before, _) = at_rest(other, &interfaces);
    let (engine, _) = at_rest(candidate, &interfaces);
    let stood = Stood::of_engine(&before);
    let mut outcome = outcome::compare(&engine, &stood, &before.desired(), &Standing::default(), &other.name);
    outcome.concerns.extend(concerns::of(candidate, &engine.desired()));
    outcome
}

/// Lets time run on until nothing is held any more; when each class was decided as it is then.
fn settled(mut engine: Engine, router: &RouterState, begin: BootTime) -> (Engine, Standing) {
    let mut standing = Standing::default();
    engine.router_changed(router, begin);
    standing.note(&engine, Duration::ZERO);
    let mut now = begin;
    for _ in 0..MOST_REVIEWS {
        let Some(next) = engine.next_review().filter(|next| next.since(begin) <= HORIZON) else { break };
        now = now.max(next);
        engine.review(now);
        standing.note(&engine, now.since(begin));
    }
    (engine, standing)
}
