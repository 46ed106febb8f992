//! Recordings for tests, written by what writes them on a router.

use std::time::Duration;

use super::{
    Attached, Head,
    batch::{Attachments, Batch},
    line,
};
use crate::{
    config::Config,
    domain::{BootTime, Family, ProbeSample, RouterState},
};

/// A recording as it is written.
pub(crate) struct Script {
    head: Head,
    batch: Batch,
    attachments: Attachments,
}

impl Script {
    pub fn new(head: Head) -> Self {
        let wall = Duration::from_millis(head.header.wall_ms);
        let batch = Batch::new(head.header.start(), wall, &Attachments::new());
        Self { head, batch, attachments: Attachments::new() }
    }

    pub fn router(&mut self, config: &Config, router: &RouterState, at: BootTime) {
        for id in config.uplink_ids() {
            for family in Family::BOTH {
                let Some(found) = Attached::of(config.uplink(id), family, router) else { continue };
                if self.attachments.insert((id, family), found.clone()).as_ref() != Some(&found) {
                    self.batch.attachment(at, id, family, found);
                }
            }
        }
    }

    pub fn sample(&mut self, at: BootTime, sample: &ProbeSample) {
        let class = self.head.classes.iter().position(|class| class.id == sample.class).unwrap();
        self.batch.sample(at, u16::try_from(class).unwrap(), sample);
    }

    /// All of it; the wall clock agrees with the time since boot.
    pub fn text(self, end: BootTime) -> String {
        let mut text = String::new();
        line::write_head(&self.head, &mut text);
        let wall = Duration::from_millis(self.head.header.wall_ms) + end.since(self.head.header.start());
        text.push_str(&self.batch.finish(end, wall));
        text
    }
}
