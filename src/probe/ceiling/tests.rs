use proptest::prelude::*;

use super::*;

const START: BootTime = BootTime(Duration::from_secs(1_000));

fn after(milliseconds: u64) -> BootTime {
    START + Duration::from_millis(milliseconds)
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn take(ceiling: &mut Ceiling, urgency: Urgency, to: u8, at: u64) -> bool {
    ceiling.take(urgency, UplinkId(0), address(to), after(at)).is_ok()
}

/// Most of `times` that lie in any window of `span` milliseconds, its ends included.
fn most_in_any_window(times: &[u64], span: u64) -> usize {
    times
        .iter()
        .map(|start| times.iter().filter(|time| (*start..=start + span).contains(time)).count())
        .max()
        .unwrap_or(0)
}

#[test]
fn doubt_may_ask_one_target_three_times_at_once_and_then_once_in_two_seconds() {
    let mut ceiling = Ceiling::default();
    let asked: Vec<u64> = (0..5_000).filter(|at| take(&mut ceiling, Urgency::Doubt, 1, *at)).collect();
    assert_eq!(asked, [0, 1, 2, 2_000, 4_000]);
}

#[test]
fn probes_at_their_ordinary_time_leave_two_of_the_burst_for_doubt() {
    let mut ceiling = Ceiling::default();
    assert!(take(&mut ceiling, Urgency::Calm, 1, 0));
    assert!(!take(&mut ceiling, Urgency::Calm, 1, 400));
    assert!(take(&mut ceiling, Urgency::Doubt, 1, 401));
    assert!(take(&mut ceiling, Urgency::Doubt, 1, 402));
    assert!(!take(&mut ceiling, Urgency::Doubt, 1, 403));
}

#[test]
fn the_same_address_by_another_uplink_is_another_target() {
    let mut ceiling = Ceiling::default();
    for uplink in 0..3 {
        assert!(ceiling.take(Urgency::Doubt, UplinkId(uplink), address(1), START).is_ok());
    }
}

#[test]
fn doubt_leaves_half_of_the_rate_to_the_others() {
    let mut ceiling = Ceiling::default();
    let mut doubts = 0;
    let mut calm = 0;
    for at in 0..10_000 {
        let target = u8::try_from(at % 251).unwrap();
        doubts += u32::from(take(&mut ceiling, Urgency::Doubt, target, at));
        calm += u32::from(take(&mut ceiling, Urgency::Calm, target, at));
    }
    assert!((100..=104).contains(&doubts), "{doubts}");
    assert!((95..=104).contains(&calm), "{calm}");
}

#[test]
fn doubt_leaves_half_of_a_target_to_the_others() {
    let mut ceiling = Ceiling::default();
    let doubts = (0..100_000).filter(|at| {
        let doubt = take(&mut ceiling, Urgency::Doubt, 1, *at);
        take(&mut ceiling, Urgency::Calm, 1, *at);
        doubt
    });
    assert!((48..=53).contains(&doubts.count()));
    let calm = (100_000..200_000).filter(|at| {
        take(&mut ceiling, Urgency::Doubt, 1, *at);
        take(&mut ceiling, Urgency::Calm, 1, *at)
    });
    assert!((48..=53).contains(&calm.count()));
}

#[test]
fn a_refusal_names_the_moment_at_which_it_ends() {
    let mut ceiling = Ceiling::default();
    for at in [0, 0, 0] {
        take(&mut ceiling, Urgency::Doubt, 1, at);
    }
    let opens = ceiling.take(Urgency::Doubt, UplinkId(0), address(1), after(10)).unwrap_err();
    assert_eq!(opens, after(2_000));
    assert!(ceiling.take(Urgency::Doubt, UplinkId(0), address(1), opens).is_ok());
}

#[test]
fn addresses_are_forgotten_once_they_could_be_asked_as_often_as_new_ones() {
    let mut ceiling = Ceiling::default();
    for number in 0..10_000_u32 {
        let address = IpAddr::from(number.to_be_bytes());
        let _ = ceiling.take(Urgency::Doubt, UplinkId(0), address, after(u64::from(number) * 60));
        assert!(ceiling.targets.len() <= MOST_REMEMBERED);
    }
}

proptest! {
    /// Whatever is wished, and whenever: no window of any length holds more than the rate and the burst.
    #[test]
    fn never_more_than_the_ceiling_in_any_window(
        wishes in prop::collection::vec((0_u64..120, 0_u8..6, any::<bool>()), 1..600),
    ) {
        let mut ceiling = Ceiling::default();
        let mut now = 0;
        let mut sent = Vec::new();
        for (pause, target, doubt) in wishes {
            now += pause / 4;
            let urgency = if doubt { Urgency::Doubt } else { Urgency::Calm };
            if take(&mut ceiling, urgency, target, now) {
                sent.push((now, target));
            }
        }
        let times: Vec<u64> = sent.iter().map(|(time, _)| *time).collect();
        for span in [0, 50, 333, 1_000, 2_500, 10_000] {
            let most = span as f64 / 1_000.0;
            prop_assert!(most_in_any_window(&times, span) as f64 <= 20.0 * most + 4.0);
            for target in 0..6 {
                let times: Vec<u64> = sent.iter().filter(|(_, to)| *to == target).map(|(time, _)| *time).collect();
                prop_assert!(most_in_any_window(&times, span) as f64 <= most + 3.0);
            }
        }
    }
}
