//! Lists on their way, datagram by datagram.

use netlink_packet_core::{DecodeError, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN};

use super::{
    super::{
        KernelError,
        error::Refusal,
        frame::{Message, Request},
        message_type::RTM_NEWLINK,
        picture::{Effect, Glance, Publish},
        socket::Dump,
    },
    Raw, datagram, picture,
};
use crate::domain::ReadState;

const OURS: u32 = 7;

fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Request::new(kind, flags, &Raw(body.to_vec())).append_to(&mut bytes, sequence);
    bytes
}

/// Takes datagrams; returns how many messages were of the list, and how it ended.
fn take(datagrams: &[Vec<u8>]) -> (usize, Result<Option<Result<bool, Refusal>>, KernelError>) {
    let mut dump = Dump { sequence: OURS, consistent: true };
    let mut seen = 0;
    let mut each = |_: &Message<'_>| -> Result<(), DecodeError> {
        seen += 1;
        Ok(())
    };
    let mut outcome = Ok(None);
    for datagram in datagrams {
        outcome = dump.take("list links", datagram, &mut each);
        if !matches!(outcome, Ok(None)) {
            break;
        }
    }
    (seen, outcome)
}

fn done(flags: u16) -> Vec<u8> {
    message(NLMSG_DONE, flags, OURS, &0_i32.to_ne_bytes())
}

#[test]
fn a_list_ends_with_its_own_end_only() {
    let row = message(RTM_NEWLINK, 0, OURS, &[0; 16]);
    let alien = message(NLMSG_DONE, 0, OURS - 1, &[0; 4]);
    let (seen, outcome) = take(&[[row.clone(), alien, row.clone()].concat(), message(NLMSG_NOOP, 0, OURS, &[]), row]);
    assert!(matches!((seen, outcome), (3, Ok(None))), "it goes on");
    let (seen, outcome) = take(&[[done(0), message(RTM_NEWLINK, 0, OURS, &[0; 16])].concat()]);
    assert!(matches!((seen, outcome), (0, Ok(Some(Ok(true))))));
}

#[test]
fn a_list_that_changed_meanwhile_is_told_wherever_the_kernel_says_it() {
    let row = |flags| message(RTM_NEWLINK, flags, OURS, &[0; 16]);
    for interrupted in [
        [row(NLM_F_DUMP_INTR), row(0), done(0)],
        [row(0), row(NLM_F_DUMP_INTR), done(0)],
        [row(0), row(0), done(NLM_F_DUMP_INTR)],
    ] {
        assert!(matches!(take(&interrupted), (2, Ok(Some(Ok(false))))));
        assert!(matches!(take(&[interrupted.concat()]), (2, Ok(Some(Ok(false))))), "in one datagram too");
    }
    let alien = message(RTM_NEWLINK, NLM_F_DUMP_INTR, OURS + 1, &[0; 16]);
    assert!(matches!(take(&[alien, done(0)]), (0, Ok(Some(Ok(true))))), "that was said of another list");
}

#[test]
fn a_list_that_breaks_off_says_why() {
    let refused = (-libc::EAFNOSUPPORT).to_ne_bytes();
    for kind in [NLMSG_DONE, NLMSG_ERROR] {
        let (_, outcome) = take(&[message(kind, 0, OURS, &refused)]);
        assert_eq!(outcome.unwrap().unwrap().unwrap_err().errno, libc::EAFNOSUPPORT);
    }
    let (_, lost) = take(&[message(NLMSG_OVERRUN, 0, OURS, &[0; 4])]);
    assert!(matches!(lost, Err(KernelError::Socket { .. })), "{lost:?}");
    let whole = message(RTM_NEWLINK, 0, OURS, &[0; 16]);
    for cut in 1..whole.len() {
        let (seen, outcome) = take(&[whole[..cut].to_vec()]);
        assert!(matches!((seen, outcome), (0, Err(KernelError::Malformed { .. }))), "cut at {cut}");
    }
}

#[test]
fn an_overrun_that_is_told_in_the_stream_is_believed() {
    let effect = picture().absorb(&datagram(NLMSG_OVERRUN, &Raw(vec![0; 4])));
    assert_eq!(effect, Effect { touched: true, glance: Glance::Lost, survey: true, publish: Publish::Unchanged });
}

#[test]
fn after_an_overrun_or_an_event_that_cannot_be_read_the_picture_is_stale() {
    for datagram in [datagram(NLMSG_OVERRUN, &Raw(vec![0; 4])), vec![0; 7]] {
        let mut picture = picture();
        picture.state.read = ReadState::Fresh;
        let effect = picture.absorb(&datagram);
        assert!(effect.glance == Glance::Lost && effect.survey, "{effect:?}");
        assert_eq!((picture.state.read, picture.state.routes_read), (ReadState::Stale, ReadState::Stale));
    }
}
