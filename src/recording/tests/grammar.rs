//! The lines to the letter, and what is read from them.

use std::{env, fs, path::PathBuf, sync::Arc};

use super::{super::*, *};

#[test]
fn lines_are_those_of_the_published_grammar() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/recording/tests/samples.pwr");
    if env::var_os("PEERWARD_BLESS").is_some() {
        fs::write(&file, text()).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap_or_default(), text());
}

#[test]
fn what_was_written_is_read() {
    let (entries, faults) = entries(text().as_bytes()).unwrap();
    assert_eq!(entries[0], Entry::Began(Arc::new(head())));
    assert_eq!(entries[1], Entry::Clock { at: ms(100_500), wall: Duration::from_millis(1_795_000_000_500) });
    let attachment = |at, state| Entry::Attachment { at, uplink: 0, family: Family::Ipv4, state };
    assert_eq!(entries[2], attachment(ms(100_500), Attached::Yes));
    let Entry::Sample(first) = entries[3] else { panic!("{:?}", entries[3]) };
    assert_eq!((first.at, first.sent_at, first.outcome), (ms(101_000), ms(100_986), answered(13_204)));
    assert_eq!(first.address.unwrap().to_string(), "13.107.6.152:443");
    let outcomes = entries.iter().filter_map(|entry| match entry {
        Entry::Sample(sample) => Some((sample.uplink, sample.sent_at, sample.outcome)),
        _ => None,
    });
    assert_eq!(
        outcomes.collect::<Vec<_>>()[1..],
        [
            (1, ms(100_900), ProbeOutcome::Overdue),
            (0, ms(101_000), answered(9_999)),
            (1, ms(100_900), ProbeOutcome::Failed(ProbeFailure::Timeout)),
            (1, ms(101_950), ProbeOutcome::Failed(ProbeFailure::NotResolved)),
        ]
    );
    assert_eq!(entries[8], attachment(ms(102_000), Attached::NoCarrier));
    assert_eq!(faults, Faults { dropped: 3, ..Faults::default() });
}

#[test]
fn packed_and_plain_text_say_the_same() {
    let text = text();
    let (head, batch) = text.split_at(text.find("[\"time\"").unwrap());
    assert_eq!(entries(&packed(&[head, batch])).unwrap(), entries(text.as_bytes()).unwrap());
}

#[test]
fn a_head_of_the_same_run_is_no_news_and_one_of_another_run_is() {
    let again = entries([text(), text()].concat().as_bytes()).unwrap().0;
    let began = |entries: &[Entry]| entries.iter().filter(|entry| matches!(entry, Entry::Began(_))).count();
    assert_eq!(began(&again), 1);
    let restarted = text().replace("\"start\":100000", "\"start\":190000");
    assert_eq!(began(&entries([text(), restarted].concat().as_bytes()).unwrap().0), 2);
}

#[test]
fn kinds_of_lines_of_later_versions_are_passed_over() {
    let more = text().replace("[\"dropped\",3]", "[\"weather\",\"fair\"]\n[9,0,0,0,0,9,100,null,\"more\"]");
    let (entries, faults) = entries(more.as_bytes()).unwrap();
    assert_eq!(faults, Faults::default());
    assert_eq!(entries.iter().filter(|entry| matches!(entry, Entry::Sample(_))).count(), 6);
}

#[test]
fn a_later_version_of_the_format_is_refused_with_its_number() {
    let later = text().replace("\"peerward-recording\":1", "\"peerward-recording\":2");
    let error = entries(later.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("has version 2") && error.contains("newer"), "{error}");
}

#[test]
fn a_clock_that_is_set_later_dates_all_of_its_run() {
    let mut dating = Dating::default();
    let wrong = text().replace("\"wall\":1795000000000", "\"wall\":12000");
    read_from(Path::new("s"), wrong.as_bytes(), &mut |entry| dating.observe(entry)).unwrap();
    assert_eq!(dating.wall(0, ms(101_000)), Some(Duration::from_secs(1_795_000_001)));
    let never = wrong.replace("\"clock\",1795000", "\"clock\",");
    let mut dating = Dating::default();
    read_from(Path::new("s"), never.as_bytes(), &mut |entry| dating.observe(entry)).unwrap();
    assert_eq!(dating.wall(0, ms(101_000)), None, "1970 is no date");
}
