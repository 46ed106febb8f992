//! A full look at everything of ours when there is nothing to do: read, compare, find no difference.

use std::time::{Duration, Instant};

use peerward::{
    config::Kernel,
    domain::Family,
    plan::{Fib, difference},
};

use super::{
    process,
    read::FullTable,
    report::{Report, Row, median},
    scale::Scale,
    site::{self, Site},
    steering::{self, Steered},
    wire::Wire,
};
use crate::{LabError, Namespace};

/// In a router that holds nothing else.
pub(super) fn beside_nothing(site: &Site, desired: &Fib, scale: &Scale, report: &mut Report) -> Result<(), LabError> {
    measure(&site.router, desired, scale, report, "full reconcile, nothing to do, beside nothing else").map(drop)
}

/// In a router with a full table of its own.
pub(super) fn beside_full_table(full: &FullTable, scale: &Scale, report: &mut Report) -> Result<(), LabError> {
    report.part("reconcile", &format!("Full reconcile, nothing to do, beside {} foreign routes", scale.routes));
    for &steered in scale.steered {
        let catalogue = steered.catalogue()?;
        let desired = steering::everything_on_first(&catalogue, |uplink, family| full.way(uplink, family));
        let subject = format!("all service tags, {steered}");
        let took = measure(full.branch.router(), &desired, scale, report, &subject)?;
        if steered == Steered::ByRegion {
            report.figure("reconcile_ms_beside_1m", took.as_secs_f64() * 1e3);
        }
    }
    Ok(())
}

fn measure(
    router: &Namespace,
    desired: &Fib,
    scale: &Scale,
    report: &mut Report,
    subject: &str,
) -> Result<Duration, LabError> {
    let repetitions = 4 * scale.cheap;
    let (times, busy) = site::talk(router, "reconcile", async |socket| {
        site::apply(socket, &difference(desired, &Fib::default())).await?;
        let (mut times, mut busy) = (Vec::new(), Vec::new());
        for _ in 0..repetitions {
            let (began, used) = (Instant::now(), process::thread_time());
            let observed = socket.read().await.map_err(|error| error.to_string())?;
            let changes = difference(desired, &observed);
            times.push(began.elapsed());
            busy.push(process::thread_time().saturating_sub(used));
            if !changes.is_empty() {
                return Err(format!("{} changes where there should be none", changes.len()));
            }
        }
        Ok((times, busy))
    })?;
    let bytes = router
        .run(|| our_bytes(&mut Wire::open()?))
        .map_err(|source| LabError::system("count the bytes of our tables", source))?;
    site::talk(router, "clear", async |socket| site::clear(socket).await)?;
    let took = median(&times);
    let used = median(&busy).as_secs_f64() * 1e3;
    let note = format!("{} objects, {used:.1} ms of CPU, {} KiB from the kernel", desired.objects(), bytes / 1024);
    report.row(&Row { subject: subject.to_owned(), took: Some(took), repetitions, rss_mib: None, note });
    Ok(took)
}

/// What a full read receives: next hops, rules, and the routes of our tables.
fn our_bytes(wire: &mut Wire) -> std::io::Result<usize> {
    let Kernel { table, backup_table, probe_table, protocol, .. } = Kernel::default();
    let mut bytes = wire.discard_next_hops()?.bytes;
    for family in Family::BOTH {
        let family = if family == Family::Ipv4 { libc::AF_INET } else { libc::AF_INET6 };
        bytes += wire.discard_rules(family)?.bytes;
        for table in [table, backup_table, probe_table, probe_table + 1] {
            bytes += wire.discard_routes(family, Some((table, protocol)))?.bytes;
        }
    }
    Ok(bytes)
}
