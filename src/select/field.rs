//! The uplinks of a class as they compete: policy's order, each with what is known of its path.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    config::Margin,
    domain::{BootTime, IspId, PathState, UplinkId},
};

use super::{
    Label, Memory, Moment, PathInput, Policy, Standing,
    policy::{Entry, Ranking},
};

/// One uplink in the competition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runner<'a> {
    entry: &'a Entry,
    path: Option<&'a PathInput>,
    /// Position in the order of preference, 0 first.
    pub rank: usize,
}

impl<'a> Runner<'a> {
    pub fn uplink(&self) -> UplinkId {
        self.entry.uplink
    }

    pub fn isp(&self) -> IspId {
        self.entry.isp
    }

    pub fn label(&self) -> &'a Label {
        &self.entry.label
    }

    pub fn standing(&self) -> Standing {
        self.entry.standing
    }

    pub fn note(&self) -> Option<&'a str> {
        self.entry.note.as_deref()
    }

    pub fn excluded(&self) -> bool {
        self.entry.standing == Standing::Excluded
    }

    /// The path, whether the kernel has a way through the uplink or not; none where it does not carry the family.
    pub fn path(&self) -> Option<&'a PathInput> {
        self.path
    }

    /// The path, if the kernel has a way through the uplink.
    pub fn attached(&self) -> Option<&'a PathInput> {
        self.path.filter(|path| path.unattached.is_none())
    }

    /// State of the path; down where the kernel has no way through the uplink.
    pub fn state(&self) -> PathState {
        self.attached().map_or(PathState::Down, |path| path.state)
    }

    /// Whether policy and kernel allow it, whatever its state.
    pub fn open(&self) -> bool {
        !self.excluded() && self.attached().is_some()
    }

    /// Whether it is allowed and in this very state.
    pub fn is(&self, state: PathState) -> bool {
        self.open() && self.state() == state
    }

    /// Whether its path carries packets, whatever policy says.
    pub fn answers(&self) -> bool {
        matches!(self.state(), PathState::Up | PathState::Degraded)
    }

    /// Since when its path is in its state.
    pub fn since(&self) -> BootTime {
        self.path.map(|path| path.since).unwrap_or_default()
    }

    /// Whether traffic may newly be put on it.
    pub fn usable(&self) -> bool {
        !self.excluded() && self.answers()
    }

    /// Whether the policy prefers it here.
    pub fn is_preferred(&self) -> bool {
        self.entry.standing.is_preferred()
    }

    /// Its part where several are in charge at once.
    pub fn weight(&self) -> u8 {
        self.entry.weight
    }

    /// Whether its ISP is a qualified partner here.
    pub fn qualified(&self) -> bool {
        self.entry.qualified
    }

    /// Its RTT as strategies compare it: the recent median.
    pub fn rtt(&self) -> Option<Duration> {
        let figures = &self.attached()?.figures;
        figures.rtt_recent.or(figures.rtt_median)
    }

    /// Why it is in its state, in words.
    pub fn cause(&self) -> String {
        match self.path {
            _ if self.excluded() => self.note().unwrap_or("excluded by policy").to_owned(),
            None => "not known".to_owned(),
            Some(PathInput { unattached: Some(unattached), .. }) => unattached.to_string(),
            Some(path) => path.evidence.clone(),
        }
    }
}

/// All uplinks in the order of preference, at one moment.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub policy: &'a Policy,
    pub moment: Moment,
    runners: Vec<Runner<'a>>,
    /// Those that have been faster than the one in charge, by the margin of the policy, and since when.
    rivals: Vec<(UplinkId, BootTime)>,
}

impl<'a> Field<'a> {
    pub fn new(
        policy: &'a Policy,
        paths: &'a BTreeMap<UplinkId, PathInput>,
        memory: &Memory,
        moment: Moment,
    ) -> Self {
        let runners = (policy.entries.iter().enumerate())
            .map(|(rank, entry)| Runner { entry, path: paths.get(&entry.uplink), rank })
            .collect();
        let mut field = Self { policy, moment, runners, rivals: Vec::new() };
        field.rivals = memory.chosen.map(|chosen| field.rivals_of(chosen, &memory.rivals)).unwrap_or_default();
        field
    }

    /// Time since boot.
    pub fn now(&self) -> BootTime {
        self.moment.at
    }

    /// All of them, most preferred first.
    pub fn runners(&self) -> impl Iterator<Item = Runner<'a>> {
        self.runners.iter().copied()
    }

    /// The one of that id.
    pub fn runner(&self, uplink: UplinkId) -> Option<Runner<'a>> {
        self.runners().find(|runner| runner.uplink() == uplink)
    }

    /// Those that have been faster than the one in charge, and since when.
    pub fn rivals(&self) -> &[(UplinkId, BootTime)] {
        &self.rivals
    }

    /// Those that policy prefers to `runner` whatever is measured, most preferred first.
    pub fn preferred_to(&self, runner: Runner<'a>) -> impl Iterator<Item = Runner<'a>> {
        let by_merit = self.is_by_merit() && runner.is_preferred();
        self.runners().take_while(move |other| other.rank < runner.rank && !by_merit)
    }

    /// Those that are up and better than the one in charge, best first, and since when.
    pub fn better_than(&self, current: Runner<'a>) -> Vec<(Runner<'a>, BootTime)> {
        let mut better: Vec<_> = if self.is_by_merit() && current.is_preferred() {
            let rivals = self.rivals.iter();
            rivals.filter_map(|(uplink, since)| Some((self.runner(*uplink)?, *since))).collect()
        } else {
            self.preferred_to(current).map(|runner| (runner, runner.since())).collect()
        };
        better.retain(|(runner, _)| runner.is(PathState::Up));
        better.sort_by_key(|(runner, _)| self.merit(runner));
        better.into_iter().map(|(runner, since)| (runner, since.max(runner.since()))).collect()
    }

    /// The best one that is up.
    pub fn first_up(&self) -> Option<Runner<'a>> {
        self.first_in(PathState::Up)
    }

    /// The best one that is up, else that is degraded.
    pub fn best(&self) -> Option<Runner<'a>> {
        self.first_up().or_else(|| self.first_in(PathState::Degraded))
    }

    /// The best one that traffic may be put on, but for these.
    pub fn best_besides(&self, apart: &[UplinkId]) -> Option<Runner<'a>> {
        let others = self.runners().filter(|runner| runner.usable() && !apart.contains(&runner.uplink()));
        others.min_by_key(|runner| (runner.state(), self.merit(runner)))
    }

    /// Whether `runner` may turn out better than `other`, once it is measured.
    pub fn could_beat(&self, runner: &Runner<'a>, other: &Runner<'a>) -> bool {
        let order_decides = self.policy.ranking == Ranking::Ordered || !runner.is_preferred();
        if order_decides { runner.rank < other.rank } else { true }
    }

    /// Whether first measurements are under way and may still take a moment.
    pub fn being_measured(&self, runner: &Runner<'a>) -> bool {
        runner.is(PathState::Unknown) && self.now() < self.measured_by(runner)
    }

    /// When the first measurements of an unknown path are no longer waited for.
    pub fn measured_by(&self, runner: &Runner<'a>) -> BootTime {
        runner.since() + self.policy.first_measurement
    }

    /// Whether it is in charge because it is the fastest of those that are preferred.
    pub fn is_fastest(&self, runner: &Runner<'a>) -> bool {
        self.is_by_merit() && runner.is_preferred()
    }

    /// The other preferred ones that are up, with their RTTs, fastest first.
    pub fn slower_than(&self, chosen: &Runner<'a>) -> Vec<(Label, Duration)> {
        let up = |runner: &Runner<'a>| {
            runner.uplink() != chosen.uplink() && runner.is_preferred() && runner.is(PathState::Up)
        };
        let mut others: Vec<_> =
            self.runners().filter(up).filter_map(|runner| Some((runner.label().clone(), runner.rtt()?))).collect();
        others.sort_by_key(|(_, rtt)| *rtt);
        others
    }

    fn first_in(&self, state: PathState) -> Option<Runner<'a>> {
        self.runners().filter(|runner| runner.is(state)).min_by_key(|runner| self.merit(runner))
    }

    fn is_by_merit(&self) -> bool {
        matches!(self.policy.ranking, Ranking::Fastest(_))
    }

    /// What is compared among those in one state, the least first. A path without an RTT is the slowest.
    fn merit(&self, runner: &Runner<'a>) -> (bool, Duration, usize) {
        let by_speed = self.is_by_merit() && runner.is_preferred();
        let rtt = if by_speed { runner.rtt().unwrap_or(Duration::MAX) } else { Duration::ZERO };
        (!runner.is_preferred() && self.is_by_merit(), rtt, runner.rank)
    }

    /// Those that are faster than `chosen` by the margin, and since when, as far as that was known.
    pub fn rivals_of(&self, chosen: UplinkId, known: &[(UplinkId, BootTime)]) -> Vec<(UplinkId, BootTime)> {
        let Ranking::Fastest(margin) = self.policy.ranking else { return Vec::new() };
        let current = self.runner(chosen).filter(Runner::is_preferred);
        let Some(rtt) = current.and_then(|current| current.rtt()) else { return Vec::new() };
        let ahead = |runner: &Runner<'a>| {
            runner.uplink() != chosen
                && runner.is_preferred()
                && runner.is(PathState::Up)
                && runner.rtt().is_some_and(|faster| is_faster(faster, rtt, margin))
        };
        let known = |uplink| known.iter().find(|(rival, _)| *rival == uplink).map(|(_, since)| *since);
        let rivals = self.runners().filter(ahead).map(|runner| runner.uplink());
        rivals.map(|uplink| (uplink, known(uplink).unwrap_or(self.now()))).collect()
    }
}

/// Whether `rtt` is less than `than` by all of the margin.
pub(super) fn is_faster(rtt: Duration, than: Duration, margin: Margin) -> bool {
    let gained = than.saturating_sub(rtt);
    !gained.is_zero() && gained >= margin.difference && gained.as_secs_f64() >= than.as_secs_f64() * margin.share
}

/// By how much an RTT must be less than `than`.
pub(super) fn lead_needed(than: Duration, margin: Margin) -> Duration {
    margin.difference.max(than.mul_f64(margin.share))
}
