use proptest::prelude::*;

use super::*;

const ID: u16 = 0x1234;
const NAME: &str = "Outlook.Office365.com";
const DAY: u32 = 86_400;

fn asked(family: Family) -> Vec<u8> {
    query(ID, NAME, family).unwrap()
}

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}

fn record(owner: &[u8], kind: u16, life: u32, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [owner, &kind.to_be_bytes(), &[0, 1], &life.to_be_bytes(), &length.to_be_bytes(), data].concat()
}

/// A response to a query, with these flags, code and records.
fn response(query: &[u8], flags: u8, code: u8, records: &[Vec<u8>]) -> Vec<u8> {
    let mut message = query.to_vec();
    message[2] = flags;
    message[3] = code;
    message[7] = u8::try_from(records.len()).unwrap();
    [message, records.concat()].concat()
}

/// Points to the name in the question.
const ASKED_NAME: [u8; 2] = [0xc0, 12];

fn said(records: &[Vec<u8>], family: Family) -> Option<Said> {
    let query = asked(family);
    answer(&response(&query, 0x81, 0x80, records), &query, family)
}

fn addresses_of(texts: &[&str], seconds: u32) -> Said {
    let addresses = texts.iter().map(|text| text.parse().unwrap()).collect();
    Said::Addresses(addresses, Duration::from_secs(seconds.into()))
}

#[test]
fn a_query_is_that_of_the_rfc() {
    let query = query(ID, "a.bc", Family::Ipv6).unwrap();
    assert_eq!(query, [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 2, b'b', b'c', 0, 0, 28, 0, 1]);
}

#[test]
fn what_is_no_name_is_not_asked_for() {
    let long = "a".repeat(64);
    for text in ["", ".", "a..b", ".a", &long, &"abc.".repeat(64)] {
        assert_eq!(query(ID, text, Family::Ipv4), None, "{text:?}");
    }
}

#[test]
fn addresses_of_the_name_are_taken_and_the_shortest_life() {
    let records = [
        record(&ASKED_NAME, TYPE_A, 300, &[52, 96, 0, 1]),
        record(&encoded("outlook.OFFICE365.com"), TYPE_A, 60, &[52, 96, 0, 2]),
    ];
    assert_eq!(said(&records, Family::Ipv4), Some(addresses_of(&["52.96.0.1", "52.96.0.2"], 60)));
    let address = [0x26, 0x20, 0, 1, 0x0e, 0xc4, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x52];
    let records = [record(&ASKED_NAME, TYPE_AAAA, 30, &address)];
    assert_eq!(said(&records, Family::Ipv6), Some(addresses_of(&["2620:1:ec4::152"], 30)));
}

#[test]
fn aliases_are_followed_in_whatever_order_they_come_and_count_for_the_life() {
    let records = [
        record(&encoded("front.example"), TYPE_A, DAY, &[52, 96, 0, 1]),
        record(&encoded("middle.example"), TYPE_CNAME, 20, &encoded("Front.example")),
        record(&ASKED_NAME, TYPE_CNAME, DAY, &encoded("middle.example")),
        record(&encoded("stranger.example"), TYPE_A, DAY, &[10, 0, 0, 1]),
    ];
    assert_eq!(said(&records, Family::Ipv4), Some(addresses_of(&["52.96.0.1"], 20)));
}

#[test]
fn aliases_in_a_circle_lead_nowhere() {
    let records = [
        record(&ASKED_NAME, TYPE_CNAME, DAY, &encoded("b.example")),
        record(&encoded("b.example"), TYPE_CNAME, DAY, &ASKED_NAME),
    ];
    assert_eq!(said(&records, Family::Ipv4), Some(addresses_of(&[], 0)));
}

#[test]
fn records_of_other_kinds_classes_and_lengths_are_skipped() {
    let mut of_chaos = record(&ASKED_NAME, TYPE_A, DAY, &[10, 0, 0, 1]);
    of_chaos[5] = 3;
    let records = [
        record(&ASKED_NAME, 16, DAY, b"\x04text"),
        of_chaos,
        record(&ASKED_NAME, TYPE_A, DAY, &[10, 0, 0]),
        record(&ASKED_NAME, TYPE_AAAA, DAY, &[0; 16]),
        record(&ASKED_NAME, TYPE_A, 77, &[52, 96, 0, 1]),
    ];
    assert_eq!(said(&records, Family::Ipv4), Some(addresses_of(&["52.96.0.1"], 77)));
}

#[test]
fn of_a_truncated_answer_what_is_there_is_used() {
    let query = asked(Family::Ipv4);
    let record = record(&ASKED_NAME, TYPE_A, 60, &[52, 96, 0, 1]);
    let whole = response(&query, 0x83, 0x80, &[record.clone(), record]);
    let cut = &whole[..whole.len() - 3];
    assert_eq!(answer(cut, &query, Family::Ipv4), Some(addresses_of(&["52.96.0.1"], 60)));
}

#[test]
fn what_was_cut_off_is_not_taken_for_missing() {
    let query = asked(Family::Ipv4);
    let alias = record(&ASKED_NAME, TYPE_CNAME, 60, &encoded("front.example"));
    for records in [vec![], vec![alias]] {
        let said = |flags| answer(&response(&query, flags, 0x80, &records), &query, Family::Ipv4);
        assert_eq!((said(0x83), said(0x81)), (Some(Said::Truncated), Some(addresses_of(&[], 0))));
    }
}

#[test]
fn a_longer_answer_is_welcomed_as_the_rfc_says() {
    let mut query = query(ID, "a.bc", Family::Ipv4).unwrap();
    welcome_long_answers(&mut query);
    let expected = [
        0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, b'a', 2, b'b', b'c', 0, 0, 1, 0, 1, 0, 0, 41, 0x04, 0xd0, 0, 0,
        0, 0, 0, 0,
    ];
    assert_eq!(query, expected);
    let question = &query[..query.len() - 11];
    let mut answered = response(question, 0x81, 0x80, &[record(&ASKED_NAME, TYPE_A, 60, &[52, 96, 0, 1])]);
    answered[11] = 0;
    assert_eq!(answer(&answered, &query, Family::Ipv4), Some(addresses_of(&["52.96.0.1"], 60)));
}

#[test]
fn response_codes_are_told_apart() {
    let query = asked(Family::Ipv4);
    let code = |code: u8| answer(&response(&query, 0x81, 0x80 | code, &[]), &query, Family::Ipv4);
    assert_eq!(
        [code(0), code(2), code(3)],
        [Some(addresses_of(&[], 0)), Some(Said::Failed(2)), Some(Said::NoSuchName)]
    );
}

#[test]
fn what_answers_something_else_is_no_answer() {
    let query = asked(Family::Ipv4);
    let good = response(&query, 0x81, 0x80, &[record(&ASKED_NAME, TYPE_A, 60, &[52, 96, 0, 1])]);
    assert!(answer(&good, &query, Family::Ipv4).is_some());
    // Id, query instead of response, another operation, two questions, a letter of the name, the type, the class.
    for (at, value) in
        [(1, 0x35), (2, 0x01), (2, 0x91), (5, 2), (13, b'x'), (query.len() - 3, 28), (query.len() - 1, 3)]
    {
        let mut other = good.clone();
        other[at] = value;
        assert_eq!(answer(&other, &query, Family::Ipv4), None, "byte {at}");
    }
}

#[test]
fn pointers_in_a_circle_end() {
    let query = asked(Family::Ipv4);
    let at = u8::try_from(query.len()).unwrap();
    let circle = record(&[0xc0, at], TYPE_A, 60, &[52, 96, 0, 1]);
    assert_eq!(answer(&response(&query, 0x81, 0x80, &[circle]), &query, Family::Ipv4), Some(addresses_of(&[], 0)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(message in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = answer(&message, &asked(Family::Ipv4), Family::Ipv4);
    }

    /// Nearer to the truth: a good answer with some bytes changed and its end cut off.
    #[test]
    fn no_damage_makes_it_panic_or_find_more_than_there_is(
        damage in prop::collection::vec((0_usize..200, any::<u8>()), 0..8),
        cut in 0_usize..60,
        v6: bool,
    ) {
        let family = if v6 { Family::Ipv6 } else { Family::Ipv4 };
        let query = asked(family);
        let records = [
            record(&ASKED_NAME, TYPE_CNAME, 60, &encoded("front.example")),
            record(&[0xc0, 0x33], TYPE_A, 60, &[52, 96, 0, 1]),
            record(&encoded("front.example"), TYPE_A, 60, &[52, 96, 0, 1]),
            record(&encoded("front.example"), TYPE_AAAA, 60, &[7; 16]),
        ];
        let mut message = response(&query, 0x81, 0x80, &records);
        for (at, byte) in damage {
            if let Some(place) = message.get_mut(at) {
                *place = byte;
            }
        }
        message.truncate(message.len() - cut);
        if let Some(Said::Addresses(found, _)) = answer(&message, &query, family) {
            prop_assert!(found.len() <= records.len());
        }
    }

    #[test]
    fn every_name_that_can_be_asked_is_recognised_in_its_answer(name in "[a-zA-Z0-9-]{1,20}(\\.[a-zA-Z0-9-]{1,20}){0,5}") {
        let query = query(ID, &name, Family::Ipv4).unwrap();
        let message = response(&query, 0x81, 0x80, &[record(&ASKED_NAME, TYPE_A, 60, &[52, 96, 0, 1])]);
        prop_assert_eq!(answer(&message, &query, Family::Ipv4), Some(addresses_of(&["52.96.0.1"], 60)));
    }
}
