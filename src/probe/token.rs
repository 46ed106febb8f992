//! Numbers that nobody who was not sent them can know: what tells the answer to a probe from one that was made up.
//!
//! From the kernel, not from the generator that spreads probes in time: that one starts from the clock, and whoever was
//! sent a few of its numbers can work out all that follow.

use rustix::rand::{GetRandomFlags, getrandom};

/// So many random bytes. In the first moments after boot, when the kernel has none yet, they may be guessed.
pub(super) fn unguessable<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Waiting would hold up the whole agent.
    if getrandom(&mut bytes, GetRandomFlags::NONBLOCK).ok() != Some(N) {
        fastrand::fill(&mut bytes);
    }
    bytes
}

/// A random number.
pub(super) fn unguessable_number() -> u16 {
    u16::from_ne_bytes(unguessable())
}
