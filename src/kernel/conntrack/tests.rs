//! The codec against bytes as the kernel sends them.

use proptest::prelude::*;

use super::{
    super::frame::attributes,
    message::{ConntrackRequest, Entry},
    *,
};
use netlink_packet_core::Emitable;

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(value.len() + 4).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// A tuple of UDP from `source` to `destination`; `v6` says which attributes hold addresses.
fn tuple(kind: u16, source: &[u8], destination: &[u8]) -> Vec<u8> {
    let first = if source.len() == 16 { 3 } else { 1 };
    let ip = [attribute(first, source), attribute(first + 1, destination)].concat();
    let ports = [attribute(1, &[17]), attribute(2, &[0x13, 0x88]), attribute(3, &[0, 7])].concat();
    attribute(kind | 0x8000, &[attribute(1 | 0x8000, &ip), attribute(2 | 0x8000, &ports)].concat())
}

const CLIENT: [u8; 4] = [192, 168, 77, 10];
const MICROSOFT: [u8; 4] = [13, 107, 6, 152];
const NORTH: [u8; 4] = [203, 0, 113, 2];

fn entry() -> Vec<u8> {
    let mut payload = vec![2, 0, 0, 0];
    payload.extend(tuple(1, &CLIENT, &MICROSOFT));
    payload.extend(tuple(2, &MICROSOFT, &NORTH));
    payload.extend(attribute(3, &[0, 0, 1, 0x8e]));
    payload.extend(attribute(12, &[0xde, 0xad, 0xbe, 0xef]));
    payload.extend(attribute(18, &[0, 5]));
    payload
}

fn emitted(body: &dyn Emitable) -> Vec<u8> {
    let mut bytes = vec![0; body.buffer_len()];
    body.emit(&mut bytes);
    bytes
}

#[test]
fn an_entry_tells_who_goes_where_with_which_source() {
    let payload = entry();
    let entry = Entry::parse(&payload).unwrap().unwrap();
    assert_eq!(entry.flow, Flow { source: CLIENT.into(), destination: MICROSOFT.into(), translated: NORTH.into() });
    assert!(entry.is_source_translated());
}

#[test]
fn a_deletion_names_the_answers_as_they_were_listed_with_zone_and_id() {
    let payload = entry();
    let key = Entry::parse(&payload).unwrap().unwrap().key();
    let bytes = emitted(&ConntrackRequest::delete(&key));
    assert_eq!(bytes[..4], [2, 0, 0, 0]);
    let named: Vec<_> = attributes(&bytes, 4).collect::<Result<_, _>>().unwrap();
    let listed: Vec<_> = attributes(&payload, 4).collect::<Result<_, _>>().unwrap();
    assert_eq!(named, [listed[1], listed[3], listed[4]]);
}

#[test]
fn a_listing_asks_for_translated_sources_and_in_ipv4_for_one_alone() {
    let status = [attribute(3, &[0, 0, 0, 0x10]), attribute(0x1a, &[0, 0, 0, 0x10])].concat();
    let tuple = attribute(2 | 0x8000, &attribute(1 | 0x8000, &attribute(2, &NORTH)));
    let flags = [attribute(1, &0_u32.to_ne_bytes()), attribute(2, &2_u32.to_ne_bytes())].concat();
    let bytes = emitted(&ConntrackRequest::translated_to(NORTH.into()));
    assert_eq!(bytes, [vec![2, 0, 0, 0], status.clone(), tuple, attribute(0x8019, &flags)].concat());
    let bytes = emitted(&ConntrackRequest::translated(Family::Ipv6));
    assert_eq!(bytes, [vec![10, 0, 0, 0], status].concat());
}

#[test]
fn ipv6_is_read_as_well() {
    let (client, microsoft, north) = ([0x20; 16], [0x26; 16], [0x2a; 16]);
    let payload =
        [vec![10, 0, 0, 0], tuple(1, &client, &microsoft), tuple(2, &microsoft, &north), attribute(12, &[1; 4])];
    let payload = payload.concat();
    let entry = Entry::parse(&payload).unwrap().unwrap();
    assert_eq!(entry.flow.translated, IpAddr::from(north));
    assert_eq!(emitted(&ConntrackRequest::delete(&entry.key()))[0], 10);
}

#[test]
fn an_entry_without_tuple_or_id_is_no_entry_that_could_be_deleted() {
    for missing in 0..3 {
        let parts = [tuple(1, &CLIENT, &MICROSOFT), tuple(2, &MICROSOFT, &NORTH), attribute(12, &[1; 4])];
        let kept = parts.into_iter().enumerate().filter(|(position, _)| *position != missing);
        let payload: Vec<u8> = [2, 0, 0, 0].into_iter().chain(kept.flat_map(|(_, part)| part)).collect();
        assert!(Entry::parse(&payload).unwrap().is_none(), "{missing}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_fail_other_than_by_an_error(
        cut in 0_usize..120, at in 0_usize..120, value: u8,
    ) {
        let mut payload = entry();
        payload.truncate(cut.max(1));
        if let Some(byte) = payload.get_mut(at) {
            *byte = value;
        }
        if let Ok(Some(entry)) = Entry::parse(&payload) {
            prop_assert!(!entry.key().answers.is_empty());
        }
    }
}
