//! Requests and their answers: sequence numbers, deadlines, acknowledgements, dumps that are whole or not at all.

use std::{io, time::Duration};

use netlink_packet_core::{
    DecodeError, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN,
};

use super::{
    KernelError,
    error::Refusal,
    frame::{Message, Request, end_of_dump, messages, verdict},
    transport::Transport,
};

/// Longest wait for the next datagram of an answer.
const DEADLINE: Duration = Duration::from_secs(2);

/// How often a dump that changed under our eyes is begun again.
const DUMP_ATTEMPTS: usize = 8;

/// Holds the acknowledgements of a batch and the datagrams of a dump.
const QUEUE: usize = 1024 * 1024;

/// One conversation with the kernel at a time.
#[derive(Debug)]
pub(super) struct RequestSocket {
    transport: Transport,
    protocol: isize,
    sequence: u32,
    /// A request was sent and its answer not read to the end; a dump that was left half-way would block the next one.
    unfinished: bool,
}

impl RequestSocket {
    pub(super) fn open(protocol: isize) -> Result<Self, KernelError> {
        Ok(Self { transport: Transport::open(protocol, QUEUE)?, protocol, sequence: 0, unfinished: false })
    }

    /// Lists everything that matches `request`, folding it message by message into a value. Begun again from the
    /// default value when the kernel says that the list changed meanwhile.
    pub(super) async fn dump<T: Default>(
        &mut self,
        what: &str,
        request: Request,
        mut fold: impl FnMut(&mut T, &Message<'_>) -> Result<(), DecodeError>,
    ) -> Result<T, KernelError> {
        let request = request.with(NLM_F_DUMP);
        for _ in 0..DUMP_ATTEMPTS {
            let mut collected = T::default();
            if self.dump_once(what, &request, |message| fold(&mut collected, message)).await? {
                return Ok(collected);
            }
        }
        Err(KernelError::Interrupted { what: what.to_owned(), attempts: DUMP_ATTEMPTS })
    }

    /// False when the list changed meanwhile.
    async fn dump_once(
        &mut self,
        what: &str,
        request: &Request,
        mut each: impl FnMut(&Message<'_>) -> Result<(), DecodeError>,
    ) -> Result<bool, KernelError> {
        let mut dump = Dump { sequence: self.send(what, std::slice::from_ref(request)).await?, consistent: true };
        loop {
            let end = dump.take(what, receive(&mut self.transport, what).await?, &mut each)?;
            if let Some(end) = end {
                self.unfinished = false;
                return end.map_err(|refusal| KernelError::refused(what, refusal));
            }
            // A table of a million routes must not keep probes waiting for their turn on this thread.
            tokio::task::yield_now().await;
        }
    }

    /// Asks for one object and reads it.
    pub(super) async fn get<T>(
        &mut self,
        what: &str,
        request: &Request,
        decode: impl FnOnce(&Message<'_>) -> Result<T, DecodeError>,
    ) -> Result<T, KernelError> {
        let sequence = self.send(what, std::slice::from_ref(request)).await?;
        loop {
            for message in messages(receive(&mut self.transport, what).await?) {
                let message = message.map_err(malformed(what))?;
                if message.sequence != sequence || message.kind == NLMSG_NOOP {
                    continue;
                }
                self.unfinished = false;
                if message.kind != NLMSG_ERROR {
                    return decode(&message).map_err(malformed(what));
                }
                return match verdict(&message).map_err(malformed(what))? {
                    Err(refusal) => Err(KernelError::refused(what, refusal)),
                    Ok(()) => Err(malformed(what)(DecodeError::from("an acknowledgement without an answer"))),
                };
            }
        }
    }

    /// Sends requests in one datagram, in order, and waits for the verdict on each.
    pub(super) async fn execute(
        &mut self,
        what: &str,
        requests: Vec<Request>,
    ) -> Result<Vec<Result<(), Refusal>>, KernelError> {
        let requests: Vec<_> = requests.into_iter().map(|request| request.with(NLM_F_ACK)).collect();
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let first = self.send(what, &requests).await?;
        let mut verdicts = vec![None; requests.len()];
        let mut waiting = requests.len();
        while waiting > 0 {
            for message in messages(receive(&mut self.transport, what).await?) {
                let message = message.map_err(malformed(what))?;
                if message.kind != NLMSG_ERROR {
                    continue;
                }
                let slot = verdicts.get_mut(message.sequence.wrapping_sub(first) as usize);
                if let Some(slot @ None) = slot {
                    *slot = Some(verdict(&message).map_err(malformed(what))?);
                    waiting -= 1;
                }
            }
        }
        self.unfinished = false;
        Ok(verdicts.into_iter().flatten().collect())
    }

    /// Sends requests with consecutive sequence numbers and returns the first of them.
    async fn send(&mut self, what: &str, requests: &[Request]) -> Result<u32, KernelError> {
        if self.unfinished {
            self.transport = Transport::open(self.protocol, QUEUE)?;
        }
        self.unfinished = true;
        let first = self.sequence.wrapping_add(1);
        let mut datagram = Vec::new();
        for request in requests {
            self.sequence = self.sequence.wrapping_add(1);
            request.append_to(&mut datagram, self.sequence);
        }
        self.transport.send(&datagram).await.map_err(|error| KernelError::socket(what, error))?;
        Ok(first)
    }
}

/// A list on its way.
#[derive(Debug)]
pub(super) struct Dump {
    pub(super) sequence: u32,
    /// The kernel did not say that it changed meanwhile.
    pub(super) consistent: bool,
}

impl Dump {
    /// Takes a datagram of it. At the end returns whether it is consistent, or why it broke off.
    pub(super) fn take(
        &mut self,
        what: &str,
        datagram: &[u8],
        mut each: impl FnMut(&Message<'_>) -> Result<(), DecodeError>,
    ) -> Result<Option<Result<bool, Refusal>>, KernelError> {
        for message in messages(datagram) {
            let message = message.map_err(malformed(what))?;
            if message.sequence != self.sequence {
                continue;
            }
            self.consistent &= message.flags & NLM_F_DUMP_INTR == 0;
            let end = match message.kind {
                NLMSG_DONE => end_of_dump(&message),
                NLMSG_ERROR => verdict(&message),
                NLMSG_OVERRUN => return Err(overrun(what)),
                NLMSG_NOOP => continue,
                _ => {
                    each(&message).map_err(malformed(what))?;
                    continue;
                }
            };
            let end = end.map_err(malformed(what))?;
            return Ok(Some(end.map(|()| self.consistent)));
        }
        Ok(None)
    }
}

async fn receive<'a>(transport: &'a mut Transport, what: &str) -> Result<&'a [u8], KernelError> {
    match transport.receive_within(DEADLINE).await {
        Ok(Some(datagram)) => Ok(datagram),
        Ok(None) => Err(KernelError::Deadline { what: what.to_owned(), deadline: DEADLINE }),
        Err(error) => Err(KernelError::socket(what, error)),
    }
}

fn malformed(what: &str) -> impl Fn(DecodeError) -> KernelError {
    move |source| KernelError::Malformed { what: what.to_owned(), source }
}

fn overrun(what: &str) -> KernelError {
    KernelError::socket(what, io::Error::from_raw_os_error(libc::ENOBUFS))
}
