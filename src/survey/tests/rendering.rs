//! The report as data, as text and as a page.

use super::*;
use crate::cli::survey_in_words;

/// Whether every tag of a page is closed in its order, attributes are quoted, and no markup is left in texts.
fn assert_well_formed(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
    while let Some(at) = rest.find('<') {
        assert!(!rest[..at].contains('>'), "a stray > in {:?}", &rest[..at]);
        let end = at + rest[at..].find('>').unwrap();
        let tag = &rest[at + 1..end];
        assert!(!tag.contains('<') && tag.matches('"').count().is_multiple_of(2), "{tag:?}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "closed"),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split([' ', '\n']).next().unwrap()),
        }
        rest = &rest[end + 1..];
    }
    assert_eq!(open, Vec::<&str>::new(), "left open");
}

#[test]
fn the_report_as_data() {
    let mut report = surveyed(&two_hours());
    for path in report.regions.iter_mut().flat_map(|it| &mut it.destinations).flat_map(|it| &mut it.paths) {
        path.series.truncate(2);
        path.distribution.truncate(2);
    }
    assert_golden("report.json", &(serde_json::to_string_pretty(&report).unwrap() + "\n"));
}

#[test]
fn the_report_as_text() {
    assert_golden("report.txt", &survey_in_words(&surveyed(&two_hours())));
}

#[test]
fn the_report_as_a_page() {
    let page = page(&surveyed(&two_hours()));
    assert_well_formed(&page);
    assert_golden("report.html", &page);
}

#[test]
fn the_same_recording_makes_the_same_page_to_the_letter() {
    assert_eq!(page(&surveyed(&two_hours())), page(&surveyed(&two_hours())));
}

#[test]
fn a_page_needs_nothing_from_elsewhere() {
    let page = page(&surveyed(&two_hours()));
    for foreign in ["<script", "http:", "https:", "url(", "@import", "src=", "href=", "<link", "onload"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert_eq!(page.matches("<svg viewBox").count(), 6, "two plots a destination");
    assert_eq!(page.matches("<title id=").count(), 6);
    assert_eq!(page.matches("<desc id=").count(), 6);
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
}

#[test]
fn no_name_of_a_recording_becomes_markup() {
    let evil = "\"><script>alert('1')</script>\u{0}&";
    let mut hostile = class("x", evil, Some(evil), Family::Ipv4);
    hostile.id = ClassId::new(evil);
    let head = head(&[("wan0", evil), ("wan1", "</svg><b>")], vec![hostile]);
    let mut head = (*head).clone();
    (head.header.site, head.header.market) = (evil.to_owned(), evil.to_owned());
    let entries = recording(&Arc::new(head), 1_200, 2, |uplink, _, _, second| {
        if second % 60 == 0 { LOST } else { answered(9_000 + 4_000 * uplink as u64) }
    });
    let report = surveyed(&entries);
    let page = page(&report);
    assert_well_formed(&page);
    assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains('\0'));
    let text = survey_in_words(&report);
    assert!(!text.contains('\0'), "control characters reach no terminal");
}

#[test]
fn an_empty_recording_and_one_without_an_answer_still_make_a_page() {
    let head = head(&[("wan0", "NTT")], vec![class("m365.exchange", "exchange", None, Family::Ipv4)]);
    for entries in [Vec::new(), vec![Entry::Began(Arc::clone(&head))], recording(&head, 600, 2, |_, _, _, _| LOST)] {
        let report = surveyed(&entries);
        assert_well_formed(&page(&report));
        assert!(survey_in_words(&report).contains("No verdict"));
    }
}

#[test]
fn a_page_of_hundreds_of_destinations_can_still_be_opened() {
    let classes = (0..300).map(|number| class(&format!("c{number:03}"), "s", Some("japaneast"), Family::Ipv4));
    let head = head(&[("wan0", "NTT"), ("wan1", "KDDI"), ("wan2", "IIJ")], classes.collect());
    let entries = recording(&head, 3_600, 60, |uplink, class, _, second| {
        answered(10_000 + 1_000 * uplink as u64 + noise(second + class as u64, 2_000))
    });
    let page = page(&surveyed(&entries));
    assert_well_formed(&page);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("<svg viewBox").count(), 120);
}

#[test]
fn wild_times_and_figures_make_a_page() {
    let head = head(&[("wan0", "NTT")], vec![class("m365.exchange", "exchange", None, Family::Ipv4)]);
    let mut entries =
        recording(&head, 100, 1, |_, _, _, second| answered(if second % 2 == 0 { 0 } else { 3_600_000_000 }));
    entries.push(Entry::Clock { at: ms(200_000), wall: Duration::from_secs(3_000_000_000) });
    let mut late = (*head).clone();
    (late.header.start_ms, late.header.wall_ms) = (3_000_000_000_000, 5);
    let late = Arc::new(late);
    entries.push(Entry::Began(Arc::clone(&late)));
    entries.push(Entry::Clock { at: ms(3_100_000_000_000), wall: Duration::ZERO });
    assert_well_formed(&page(&surveyed(&entries)));
}
