//! Keeps a failure that hits every probe from filling the log.

use std::{io, time::Duration};

use super::{resolve::ResolveError, schedule::Assignment};
use crate::domain::BootTime;

/// Least time between two warnings of one kind.
const INTERVAL: Duration = Duration::from_secs(60);

/// When each kind was last complained of.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    probes: Option<BootTime>,
    names: Option<BootTime>,
}

impl Complaints {
    /// This machine could not try to probe.
    pub fn cannot_probe(&mut self, now: BootTime, assignment: &Assignment, error: &io::Error) {
        if is_time(&mut self.probes, now) {
            log::warn!(
                "cannot probe {} through {}: {error}; paths stay unmeasured. Check the agent's limit of open files and, \
                 on kernels before 5.7, its CAP_NET_RAW",
                assignment.target,
                assignment.path.interface
            );
        }
    }

    /// A name of a target was not resolved.
    pub fn cannot_resolve(&mut self, now: BootTime, error: &ResolveError) {
        if is_time(&mut self.names, now) {
            log::warn!("{error}; its last known addresses stay in use");
        }
    }
}

fn is_time(last: &mut Option<BootTime>, now: BootTime) -> bool {
    let is = last.is_none_or(|last| now.at_least_after(last, INTERVAL));
    if is {
        *last = Some(now);
    }
    is
}
