//! Pure: just as much of DNS (RFC 1035) as it takes to learn the addresses of a name.
//!
//! A query with one question, and its answer: the addresses at the end of the chain of aliases that begins with the name
//! asked for. Everything else in the answer is skipped. What comes back was sent by anyone: every length is checked, and
//! names are followed for a bounded number of steps.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use crate::domain::Family;

/// Largest message taken: what passes everywhere in one piece. Without EDNS servers send 512 bytes at most.
pub(super) const MOST_BYTES: u16 = 1232;

/// Bytes of the header.
const HEADER: usize = 12;
/// Flag of a truncated answer (TC), in the first byte of flags.
const TRUNCATED: u8 = 0b10;
/// Class "Internet".
const IN: u16 = 1;
const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;
const TYPE_OPT: u16 = 41;
/// Bounds of a name (RFC 1035 section 2.3.4), and of one label.
const MOST_NAME_BYTES: usize = 255;
const MOST_LABEL_BYTES: usize = 63;
/// Pointers followed in one name.
const MOST_POINTERS: usize = 32;
/// Aliases followed from the name asked for.
const MOST_ALIASES: usize = 12;
/// Records looked at.
const MOST_RECORDS: u16 = 128;

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// These addresses, to be believed for so long; none when the name has none of the family.
    Addresses(Vec<IpAddr>, Duration),
    /// Its answer was cut off before the first address.
    Truncated,
    /// The name does not exist.
    NoSuchName,
    /// It cannot or will not answer; its response code.
    Failed(u8),
}

fn type_of(family: Family) -> u16 {
    match family {
        Family::Ipv4 => TYPE_A,
        Family::Ipv6 => TYPE_AAAA,
    }
}

/// A query for the addresses of `name`; none when it is not a name that DNS can carry.
pub(super) fn query(id: u16, name: &str, family: Family) -> Option<Vec<u8>> {
    let mut message = Vec::with_capacity(HEADER + name.len() + 6);
    message.extend(id.to_be_bytes());
    // A standard query, recursion desired; one question, no records.
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > MOST_NAME_BYTES - 2 {
        return None;
    }
    for label in name.split('.') {
        let length =
            u8::try_from(label.len()).ok().filter(|length| (1..=MOST_LABEL_BYTES).contains(&(*length).into()))?;
        message.push(length);
        message.extend(label.bytes());
    }
    message.push(0);
    message.extend(type_of(family).to_be_bytes());
    message.extend(IN.to_be_bytes());
    Some(message)
}

/// Tells the server that a longer answer is welcome (EDNS, RFC 6891 section 6.1). Said only where one is needed: some
/// boxes on the way do not understand it.
pub(super) fn welcome_long_answers(query: &mut Vec<u8>) {
    if let Some(additional) = query.get_mut(HEADER - 1) {
        *additional = 1;
    }
    query.push(0);
    query.extend([TYPE_OPT, MOST_BYTES].map(u16::to_be_bytes).as_flattened());
    // No extended code, version or flags, and no options.
    query.extend([0; 6]);
}

/// What `message` says in answer to `query`; nothing when it does not answer it.
pub(super) fn answer(message: &[u8], query: &[u8], family: Family) -> Option<Said> {
    let mut reader = Reader { message, at: 0 };
    let mut asked = Reader { message: query, at: 0 };
    if reader.u16()? != asked.u16()? {
        return None;
    }
    let [flags, code] = reader.u16()?.to_be_bytes();
    // A response (QR) to a standard query (OPCODE 0) with one question.
    if flags & 0b1111_1000 != 0b1000_0000 || reader.u16()? != 1 {
        return None;
    }
    let records = reader.u16()?.min(MOST_RECORDS);
    asked.at = HEADER;
    reader.at = HEADER;
    let name = asked.name()?;
    if reader.name()? != name || reader.u16()? != asked.u16()? || reader.u16()? != IN {
        return None;
    }
    match code & 0b1111 {
        0 => Some(match addresses(&reader.records(records, family), name) {
            // Truncation (TC) takes nothing from what is there, but of what is not there it says nothing.
            Said::Addresses(found, _) if found.is_empty() && flags & TRUNCATED != 0 => Said::Truncated,
            said => said,
        }),
        3 => Some(Said::NoSuchName),
        code => Some(Said::Failed(code)),
    }
}

/// The addresses at the end of the chain of aliases that begins with `name`.
fn addresses(records: &[Record], mut name: Vec<u8>) -> Said {
    let mut life = u32::MAX;
    for _ in 0..MOST_ALIASES {
        let of_name = || records.iter().filter(|record| record.owner == name);
        let found = of_name().filter_map(|record| match record.data {
            Data::Address(address) => Some((address, record.life)),
            Data::Alias(_) | Data::Other => None,
        });
        let (found, lives): (Vec<IpAddr>, Vec<u32>) = found.unzip();
        if let Some(shortest) = lives.into_iter().min() {
            return Said::Addresses(found, Duration::from_secs(life.min(shortest).into()));
        }
        let alias = of_name().find_map(|record| match &record.data {
            Data::Alias(alias) => Some((alias.clone(), record.life)),
            Data::Address(_) | Data::Other => None,
        });
        let Some((next, alias_life)) = alias else { break };
        life = life.min(alias_life);
        name = next;
    }
    Said::Addresses(Vec::new(), Duration::ZERO)
}

#[derive(Debug)]
struct Record {
    owner: Vec<u8>,
    life: u32,
    data: Data,
}

#[derive(Debug)]
enum Data {
    Address(IpAddr),
    Alias(Vec<u8>),
    Other,
}

/// Reads on from a place in a message.
#[derive(Debug, Clone, Copy)]
struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.message.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A name in lower case, each label with its length before it, and goes on behind it (RFC 1035 section 4.1.4).
    fn name(&mut self) -> Option<Vec<u8>> {
        let mut name = Vec::new();
        let mut reader = *self;
        let mut behind = None;
        let mut pointers = 0;
        loop {
            let [length] = reader.array()?;
            match length >> 6 {
                0 if length == 0 => break,
                0 => {
                    name.push(length);
                    name.extend(reader.take(length.into())?.iter().map(u8::to_ascii_lowercase));
                    if name.len() >= MOST_NAME_BYTES {
                        return None;
                    }
                }
                0b11 => {
                    let [low] = reader.array()?;
                    behind.get_or_insert(reader.at);
                    reader.at = usize::from(u16::from_be_bytes([length & 0b0011_1111, low]));
                    pointers += 1;
                    if pointers > MOST_POINTERS {
                        return None;
                    }
                }
                _ => return None,
            }
        }
        self.at = behind.unwrap_or(reader.at);
        Some(name)
    }

    /// The next records, as far as they are whole: addresses of the family, and aliases.
    fn records(&mut self, count: u16, family: Family) -> Vec<Record> {
        let mut records = Vec::new();
        for _ in 0..count {
            match self.record(family) {
                Some(Record { data: Data::Other, .. }) => {}
                Some(record) => records.push(record),
                None => break,
            }
        }
        records
    }

    /// The next record; nothing when it is cut off.
    fn record(&mut self, family: Family) -> Option<Record> {
        let owner = self.name()?;
        let (kind, class) = (self.u16()?, self.u16()?);
        let life = u32::from_be_bytes(self.array()?);
        let length = self.u16()?;
        let mut data = *self;
        let bytes = self.take(length.into())?;
        let data = match kind {
            _ if class != IN => None,
            TYPE_CNAME => data.name().map(Data::Alias),
            TYPE_A if family == Family::Ipv4 => {
                <[u8; 4]>::try_from(bytes).ok().map(|bytes| Data::Address(Ipv4Addr::from(bytes).into()))
            }
            TYPE_AAAA if family == Family::Ipv6 => {
                <[u8; 16]>::try_from(bytes).ok().map(|bytes| Data::Address(Ipv6Addr::from(bytes).into()))
            }
            _ => None,
        };
        Some(Record { owner, life, data: data.unwrap_or(Data::Other) })
    }
}

#[cfg(test)]
mod tests;
