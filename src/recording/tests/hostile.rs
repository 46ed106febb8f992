//! Torn, broken and hostile input: reading ends, nothing panics, memory stays bounded.

use std::io::{self, Read};

use proptest::prelude::*;

use super::{super::line::LONGEST_LINE, *};

#[test]
fn a_torn_member_costs_no_more_than_itself_and_is_told() {
    let text = text();
    let (head, batch) = text.split_at(text.find("[\"time\"").unwrap());
    let whole = packed(&[head, batch]);
    let torn = [whole.clone(), packed(&[batch])].concat();
    let (expected, _) = entries(&whole).unwrap();
    for cut in [1, 20, 60] {
        let (found, faults) = entries(&torn[..torn.len() - cut]).unwrap();
        assert_eq!(found[..expected.len()], expected[..], "{cut} bytes cut off");
        assert_eq!(faults.torn.len(), 1, "{faults:?}");
    }
}

#[test]
fn every_truncation_is_read_or_refused() {
    let text = text();
    for source in [text.clone().into_bytes(), packed(&[&text])] {
        for end in 0..source.len() {
            match entries(&source[..end]) {
                Ok((_, faults)) => assert!(faults.unreadable <= 1, "{faults:?}"),
                Err(error) => assert!(matches!(error, ReadError::NoRecording { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn what_is_no_recording_is_refused_by_its_name() {
    for source in [&b""[..], b"[site]\nname = \"akl\"\n", b"\n\n", b"[1,2,3,4,5,6,7]\n", b"\x1f\x8b", b"\xff\xfe"] {
        let error = entries(source).unwrap_err();
        assert!(error.to_string().contains("s.pwr is no recording"), "{source:?}: {error}");
    }
}

#[test]
fn numbers_that_stand_for_nothing_are_counted_and_passed_over() {
    let strange = [
        "[5,9,0,0,0,1,100]",
        "[5,0,9,0,0,1,100]",
        "[5,0,0,9,0,1,100]",
        "[99999999999999999999,0,0,0,0,1,1]",
        "[5,0,0,0,0,1,\"sunshine\"]",
        "[5,0,0,0,0,1,-3]",
        "[5,0,0]",
        "[\"attachment\",7,\"ipv4\",\"attached\"]",
        "[\"attachment\",0,\"ipv5\",\"attached\"]",
        "[\"uplink\",2,\"late\",\"isp\"]",
        "[\"time\",18446744073709551615]",
        "{}",
        "nonsense",
    ];
    let lines = text().lines().count();
    let mut text = text();
    text.push_str(&strange.join("\n"));
    text.push('\n');
    let (found, faults) = entries(text.as_bytes()).unwrap();
    assert_eq!(faults.unreadable, strange.len() as u64, "{found:?}");
    assert!(found.len() < lines);
}

/// A line that never ends, and is never held whole.
#[test]
fn an_endless_line_is_passed_over_in_pieces() {
    let text = text();
    let endless = io::repeat(b'7').take(20 * LONGEST_LINE as u64);
    let source = text.as_bytes().chain(endless).chain(&b"\n"[..]);
    let mut found = 0;
    let faults = read_from(Path::new("s"), source, &mut |_| found += 1).unwrap();
    assert!(faults.unreadable >= 20 && faults.torn.is_empty(), "{faults:?}");
    assert_eq!(found, entries(text.as_bytes()).unwrap().0.len());
}

#[test]
fn a_head_without_an_end_is_refused() {
    let mut text = text().lines().next().unwrap().to_owned();
    for number in 0..u16::MAX {
        let name = "n".repeat(200);
        text.extend(["\n[\"uplink\",", &number.to_string(), ",\"", &name, "\",\"isp\"]"]);
    }
    text.push('\n');
    assert!(matches!(entries(text.as_bytes()), Err(ReadError::LargeHead { .. })));
}

#[test]
fn no_more_uplinks_are_read_than_a_configuration_may_have() {
    let mut text = text();
    let more: Vec<String> =
        (2..100).map(|number| format!("[\"uplink\",{number},\"wan{number}\",\"isp\"]\n")).collect();
    text.insert_str(text.find("[\"class\"").unwrap(), &more.concat());
    let (found, faults) = entries(text.as_bytes()).unwrap();
    let Entry::Began(head) = &found[0] else { panic!("{:?}", found[0]) };
    assert_eq!((head.uplinks.len(), faults.unreadable), (64, 36));
}

#[test]
fn runs_without_an_end_are_refused() {
    let header = text().lines().next().unwrap().replace("akl-01", &"a".repeat(60_000));
    let mut text = String::new();
    for start in 0..2_000 {
        text.push_str(&header.replace("\"start\":100000", &format!("\"start\":{start}")));
        text.push('\n');
    }
    assert!(matches!(entries(text.as_bytes()), Err(ReadError::LargeHead { .. })));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0..2_000_usize, pack: bool) {
        let mut source = if pack { packed(&[&text()]) } else { text().into_bytes() };
        let at = at.min(source.len());
        let end = (at + bytes.len()).min(source.len());
        source.splice(at..end, bytes);
        let _ = entries(&source);
    }

    #[test]
    fn random_lines_never_panic(lines in "[\\[\\]{}\",:a-z0-9 \\n\\-\\.]{0,300}") {
        let _ = entries([text(), lines].concat().as_bytes());
    }

    #[test]
    fn every_sample_is_read_as_it_was_told(
        sent in 0..10_000_000_u64, later in 0..10_000_u64, rtt in 0..10_000_000_u64, service in proptest::option::of(0..10_000_000_u64),
    ) {
        let told = ProbeSample { service_time: service.map(Duration::from_micros), ..sample(sent, 1, answered(rtt)) };
        let mut text = String::new();
        line::write_head(&Head { header: Header { start_ms: 0, ..head().header }, ..head() }, &mut text);
        let mut batch = Batch::new(ms(0), Duration::ZERO, &Attachments::new());
        batch.sample(ms(sent + later), 0, &told);
        text.push_str(&batch.finish(ms(sent + later), Duration::ZERO));
        let (found, _) = entries(text.as_bytes()).unwrap();
        let read = found.iter().find_map(|entry| match entry { Entry::Sample(it) => Some(*it), _ => None }).unwrap();
        prop_assert_eq!((read.at, read.sent_at), (ms(sent + later), ms(sent)));
        prop_assert_eq!((read.outcome, read.service_time, read.address), (told.outcome, told.service_time, told.address));
    }
}
