//! `peerward probe`: measures one target through one uplink, like ping, with or without a running agent.

mod asked;
mod render;
mod tally;

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use nix::net::if_::if_nametoindex;
use tokio::{
    pin, select, signal,
    time::{self, MissedTickBehavior},
};

pub use asked::Asked;

use self::{render::Shown, tally::Tally};
use super::{
    arguments::Global,
    failure::{Code, Failure},
    output::print_while_read,
};
use crate::{
    agent,
    config::{self, Config, Uplink, quoted, suggest},
    domain::{Check, Family, Host, Target},
    probe::{Attempt, Measured, TrustAnchors, resolve},
};

/// How long the look-up of a name may take, in each family.
const LOOK_UP: Duration = Duration::from_secs(3);

/// Probes until the count is reached or somebody presses Ctrl-C.
pub fn run(global: &Global, asked: &Asked) -> Result<(), Failure> {
    let config = config::load(global.config_file()).map_err(|error| Failure::new(Code::Config, error))?;
    let uplink = uplink(&config, &asked.uplink)?;
    let target = asked.target(config.probe.port).map_err(|reason| Failure::new(Code::Usage, reason))?;
    if if_nametoindex(uplink.interface.as_str()).is_err() {
        let (name, interface) = (&uplink.name, &uplink.interface);
        return Err(Failure::new(
            Code::Failed,
            format_args!("uplink {name} is not there: this machine has no interface {interface}"),
        ));
    }
    // Read only for what needs it: the system's anchors are a large file on a small machine.
    let trust = if target.check.proves_identity() { anchors(&config)? } else { None };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Code::Failed, format_args!("cannot start a runtime: {error}")))?;
    runtime.block_on(async {
        let address = address(&config, uplink, &target).await?;
        let attempt = Attempt {
            interface: &uplink.interface,
            // The kernel's choice is that of anything else that is bound to the interface.
            source: None,
            address: SocketAddr::new(address, target.port),
            check: &target.check,
            timeout: asked.timeout.unwrap_or(config.probe.timeout),
            trust: trust.as_deref(),
            ports: None,
        };
        let shown =
            Shown { uplink: &uplink.name, interface: &uplink.interface, target: &target, address, json: global.json };
        let tally = measure(asked, &attempt, &shown).await?;
        print_while_read(&shown.summary(&tally))?;
        if tally.answered() > 0 { Ok(()) } else { Err(Failure::already_told(Code::Failed)) }
    })
}

/// The uplink of that name, or by that interface.
fn uplink<'a>(config: &'a Config, name: &str) -> Result<&'a Uplink, Failure> {
    let by = |text: fn(&Uplink) -> &str| config.uplinks.iter().find(|uplink| text(uplink) == name);
    by(|uplink| &uplink.name).or_else(|| by(|uplink| &uplink.interface)).ok_or_else(|| {
        let known = config.uplinks.iter().map(|uplink| uplink.name.as_str());
        Failure::new(Code::Usage, format_args!("there is no uplink {}; {}", quoted(name), suggest(name, known)))
    })
}

/// Who may vouch for the target.
fn anchors(config: &Config) -> Result<Option<Arc<TrustAnchors>>, Failure> {
    let trust = TrustAnchors::load(&config.probe.trust).map_err(|error| Failure::new(Code::Config, error))?;
    if trust.is_some() {
        return Ok(trust);
    }
    Err(Failure::new(Code::Config, "probe.ca = \"off\": nobody is trusted to vouch for this target")
        .with_hint("name trust anchors in probe.ca, or measure it by another kind"))
}

/// Where the target is; a name is looked up through the uplink, for IPv4 first.
async fn address(config: &Config, uplink: &Uplink, target: &Target) -> Result<IpAddr, Failure> {
    let name = match &target.host {
        Host::Address(address) => return Ok(*address),
        Host::Name(name) => name,
    };
    let servers = match config.probe.resolvers.as_slice() {
        [] => agent::reachable_through_uplinks(agent::name_servers()),
        named => named.to_vec(),
    };
    let mut reason = None;
    for family in [Family::Ipv4, Family::Ipv6] {
        match resolve(&uplink.interface, None, &servers, name, family, LOOK_UP).await {
            Ok(addresses) => {
                if let Some(first) = addresses.first() {
                    return Ok(*first);
                }
            }
            Err(error) => {
                reason.get_or_insert(error);
            }
        }
    }
    let reason = reason.map_or_else(|| format!("{name} has no address"), |error| error.to_string());
    Err(Failure::new(Code::Failed, reason).with_hint("an address instead of a name needs no name server"))
}

/// Tells of each probe as it ends. One that is under way when Ctrl-C comes is neither answered nor lost.
async fn measure(asked: &Asked, attempt: &Attempt<'_>, shown: &Shown<'_>) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let interrupted = signal::ctrl_c();
    pin!(interrupted);
    // A slow answer must not be followed by a burst.
    let mut turns = time::interval(asked.interval);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut wanted = print_while_read(&shown.head())?;
    while wanted && asked.count.is_none_or(|count| tally.sent() < count) {
        let measured = select! {
            biased;
            _ = &mut interrupted => break,
            measured = async {
                turns.tick().await;
                one(asked.size, attempt).await
            } => measured?,
        };
        tally.add(measured);
        wanted = print_while_read(&shown.line(tally.sent(), measured))?;
    }
    Ok(tally)
}

async fn one(size: Option<u16>, attempt: &Attempt<'_>) -> Result<Measured, Failure> {
    let measured = match size {
        Some(size) => attempt.echo(size).await,
        None => attempt.carry_out().await,
    };
    measured.map_err(|error| {
        let failure = |code| Failure::new(code, format_args!("cannot probe through {}: {error}", attempt.interface));
        match error.kind() {
            ErrorKind::PermissionDenied if *attempt.check == Check::Icmp => failure(Code::Denied).with_hint(
                "let this group send echoes (net.ipv4.ping_group_range), run it as root or with CAP_NET_RAW",
            ),
            ErrorKind::PermissionDenied => failure(Code::Denied),
            _ => failure(Code::Failed),
        }
    })
}
