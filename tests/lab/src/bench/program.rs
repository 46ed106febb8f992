//! Programming everything in the service tags: Peerward, `ip -batch` with the very same objects, BIRD with static routes.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use peerward::{
    config::Kernel,
    domain::{Family, NextHop},
    plan::{Fib, Rule, Selector, Via, difference},
};
use tempfile::NamedTempFile;

use super::{
    bird::{Bird, Figure, PREAMBLE},
    ip, reconcile,
    report::{Report, Row, median, ratio},
    scale::Scale,
    site::{self, Site},
    steering::{self, Steered},
};
use crate::LabError;

/// Programs all of it, three ways.
pub(super) fn run(scale: &Scale, report: &mut Report) -> Result<(), LabError> {
    for &steered in scale.steered {
        report.part("program", &format!("Program all service tags, {steered}: primary and backup table"));
        let site = Site::build()?;
        let catalogue = steered.catalogue()?;
        let desired = steering::everything_on_first(&catalogue, |uplink, family| site.way_of(uplink, family));
        report.note(&format!(
            "{} classes, {} routes, {} groups, {} rules",
            catalogue.classes().len(),
            desired.routes.len(),
            desired.groups.len(),
            desired.rules.len()
        ));
        three_ways(&site, &desired, steered, scale, report)?;
        reconcile::beside_nothing(&site, &desired, scale, report)?;
    }
    Ok(())
}

fn three_ways(
    site: &Site,
    desired: &Fib,
    steered: Steered,
    scale: &Scale,
    report: &mut Report,
) -> Result<(), LabError> {
    let (mut ours, mut batches) = (Vec::new(), Vec::new());
    for _ in 0..scale.cheap {
        ours.push(by_peerward(site, desired)?);
        batches.push(by_ip(site, desired));
    }
    let programmed = median(&ours);
    report.row(&Row {
        subject: "Peerward, from the plan to the last answer".to_owned(),
        took: Some(programmed),
        repetitions: scale.cheap,
        ..Row::default()
    });
    let subject = "`ip -batch`, the same objects";
    match batches.into_iter().collect::<Result<Vec<_>, _>>() {
        Ok(batches) => {
            compared(report, subject, (median(&batches), scale.cheap), programmed);
            if steered == Steered::ByRegion {
                report.figure("program_ratio_ip_batch", ratio(median(&batches), programmed));
            }
        }
        Err(reason) => report.missing(subject, &reason),
    }
    let subject = "BIRD 2, the same routes as static ones";
    match (0..scale.dear).map(|_| by_bird(site, desired)).collect::<Result<Vec<_>, _>>() {
        Ok(runs) => compared(report, subject, (median(&runs), runs.len()), programmed),
        Err(reason) => report.missing(subject, &reason),
    }
    Ok(())
}

fn compared(report: &mut Report, subject: &str, (took, repetitions): (Duration, usize), ours: Duration) {
    let note = format!("{:.1} × Peerward's time", ratio(took, ours));
    report.row(&Row { subject: subject.to_owned(), took: Some(took), repetitions, rss_mib: None, note });
}

fn by_peerward(site: &Site, desired: &Fib) -> Result<Duration, LabError> {
    site.talk("program the service tags", async |socket| {
        let began = Instant::now();
        let changes = difference(desired, &Fib::default());
        site::apply(socket, &changes).await?;
        let took = began.elapsed();
        site::clear(socket).await?;
        Ok(took)
    })
}

fn by_ip(site: &Site, desired: &Fib) -> Result<Duration, String> {
    let took = batches(site, desired);
    // Whatever became of it, the next one begins with nothing.
    let observed = site.talk("look at what ip programmed", async |socket| {
        let observed = socket.read().await.map_err(|error| error.to_string())?;
        site::clear(socket).await?;
        Ok(observed)
    });
    let (took, observed) = (took?, observed.map_err(|error| error.to_string())?);
    // Rules are few, and what they say may change without a difference in speed.
    let routes_alone = Fib { rules: desired.rules.clone(), ..observed };
    let differing = difference(desired, &routes_alone);
    if differing.is_empty() {
        return Ok(took);
    }
    Err(format!("{} differences from what Peerward programs, the first: {:?}", differing.len(), differing.first()))
}

fn batches(site: &Site, desired: &Fib) -> Result<Duration, String> {
    let mut took = Duration::ZERO;
    // An IPv6 rule of ours has no address to tell its family by.
    let rules = |family| desired.rules.iter().filter(move |rule| rule.family == family).map(rule_command);
    let first = object_commands(site, desired) + &rules(Family::Ipv4).collect::<String>();
    for (commands, ipv6) in [(first, false), (rules(Family::Ipv6).collect(), true)] {
        let file = NamedTempFile::with_prefix("peerward-bench-").map_err(|error| error.to_string())?;
        fs::write(file.path(), commands).map_err(|error| error.to_string())?;
        took += ip::batch(&site.router, file.path(), ipv6)?;
    }
    Ok(took)
}

/// The same objects and routes in the words of `ip`.
fn object_commands(site: &Site, fib: &Fib) -> String {
    let protocol = Kernel::default().protocol;
    let mut text = String::new();
    for (id, next_hop) in &fib.next_hops {
        let _ = writeln!(text, "nexthop add id {} {} protocol {protocol}", id.0, leading(site, next_hop));
    }
    for (id, group) in &fib.groups {
        let members: Vec<String> = group.members.keys().map(|member| member.0.to_string()).collect();
        let _ = writeln!(text, "nexthop add id {} group {} protocol {protocol}", id.0, members.join("/"));
    }
    for ((table, prefix), via) in &fib.routes {
        let via = match via {
            Via::Group(id) => format!("nhid {}", id.0),
            Via::NextHop(next_hop) => leading(site, next_hop),
        };
        // The metric of the agent's IPv6 routes; the kernel would choose 1024.
        let metric = if prefix.addr().is_ipv6() { "metric 512" } else { "" };
        let _ = writeln!(text, "route add {prefix} table {table} {via} protocol {protocol} {metric}");
    }
    text
}

fn rule_command(rule: &Rule) -> String {
    let Rule { preference, table, selector, .. } = rule;
    let protocol = Kernel::default().protocol;
    format!("rule add {} pref {preference} table {table} protocol {protocol}\n", selecting(selector))
}

fn selecting(selector: &Selector) -> String {
    match selector {
        Selector::Forwarded => "not iif lo".to_owned(),
        Selector::OutputInterface(name) => format!("iif lo oif {name}"),
        Selector::Source(address) => format!("from {address}"),
        Selector::From(prefix) => format!("from {prefix}"),
        Selector::OwnUnlessDefault => "iif lo suppress_prefixlength 0".to_owned(),
    }
}

fn leading(site: &Site, next_hop: &NextHop) -> String {
    let device = site.name_of(next_hop.index.0);
    match next_hop.gateway {
        Some(gateway) => format!("via {gateway} dev {device}"),
        None => format!("dev {device}"),
    }
}

fn by_bird(site: &Site, desired: &Fib) -> Result<Duration, String> {
    let routes = placed(desired);
    let count: usize = routes.values().map(Vec::len).sum();
    let mut bird = Bird::start(&site.router, &bird_config(&routes, false))?;
    // Exports begin when the kernel protocols have looked at their tables once.
    bird.figure(Figure::ExportUpdates)?;
    bird.write_config(&bird_config(&routes, true))?;
    let began = Instant::now();
    bird.configure()?;
    bird.wait_for(Figure::ExportUpdates, count as u64)?;
    Ok(began.elapsed())
}

/// The routes of classes by table and family; the primary table leads to the first uplink, the backup to the second.
fn placed(fib: &Fib) -> BTreeMap<(u32, Family), Vec<IpNet>> {
    let mut routes: BTreeMap<_, Vec<IpNet>> = BTreeMap::new();
    for (table, prefix) in fib.routes.iter().filter(|(_, via)| matches!(via, Via::Group(_))).map(|(key, _)| key) {
        routes.entry((*table, Family::of_net(*prefix))).or_default().push(*prefix);
    }
    routes
}

fn bird_config(routes: &BTreeMap<(u32, Family), Vec<IpNet>>, with_routes: bool) -> String {
    let mut config = PREAMBLE.to_owned();
    for ((table, family), prefixes) in routes {
        let uplink = u8::from(*table != Kernel::default().table);
        let (channel, is_ipv4) = if *family == Family::Ipv4 { ("ipv4", true) } else { ("ipv6", false) };
        let name = format!("{channel}_{table}");
        let _ = write!(
            config,
            "{channel} table {name};\n\
             protocol kernel kernel_{name} {{ kernel table {table}; scan time 3600; \
             {channel} {{ table {name}; export all; }}; }}\n\
             protocol static static_{name} {{\n{channel} {{ table {name}; }};\n"
        );
        let gateway = site::gateway(uplink, is_ipv4);
        for prefix in prefixes.iter().filter(|_| with_routes) {
            let _ = writeln!(config, "route {prefix} via {gateway};");
        }
        config.push_str("}\n");
    }
    config
}
