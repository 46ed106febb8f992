//! Every uplink as it was considered, with the verdict in words.

use crate::domain::{PathState, UplinkId};

use super::{
    Candidate, Standing,
    field::{Field, Runner},
    reason::Seconds,
};

/// All uplinks, best first.
pub(super) fn candidates(field: &Field<'_>, chosen: Option<UplinkId>) -> Vec<Candidate> {
    let mut runners: Vec<Runner<'_>> = field.runners().collect();
    let usable = |runner: &Runner<'_>| runner.usable() || Some(runner.uplink()) == chosen;
    runners.sort_by_key(|runner| (!usable(runner), runner.state(), runner.rank));
    runners
        .into_iter()
        .map(|runner| Candidate {
            uplink: runner.uplink(),
            standing: runner.standing(),
            qualified: runner.qualified(),
            state: runner.state(),
            usable: usable(&runner),
            verdict: verdict(field, &runner, chosen),
        })
        .collect()
}

/// `up, RTT 12.1 ms, loss 0.0 % (20 probes); preferred #1 (global preference)`.
fn verdict(field: &Field<'_>, runner: &Runner<'_>, chosen: Option<UplinkId>) -> String {
    if runner.excluded() {
        return format!("excluded: {}", runner.cause());
    }
    let state = match runner.attached() {
        None => format!("not attached: {}", runner.cause()),
        Some(path) => format!("{}, {}", path.state, path.evidence),
    };
    let rule = field.policy.rule.as_deref().unwrap_or_default();
    let place = match runner.standing() {
        Standing::Rule => format!("preferred #{} (rule {rule})", runner.rank + 1),
        Standing::MarketOverride => {
            format!("preferred #{} (override for {})", runner.rank + 1, field.policy.market)
        }
        Standing::GlobalPreference => format!("preferred #{} (global preference)", runner.rank + 1),
        Standing::Fallback | Standing::Excluded => "fallback".to_owned(),
    };
    let unqualified = if runner.qualified() { "" } else { ", unqualified" };
    let note = runner.note().map(|note| format!("; {note}")).unwrap_or_default();
    let returns = returns(field, runner, chosen).unwrap_or_default();
    format!("{state}; {place}{unqualified}{note}{returns}")
}

/// What is still missing before traffic returns to a more preferred uplink.
fn returns(field: &Field<'_>, runner: &Runner<'_>, chosen: Option<UplinkId>) -> Option<String> {
    let chosen = field.runner(chosen?)?;
    let waits = runner.rank < chosen.rank && runner.is(PathState::Up);
    let up_for = field.now().since(runner.since());
    (waits && up_for < field.policy.return_after)
        .then(|| format!("; taken when up for {}: {} so far", Seconds(field.policy.return_after), Seconds(up_for)))
}
