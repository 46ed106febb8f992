use std::{net::SocketAddr, path::Path, time::Duration};

use super::{
    Attached, ClassHead, Entry, Faults, Head, Header, ReadError, UplinkHead, VERSION,
    batch::{Attachments, Batch},
    line, member, read_from,
};
use crate::domain::{
    BootTime, Category, ClassId, Family, ProbeFailure, ProbeKind, ProbeOutcome, ProbeSample, UplinkId,
};

mod files;
mod grammar;
mod hostile;

fn ms(milliseconds: u64) -> BootTime {
    BootTime(Duration::from_millis(milliseconds))
}

fn head() -> Head {
    let class = |family: Family| ClassHead {
        id: ClassId::new(&format!("m365.exchange.{family}")),
        family,
        service: "exchange".to_owned(),
        region: None,
        category: Some(Category::Optimize),
        targets: vec!["tls:outlook.office365.com:443".to_owned(), "icmp:13.107.6.152".to_owned()],
    };
    let uplink = |name: &str, isp: &str| UplinkHead { name: name.to_owned(), isp: isp.to_owned() };
    Head {
        header: Header {
            version: VERSION,
            agent: "0.1.0".to_owned(),
            site: "akl-01".to_owned(),
            market: "New Zealand".to_owned(),
            utc_offset: 780,
            boot: "0f0e".to_owned(),
            start_ms: 100_000,
            wall_ms: 1_795_000_000_000,
        },
        uplinks: vec![uplink("wan0", "kordia"), uplink("wan \"1\"", "ccl")],
        classes: vec![class(Family::Ipv4), class(Family::Ipv6)],
    }
}

fn sample(sent: u64, uplink: u16, outcome: ProbeOutcome) -> ProbeSample {
    ProbeSample {
        uplink: UplinkId(uplink),
        class: ClassId::new("m365.exchange.ipv4"),
        target: 0,
        kind: ProbeKind::Tls,
        address: Some(SocketAddr::from(([13, 107, 6, 152], 443))),
        sent_at: ms(sent),
        outcome,
        service_time: None,
    }
}

fn answered(microseconds: u64) -> ProbeOutcome {
    ProbeOutcome::Answered(Duration::from_micros(microseconds))
}

/// A head and a batch in which something of every kind happens.
fn text() -> String {
    let mut text = String::new();
    line::write_head(&head(), &mut text);
    let wall = Duration::from_millis(1_795_000_000_500);
    let attached = Attachments::from([((UplinkId(0), Family::Ipv4), (Attached::Yes, String::new()))]);
    let mut batch = Batch::new(ms(100_500), wall, &attached);
    batch.sample(ms(101_000), 0, &sample(100_986, 0, answered(13_204)));
    batch.sample(ms(101_020), 0, &sample(100_900, 1, ProbeOutcome::Overdue));
    let timely =
        ProbeSample { service_time: Some(Duration::from_micros(28_001)), ..sample(101_000, 0, answered(9_999)) };
    batch.sample(ms(101_030), 0, &timely);
    batch.sample(ms(101_900), 0, &sample(100_900, 1, ProbeOutcome::Failed(ProbeFailure::Timeout)));
    let nowhere =
        ProbeSample { address: None, ..sample(101_950, 1, ProbeOutcome::Failed(ProbeFailure::NotResolved)) };
    batch.sample(ms(101_951), 0, &nowhere);
    batch.dropped(3);
    let gone = (Attached::NoCarrier, "interface wan0 has no carrier".to_owned());
    batch.attachment(ms(102_000), UplinkId(0), Family::Ipv4, gone);
    text.push_str(&batch.finish(ms(160_500), wall + Duration::from_secs(60)));
    text
}

fn entries(source: &[u8]) -> Result<(Vec<Entry>, Faults), ReadError> {
    let mut entries = Vec::new();
    let faults = read_from(Path::new("s.pwr"), source, &mut |entry| entries.push(entry.clone()))?;
    Ok((entries, faults))
}

fn packed(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| member::pack(text).unwrap()).collect()
}
