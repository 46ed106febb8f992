//! Files back to entries. Whatever is in a file, memory stays bounded and reading comes to an end: lines that are none are
//! counted and passed over, and a torn end is told of.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use flate2::bufread::MultiGzDecoder;

use super::{
    VERSION,
    entry::{Entry, RecordedSample},
    fault::{Faults, LARGEST_HEAD, ReadError},
    head::Head,
    line::{LONGEST_LINE, Line},
    sample_line::SampleLine,
};
use crate::domain::BootTime;

/// Most bytes of the heads of all runs together: thousands of restarts.
const LARGEST_HEADS: usize = 64 * 1024 * 1024;

/// Most uplinks of a head: as many as a configuration may have.
const MOST_UPLINKS: usize = 64;

/// Most classes of a head.
const MOST_CLASSES: usize = 4096;

/// Most addresses that are kept.
const MOST_ADDRESSES: usize = 4096;

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
    path: PathBuf,
    /// The newest head of the file before.
    before: Option<Arc<Head>>,
    head: Option<Arc<Head>>,
    /// A head that is being read, and the bytes of its lines.
    begun: Option<(Head, usize)>,
    /// Bytes of the heads of all runs.
    heads: usize,
    at: BootTime,
    addresses: HashMap<u16, SocketAddr>,
    faults: Faults,
}

impl Reading {
    fn file(&mut self, path: &Path, source: impl Read, each: &mut dyn FnMut(&Entry)) -> Result<(), ReadError> {
        path.clone_into(&mut self.path);
        let mut source = BufReader::with_capacity(LONGEST_LINE, source);
        let io = |error| ReadError::Io { file: path.to_owned(), error };
        let packed = source.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]);
        // Each file names its own uplinks and classes.
        self.begun = None;
        self.before = self.head.take();
        if packed {
            self.lines(BufReader::new(MultiGzDecoder::new(source)), each)?;
        } else {
            self.lines(source, each)?;
        }
        self.end_of_head(each)?;
        self.head.is_some().then_some(()).ok_or_else(|| ReadError::NoRecording { file: path.to_owned() })
    }

    fn lines(&mut self, mut source: impl BufRead, each: &mut dyn FnMut(&Entry)) -> Result<(), ReadError> {
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
                self.faults.torn.push((self.path.clone(), why));
                return Ok(());
            }
            let line = std::str::from_utf8(&bytes).ok().and_then(|text| Line::parse(text.trim_end()).ok());
            match line {
                Some(Some(line)) => self.line(line, bytes.len(), each)?,
                Some(None) => {}
                None => self.faults.unreadable += 1,
            }
            if self.head.is_none() && self.begun.is_none() {
                return Err(ReadError::NoRecording { file: self.path.clone() });
            }
        }
    }

    fn line(&mut self, line: Line, length: usize, each: &mut dyn FnMut(&Entry)) -> Result<(), ReadError> {
        match line {
            Line::Header(header) => {
                if header.version > VERSION {
                    return Err(ReadError::Newer { file: self.path.clone(), version: header.version });
                }
                self.end_of_head(each)?;
                self.begun = Some((Head { header, uplinks: Vec::new(), classes: Vec::new() }, length));
            }
            Line::Uplink(..) | Line::Class(..) => self.more_of_head(line, length)?,
            line => {
                self.end_of_head(each)?;
                self.news(&line, each);
            }
        }
        Ok(())
    }

    fn more_of_head(&mut self, line: Line, length: usize) -> Result<(), ReadError> {
        let Some((head, bytes)) = &mut self.begun else {
            self.faults.unreadable += 1;
            return Ok(());
        };
        *bytes += length;
        if *bytes > LARGEST_HEAD {
            return Err(ReadError::LargeHead { file: self.path.clone() });
        }
        let next = |known: usize, most: usize| (known < most).then_some(known);
        match line {
            Line::Uplink(number, uplink) if next(head.uplinks.len(), MOST_UPLINKS) == Some(number.into()) => {
                head.uplinks.push(uplink);
            }
            Line::Class(number, class) if next(head.classes.len(), MOST_CLASSES) == Some(number.into()) => {
                head.classes.push(class);
            }
            _ => self.faults.unreadable += 1,
        }
        Ok(())
    }

    /// A head is whole when something else follows. One of the run that is being read is no news.
    fn end_of_head(&mut self, each: &mut dyn FnMut(&Entry)) -> Result<(), ReadError> {
        let Some((head, bytes)) = self.begun.take() else { return Ok(()) };
        let known = self.head.as_ref().or(self.before.as_ref());
        let goes_on = known.is_some_and(|known| known.header.same_run(&head.header) && same_numbers(known, &head));
        let head = Arc::new(head);
        if !goes_on {
            // Readers keep what each run began with.
            self.heads += bytes;
            if self.heads > LARGEST_HEADS {
                return Err(ReadError::LargeHead { file: self.path.clone() });
            }
            self.at = head.header.start();
            self.addresses.clear();
            each(&Entry::Began(Arc::clone(&head)));
        }
        self.head = Some(head);
        Ok(())
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
