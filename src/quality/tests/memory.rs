//! What a path takes of memory.

use super::*;
use crate::domain::Target;

fn filled(window: usize, targets: usize, days: u64) -> PathQuality {
    let at = |port: u16| Target::tcp(std::net::SocketAddr::from(([192, 0, 2, 1], port)));
    let list: Vec<Target> = (0..targets).map(|port| at(u16::try_from(port).unwrap())).collect();
    let mut now = BootTime(Duration::from_secs(100));
    let mut quality = PathQuality::new(Thresholds { window, ..thresholds() }, list, now);
    for step in 0..days * 24 * 180 {
        now = now + Duration::from_secs(20);
        let spread = (step * 7_919 % 1_000) as f64;
        let outcome = match step % 50 {
            0 => ProbeOutcome::Failed(ProbeFailure::Timeout),
            _ => ProbeOutcome::Answered(ms(10.0 + spread * spread / 5_000.0)),
        };
        let target = usize::try_from(step).unwrap() % targets;
        quality.observe(Observation { target, ..probed(now, outcome) }, now);
    }
    quality
}

#[test]
fn a_new_path_costs_little() {
    let quality = PathQuality::new(thresholds(), [], BootTime::default());
    assert!(quality.memory_bytes() < 1_024, "{} bytes", quality.memory_bytes());
}

#[test]
fn a_path_of_a_month_stays_within_eight_kibibytes() {
    let bytes = filled(60, 3, 31).memory_bytes();
    assert!(bytes <= 8 * 1_024, "{bytes} bytes");
    assert!(bytes > 4_000, "{bytes} bytes: is everything counted?");
}

#[test]
fn a_path_of_a_day_takes_seven_kibibytes_and_an_outage_takes_no_more() {
    let mut quality = filled(60, 3, 1);
    let day = quality.memory_bytes();
    assert!(day <= 7 * 1_024, "{day} bytes");
    quality.short_cut_down("no carrier", BootTime(Duration::from_secs(90_000)));
    assert!(quality.memory_bytes() <= day + 64);
}
