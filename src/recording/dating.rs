//! Wall time of what carries time since boot. The wall clock may be wrong when a router boots: for all of a run holds what
//! the clock said last.

use std::{sync::Arc, time::Duration};

use super::{Entry, Head, Header};
use crate::{clock::OLDEST, domain::BootTime};

/// Every run of a recording, with its clock.
#[derive(Debug, Clone, Default)]
pub struct Dating {
    runs: Vec<Run>,
}

#[derive(Debug, Clone)]
struct Run {
    head: Arc<Head>,
    /// Between 1970 and the boot.
    boot: Duration,
    end: BootTime,
}

impl Dating {
    /// Takes the next entry of the recording.
    pub fn observe(&mut self, entry: &Entry) {
        if let Entry::Began(head) = entry {
            let wall = Duration::from_millis(head.header.wall_ms);
            let start = head.header.start();
            self.runs.push(Run { head: Arc::clone(head), boot: wall.saturating_sub(start.0), end: start });
        }
        let Some(run) = self.runs.last_mut() else { return };
        if let Entry::Clock { at, wall } = entry {
            run.boot = wall.saturating_sub(at.0);
        }
        run.end = run.end.max(entry.at());
    }

    /// Number of runs.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// What a run began with.
    pub fn head(&self, run: usize) -> Option<&Arc<Head>> {
        self.runs.get(run).map(|run| &run.head)
    }

    /// What the last run says of the site.
    pub fn header(&self) -> Option<&Header> {
        self.runs.last().map(|run| &run.head.header)
    }

    /// Time of all runs together, without that between two of them.
    pub fn recorded(&self) -> Duration {
        self.runs.iter().map(|run| run.end.since(run.head.header.start())).sum()
    }

    /// First and last moment of a run.
    pub fn span(&self, run: usize) -> Option<(BootTime, BootTime)> {
        self.runs.get(run).map(|run| (run.head.header.start(), run.end))
    }

    /// Time since 1970 at a moment of a run; none where the clock was never set.
    pub fn wall(&self, run: usize, at: BootTime) -> Option<Duration> {
        let run = self.runs.get(run)?;
        let end = run.boot.saturating_add(run.end.0);
        (end > OLDEST).then(|| run.boot.saturating_add(at.0))
    }
}
