//! The thread that writes: gathers lines into batches, and writes one about once a minute, because flash wears.

use std::{
    collections::HashMap,
    io,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    attachment::Attached,
    batch::{Attachments, Batch},
    head::Head,
    line, member,
    rotation::Rotation,
};
use crate::{
    clock::boot_time,
    domain::{BootTime, ClassId, Family, ProbeSample, UplinkId},
};

/// How long lines wait to be written.
const FLUSH_EVERY: Duration = Duration::from_secs(60);

/// Bytes of text from which on they do not wait any longer.
const LARGEST_BATCH: usize = 256 * 1024;

/// What the agent tells.
#[derive(Debug)]
pub(super) enum Told {
    /// What became of a probe.
    Sample(BootTime, ProbeSample),
    /// What an uplink has changed.
    Attachment(BootTime, UplinkId, Family, (Attached, String)),
    /// So much could not be told.
    Dropped(u64),
}

/// The thread's state.
pub(super) struct Writer {
    /// The head, packed.
    head: Vec<u8>,
    classes: HashMap<ClassId, u16>,
    files: Rotation,
    attachments: Attachments,
    batch: Option<(Batch, Instant)>,
    failing: bool,
    /// Lines that were not written, and are not told of in a file yet.
    lost: u64,
    lost_in_all: u64,
}

impl Writer {
    /// One that has written nothing yet.
    ///
    /// # Errors
    /// When the head is too large to be packed.
    pub fn new(head: &Head, files: Rotation) -> io::Result<Self> {
        let classes = head.classes.iter().map(|class| class.id.clone()).zip(0..).collect();
        let mut text = String::new();
        line::write_head(head, &mut text);
        Ok(Self {
            head: member::pack(&text)?,
            classes,
            files,
            attachments: Attachments::new(),
            batch: None,
            failing: false,
            lost: 0,
            lost_in_all: 0,
        })
    }

    /// Writes until nobody tells anything any more.
    pub fn run(mut self, told: &Receiver<Told>) {
        loop {
            match told.recv_timeout(self.patience()) {
                Ok(told) => self.take(told),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.is_due() {
                self.flush();
            }
        }
        self.flush();
        if self.lost_in_all > 0 {
            log::warn!("recording: {} lines could not be written", self.lost_in_all);
        }
    }

    fn patience(&self) -> Duration {
        self.batch.as_ref().map_or(FLUSH_EVERY, |(_, since)| FLUSH_EVERY.saturating_sub(since.elapsed()))
    }

    fn is_due(&self) -> bool {
        let due = |(batch, since): &(Batch, Instant)| batch.len() >= LARGEST_BATCH || since.elapsed() >= FLUSH_EVERY;
        self.batch.as_ref().is_some_and(due)
    }

    fn take(&mut self, told: Told) {
        match told {
            Told::Sample(at, sample) => {
                let Some(class) = self.classes.get(&sample.class).copied() else { return };
                self.batch(at).sample(at, class, &sample);
            }
            Told::Attachment(at, uplink, family, state) => {
                self.batch(at).attachment(at, uplink, family, state.clone());
                self.attachments.insert((uplink, family), state);
            }
            Told::Dropped(count) => {
                self.lost += count;
                self.lost_in_all += count;
            }
        }
    }

    /// The batch that is being filled.
    fn batch(&mut self, at: BootTime) -> &mut Batch {
        let (lost, attachments) = (std::mem::take(&mut self.lost), &self.attachments);
        // The wall clock of that moment: what is told may have waited.
        let wall = || wall_time().saturating_sub(boot_time().since(at));
        let new = || (Batch::new(at, wall(), attachments), Instant::now());
        let (batch, _) = self.batch.get_or_insert_with(new);
        if lost > 0 {
            batch.dropped(lost);
        }
        batch
    }

    fn flush(&mut self) {
        let Some((batch, _)) = self.batch.take() else { return };
        let lines = batch.lines();
        let packed = member::pack(&batch.finish(boot_time(), wall_time()));
        let written = packed.and_then(|packed| self.files.append(&self.head, &packed));
        match written {
            Ok(()) if self.failing => {
                log::info!("recording goes on");
                self.failing = false;
            }
            Ok(()) => {}
            Err(error) => {
                if !self.failing {
                    log::warn!("cannot record, and goes on without: {error}");
                }
                self.failing = true;
                self.lost += lines;
                self.lost_in_all += lines;
            }
        }
    }
}

/// Time since 1970; zero before.
pub(super) fn wall_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
