//! Which release of Linux runs here.

use rustix::system::uname;

/// The first with resilient next-hop groups; no option of its build leaves them out.
const RESILIENT_GROUPS: (u32, u32) = (5, 13);

/// Whether next-hop groups may be resilient here. What cannot be read is taken for a new one.
pub fn has_resilient_groups() -> bool {
    number(&uname().release().to_string_lossy()).is_none_or(|release| release >= RESILIENT_GROUPS)
}

/// Major and minor number of a release: of `5.15.0-91-generic` 5 and 15.
fn number(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|letter: char| !letter.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert_eq!(number("5.15.0-91-generic"), Some((5, 15)));
        assert_eq!(number("6.6-rc3"), Some((6, 6)));
        assert_eq!(number("5.4.231"), Some((5, 4)));
        assert!(number("5.4.231") < Some(RESILIENT_GROUPS) && number("5.13.0") >= Some(RESILIENT_GROUPS));
        assert_eq!(number("next"), None);
    }
}
