//! Reading a full BGP table: Peerward, the same dump thrown away, `ip`, BIRD and zebra, all from one kernel table.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use peerward::{
    catalogue::Catalogue,
    config::Kernel,
    domain::{Family, Interest, ReadState, RouterState},
    kernel::{Doubt, watch_router},
};

use super::{
    bird::{Bird, Figure, PREAMBLE},
    data, ip,
    process::{self, Memory},
    report::{Report, Row, median, ratio},
    scale::Scale,
    steering::Steered,
    wire::{Way, Wire},
    zebra::Zebra,
};
use crate::{Branch, LabError, MAIN, Namespace};

/// The ISP that the global table was learnt from.
const FEED: usize = 1;
const DEADLINE: Duration = Duration::from_secs(60);

/// A branch whose router holds the global table, and what can be steered there.
pub(super) struct FullTable {
    pub(super) branch: Branch,
    catalogue: Catalogue,
    /// By ISP; IPv4, then IPv6.
    ways: [[Way; 2]; 2],
}

impl FullTable {
    /// Builds the branch and loads the table.
    pub(super) fn load(scale: &Scale, report: &mut Report) -> Result<Self, LabError> {
        let branch = Branch::builder().build()?;
        let catalogue = Steered::EveryTag.catalogue()?;
        let prefixes = data::global_table(scale.routes)?;
        let ways = [gateways(&branch, 0)?, gateways(&branch, FEED)?];
        let [_, [ipv4, ipv6]] = ways;
        let began = Instant::now();
        let way = |prefix: IpNet| if prefix.addr().is_ipv4() { ipv4 } else { ipv6 };
        branch
            .router()
            .run(|| Wire::open()?.load(&prefixes, MAIN, way))
            .map_err(|source| LabError::system("load the global table", source))?;
        let split = prefixes.iter().filter(|prefix| prefix.addr().is_ipv4()).count();
        report.part("table", "The router's own table");
        report.note(&format!(
            "{split} IPv4 and {} IPv6 routes loaded in {:.1} s",
            prefixes.len() - split,
            began.elapsed().as_secs_f64()
        ));
        Ok(Self { branch, catalogue, ways })
    }

    /// The way out by an uplink in a family.
    pub(super) fn way(&self, uplink: u8, family: Family) -> Way {
        let [first, second] = self.ways;
        let [ipv4, ipv6] = if uplink == 0 { first } else { second };
        if family == Family::Ipv4 { ipv4 } else { ipv6 }
    }

    fn interest(&self) -> Arc<Interest> {
        Arc::new(Interest {
            destinations: self.catalogue.classes().iter().flat_map(|class| class.prefixes.iter().copied()).collect(),
            interfaces: vec!["wan0".to_owned(), "wan1".to_owned()],
        })
    }
}

/// The gateways of both families at an ISP.
fn gateways(branch: &Branch, isp: usize) -> Result<[Way; 2], LabError> {
    let wan = branch.uplink(isp);
    let interface = wan.state()?.map_or(0, |state| state.index);
    let rows = branch.router().routes(MAIN)?;
    let gateway = |ipv4: bool| {
        let row = rows.iter().find(|row| {
            row.destination.prefix_len() == 0
                && row.destination.addr().is_ipv4() == ipv4
                && row.interface.as_deref() == Some(wan.name())
        });
        let none = || LabError::system("find a gateway", std::io::ErrorKind::NotFound);
        row.and_then(|row| row.gateway).map(|gateway: IpAddr| Way { interface, gateway }).ok_or_else(none)
    };
    Ok([gateway(true)?, gateway(false)?])
}

/// Reads the table in all ways.
pub(super) fn run(full: &FullTable, scale: &Scale, report: &mut Report) -> Result<(), LabError> {
    report.part("read", "Read the router's own table");
    let router = full.branch.router();
    let interest = full.interest();
    let (mut discarded, mut ours, mut listed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut discard_busy, mut our_busy) = (Vec::new(), Vec::new());
    let mut dump = super::wire::Dump::default();
    // In turns, so that a slow minute of the machine is everybody's.
    for _ in 0..scale.cheap {
        let (received, busy) = discard(router)?;
        dump = received;
        discarded.push(dump.took);
        discard_busy.push(busy);
        let (took, busy) = watch(router, &interest)?;
        ours.push(took);
        our_busy.push(busy);
        listed.push(ip::list_routes(router));
    }
    let (discard, read) = (median(&discarded), median(&ours));
    let megabytes = dump.bytes as f64 / 1e6;
    let (discard_busy, our_busy) = (median(&discard_busy), median(&our_busy));
    let cpu = discard_busy.as_millis();
    let note = format!("{} messages, {megabytes:.1} MB; {cpu} ms of CPU", dump.messages);
    row(report, "the same dump, received and thrown away", (discard, scale.cheap), None, &note);
    let note = format!(
        "{:.2} × of throwing away; budget 1.3 ×; {} ms of CPU, {:.2} ×",
        ratio(read, discard),
        our_busy.as_millis(),
        ratio(our_busy, discard_busy)
    );
    row(report, "Peerward, until its picture is fresh", (read, scale.cheap), None, &note);
    report.figure("read_ratio_discard", ratio(read, discard));
    report.figure("read_cpu_ratio_discard", ratio(our_busy, discard_busy));
    match listed.into_iter().collect::<Result<Vec<_>, _>>() {
        Ok(listed) => {
            let listed = median(&listed);
            compared(report, "ip route, into nothing", (listed, scale.cheap), None, ("read_ratio_iproute", read));
        }
        Err(reason) => report.missing("ip route, into nothing", &reason),
    }
    let bird = || with_bird(router, dump.messages);
    other(report, "BIRD 2, kernel protocols with `learn`", scale.dear, ("read_ratio_bird", read), bird);
    // Half a minute each: once.
    let zebra = || with_zebra(router, dump.messages);
    other(report, "FRR zebra, at its start", 1, ("read_ratio_frr", read), zebra);
    Ok(())
}

fn row(report: &mut Report, subject: &str, (took, repetitions): (Duration, usize), rss: Option<f64>, note: &str) {
    let (subject, note) = (subject.to_owned(), note.to_owned());
    report.row(&Row { subject, took: Some(took), repetitions, rss_mib: rss, note });
}

fn compared(
    report: &mut Report,
    subject: &str,
    measured: (Duration, usize),
    rss: Option<f64>,
    (figure, ours): (&'static str, Duration),
) {
    let times = ratio(measured.0, ours);
    row(report, subject, measured, rss, &format!("{times:.1} × Peerward's time"));
    report.figure(figure, times);
}

fn other(
    report: &mut Report,
    subject: &str,
    repetitions: usize,
    figure: (&'static str, Duration),
    mut once: impl FnMut() -> Result<(Duration, Option<Memory>), String>,
) {
    match (0..repetitions).map(|_| once()).collect::<Result<Vec<_>, _>>() {
        Ok(runs) => {
            let times: Vec<Duration> = runs.iter().map(|(took, _)| *took).collect();
            let rss = runs.first().and_then(|(_, memory)| *memory).map(|memory| memory.resident);
            compared(report, subject, (median(&times), runs.len()), rss, figure);
        }
        Err(reason) => report.missing(subject, &reason),
    }
}

fn discard(router: &Namespace) -> Result<(super::wire::Dump, Duration), LabError> {
    // A thread of its own, which also does the kernel's part: its processor time is all of it, whatever else runs.
    router
        .run(|| {
            let dump = Wire::open()?.discard_all_routes()?;
            Ok::<_, std::io::Error>((dump, process::thread_time()))
        })
        .map_err(|source| LabError::system("receive the router's routes", source))
}

/// The agent's own reader, from nothing to a fresh picture.
fn watch(router: &Namespace, interest: &Arc<Interest>) -> Result<(Duration, Duration), LabError> {
    let read = || -> std::io::Result<(Duration, Duration)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (state, mut seen) = tokio::sync::watch::channel(Arc::new(RouterState::default()));
            let (doubt, _doubts) = tokio::sync::watch::channel(Doubt::default());
            let began = Instant::now();
            let watching = watch_router(Kernel::default(), Arc::clone(interest), state, doubt);
            tokio::select! {
                ended = watching => Err(std::io::Error::other(format!("the reader ended: {ended:?}"))),
                _ = seen.wait_for(|state| state.read == ReadState::Fresh) => Ok((began.elapsed(), process::thread_time())),
                () = tokio::time::sleep(DEADLINE) => Err(std::io::ErrorKind::TimedOut.into()),
            }
        })
    };
    router.run(read).map_err(|source| LabError::system("read the router as Peerward does", source))
}

fn with_bird(router: &Namespace, routes: usize) -> Result<(Duration, Option<Memory>), String> {
    let config = format!(
        "{PREAMBLE}\
         protocol kernel k4 {{ learn; scan time 3600; ipv4 {{ import all; export none; }}; }}\n\
         protocol kernel k6 {{ learn; scan time 3600; ipv6 {{ import all; export none; }}; }}\n"
    );
    let began = Instant::now();
    let mut bird = Bird::start(router, &config)?;
    bird.wait_for(Figure::Imported, nearly(routes))?;
    Ok((began.elapsed(), bird.memory()))
}

fn with_zebra(router: &Namespace, routes: usize) -> Result<(Duration, Option<Memory>), String> {
    let began = Instant::now();
    let mut zebra = Zebra::start(router)?;
    zebra.wait_for(nearly(routes))?;
    Ok((began.elapsed(), zebra.memory()))
}

/// The dump also has routes of the local table, which these two do not take.
fn nearly(routes: usize) -> u64 {
    (routes as u64).saturating_sub(60)
}
