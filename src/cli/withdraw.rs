//! `peerward withdraw`: everything of ours out of the kernel, with or without a running agent.

use serde_json::json;

use super::{
    arguments::Global,
    asking,
    failure::{Code, Failure},
    figures::count,
    output::{print, print_json},
};
use crate::{
    config,
    kernel::{FibSocket, KernelError},
    local::{Answer, ControlSocket, Request},
    plan::{Fib, difference},
};

/// Most rounds of looking and removing: for four million leftovers.
const ROUNDS: usize = 64;

/// Asks the running agent; if none runs, does it here.
pub fn run(global: &Global) -> Result<(), Failure> {
    match asking::ask(global, &Request::Withdraw) {
        Ok(Answer::Withdrawn { removed }) => tell(global, removed, "agent"),
        Ok(_) => Err(asking::mismatch()),
        Err(failure) if failure.code() == Code::NoAgent => tell(global, withdraw_here(global)?, "command"),
        Err(failure) => Err(failure),
    }
}

fn tell(global: &Global, removed: usize, by: &str) -> Result<(), Failure> {
    if global.json {
        return print_json(&json!({ "removed": removed, "by": by }));
    }
    let objects = count(removed, "object", "objects");
    let rest = match by {
        "agent" => "by the running agent, which steers nothing until it is restarted",
        _ => "by this command; no agent is running",
    };
    print(&format!("{objects} removed from the kernel {rest}\n"))
}

/// Removes what carries the marks of the configuration. Holds the agent's own socket meanwhile: an agent that runs
/// elsewhere than was asked, or starts just now, would put everything back.
fn withdraw_here(global: &Global) -> Result<usize, Failure> {
    let config = config::load(global.config_file()).map_err(|error| {
        let failure = Failure::new(Code::Config, error);
        failure.with_hint("no agent is running, and without a configuration it is not known what is peerward's")
    })?;
    let _held = ControlSocket::bind(&config.control.socket)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Code::Failed, format_args!("cannot start a runtime: {error}")))?;
    runtime.block_on(remove_all(&config.kernel))
}

/// Round by round until a fresh look finds nothing: one look remembers so many leftovers and no more.
async fn remove_all(own: &config::Kernel) -> Result<usize, Failure> {
    let failed = |error: KernelError| Failure::new(Code::Failed, error);
    let mut fib = FibSocket::open(own).map_err(failed)?;
    let mut done = 0;
    for _ in 0..ROUNDS {
        let observed = fib.read().await.map_err(failed)?;
        if observed.objects() == 0 && fib.leftovers() == 0 {
            return Ok(done);
        }
        let (removed, refusal) = remove_seen(&mut fib, &observed).await.map_err(failed)?;
        done += removed;
        if let (0, Some(error)) = (removed, refusal) {
            return Err(refused(done, &error));
        }
    }
    Err(Failure::new(
        Code::Failed,
        format_args!("{done} objects removed in {ROUNDS} rounds, and there are still some that carry our marks"),
    )
    .with_hint(format!("another program adds them: stop it, or what carries protocol number {}", own.protocol)))
}

/// Removes what was last seen; returns how much went, and the first refusal.
async fn remove_seen(fib: &mut FibSocket, observed: &Fib) -> Result<(usize, Option<KernelError>), KernelError> {
    let before = fib.leftovers();
    let applied = fib.apply(&difference(&Fib::default(), observed)).await;
    if let Some(error) = applied.broken {
        return Err(error);
    }
    // Routes behind others of ours go as that is applied, and count as leftovers until then.
    let shadows = before.saturating_sub(fib.leftovers());
    let (cleared, refusal) = fib.clear_leftovers().await?;
    Ok((applied.done + shadows + cleared, applied.first_refusal.map(|(_, error)| error).or(refusal)))
}

fn refused(done: usize, first: &KernelError) -> Failure {
    Failure::new(
        Code::Failed,
        format_args!(
            "{done} objects removed; the kernel refused the others (run as root, or with CAP_NET_ADMIN)\n  {first}"
        ),
    )
}
