//! A part of a class's traffic.

use super::UplinkId;

/// An uplink among those that carry a class, with its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Uplink.
    pub uplink: UplinkId,
    /// Its part in relation to the others', from 1 on.
    pub weight: u8,
}
