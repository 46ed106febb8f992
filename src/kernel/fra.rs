//! `FRA_*`: attributes of policy rules (linux/fib_rules.h), without their prefix.

pub(super) const DST: u16 = 1;
pub(super) const SRC: u16 = 2;
pub(super) const IIFNAME: u16 = 3;
pub(super) const GOTO: u16 = 4;
pub(super) const PRIORITY: u16 = 6;
pub(super) const FWMARK: u16 = 10;
pub(super) const FLOW: u16 = 11;
pub(super) const TUN_ID: u16 = 12;
pub(super) const SUPPRESS_IFGROUP: u16 = 13;
pub(super) const SUPPRESS_PREFIXLEN: u16 = 14;
pub(super) const TABLE: u16 = 15;
pub(super) const FWMASK: u16 = 16;
pub(super) const OIFNAME: u16 = 17;
pub(super) const PAD: u16 = 18;
pub(super) const L3MDEV: u16 = 19;
pub(super) const UID_RANGE: u16 = 20;
pub(super) const PROTOCOL: u16 = 21;
pub(super) const IP_PROTO: u16 = 22;
pub(super) const SPORT_RANGE: u16 = 23;
pub(super) const DPORT_RANGE: u16 = 24;
pub(super) const DSCP_MASK: u16 = 30;
