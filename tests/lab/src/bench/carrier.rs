//! A cut cable while everything is steered: how long until lookups resolve on the backup, and what the client loses.

use std::{
    net::IpAddr,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use peerward::{config::Kernel, domain::IfIndex};

use super::{
    data,
    report::{Report, Row, median},
    scale::Scale,
    site,
    wire::Wire,
};
use crate::{Agent, AgentSettings, Branch, CLIENT_IPV4, ClientFlow, LabError, MICROSOFT_IPV4};

/// A thousand packets a second.
const PACE: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(60);
const PREFERRED: usize = 0;
/// Destinations that are looked up again and again: spread over the whole table.
const SAMPLES: usize = 8;

/// What one cut did.
struct Cut {
    /// From the cut until the last sample resolved on the other uplink.
    backup: Duration,
    lost: u64,
    longest_gap: Duration,
}

/// Cuts the cable with and without an agent.
pub(super) fn run(binary: &Path, scale: &Scale, report: &mut Report) -> Result<(), LabError> {
    report
        .part("carrier", &format!("Cut the cable of the chosen ISP with {} prefixes steered", scale.carrier_routes));
    let prefixes = data::ipv4_table(scale.carrier_routes)?;
    for (alive, subject) in [(true, "with the agent"), (false, "with the agent killed before")] {
        let cuts = (0..scale.dear).map(|_| cut(binary, &prefixes, alive)).collect::<Result<Vec<_>, _>>()?;
        let backups: Vec<Duration> = cuts.iter().map(|cut| cut.backup).collect();
        let mut lost: Vec<u64> = cuts.iter().map(|cut| cut.lost).collect();
        lost.sort_unstable();
        let lost = lost.get(lost.len().saturating_sub(1) / 2).copied().unwrap_or_default();
        let gap = cuts.iter().map(|cut| cut.longest_gap).max().unwrap_or_default();
        report.row(&Row {
            subject: format!("{subject}: lookups resolve on the backup"),
            took: Some(median(&backups)),
            repetitions: cuts.len(),
            rss_mib: None,
            note: format!("{lost} packets lost at 1,000/s, longest gap of all {:.0} ms", gap.as_secs_f64() * 1e3),
        });
        if alive {
            report.figure("carrier_backup_ms", median(&backups).as_secs_f64() * 1e3);
            #[allow(clippy::cast_precision_loss, reason = "a count of packets of some seconds")]
            report.figure("carrier_lost_packets", lost as f64);
        }
    }
    Ok(())
}

fn cut(binary: &Path, prefixes: &[IpNet], alive: bool) -> Result<Cut, LabError> {
    let branch = Branch::builder().build()?;
    let listed: Vec<String> = prefixes.iter().map(IpNet::to_string).collect();
    let more = format!("\n[[destinations.static]]\nname = \"bench\"\nprefixes = {listed:?}\n");
    let settings = AgentSettings { more, ..AgentSettings::default() };
    let mut agent = Agent::with_binary(&branch, binary.to_owned(), &settings)?;
    agent.start()?;
    // Aggregation leaves fewer routes than there are prefixes, but not by much: they were taken far apart.
    settle(&branch, &mut agent, prefixes.len() / 2)?;
    let flow = ClientFlow::udp(branch.client(), MICROSOFT_IPV4, PACE)?;
    wait("the client is answered", &mut agent, || Ok(flow.since_mark().received > 100))?;
    if !alive {
        agent.kill()?;
    }
    flow.mark();
    let backup = cut_and_look(&branch, prefixes)?;
    // What the agent does about it afterwards must not cost packets either.
    sleep(Duration::from_secs(1));
    let report = flow.settled_since_mark();
    Ok(Cut { backup, lost: report.lost, longest_gap: report.longest_gap })
}

/// Waits until both tables are full and the preferred uplink carries all of it.
fn settle(branch: &Branch, agent: &mut Agent, routes: usize) -> Result<(), LabError> {
    let Kernel { table, backup_table, protocol, .. } = Kernel::default();
    let uplink = format!("wan{PREFERRED}");
    let deadline = Instant::now() + PATIENCE;
    loop {
        agent.check_running()?;
        let status = agent.status().unwrap_or_default();
        let classes = status.get("classes").and_then(|classes| classes.as_array()).map_or(&[][..], Vec::as_slice);
        let there = classes.iter().all(|class| class.get("in_kernel").is_some_and(|held| *held == *uplink));
        let count = |table| {
            let listed = branch.router().run(|| Wire::open()?.discard_routes(libc::AF_INET, Some((table, protocol))));
            listed.map(|dump| dump.messages).map_err(|source| LabError::system("count our routes", source))
        };
        if !classes.is_empty() && there && count(table)? > routes && count(backup_table)? > routes {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(LabError::Deadline {
                what: format!("all classes are on {uplink}, with a backup"),
                seconds: PATIENCE.as_secs_f64(),
                last: agent.log_tail(),
            });
        }
        sleep(Duration::from_millis(50));
    }
}

fn wait(what: &str, agent: &mut Agent, condition: impl Fn() -> Result<bool, LabError>) -> Result<(), LabError> {
    let deadline = Instant::now() + PATIENCE;
    while !condition()? {
        agent.check_running()?;
        if Instant::now() > deadline {
            let (what, seconds) = (what.to_owned(), PATIENCE.as_secs_f64());
            return Err(LabError::Deadline { what, seconds, last: agent.log_tail() });
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Cuts, and asks the kernel until every sample has left the dead uplink.
fn cut_and_look(branch: &Branch, prefixes: &[IpNet]) -> Result<Duration, LabError> {
    let index = |name: &str| -> Result<IfIndex, LabError> {
        let state = branch.router().link(name).state()?;
        state
            .map(|state| IfIndex(state.index))
            .ok_or_else(|| LabError::system("find an interface", std::io::ErrorKind::NotFound))
    };
    let (lan, other) = (index("lan0")?, index("wan1")?);
    let samples = samples(prefixes);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            site::talk(branch.router(), "look up samples", async |socket| {
                let deadline = Instant::now() + PATIENCE;
                for sample in &samples {
                    loop {
                        let found = socket.lookup(*sample, Some((lan, CLIENT_IPV4))).await;
                        if found.is_ok_and(|found| found.interface == Some(other)) {
                            break;
                        }
                        if Instant::now() > deadline {
                            return Err(format!("{sample} does not leave by the other uplink"));
                        }
                    }
                }
                Ok(Instant::now())
            })
        });
        // Its thread and socket stand by then, so that starting them is not measured.
        sleep(Duration::from_millis(50));
        let began = Instant::now();
        branch.cut(PREFERRED)?;
        let resolved = looking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(resolved.saturating_duration_since(began))
    })
}

/// The address that the client talks to, and hosts all over the table.
fn samples(prefixes: &[IpNet]) -> Vec<IpAddr> {
    let step = (prefixes.len() / SAMPLES).max(1);
    std::iter::once(MICROSOFT_IPV4).chain(prefixes.iter().step_by(step).map(IpNet::network)).collect()
}
