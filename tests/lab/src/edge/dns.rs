//! Name servers (RFC 1035): one question of class IN for A or AAAA, answered from the zone.

use std::{net::IpAddr, time::Duration};

use super::Zone;

/// Where name servers listen.
pub(crate) const PORT: u16 = 53;

const HEADER: usize = 12;
const A: u16 = 1;
const AAAA: u16 = 28;
const IN: u16 = 1;
/// It is a response (QR) of an authority (AA), recursion is available (RA).
const RESPONSE: u16 = 0x8480;
/// The asker's wish for recursion is repeated.
const RECURSION_DESIRED: u16 = 0x0100;
const NAME_ERROR: u16 = 3;
/// Pointer to the name in the question.
const SAME_NAME: u16 = 0xc000 | 0x000c;

/// Addresses in one answer: more would not fit into 512 bytes.
const MOST_ADDRESSES: usize = 16;

/// The answer to a query; `None` when it is not one.
pub(crate) fn answer(query: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let flags = word(query, 2)?;
    if flags & 0x8000 != 0 || word(query, 4)? != 1 {
        return None;
    }
    let (name, end) = question(query)?;
    let (kind, class) = (word(query, end)?, word(query, end + 2)?);
    let known = zone.ask(&name);
    let (addresses, ttl) = known.clone().unwrap_or_default();
    let wanted = |address: &&IpAddr| class == IN && kind == if address.is_ipv4() { A } else { AAAA };
    let records: Vec<_> = addresses.iter().filter(wanted).take(MOST_ADDRESSES).collect();

    let code = if known.is_some() { 0 } else { NAME_ERROR };
    let mut answer = query.get(..2)?.to_vec();
    let count = u16::try_from(records.len()).ok()?;
    for word in [RESPONSE | flags & RECURSION_DESIRED | code, 1, count, 0, 0] {
        answer.extend(word.to_be_bytes());
    }
    answer.extend(query.get(HEADER..end + 4)?);
    for address in records {
        append(&mut answer, address, ttl);
    }
    Some(answer)
}

fn append(answer: &mut Vec<u8>, address: &IpAddr, ttl: Duration) {
    let (kind, octets) = match address {
        IpAddr::V4(address) => (A, address.octets().to_vec()),
        IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
    };
    for word in [SAME_NAME, kind, IN] {
        answer.extend(word.to_be_bytes());
    }
    answer.extend(u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX).to_be_bytes());
    answer.extend([0, if address.is_ipv4() { 4 } else { 16 }]);
    answer.extend(octets);
}

/// The name that is asked for, and where it ends.
fn question(query: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), HEADER);
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        // Neither a pointer, which has no place in a query, nor a longer name than there are.
        if length > 63 || at > HEADER + 255 {
            return None;
        }
        labels.push(String::from_utf8(query.get(at..at + length)?.to_vec()).ok()?);
        at += length;
    }
}

fn word(message: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Id 0x1234, recursion desired, one question.
    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(u8::try_from(label.len()).unwrap());
            query.extend(label.as_bytes());
        }
        query.push(0);
        query.extend(kind.to_be_bytes());
        query.extend(IN.to_be_bytes());
        query
    }

    #[test]
    fn a_name_has_the_addresses_of_the_family_that_was_asked_for() {
        let zone = Zone::default();
        zone.set("Mail.Example", vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()]);
        zone.set_ttl(Duration::from_secs(300));
        let query = query("mail.example", A);
        let answer = answer(&query, &zone).unwrap();
        assert_eq!(answer[..12], [0x12, 0x34, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(answer[12..query.len()], query[12..]);
        assert_eq!(answer[query.len()..], [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 7]);
        let six = super::answer(&self::query("MAIL.example", AAAA), &zone).unwrap();
        assert_eq!(six[7], 1);
        assert_eq!(six[six.len() - 2..], [0, 7]);
        assert_eq!(zone.queries("mail.example"), 2);
    }

    #[test]
    fn unknown_names_do_not_exist_and_names_without_addresses_do() {
        let zone = Zone::default();
        zone.set("empty.example", Vec::new());
        assert_eq!(answer(&query("no.example", A), &zone).unwrap()[3] & 15, 3);
        let empty = answer(&query("empty.example", A), &zone).unwrap();
        assert_eq!((empty[3] & 15, empty[7]), (0, 0));
    }

    #[test]
    fn what_is_no_query_is_not_answered() {
        let zone = Zone::default();
        let whole = query("mail.example", A);
        for length in 0..whole.len() {
            assert_eq!(answer(&whole[..length], &zone), None, "{length}");
        }
        let mut response = whole;
        response[2] |= 0x80;
        assert_eq!(answer(&response, &zone), None);
    }
}
