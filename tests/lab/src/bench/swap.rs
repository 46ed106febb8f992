//! Moving every route to another ISP: one message to a next-hop group, a replacement per route, a new configuration.

use std::{
    fmt::Write,
    fs,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use peerward::{
    config::Kernel,
    domain::{Family, IfIndex, NextHop},
    plan::{Change, Group, NextHopId, Via},
};
use tempfile::NamedTempFile;

use super::{
    bird::{Bird, Figure, PREAMBLE},
    data, ip,
    report::{Report, Row, median, ratio},
    scale::Scale,
    site::{self, Site, UPLINKS},
    wire::Wire,
};
use crate::LabError;

/// Tables of the other two, so that neither meets routes of ours.
const IP_TABLE: u32 = 7800;
const BIRD_TABLE: u32 = 7900;
/// The size and size-independent mode that the summary speaks of.
const NAMED: usize = 50_000;

/// Moves tables of each size.
pub(super) fn run(scale: &Scale, report: &mut Report) -> Result<(), LabError> {
    report.part("swap", "Move all routes to another ISP (IPv4, one table)");
    for &count in &scale.swaps {
        let site = Site::build()?;
        let prefixes = data::ipv4_table(count)?;
        let [told, quiet] = move_group(&site, &prefixes, scale, report)?;
        if count == scale.smallest_swap() {
            report.figure("swap_us_1k", quiet.as_secs_f64() * 1e6);
            report.figure("swap_us_1k_compat1", told.as_secs_f64() * 1e6);
        }
        if count == scale.largest_swap() {
            report.figure("swap_us_200k", quiet.as_secs_f64() * 1e6);
            report.figure("swap_us_200k_compat1", told.as_secs_f64() * 1e6);
        }
        let repetitions = if count < NAMED { scale.cheap } else { scale.dear };
        let subject = format!("{count} routes: `ip -batch`, route replace");
        match move_by_ip(&site, &prefixes, repetitions) {
            Ok(took) => {
                compared(report, &subject, (took, repetitions), [told, quiet]);
                if count == scale.named_swap() {
                    report.figure("swap_ratio_ip_batch_50k", ratio(took, quiet));
                    report.figure("swap_ratio_ip_batch_50k_compat1", ratio(took, told));
                }
            }
            Err(reason) => report.missing(&subject, &reason),
        }
        let subject = format!("{count} routes: BIRD 2, configure");
        match move_by_bird(&site, &prefixes) {
            Ok(took) => compared(report, &subject, (took, 1), [told, quiet]),
            Err(reason) => report.missing(&subject, &reason),
        }
    }
    Ok(())
}

fn compared(
    report: &mut Report,
    subject: &str,
    (took, repetitions): (Duration, usize),
    [told, quiet]: [Duration; 2],
) {
    report.row(&Row {
        subject: subject.to_owned(),
        took: Some(took),
        repetitions,
        rss_mib: None,
        note: format!("{:.0} × Peerward's time in mode 1, {:.0} × in mode 0", ratio(took, told), ratio(took, quiet)),
    });
}

/// The times in the modes 1 and 0.
fn move_group(
    site: &Site,
    prefixes: &[IpNet],
    scale: &Scale,
    report: &mut Report,
) -> Result<[Duration; 2], LabError> {
    let [first, second, group] = [2, 4, 6].map(|number| NextHopId(Kernel::default().nexthop_base + number));
    let table = Kernel::default().table;
    let next_hop = |uplink| {
        let way = site.way_of(uplink, Family::Ipv4);
        NextHop { index: IfIndex(way.interface), gateway: Some(way.gateway) }
    };
    let mut setup = vec![
        Change::SetNextHop(first, Family::Ipv4, next_hop(0)),
        Change::SetNextHop(second, Family::Ipv4, next_hop(1)),
        Change::SetGroup(group, Group::of_one(first)),
    ];
    setup.extend(prefixes.iter().map(|prefix| Change::AddRoute(table, *prefix, Via::Group(group))));
    site.talk("fill a table", async |socket| site::apply(socket, &setup).await)?;
    let mut medians = [Duration::ZERO; 2];
    for (mode, middle) in [1, 0].into_iter().zip(&mut medians) {
        site.set_compat_mode(mode)?;
        let repetitions = scale.cheap * if mode == 0 { 20 } else { 2 };
        let times = site.talk("move a group", async |socket| {
            let mut times = Vec::new();
            for turn in 0..repetitions {
                let to = if turn % 2 == 0 { second } else { first };
                let began = Instant::now();
                site::apply(socket, &[Change::SetGroup(group, Group::of_one(to))]).await?;
                times.push(began.elapsed());
            }
            Ok(times)
        })?;
        *middle = median(&times);
        let subject = format!("{} routes: Peerward, nexthop_compat_mode={mode}", prefixes.len());
        report.row(&Row { subject, took: Some(*middle), repetitions, ..Row::default() });
    }
    site.talk("empty a table", async |socket| site::clear(socket).await)?;
    Ok(medians)
}

fn move_by_ip(site: &Site, prefixes: &[IpNet], repetitions: usize) -> Result<Duration, String> {
    let load =
        site.router.run(|| Wire::open()?.load(prefixes, IP_TABLE, |prefix| site.way_of(0, Family::of_net(prefix))));
    load.map_err(|error| format!("load routes: {error}"))?;
    let mut times = Vec::new();
    for turn in 0..repetitions {
        let uplink = u8::from(turn % 2 == 0);
        let mut commands = String::new();
        for prefix in prefixes {
            let _ = writeln!(
                commands,
                "route replace {prefix} via {} dev {} table {IP_TABLE}",
                site::gateway(uplink, true),
                UPLINKS.get(usize::from(uplink)).copied().unwrap_or_default()
            );
        }
        let file = NamedTempFile::with_prefix("peerward-bench-").map_err(|error| error.to_string())?;
        fs::write(file.path(), commands).map_err(|error| error.to_string())?;
        times.push(ip::batch(&site.router, file.path(), false)?);
    }
    Ok(median(&times))
}

fn move_by_bird(site: &Site, prefixes: &[IpNet]) -> Result<Duration, String> {
    let count = prefixes.len() as u64;
    let mut bird = Bird::start(&site.router, &bird_config(prefixes, 0))?;
    bird.wait_for(Figure::ExportUpdates, count)?;
    bird.write_config(&bird_config(prefixes, 1))?;
    let before = bird.figure(Figure::ExportUpdates)?;
    let began = Instant::now();
    bird.configure()?;
    bird.wait_for(Figure::ExportUpdates, before + count)?;
    Ok(began.elapsed())
}

/// All prefixes as static routes by one uplink.
fn bird_config(prefixes: &[IpNet], uplink: u8) -> String {
    let mut config = format!(
        "{PREAMBLE}protocol kernel kernel1 {{ kernel table {BIRD_TABLE}; scan time 3600; ipv4 {{ export all; }}; }}\n\
         protocol static static1 {{\nipv4;\n"
    );
    let gateway = site::gateway(uplink, true);
    for prefix in prefixes {
        let _ = writeln!(config, "route {prefix} via {gateway};");
    }
    config.push_str("}\n");
    config
}
