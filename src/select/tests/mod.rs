//! Attachment, policy and decisions, as specifications.

mod attachment;
mod backup;
mod balanced;
mod choice;
mod fastest;
mod hold;
mod policy;
mod properties;
mod set_aside;
mod simulation;
mod words;
mod zones;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{Decision, Memory, PathInput, Policies, Policy, Qualification, Unattached, decide};
use crate::{
    config::{
        Config, Control, Destinations, Fallback, Isp, Kernel, Microsoft365, Microsoft365Source, Mode, NextHopSpec,
        Probe, Site, Sla, Strategy, Treatment, Uplink,
    },
    domain::{BootTime, Class, ClassId, Family, IspId, PathState, UplinkId},
    partners::Registry,
    quality::Figures,
};

/// Globally preferred, first.
const NTT: UplinkId = UplinkId(0);
/// Globally preferred, second.
const KDDI: UplinkId = UplinkId(1);
/// Not preferred: fallback.
const IIJ: UplinkId = UplinkId(2);

const NOW: BootTime = BootTime(Duration::from_secs(1_000));

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn ago(count: f64) -> BootTime {
    BootTime(NOW.0.saturating_sub(Duration::from_secs_f64(count)))
}

fn uplink(name: &str, isp: u16) -> Uplink {
    Uplink {
        name: name.to_owned(),
        isp: IspId(isp),
        interface: format!("if-{name}"),
        ipv4: NextHopSpec::Auto,
        ipv6: NextHopSpec::Auto,
        require_route: false,
        ipv6_source: crate::config::Ipv6Source::Any,
    }
}

fn isp(name: &str, uplinks: &[u16]) -> Isp {
    Isp {
        name: name.to_owned(),
        partner: Some(name.to_owned()),
        qualified_in: Vec::new(),
        uplinks: uplinks.iter().map(|uplink| UplinkId(*uplink)).collect(),
    }
}

/// A site in Japan with NTT, KDDI and IIJ; NTT before KDDI; `fallback = "any"`; leave after 5 s, return after 10 s.
fn config() -> Config {
    Config {
        site: Site { name: "tokyo-1".to_owned(), market: "Japan".to_owned(), utc_offset: 0 },
        registry: Arc::new(Registry::bundled().clone()),
        isps: vec![isp("NTT", &[0]), isp("KDDI", &[1]), isp("IIJ", &[2])],
        uplinks: vec![uplink("ntt", 0), uplink("kddi", 1), uplink("iij", 2)],
        policy: crate::config::Policy {
            preferred: vec![IspId(0), IspId(1)],
            markets: BTreeMap::new(),
            allow_unqualified: false,
            treatment: Treatment {
                strategy: Strategy::Ordered,
                sla: Sla { rtt: Some(Duration::from_millis(40)), loss: Some(0.02), ..Sla::default() },
                fallback: Fallback::Any,
                leave_after: seconds(5),
                return_after: seconds(10),
                stay_at_least: Duration::ZERO,
                moves_per_hour: 1_000,
                move_windows: Vec::new(),
            },
            rules: Vec::new(),
        },
        destinations: Destinations {
            microsoft365: Microsoft365 {
                source: Microsoft365Source::Bundled,
                services: Vec::new(),
                categories: Vec::new(),
            },
            service_tags: None,
            static_lists: Vec::new(),
        },
        probe: Probe {
            interval: Duration::from_millis(500),
            timeout: Duration::from_millis(900),
            window: 20,
            down_after: 3,
            up_after: 2,
            hold_down: Duration::ZERO,
            flap_half_life: None,
            ..Probe::default()
        },
        report: None,
        recording: None,
        kernel: Kernel { mode: Mode::Enforce, nexthop_base: 0x7000_0000, ..Kernel::default() },
        control: Control { socket: "/run/peerward.sock".into() },
    }
}

fn all_qualified(config: &Config) -> Vec<Qualification> {
    let qualified = |isp: &Isp| Qualification { qualified: true, reason: format!("{} is a partner", isp.name) };
    config.isps.iter().map(qualified).collect()
}

/// The policy of `config`, with every ISP qualified.
fn policy_of(config: &Config) -> Policy {
    Policies::ranked(config, &[], all_qualified(config)).of(None).clone()
}

fn policy() -> Policy {
    policy_of(&config())
}

fn exchange() -> Class {
    Class {
        id: ClassId::new("m365.exchange.ipv4"),
        family: Family::Ipv4,
        service: "exchange".to_owned(),
        region: None,
        prefixes: ["13.107.6.152/31".parse().unwrap()].into(),
        rule: None,
        zone: None,
    }
}

fn path(state: PathState, seconds_ago: f64) -> PathInput {
    let evidence = match state {
        PathState::Up => "RTT 12.1 ms, loss 0.0 % (20 probes)",
        PathState::Degraded => "RTT 62.3 ms > 40 ms (20 probes)",
        PathState::Unknown => "not measured yet",
        PathState::Down => "3 probes in a row lost: no answer",
    };
    PathInput {
        unattached: None,
        state,
        since: ago(seconds_ago),
        figures: Figures::default(),
        evidence: evidence.to_owned(),
    }
}

fn up(seconds_ago: f64) -> PathInput {
    path(PathState::Up, seconds_ago)
}

fn degraded(seconds_ago: f64) -> PathInput {
    path(PathState::Degraded, seconds_ago)
}

fn down() -> PathInput {
    path(PathState::Down, 1.0)
}

fn unknown(seconds_ago: f64) -> PathInput {
    path(PathState::Unknown, seconds_ago)
}

fn unattached() -> PathInput {
    PathInput { unattached: Some(Unattached::NoCarrier("wan0".to_owned())), ..up(100.0) }
}

fn on(uplink: UplinkId) -> Memory {
    Memory { chosen: Some(uplink), since: ago(500.0), ..Memory::default() }
}

/// Decides at `NOW` with one path for each of NTT, KDDI and IIJ.
#[allow(clippy::needless_pass_by_value, reason = "the tables of cases read better without borrows")]
fn decided(paths: [PathInput; 3], memory: &Memory) -> Decision {
    decided_by(&policy(), &paths, memory)
}

/// Decides at `NOW`; paths by position of the uplink.
fn decided_by(policy: &Policy, paths: &[PathInput], memory: &Memory) -> Decision {
    let paths = (0..).map(UplinkId).zip(paths.iter().cloned()).collect();
    decide(policy, &exchange(), &paths, memory, NOW)
}
