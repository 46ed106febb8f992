//! Flows that the kernel tracks and whose source it translates: lists them, and deletes single ones.
//!
//! Never asks unless the kernel tracks flows already: a question alone would load the module.

mod message;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::IpAddr,
};

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

/// What a listing found, by what the flows were taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flows<K> {
    /// Flows that were wanted, at most as many as were asked for.
    pub flows: Vec<(K, TrackedFlow)>,
    /// All that were wanted, counted.
    pub counts: BTreeMap<K, u64>,
}

impl<K> Default for Flows<K> {
    fn default() -> Self {
        Self { flows: Vec::new(), counts: BTreeMap::new() }
    }
}

impl<K> Flows<K> {
    /// How many were wanted.
    pub fn count(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// What became of one entry that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was deleted.
    Deleted,
    /// It was gone already.
    Gone,
    /// The kernel refused.
    Refused(Refusal),
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

    /// Lists flows whose source is translated to one of `addresses` and which `sort` takes for something; keeps at most
    /// `limit` of them in memory, however many there are.
    ///
    /// # Errors
    /// When the kernel has no ctnetlink, does not answer in time, or answers with an error.
    pub async fn translated_to<K: Ord + Clone>(
        &mut self,
        addresses: &BTreeSet<IpAddr>,
        limit: usize,
        sort: impl Fn(&Flow) -> Option<K>,
    ) -> Result<Flows<K>, KernelError> {
        let sort = |flow: &Flow| addresses.contains(&flow.translated).then(|| sort(flow)).flatten();
        let mut all = Flows::default();
        for family in Family::BOTH {
            let mut of_family = addresses.iter().filter(|address| Family::of(**address) == family);
            let question = match (of_family.next(), of_family.next()) {
                (None, _) => continue,
                (Some(IpAddr::V4(only)), None) => ConntrackRequest::translated_to(*only),
                _ => ConntrackRequest::translated(family),
            };
            let room = limit.saturating_sub(all.flows.len());
            let found = self.list(family, &question, room, sort).await?;
            all.flows.extend(found.flows);
            found.counts.into_iter().for_each(|(key, count)| *all.counts.entry(key).or_default() += count);
        }
        Ok(all)
    }

    async fn list<K: Ord + Clone>(
        &mut self,
        family: Family,
        question: &ConntrackRequest,
        room: usize,
        sort: impl Fn(&Flow) -> Option<K>,
    ) -> Result<Flows<K>, KernelError> {
        let what = format!("list {family} flows with a translated source");
        let listed = self.socket.dump(&what, Request::new(CT_GET, 0, question), |found: &mut Flows<K>, message| {
            let entry = (message.kind == CT_NEW).then(|| Entry::parse(message.payload)).transpose()?.flatten();
            let Some(entry) = entry.filter(Entry::is_source_translated) else { return Ok(()) };
            let Some(key) = sort(&entry.flow) else { return Ok(()) };
            if found.flows.len() < room {
                found.flows.push((key.clone(), TrackedFlow { flow: entry.flow, key: entry.key() }));
            }
            *found.counts.entry(key).or_default() += 1;
            Ok(())
        });
        listed.await.map_err(|error| no_conntrack(&what, error))
    }

    /// Deletes these entries, and none that took their place with another translated source: the next packet of each
    /// flow is translated anew. Answers for each entry in order.
    ///
    /// # Errors
    /// When the socket fails as a whole, or the capability is missing.
    pub async fn delete(&mut self, flows: impl Iterator<Item = &TrackedFlow>) -> Result<Vec<Fate>, KernelError> {
        let mut requests = flows.map(|flow| Request::new(CT_DELETE, 0, &ConntrackRequest::delete(&flow.key)));
        let mut fates = Vec::new();
        loop {
            let batch: Vec<_> = requests.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(fates);
            }
            let what = format!("delete {} entries of moved flows", batch.len());
            for verdict in self.socket.execute(&what, batch).await? {
                fates.push(match verdict {
                    Ok(()) => Fate::Deleted,
                    Err(refusal) if refusal.errno == libc::ENOENT => Fate::Gone,
                    Err(refusal) if refusal.errno == libc::EPERM => return Err(KernelError::refused(what, refusal)),
                    Err(refusal) => Fate::Refused(refusal),
                });
            }
            tokio::task::yield_now().await;
        }
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
