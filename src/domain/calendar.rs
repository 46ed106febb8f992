//! Days by the calendar, and moments as people write them.

use std::time::Duration;

/// Year, month and day of a day since 1970, by the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible
/// low-level date algorithms").
pub fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// A moment since 1970 in UTC, as it is read so many minutes ahead of UTC: `2026-11-25 20:55:04`.
pub fn local(since_1970: Duration, ahead_minutes: i16) -> String {
    let seconds = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
    let seconds = seconds.saturating_add(60 * i64::from(ahead_minutes));
    let seconds = u64::try_from(seconds).unwrap_or_default();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_by_the_calendar() {
        let cases = [(0, (1970, 1, 1)), (59, (1970, 3, 1)), (11_016, (2000, 2, 29)), (20_088, (2024, 12, 31))];
        for (days, expected) in cases {
            assert_eq!(civil(days), expected);
        }
    }

    #[test]
    fn a_site_reads_its_own_time() {
        let moment = Duration::from_millis(1_709_210_096_007);
        assert_eq!(local(moment, 0), "2024-02-29 12:34:56");
        assert_eq!(local(moment, 780), "2024-03-01 01:34:56");
        assert_eq!(local(moment, -780), "2024-02-28 23:34:56");
        assert_eq!(local(Duration::ZERO, -60), "1970-01-01 00:00:00", "nobody asks for times before");
    }
}
