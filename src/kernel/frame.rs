//! Netlink framing: datagrams into messages, messages into attributes, requests into bytes.
//!
//! Attributes are walked, not collected: a full routing table streams through without an allocation, and an attribute
//! that a newer kernel adds or changes cannot make a whole message unreadable.

use std::iter;

use netlink_packet_core::{
    DecodeError, Emitable, NLA_HEADER_SIZE, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_REQUEST, NetlinkHeader, parse_i32,
    parse_u32,
};

use super::error::Refusal;

/// Length of `struct nlmsghdr`.
pub(super) const HEADER_LEN: usize = 16;

/// `NLMSGERR_ATTR_MSG` (linux/netlink.h): the extended acknowledgement's text.
const NLMSGERR_ATTR_MSG: u16 = 1;

/// `NLA_TYPE_MASK` (linux/netlink.h): without the flags for nesting and byte order.
const NLA_TYPE_MASK: u16 = 0x3fff;

/// One message of a datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) payload: &'a [u8],
}

/// The messages of a datagram; after a malformed one nothing can be trusted, so it is the last.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, DecodeError>> {
    let mut rest = datagram;
    iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let message = first(rest);
        let length = message.as_ref().map_or(rest.len(), |message| HEADER_LEN + message.payload.len());
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// `struct nlmsghdr`. By hand, because a million of them come in a row.
fn first(datagram: &[u8]) -> Result<Message<'_>, DecodeError> {
    let words = datagram.get(..HEADER_LEN).map(<[u8]>::as_chunks);
    let Some(([length, [kind_low, kind_high, flags_low, flags_high], sequence, _port], _)) = words else {
        return Err(DecodeError::buffer_too_small(datagram.len(), HEADER_LEN));
    };
    let length = u32::from_ne_bytes(*length) as usize;
    let payload =
        datagram.get(HEADER_LEN..length).ok_or_else(|| DecodeError::buffer_too_small(datagram.len(), length))?;
    Ok(Message {
        kind: u16::from_ne_bytes([*kind_low, *kind_high]),
        flags: u16::from_ne_bytes([*flags_low, *flags_high]),
        sequence: u32::from_ne_bytes(*sequence),
        payload,
    })
}

/// The attributes after a fixed header of `header_len` bytes, as (kind, value). After a malformed one nothing can be
/// trusted, so it is the last.
///
/// By hand, because this is what a long list of routes costs: five attributes in each of a hundred thousand.
pub(super) fn attributes(
    payload: &[u8],
    header_len: usize,
) -> impl Iterator<Item = Result<(u16, &[u8]), DecodeError>> {
    let mut rest = payload.get(header_len..).unwrap_or_default();
    iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let head = rest.first_chunk::<NLA_HEADER_SIZE>().map(|[low, high, kind @ ..]| {
            (usize::from(u16::from_ne_bytes([*low, *high])), u16::from_ne_bytes(*kind) & NLA_TYPE_MASK)
        });
        let Some((kind, value, length)) =
            head.and_then(|(length, kind)| Some((kind, rest.get(NLA_HEADER_SIZE..length)?, length)))
        else {
            let cut = DecodeError::buffer_too_small(rest.len(), head.map_or(NLA_HEADER_SIZE, |(length, _)| length));
            rest = &[];
            return Some(Err(cut));
        };
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok((kind, value)))
    })
}

/// What an `NLMSG_ERROR` says: an acknowledgement, or a refusal.
pub(super) fn verdict(message: &Message<'_>) -> Result<Result<(), Refusal>, DecodeError> {
    // The failed request follows the code: whole, or its header alone where that was asked for.
    let echoed = match message.payload.get(4..8) {
        Some(length) if message.flags & NLM_F_CAPPED == 0 => parse_u32(length)? as usize,
        _ => HEADER_LEN,
    };
    outcome(message, 4 + echoed.next_multiple_of(4))
}

/// What an `NLMSG_DONE` says: the end of a dump, or why it broke off.
pub(super) fn end_of_dump(message: &Message<'_>) -> Result<Result<(), Refusal>, DecodeError> {
    if message.payload.is_empty() {
        return Ok(Ok(()));
    }
    outcome(message, 4)
}

fn outcome(message: &Message<'_>, attributes_at: usize) -> Result<Result<(), Refusal>, DecodeError> {
    let code = parse_i32(message.payload.get(..4).unwrap_or_default())?;
    if code >= 0 {
        return Ok(Ok(()));
    }
    let explanation = (message.flags & NLM_F_ACK_TLVS != 0)
        .then(|| attributes(message.payload, attributes_at).flatten().find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG))
        .flatten()
        .map(|(_, text)| text_of(text));
    Ok(Err(Refusal { errno: code.saturating_neg(), explanation }))
}

/// A text attribute without its terminating zeros; bytes that are not UTF-8 are replaced, not refused.
pub(super) fn text_of(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

/// A request, all but its sequence number.
#[derive(Debug, Clone)]
pub(super) struct Request {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
}

impl Request {
    /// A request of that type; `NLM_F_REQUEST` is implied.
    pub(super) fn new(kind: u16, flags: u16, body: &dyn Emitable) -> Self {
        let mut bytes = vec![0; body.buffer_len()];
        body.emit(&mut bytes);
        Self { kind, flags, body: bytes }
    }

    /// The same with more flags.
    pub(super) fn with(mut self, flags: u16) -> Self {
        self.flags |= flags;
        self
    }

    /// Appends the bytes of it to a datagram.
    #[allow(clippy::cast_possible_truncation, reason = "requests are built here and far below 4 GiB")]
    pub(super) fn append_to(&self, datagram: &mut Vec<u8>, sequence: u32) {
        let mut header = NetlinkHeader::default();
        header.length = (HEADER_LEN + self.body.len()) as u32;
        header.message_type = self.kind;
        header.flags = self.flags | NLM_F_REQUEST;
        header.sequence_number = sequence;
        let mut bytes = [0; HEADER_LEN];
        header.emit(&mut bytes);
        datagram.extend_from_slice(&bytes);
        datagram.extend_from_slice(&self.body);
        datagram.resize(datagram.len().next_multiple_of(4), 0);
    }
}
