//! Gathers the evidence: netlink, `/proc/sys`, files, processes. Reads only; what cannot be read is missing, and named
//! where it matters.

use std::{fs, path::PathBuf};

use super::{AgentSocket, Evidence, Line, Names, Networkd, OtherAgent, Settings, names::text};
use crate::{
    config::Kernel,
    domain::PrefixSet,
    kernel::{KernelError, has_resilient_groups, inventory},
};

/// Processes that are looked at.
const PROCESSES: usize = 65_536;

/// Settings that do not belong to an interface.
const GLOBAL: [&str; 8] = [
    "net/ipv4/fib_multipath_hash_policy",
    "net/ipv6/fib_multipath_hash_policy",
    "net/ipv4/ip_forward",
    "net/ipv4/nexthop_compat_mode",
    "net/ipv4/conf/all/rp_filter",
    "net/ipv6/conf/all/forwarding",
    "net/core/rmem_max",
    "net/netfilter/nf_conntrack_max",
];

/// Settings of each uplink, before and after its name.
const OF_INTERFACE: [(&str, &str); 3] =
    [("net/ipv4/conf", "rp_filter"), ("net/ipv6/conf", "accept_ra"), ("net/ipv6/conf", "forwarding")];

/// Where files are: the root of the system's, and `/proc`.
#[derive(Debug, Clone)]
pub struct Places {
    /// `/` on a router.
    pub root: PathBuf,
    /// `/proc` on a router.
    pub proc: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self { root: PathBuf::from("/"), proc: PathBuf::from("/proc") }
    }
}

/// Gathers everything but the answer on the control socket, which is the caller's to ask for. Takes as long as the
/// kernel takes to list its routes; give it a deadline where that matters.
///
/// # Errors
/// When a netlink socket cannot be opened.
pub async fn gather(
    places: &Places,
    own: &Kernel,
    uplinks: Option<Vec<Line>>,
    destinations: PrefixSet,
    socket: AgentSocket,
) -> Result<Evidence, KernelError> {
    let mut evidence =
        Evidence { own: own.clone(), uplinks, socket, rigid: !has_resilient_groups(), ..Evidence::default() };
    evidence.inventory = inventory(own, &destinations).await?;
    evidence.destinations = destinations;
    // Some hundred small files: nothing for a thread that has packets of probes to answer for.
    let places = places.clone();
    let read = tokio::task::spawn_blocking(move || read(&places, evidence)).await;
    // Reading neither panics nor is cancelled but by the end of the runtime, and then nobody waits for it.
    Ok(read.unwrap_or_default())
}

/// The evidence with all that is in files.
fn read(places: &Places, evidence: Evidence) -> Evidence {
    let processes = Processes::read(places);
    Evidence {
        settings: settings(places, evidence.lines()),
        names: Names::read(&places.root),
        networkd: processes.networkd.then(|| Networkd::read(&places.root)),
        network_manager: processes.network_manager,
        agents: processes.agents,
        ..evidence
    }
}

fn settings(places: &Places, uplinks: &[Line]) -> Settings {
    let of_uplinks = (uplinks.iter())
        // The kernel allows no slash in a name; a file may say anything.
        .filter(|line| !line.interface.contains('/'))
        .flat_map(|line| OF_INTERFACE.map(|(before, after)| format!("{before}/{}/{after}", line.interface)));
    let keys = GLOBAL.into_iter().map(str::to_owned).chain(of_uplinks);
    let value = |key: String| {
        let value = fs::read_to_string(places.proc.join("sys").join(&key)).ok()?;
        Some((key, value.trim().to_owned()))
    };
    Settings(keys.filter_map(value).collect())
}

#[derive(Default)]
struct Processes {
    networkd: bool,
    network_manager: bool,
    agents: Vec<OtherAgent>,
}

impl Processes {
    fn read(places: &Places) -> Self {
        let mut found = Self::default();
        let Ok(entries) = fs::read_dir(&places.proc) else { return found };
        let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        for pid in numbers.take(PROCESSES) {
            let folder = places.proc.join(u32::to_string(&pid));
            // Fifteen letters of the name, as the kernel keeps it.
            match text(&folder.join("comm")).as_deref().map(str::trim) {
                Some("systemd-network") => found.networkd = true,
                Some("NetworkManager") => found.network_manager = true,
                Some("peerward") if pid != std::process::id() && is_agent(&folder) => {
                    let same_network = same_network(places, &folder);
                    found.agents.push(OtherAgent { pid, same_network });
                }
                _ => {}
            }
        }
        found
    }
}

/// `peerward run`, and not a command that asks it.
fn is_agent(process: &std::path::Path) -> bool {
    text(&process.join("cmdline")).is_some_and(|line| line.split('\0').skip(1).any(|argument| argument == "run"))
}

fn same_network(places: &Places, process: &std::path::Path) -> Option<bool> {
    let theirs = fs::read_link(process.join("ns/net")).ok()?;
    Some(theirs == fs::read_link(places.proc.join("thread-self/ns/net")).ok()?)
}
