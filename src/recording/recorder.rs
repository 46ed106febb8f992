//! The agent's end: what it tells is handed to the writing thread, or dropped and counted when that does not keep up.

use std::{
    fs,
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use super::{
    VERSION,
    attachment::Attached,
    batch::Attachments,
    head::{Head, Header},
    line::milliseconds,
    rotation::Rotation,
    writer::{Told, Writer, wall_time},
};
use crate::{
    catalogue::Catalogue,
    config::Config,
    domain::{BootTime, ClassId, Family, ProbeSample, ReadState, RouterState, Target},
};

/// What may wait for the thread.
const QUEUE: usize = 4096;

/// The way to the writing thread; leads nowhere when nothing is recorded. Never waits.
pub struct Recorder {
    thread: Option<(SyncSender<Told>, oneshot::Receiver<()>)>,
    attachments: Attachments,
    dropped: u64,
}

/// Starts the thread, if a recording is configured. `targets` tells what is probed for a class.
pub fn start(
    config: &Config,
    catalogue: &Catalogue,
    targets: impl Fn(&ClassId) -> Option<Arc<[Target]>>,
    now: BootTime,
) -> Recorder {
    let nowhere = Recorder { thread: None, attachments: Attachments::new(), dropped: 0 };
    let Some(recording) = &config.recording else { return nowhere };
    let head = Head::new(header(config, now), config, catalogue, targets);
    let (sender, told) = sync_channel(QUEUE);
    let (end, ended) = oneshot::channel();
    let files = Rotation::new(recording.file.clone(), recording.max_bytes);
    let spawned = Writer::new(&head, files).and_then(|writer| {
        thread::Builder::new().name("recording".to_owned()).spawn(move || {
            writer.run(&told);
            // Nobody listens when the agent could not wait.
            let _ = end.send(());
        })
    });
    match spawned {
        Ok(_) => Recorder { thread: Some((sender, ended)), ..nowhere },
        Err(error) => {
            log::warn!("cannot record, and goes on without: {error}");
            nowhere
        }
    }
}

impl Recorder {
    /// Takes what became of a probe.
    pub fn sample(&mut self, sample: &ProbeSample, now: BootTime) {
        if self.thread.is_some() {
            self.tell(Told::Sample(now, sample.clone()));
        }
    }

    /// Takes a new picture of the router, as the engine does: a stale one says nothing.
    pub fn router_changed(&mut self, config: &Config, router: &RouterState, now: BootTime) {
        if self.thread.is_none() || router.read == ReadState::Stale {
            return;
        }
        for id in config.uplink_ids() {
            for family in Family::BOTH {
                let Some(found) = Attached::of(config.uplink(id), family, router) else { continue };
                let known = self.attachments.get(&(id, family));
                // What cannot be told now is told with the next news.
                if known != Some(&found) && self.tell(Told::Attachment(now, id, family, found.clone())) {
                    self.attachments.insert((id, family), found);
                }
            }
        }
    }

    /// Writes what waits, and ends; no longer than `deadline`.
    pub async fn end(self, deadline: Duration) {
        let Some((sender, ended)) = self.thread else { return };
        drop(sender);
        if timeout(deadline, ended).await.is_err() {
            log::warn!("the end of the recording was not written in time");
        }
    }

    /// False when it was dropped.
    fn tell(&mut self, told: Told) -> bool {
        let Some((sender, _)) = &self.thread else { return false };
        if self.dropped > 0 && sender.try_send(Told::Dropped(self.dropped)).is_ok() {
            self.dropped = 0;
        }
        let sent = sender.try_send(told).is_ok();
        if !sent {
            self.dropped += 1;
        }
        sent
    }
}

fn header(config: &Config, now: BootTime) -> Header {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Header {
        version: VERSION,
        agent: env!("CARGO_PKG_VERSION").to_owned(),
        site: config.site.name.clone(),
        market: config.site.market.clone(),
        utc_offset: config.site.utc_offset,
        boot: boot.trim().to_owned(),
        start_ms: milliseconds(now.0),
        wall_ms: milliseconds(wall_time()),
    }
}
