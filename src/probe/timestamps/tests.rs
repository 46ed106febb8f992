//! Tables of clocks that were set at the worst moment.

use proptest::prelude::*;

use super::*;

const YEARS: i128 = 10 * 365 * 86_400 * 1_000_000;
const NOON: i128 = 1_800_000_000_000_000;

/// Times in microseconds; `wall` values are relative to `NOON`.
fn journey(elapsed: u64, wall_after: i128, sent: Option<i128>, received: Option<i128>) -> Journey {
    let wall = |at: i128| Duration::from_micros(u64::try_from((NOON + at).max(0)).unwrap());
    let start = Instant::now();
    Journey {
        before: Moment { monotonic: start, wall: wall(0) },
        after: Moment { monotonic: start + Duration::from_micros(elapsed), wall: wall(wall_after) },
        sent: sent.map(wall),
        received: received.map(wall),
    }
}

#[test]
fn stamps_count_unless_the_clock_was_set() {
    for (what, elapsed, wall_after, sent, received, rtt) in [
        ("both stamps", 30_000, 30_000, Some(50), Some(20_050), 20_000),
        ("no stamp of sending", 30_000, 30_000, None, Some(20_050), 20_050),
        ("no stamp of receiving", 30_000, 30_000, Some(50), None, 30_000),
        ("no stamps", 30_000, 30_000, None, None, 30_000),
        ("woken up late", 900_000, 900_000, Some(50), Some(20_050), 20_000),
        ("set ahead on the way", 30_000, 30_000 + YEARS, Some(50), Some(20_050 + YEARS), 30_000),
        ("set back on the way", 30_000, 30_000 - YEARS, Some(50), Some(20_050 - YEARS), 30_000),
        ("set ahead between answer and reading", 30_000, 30_000 + YEARS, Some(50), Some(20_050), 30_000),
        ("set back between answer and reading", 30_000, 30_000 - YEARS, Some(50), Some(20_050), 30_000),
        ("set ahead before it was sent", 30_000, 30_000 + YEARS, Some(50 + YEARS), Some(20_050 + YEARS), 30_000),
        ("set back by a little", 30_000, 25_000, Some(50), Some(15_050), 30_000),
        ("set ahead by a little", 30_000, 35_000, Some(50), Some(25_050), 30_000),
        ("set there and back again", 30_000, 30_000, Some(50), Some(20_050 + YEARS), 30_000),
        ("a stamp of sending from another age", 30_000, 30_000, Some(-YEARS), Some(20_050), 20_050),
        ("stamps in the wrong order", 30_000, 30_000, Some(20_000), Some(50), 30_000),
        ("stamps at once", 30_000, 30_000, Some(50), Some(50), 30_000),
    ] {
        let rtt_seen = journey(elapsed, wall_after, sent, received).rtt();
        assert_eq!(rtt_seen, Duration::from_micros(rtt), "{what}");
    }
}

#[test]
fn two_readings_of_now_agree_enough_for_stamps_to_count() {
    let agreed = (0..100).filter(|_| {
        let before = Moment::now();
        std::thread::sleep(Duration::from_millis(1));
        let after = Moment::now();
        let received = before.wall + Duration::from_micros(100);
        let journey = Journey { before, after, sent: None, received: Some(received) };
        journey.rtt() == Duration::from_micros(100)
    });
    assert!(agreed.count() >= 50);
}

proptest! {
    #[test]
    fn whatever_the_stamps_say_the_monotonic_clock_is_the_bound(
        elapsed in 0_u64..5_000_000,
        wall_after in -YEARS..YEARS,
        sent in proptest::option::of(-YEARS..YEARS),
        received in proptest::option::of(-YEARS..YEARS),
    ) {
        prop_assert!(journey(elapsed, wall_after, sent, received).rtt() <= Duration::from_micros(elapsed));
    }
}
