//! The uplinks of a class as they compete: policy's order, each with what is known of its path.

use std::collections::BTreeMap;

use crate::domain::{BootTime, IspId, PathState, UplinkId};

use super::{Label, PathInput, Policy, Standing, policy::Entry};

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

    /// Since when its path is in its state.
    pub fn since(&self) -> BootTime {
        self.path.map(|path| path.since).unwrap_or_default()
    }

    /// Whether traffic may newly be put on it.
    pub fn usable(&self) -> bool {
        self.is(PathState::Up) || self.is(PathState::Degraded)
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
    pub now: BootTime,
    runners: Vec<Runner<'a>>,
}

impl<'a> Field<'a> {
    pub fn new(policy: &'a Policy, paths: &'a BTreeMap<UplinkId, PathInput>, now: BootTime) -> Self {
        let runners = (policy.entries.iter().enumerate())
            .map(|(rank, entry)| Runner { entry, path: paths.get(&entry.uplink), rank })
            .collect();
        Self { policy, now, runners }
    }

    /// All of them, most preferred first.
    pub fn runners(&self) -> impl Iterator<Item = Runner<'a>> {
        self.runners.iter().copied()
    }

    /// The one of that id.
    pub fn runner(&self, uplink: UplinkId) -> Option<Runner<'a>> {
        self.runners().find(|runner| runner.uplink() == uplink)
    }

    /// Those that policy prefers to `runner`, most preferred first.
    pub fn ahead_of(&self, runner: Runner<'a>) -> impl Iterator<Item = Runner<'a>> {
        self.runners().take_while(move |other| other.rank < runner.rank)
    }

    /// The most preferred one that is up.
    pub fn first_up(&self) -> Option<Runner<'a>> {
        self.runners().find(|runner| runner.is(PathState::Up))
    }

    /// The most preferred one that is up, else that is degraded.
    pub fn best(&self) -> Option<Runner<'a>> {
        self.first_up().or_else(|| self.runners().find(|runner| runner.is(PathState::Degraded)))
    }

    /// Whether first measurements are under way and may still take a moment.
    pub fn being_measured(&self, runner: &Runner<'a>) -> bool {
        runner.is(PathState::Unknown) && self.now < self.measured_by(runner)
    }

    /// When the first measurements of an unknown path are no longer waited for.
    pub fn measured_by(&self, runner: &Runner<'a>) -> BootTime {
        runner.since() + self.policy.first_measurement
    }

    /// Whether it has been up long enough to return to.
    pub fn proven(&self, runner: &Runner<'a>) -> bool {
        runner.is(PathState::Up) && self.now.at_least_after(runner.since(), self.policy.return_after)
    }
}
