//! What passes an interface, recorded as a packet sniffer would.

mod packet;

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    pipe::PipeFlags,
};

pub use packet::Packet;

use crate::{LabError, Link, syscalls};

/// Packets kept; the rest is not recorded.
const MOST: usize = 1 << 20;

/// Longest part of a packet that is read: headers.
const HEADERS: usize = 128;

/// A recording of all IP packets on one interface, from its start to its drop.
#[derive(Debug)]
pub struct Capture {
    record: Arc<Record>,
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Record {
    packets: Mutex<Vec<Packet>>,
    grown: Condvar,
}

impl Record {
    /// No code of the lab panics while it holds the lock.
    fn packets(&self) -> MutexGuard<'_, Vec<Packet>> {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Capture {
    /// Records from now on. An interface that is made again under the same name is another one.
    ///
    /// # Errors
    /// When the interface does not exist, or the kernel refuses the socket.
    pub fn start(link: &Link) -> Result<Self, LabError> {
        let what = format!("capture on {} of {}", link.name(), link.namespace().name());
        let failed = |source| LabError::system(&what, source);
        let index = link.state()?.ok_or_else(|| failed(rustix::io::Errno::NODEV.into()))?.index;
        let socket = link.namespace().run(|| syscalls::packet_socket(index)).map_err(failed)?;
        let (stopped, stop) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
        let record = Arc::new(Record::default());
        let writer = Arc::clone(&record);
        let thread = std::thread::Builder::new()
            .name("capture".to_owned())
            .spawn(move || run(socket.as_fd(), stopped.as_fd(), &writer))
            .map_err(failed)?;
        Ok(Self { record, stop: Some(stop), thread: Some(thread) })
    }

    /// All of them so far, in the order in which they passed.
    pub fn packets(&self) -> Vec<Packet> {
        self.record.packets().clone()
    }

    /// How many of them are so.
    pub fn count(&self, filter: impl Fn(&Packet) -> bool) -> usize {
        self.record.packets().iter().filter(|packet| filter(packet)).count()
    }

    /// The most that passed within any span of that length, counted from each packet on.
    pub fn most_within(&self, span: Duration, filter: impl Fn(&Packet) -> bool) -> usize {
        let times: Vec<_> = self.record.packets().iter().filter(|packet| filter(packet)).map(|it| it.at).collect();
        let within = |(number, first): (usize, &Instant)| {
            times.iter().skip(number).take_while(|time| **time - *first < span).count()
        };
        times.iter().enumerate().map(within).max().unwrap_or_default()
    }

    /// Forgets them.
    pub fn clear(&self) {
        self.record.packets().clear();
    }

    /// Waits until they satisfy `enough`, and returns them.
    ///
    /// # Errors
    /// When they do not in time.
    pub fn wait(&self, patience: Duration, enough: impl Fn(&[Packet]) -> bool) -> Result<Vec<Packet>, LabError> {
        let (packets, timeout) = self
            .record
            .grown
            .wait_timeout_while(self.record.packets(), patience, |packets| !enough(packets))
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return Err(LabError::Deadline {
                what: "the capture has what is waited for".to_owned(),
                seconds: patience.as_secs_f64(),
                last: format!("{} packets, the last was {:?}", packets.len(), packets.last()),
            });
        }
        Ok(packets.clone())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already; a second one here would abort.
            let _ = thread.join();
        }
    }
}

fn run(socket: BorrowedFd<'_>, stopped: BorrowedFd<'_>, record: &Record) {
    let mut headers = [0; HEADERS];
    loop {
        let mut waits = [socket, stopped].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        // An interrupted wait only makes the loop look earlier.
        let _ = poll(&mut waits, None);
        if !waits[1].revents().is_empty() {
            return;
        }
        // An interface that goes away says so once, and nothing after.
        while let Ok((length, outgoing)) = syscalls::receive_packet(socket, &mut headers) {
            let read = headers.get(..length.min(HEADERS)).unwrap_or_default();
            let mut packets = record.packets();
            if let Some(packet) = Packet::read(read, length, outgoing).filter(|_| packets.len() < MOST) {
                packets.push(packet);
            }
        }
        record.grown.notify_all();
    }
}
