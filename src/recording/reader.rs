//! Files back to entries. Whatever is in a file, memory stays bounded and reading comes to an end: lines that are none are
//! counted and passed over, and a torn end is told of.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use flate2::bufread::MultiGzDecoder;

use super::{
    VERSION,
    attachment::Attached,
    head::Head,
    line::{LONGEST_LINE, Line},
    sample_line::SampleLine,
};
use crate::domain::{BootTime, Family, ProbeOutcome};

/// Most bytes of lines in a head: hundreds of classes with all their targets.
const LARGEST_HEAD: usize = 8 * 1024 * 1024;

/// Most addresses that are kept.
const MOST_ADDRESSES: usize = 4096;

/// A piece of a recording.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A run of the agent begins.
    Began(Arc<Head>),
    /// What the wall clock said.
    Clock {
        /// When, since boot.
        at: BootTime,
        /// Time since 1970.
        wall: Duration,
    },
    /// What the kernel offers for an uplink from now on. May be told again without a change.
    Attachment {
        /// When.
        at: BootTime,
        /// Position of the uplink in the head.
        uplink: usize,
        /// Family.
        family: Family,
        /// What it offers.
        state: Attached,
    },
    /// What became of a probe.
    Sample(RecordedSample),
}

/// What became of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedSample {
    /// When it became known.
    pub at: BootTime,
    /// Position of the uplink in the head.
    pub uplink: usize,
    /// Position of the class in the head.
    pub class: usize,
    /// Position of the target in the list of the class.
    pub target: usize,
    /// The address probed.
    pub address: Option<SocketAddr>,
    /// When it was sent.
    pub sent_at: BootTime,
    /// What came of it.
    pub outcome: ProbeOutcome,
    /// What the service took.
    pub service_time: Option<Duration>,
}

impl Entry {
    /// When it became known.
    pub fn at(&self) -> BootTime {
        match self {
            Self::Began(head) => head.header.start(),
            Self::Clock { at, .. } | Self::Attachment { at, .. } => *at,
            Self::Sample(sample) => sample.at,
        }
    }
}

/// What is wrong with a recording that could be read nevertheless.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// Files whose end is torn, and how.
    pub torn: Vec<(PathBuf, String)>,
    /// Lines that are none of the format, or name what the head does not have.
    pub unreadable: u64,
    /// Lines that the agent could not write.
    pub dropped: u64,
}

impl Faults {
    /// Each in a sentence.
    pub fn in_words(&self) -> Vec<String> {
        let torn = self.torn.iter().map(|(file, why)| {
            format!("the end of {} is torn ({why}): what was written last is missing", file.display())
        });
        let counted = [
            (self.unreadable, "lines could not be read"),
            (self.dropped, "lines are missing: the disk or the writer did not keep up"),
        ];
        let counted = counted.into_iter().filter(|(count, _)| *count > 0);
        torn.chain(counted.map(|(count, what)| format!("{count} {what}"))).collect()
    }
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read at all.
    #[error("cannot read {}: {error}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It does not begin as a recording does.
    #[error("{} is no recording of peerward: it does not begin with a header", file.display())]
    NoRecording {
        /// The file.
        file: PathBuf,
    },
    /// It was written by a later version.
    #[error("{} has version {version} of the format, and this program reads up to {VERSION}: use a newer one", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its version.
        version: u32,
    },
    /// Its head is larger than any.
    #[error("the head of {} is larger than {LARGEST_HEAD} bytes", file.display())]
    LargeHead {
        /// The file.
        file: PathBuf,
    },
}

/// Reads files in order, the oldest first, and hands on each entry.
///
/// # Errors
/// When a file cannot be opened, or is no recording.
pub fn read(files: &[PathBuf], each: &mut dyn FnMut(&Entry)) -> Result<Faults, ReadError> {
    let mut reading = Reading::default();
    for path in files {
        let file = File::open(path).map_err(|error| ReadError::Io { file: path.clone(), error })?;
        reading.file(path, file, each)?;
    }
    Ok(reading.faults)
}

/// Reads one source; `name` stands for it in errors.
///
/// # Errors
/// When it is no recording.
pub fn read_from(name: &Path, source: impl Read, each: &mut dyn FnMut(&Entry)) -> Result<Faults, ReadError> {
    let mut reading = Reading::default();
    reading.file(name, source, each)?;
    Ok(reading.faults)
}

#[derive(Default)]
struct Reading {
    head: Option<Arc<Head>>,
    /// A head that is being read, and the bytes of its lines.
    begun: Option<(Head, usize)>,
    at: BootTime,
    addresses: HashMap<u16, SocketAddr>,
    faults: Faults,
}

impl Reading {
    fn file(&mut self, path: &Path, source: impl Read, each: &mut dyn FnMut(&Entry)) -> Result<(), ReadError> {
        let mut source = BufReader::with_capacity(LONGEST_LINE, source);
        let io = |error| ReadError::Io { file: path.to_owned(), error };
        let packed = source.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]);
        self.begun = None;
        // Each file names its own uplinks and classes.
        let before = self.head.take();
        let outcome = if packed {
            self.lines(path, BufReader::new(MultiGzDecoder::new(source)), before.as_ref(), each)
        } else {
            self.lines(path, source, before.as_ref(), each)
        };
        self.end_of_head(before.as_ref(), each);
        outcome?;
        self.head.is_some().then_some(()).ok_or_else(|| ReadError::NoRecording { file: path.to_owned() })
    }

    fn lines(
        &mut self,
        path: &Path,
        mut source: impl BufRead,
        before: Option<&Arc<Head>>,
        each: &mut dyn FnMut(&Entry),
    ) -> Result<(), ReadError> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let read = source.by_ref().take(LONGEST_LINE as u64).read_until(b'\n', &mut bytes);
            let torn = match read {
                Ok(0) => return Ok(()),
                Ok(_) if bytes.ends_with(b"\n") => None,
                Ok(length) if length >= LONGEST_LINE => {
                    self.faults.unreadable += 1;
                    continue;
                }
                Ok(_) => Some("the last line is cut off".to_owned()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(why) = torn {
                self.faults.torn.push((path.to_owned(), why));
                return Ok(());
            }
            let line = std::str::from_utf8(&bytes).ok().and_then(|text| Line::parse(text.trim_end()).ok());
            match line {
                Some(Some(line)) => self.line(path, line, bytes.len(), before, each)?,
                Some(None) => {}
                None => self.faults.unreadable += 1,
            }
            if self.head.is_none() && self.begun.is_none() {
                return Err(ReadError::NoRecording { file: path.to_owned() });
            }
        }
    }

    fn line(
        &mut self,
        path: &Path,
        line: Line,
        length: usize,
        before: Option<&Arc<Head>>,
        each: &mut dyn FnMut(&Entry),
    ) -> Result<(), ReadError> {
        match line {
            Line::Header(header) => {
                if header.version > VERSION {
                    return Err(ReadError::Newer { file: path.to_owned(), version: header.version });
                }
                self.end_of_head(before, each);
                self.begun = Some((Head { header, uplinks: Vec::new(), classes: Vec::new() }, length));
            }
            Line::Uplink(..) | Line::Class(..) => {
                let Some((head, bytes)) = &mut self.begun else {
                    self.faults.unreadable += 1;
                    return Ok(());
                };
                *bytes += length;
                if *bytes > LARGEST_HEAD {
                    return Err(ReadError::LargeHead { file: path.to_owned() });
                }
                match line {
                    Line::Uplink(number, uplink) if usize::from(number) == head.uplinks.len() => {
                        head.uplinks.push(uplink);
                    }
                    Line::Class(number, class) if usize::from(number) == head.classes.len() => {
                        head.classes.push(class);
                    }
                    _ => self.faults.unreadable += 1,
                }
            }
            line => {
                self.end_of_head(before, each);
                self.news(&line, each);
            }
        }
        Ok(())
    }

    /// A head is whole when something else follows. One of the run that is being read is no news.
    fn end_of_head(&mut self, before: Option<&Arc<Head>>, each: &mut dyn FnMut(&Entry)) {
        let Some((head, _)) = self.begun.take() else { return };
        let known = self.head.as_ref().or(before);
        let goes_on = known.is_some_and(|known| known.header.same_run(&head.header) && same_numbers(known, &head));
        let head = Arc::new(head);
        if !goes_on {
            self.at = head.header.start();
            self.addresses.clear();
            each(&Entry::Began(Arc::clone(&head)));
        }
        self.head = Some(head);
    }

    fn news(&mut self, line: &Line, each: &mut dyn FnMut(&Entry)) {
        let Some(head) = &self.head else { return };
        match line {
            // Time does not run backwards within a run.
            Line::Time(at) => self.at = self.at.max(*at),
            Line::Clock(wall) => each(&Entry::Clock { at: self.at, wall: *wall }),
            Line::Attachment(uplink, family, state, _) if usize::from(*uplink) < head.uplinks.len() => {
                each(&Entry::Attachment { at: self.at, uplink: (*uplink).into(), family: *family, state: *state });
            }
            Line::Address(number, address) => {
                if self.addresses.len() < MOST_ADDRESSES || self.addresses.contains_key(number) {
                    self.addresses.insert(*number, *address);
                }
            }
            Line::Sample(sample) => match resolved(sample, head, self.at, &self.addresses) {
                Some(sample) => {
                    self.at = sample.at;
                    each(&Entry::Sample(sample));
                }
                None => self.faults.unreadable += 1,
            },
            Line::Dropped(count) => self.faults.dropped = self.faults.dropped.saturating_add(*count),
            _ => self.faults.unreadable += 1,
        }
    }
}

fn same_numbers(one: &Head, other: &Head) -> bool {
    one.uplinks == other.uplinks && one.classes == other.classes
}

/// A sample with what its numbers stand for; nothing when they stand for nothing.
fn resolved(
    line: &SampleLine,
    head: &Head,
    at: BootTime,
    addresses: &HashMap<u16, SocketAddr>,
) -> Option<RecordedSample> {
    let at = at + Duration::from_millis(line.after_ms);
    let class = head.classes.get(usize::from(line.class))?;
    let known = usize::from(line.uplink) < head.uplinks.len() && usize::from(line.target) < class.targets.len();
    known.then(|| RecordedSample {
        at,
        uplink: line.uplink.into(),
        class: line.class.into(),
        target: line.target.into(),
        address: line.address.and_then(|number| addresses.get(&number).copied()),
        sent_at: BootTime(at.0.saturating_sub(Duration::from_millis(line.ago_ms))),
        outcome: line.outcome,
        service_time: line.service_time,
    })
}
