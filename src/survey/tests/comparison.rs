//! What is said of two uplinks is true, and nothing is said that is not.

use super::*;

fn both(seconds: u64, weather: Weather) -> SurveyReport {
    let head =
        head(&[("wan0", "NTT"), ("wan1", "KDDI")], vec![class("m365.exchange", "exchange", None, Family::Ipv4)]);
    surveyed(&recording(&head, seconds, 2, weather))
}

fn finding(report: &SurveyReport) -> (Finding, &str) {
    let verdict = &report.regions[0].destinations[0].verdicts[0];
    (verdict.finding, &verdict.words)
}

#[test]
fn a_faster_uplink_is_called_faster_by_so_much() {
    let report = surveyed(&two_hours());
    let destination = &report.regions[0].destinations[0];
    assert_eq!(destination.class.as_str(), "m365.exchange.ipv4");
    let verdict = &destination.verdicts[0];
    assert_eq!((verdict.uplink.as_str(), verdict.other.as_str(), verdict.finding), ("NTT", "KDDI", Finding::Faster));
    assert!((verdict.faster_by_ms.unwrap() - 4.0).abs() < 0.3, "{verdict:?}");
    let [low, high] = verdict.bounds_ms.unwrap();
    assert!(low < 4.1 && high > 3.9 && high - low < 0.5, "a bad quarter of an hour moves little: {verdict:?}");
    assert_eq!(verdict.loses_less.as_deref(), Some("NTT"), "{verdict:?}");
}

#[test]
fn noise_is_no_difference() {
    for salt in 0..20 {
        let head =
            head(&[("wan0", "NTT"), ("wan1", "KDDI")], vec![class("m365.exchange", "exchange", None, Family::Ipv4)]);
        let mut entries = recording(&head, 1_800, 2, |_, _, _, _| answered(0));
        for (number, entry) in (0..).zip(&mut entries) {
            if let Entry::Sample(sample) = entry {
                sample.outcome = answered(10_000 + noise(number + 1_000_000 * salt, 3_000));
            }
        }
        let report = surveyed(&entries);
        assert_eq!(finding(&report).0, Finding::NoDifference, "{salt}: {}", finding(&report).1);
        assert!(finding(&report).1.ends_with("both without loss"));
    }
}

#[test]
fn a_difference_that_probes_cannot_tell_is_none() {
    let report = both(1_800, |uplink, _, _, _| answered(10_000 + 40 * uplink as u64));
    assert_eq!(finding(&report).0, Finding::NoDifference, "{}", finding(&report).1);
}

#[test]
fn a_few_minutes_tell_nothing() {
    let report = both(240, |uplink, _, _, _| answered(10_000 + 9_000 * uplink as u64));
    let (finding, words) = finding(&report);
    assert_eq!(finding, Finding::TooShort);
    assert!(words.contains("too short to tell NTT and KDDI apart: 4 blocks"), "{words}");
}

#[test]
fn an_uplink_that_never_answers_is_no_rival() {
    let report = both(1_800, |uplink, _, _, _| if uplink == 0 { LOST } else { answered(10_000) });
    let (finding, words) = finding(&report);
    assert_eq!(finding, Finding::OnlyOne);
    assert!(words.starts_with("KDDI answered, NTT never did"), "{words}");
    let paths = &report.regions[0].destinations[0].paths;
    assert_eq!(paths[1].availability, Some(0.0));
    assert_eq!(paths[0].availability, Some(1.0));
}

#[test]
fn a_target_that_is_silent_by_itself_is_no_loss_of_the_path() {
    let report = both(1_800, |_, _, target, _| if target == 1 { LOST } else { answered(10_000) });
    for path in &report.regions[0].destinations[0].paths {
        assert!(path.lost <= 5 && path.probes > 400, "{path:?}");
        assert!(path.availability.unwrap() > 0.99, "{path:?}");
    }
}

#[test]
fn time_without_carrier_is_time_not_available() {
    let head =
        head(&[("wan0", "NTT"), ("wan1", "KDDI")], vec![class("m365.exchange", "exchange", None, Family::Ipv4)]);
    let mut entries = recording(&head, 1_000, 2, |_, _, _, _| answered(10_000));
    let at = ms(START + 500_000);
    let cut = entries.iter().position(|entry| entry.at() >= at).unwrap();
    let gone = Entry::Attachment { at, uplink: 0, family: Family::Ipv4, state: Attached::NoCarrier };
    entries.insert(cut, gone);
    let after = |entry: &Entry| matches!(entry, Entry::Sample(it) if it.uplink == 0 && it.at > at);
    entries.retain(|entry| !after(entry));
    let report = surveyed(&entries);
    let ntt = report.regions[0].destinations[0].paths.iter().find(|path| path.uplink == "NTT").unwrap();
    assert!((ntt.availability.unwrap() - 0.5).abs() < 0.02, "{ntt:?}");
    assert_eq!(ntt.lost, 0, "nothing was sent, nothing was lost");
}

#[test]
fn hours_are_those_of_the_site() {
    let report = surveyed(&two_hours());
    let ntt = &report.regions[0].destinations[0].paths[0];
    let (best, worst) = (ntt.best_hour.unwrap(), ntt.worst_hour.unwrap());
    assert_eq!((best.hour, worst.hour), (17, 18), "08:00 UTC is 17:00 in Tokyo");
    assert_eq!(report.start.as_deref(), Some("2026-11-25 17:00:00"));
}

#[test]
fn however_long_it_is_no_path_has_more_points_than_a_plot() {
    let report = both(3 * 86_400, |uplink, _, _, second| answered(10_000 + noise(second + uplink as u64, 900)));
    assert!(report.blocks <= MOST_BLOCKS && report.blocks > MOST_BLOCKS / 2, "{}", report.blocks);
    let points = report.regions[0].destinations[0].paths.iter().map(|path| path.series.len()).max().unwrap();
    assert!(points <= MOST_BLOCKS, "{points}");
    assert_eq!(report.block_s, 1_800);
}

#[test]
fn two_uplinks_of_an_isp_are_told_apart() {
    let head = head(
        &[("wan0", "NTT"), ("lte0", "NTT"), ("wan1", "KDDI")],
        vec![class("m365.exchange", "exchange", None, Family::Ipv4)],
    );
    let report = surveyed(&recording(&head, 600, 2, |uplink, _, _, _| answered(10_000 + uplink as u64)));
    assert_eq!(report.uplinks, ["NTT (wan0)", "NTT (lte0)", "KDDI"]);
    assert_eq!(report.regions[0].destinations[0].verdicts.len(), 2, "the fastest against each other one");
}
