//! A small recording of two ISPs and a few destinations, and what is told of it.

use std::{env, fs, path::PathBuf, sync::Arc, time::Duration};

use super::{Finding, Survey, SurveyReport, blocks::MOST_BLOCKS, page};
use crate::{
    domain::{BootTime, Category, ClassId, Family, ProbeFailure, ProbeOutcome},
    recording::{Attached, ClassHead, Dating, Entry, Faults, Head, Header, RecordedSample, UplinkHead, VERSION},
};

mod comparison;
mod rendering;

/// 2026-11-25 08:00:00 UTC.
const WALL: u64 = 1_795_593_600_000;
/// Start of the run, since boot.
const START: u64 = 50_000;

fn ms(milliseconds: u64) -> BootTime {
    BootTime(Duration::from_millis(milliseconds))
}

fn class(id: &str, service: &str, region: Option<&str>, family: Family) -> ClassHead {
    ClassHead {
        id: ClassId::new(&format!("{id}.{family}")),
        family,
        service: service.to_owned(),
        region: region.map(str::to_owned),
        category: region.is_none().then_some(Category::Optimize),
        targets: vec!["tcp:192.0.2.1:443".to_owned(), "tcp:192.0.2.2:443".to_owned()],
    }
}

fn head(uplinks: &[(&str, &str)], classes: Vec<ClassHead>) -> Arc<Head> {
    let header = Header {
        version: VERSION,
        agent: "0.1.0".to_owned(),
        site: "tokyo-1".to_owned(),
        market: "Japan".to_owned(),
        utc_offset: 540,
        boot: "0f0e".to_owned(),
        start_ms: START,
        wall_ms: WALL,
    };
    let uplinks = uplinks.iter().map(|(name, isp)| UplinkHead { name: (*name).to_owned(), isp: (*isp).to_owned() });
    Arc::new(Head { header, uplinks: uplinks.collect(), classes })
}

/// What a path is like: uplink, class, target and seconds since the start.
type Weather = fn(usize, usize, usize, u64) -> ProbeOutcome;

fn answered(microseconds: u64) -> ProbeOutcome {
    ProbeOutcome::Answered(Duration::from_micros(microseconds))
}

const LOST: ProbeOutcome = ProbeOutcome::Failed(ProbeFailure::Timeout);

/// Something between 0 and `below` that looks like chance, and is the same every time.
fn noise(seed: u64, below: u64) -> u64 {
    let mixed = (seed.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 29) ^ mixed).wrapping_mul(0xbf58_476d_1ce4_e5b9) % below.max(1)
}

/// Every path once in `every` seconds.
fn recording(head: &Arc<Head>, seconds: u64, every: usize, weather: Weather) -> Vec<Entry> {
    let mut entries = vec![Entry::Began(Arc::clone(head))];
    for uplink in 0..head.uplinks.len() {
        for family in Family::BOTH {
            entries.push(Entry::Attachment { at: ms(START), uplink, family, state: Attached::Yes });
        }
    }
    for second in (0..seconds).step_by(every) {
        for uplink in 0..head.uplinks.len() {
            for class in 0..head.classes.len() {
                let target = usize::try_from(second).unwrap() / every % 2;
                let sent = START + second * 1_000 + 10 * class as u64 + uplink as u64;
                let outcome = weather(uplink, class, target, second);
                entries.push(Entry::Sample(RecordedSample {
                    at: ms(sent + 100),
                    uplink,
                    class,
                    target,
                    address: None,
                    sent_at: ms(sent),
                    outcome,
                    service_time: None,
                }));
            }
        }
    }
    entries
}

fn surveyed(entries: &[Entry]) -> SurveyReport {
    let mut dating = Dating::default();
    for entry in entries {
        dating.observe(entry);
    }
    let mut survey = Survey::new(dating);
    for entry in entries {
        survey.take(entry);
    }
    survey.report(&Faults::default())
}

/// Two hours of NTT (10 ms, a slow quarter of an hour) and KDDI (14 ms, and now and then a loss).
fn two_hours() -> Vec<Entry> {
    let classes = vec![
        class("azure.sql.japaneast", "sql", Some("japaneast"), Family::Ipv4),
        class("m365.exchange", "exchange", None, Family::Ipv4),
        class("m365.exchange", "exchange", None, Family::Ipv6),
    ];
    let head = head(&[("wan0", "NTT"), ("wan1", "KDDI")], classes);
    recording(&head, 7_200, 10, |uplink, class, target, second| {
        let seed = second * 16 + uplink as u64 * 8 + class as u64 * 2 + target as u64;
        match (uplink, second) {
            (1, _) if noise(seed, 50) == 0 => LOST,
            (1, _) => answered(14_000 + 1_000 * class as u64 + noise(seed, 900)),
            (_, 3_600..4_500) => answered(25_000 + noise(seed, 9_000)),
            _ => answered(10_000 + 1_000 * class as u64 + noise(seed, 900)),
        }
    })
}

/// Compares with a golden file of this folder.
fn assert_golden(name: &str, actual: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/survey/tests").join(name);
    if env::var_os("PEERWARD_BLESS").is_some() {
        fs::write(&file, actual).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(actual == expected, "{name} differs; expected:\n{expected}\nactual:\n{actual}");
}
