//! Flows that the kernel tracks and whose source it translates: lists them, and deletes single ones.
//!
//! Never asks unless the kernel tracks flows already: a question alone would load the module.

mod message;
#[cfg(test)]
mod tests;

use std::{fs, net::IpAddr};

use netlink_sys::protocols::NETLINK_NETFILTER;

use self::message::{CT_DELETE, CT_GET, CT_NEW, ConntrackRequest, Entry};
use super::{KernelError, Refusal, frame::Request, socket::RequestSocket};
use crate::domain::Family;

/// Number of flows that are tracked in this network namespace; the file is there once nf_conntrack is loaded.
const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";

/// Deletions in one datagram: their acknowledgements must fit into the receive queue.
const BATCH: usize = 64;

/// How many flows the kernel tracks in this network namespace; `None` when it tracks none at all because nf_conntrack is
/// not loaded. Loads nothing and needs no privileges.
pub fn tracked_flows() -> Option<u64> {
    fs::read_to_string(COUNT).ok()?.trim().parse().ok()
}

/// One flow through this router, as its packets see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Who began it.
    pub source: IpAddr,
    /// Where it is routed to: after a translation of the destination, if there is one.
    pub destination: IpAddr,
    /// Source address that its packets leave with.
    pub translated: IpAddr,
}

/// What the kernel knows an entry by: the tuple of its answers as the kernel listed it, its id and its zone.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FlowKey {
    family: Family,
    answers: Box<[u8]>,
    id: [u8; 4],
    zone: Option<[u8; 2]>,
}

/// A flow with its entry in the kernel's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedFlow {
    /// The flow.
    pub flow: Flow,
    key: FlowKey,
}

/// What a listing found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flows {
    /// Flows that were wanted, at most as many as were asked for.
    pub flows: Vec<TrackedFlow>,
    /// Wanted flows beyond those.
    pub more: usize,
}

/// What became of deletions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deleted {
    /// Of each flow, in order: its entry was deleted by this request; one that was gone already was not.
    pub done: Vec<bool>,
    /// Entries that the kernel refused to delete, and why it refused the last of them.
    pub refused: usize,
    /// Its reason.
    pub refusal: Option<Refusal>,
}

/// Reads and deletes entries of the kernel's table of flows. Needs `CAP_NET_ADMIN`.
#[derive(Debug)]
pub struct FlowSocket {
    socket: RequestSocket,
}

impl FlowSocket {
    /// Opens a netlink socket. Must be called on a tokio runtime, and only while [`tracked_flows`] says that there are
    /// any.
    ///
    /// # Errors
    /// When the socket cannot be opened; when the kernel has no such sockets.
    pub fn open() -> Result<Self, KernelError> {
        let opened = RequestSocket::open(NETLINK_NETFILTER);
        Ok(Self { socket: opened.map_err(|error| no_conntrack("open a netfilter socket", error))? })
    }

    /// Lists flows whose source is translated to `address` and which are wanted; keeps at most `limit` of them in
    /// memory, however many there are.
    ///
    /// # Errors
    /// When the kernel has no ctnetlink, does not answer in time, or answers with an error.
    pub async fn translated_to(
        &mut self,
        address: IpAddr,
        limit: usize,
        wanted: impl Fn(&Flow) -> bool,
    ) -> Result<Flows, KernelError> {
        let what = format!("list the flows that leave with source {address}");
        let request = Request::new(CT_GET, 0, &ConntrackRequest::translated_to(address));
        let listed = self.socket.dump(&what, request, |found: &mut Flows, message| {
            let Some(entry) = (message.kind == CT_NEW).then(|| Entry::parse(message.payload)).transpose()?.flatten()
            else {
                return Ok(());
            };
            let matches = entry.is_source_translated() && entry.flow.translated == address;
            if matches && wanted(&entry.flow) {
                if found.flows.len() < limit {
                    found.flows.push(TrackedFlow { flow: entry.flow, key: entry.key() });
                } else {
                    found.more += 1;
                }
            }
            Ok(())
        });
        listed.await.map_err(|error| no_conntrack(&what, error))
    }

    /// Deletes these entries, and none that took their place with another translated source: the next packet of each
    /// flow is translated anew.
    ///
    /// # Errors
    /// When the socket fails as a whole; refusals of single entries are in [`Deleted`].
    pub async fn delete(&mut self, flows: &[TrackedFlow]) -> Result<Deleted, KernelError> {
        let mut deleted = Deleted::default();
        for batch in flows.chunks(BATCH) {
            let what = format!("delete {} entries of moved flows", batch.len());
            let requests = batch.iter().map(|flow| Request::new(CT_DELETE, 0, &ConntrackRequest::delete(&flow.key)));
            for verdict in self.socket.execute(&what, requests.collect()).await? {
                deleted.done.push(verdict.is_ok());
                match verdict {
                    Ok(()) => {}
                    Err(refusal) if refusal.errno == libc::ENOENT => {}
                    Err(refusal) if refusal.errno == libc::EPERM => return Err(KernelError::refused(what, refusal)),
                    Err(refusal) => {
                        deleted.refused += 1;
                        deleted.refusal = Some(refusal);
                    }
                }
            }
        }
        Ok(deleted)
    }
}

/// nfnetlink without ctnetlink behind it answers `EINVAL`; a kernel without nfnetlink has no such sockets.
fn no_conntrack(what: &str, error: KernelError) -> KernelError {
    let errno = match &error {
        KernelError::Socket { source, .. } => source.raw_os_error(),
        error => error.errno(),
    };
    match errno {
        Some(libc::EINVAL | libc::EOPNOTSUPP | libc::EPROTONOSUPPORT) => {
            KernelError::NoConntrack { what: what.to_owned() }
        }
        _ => error,
    }
}
