//! Every default of the configuration; the reference in `config/peerward.toml` says what each one means.

use std::time::Duration;

use super::model::{Fallback, Margin, Mode, MovedFlows, OnStop, Percentile, Profile, TrustSource};
use crate::domain::Category;

pub(super) const UTC_OFFSET: i16 = 0;

pub(super) const REQUIRE_ROUTE: bool = false;

pub(super) const FALLBACK: Fallback = Fallback::Any;
pub(super) const ALLOW_UNQUALIFIED: bool = false;
pub(super) const LEAVE_AFTER: Duration = Duration::from_secs(5);
pub(super) const RETURN_AFTER: Duration = Duration::from_secs(60);
pub(super) const STAY_AT_LEAST: Duration = Duration::ZERO;
/// Twice as many as a path that fails and heals every ten minutes asks for.
pub(super) const MOVES_PER_HOUR: u32 = 12;
/// What a path must be faster by: less is within what the RTT of one path swings in a minute.
pub(super) const MARGIN: Margin = Margin { difference: Duration::from_millis(5), share: 0.1 };
pub(super) const SLA_RTT: Option<Duration> = None;
pub(super) const SLA_PERCENTILE: Percentile = Percentile(50);
pub(super) const SLA_JITTER: Option<Duration> = None;
pub(super) const SLA_LOSS: Option<f64> = Some(0.02);
pub(super) const SLA_WINDOW: Option<Duration> = None;

pub(super) const CATEGORIES: [Category; 2] = [Category::Optimize, Category::Allow];
pub(super) const BY_REGION: bool = false;

pub(super) const PROFILE: Profile = Profile::Normal;
/// Mean time between two probes of a path that is well, by profile.
pub(super) const fn probe_interval(profile: Profile) -> Duration {
    match profile {
        Profile::Fast => Duration::from_millis(200),
        Profile::Normal => Duration::from_secs(1),
        Profile::Quiet => Duration::from_secs(10),
    }
}
/// Below the first retransmission of a SYN (1 s, RFC 6298), so that every RTT belongs to one SYN.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_millis(900);
pub(super) const PROBE_PORT: u16 = 443;
pub(super) const PROBE_WINDOW: u16 = 60;
pub(super) const DOWN_AFTER: u32 = 3;
pub(super) const UP_AFTER: u32 = 3;
pub(super) const DEGRADED_AFTER: u32 = 1;
pub(super) const RESTORED_AFTER: u32 = 3;
pub(super) const HOLD_DOWN: Duration = Duration::from_secs(2);
pub(super) const FLAP_HALF_LIFE: Option<Duration> = Some(Duration::from_secs(300));
pub(super) const QUORUM: u32 = 1;
pub(super) const TRUST: TrustSource = TrustSource::System;
pub(super) const PASSIVE: bool = false;

pub(super) const REPORT_INTERVAL: Duration = Duration::from_secs(30);
pub(super) const QUEUE_BYTES: u32 = 4 * 1024 * 1024;
/// In two files two days and more, however much is probed.
pub(super) const RECORDING_BYTES: u64 = 16 * 1024 * 1024;

/// An empty or half-read `[kernel]` must never write.
pub(super) const MODE: Mode = Mode::Observe;
pub(super) const ON_STOP: OnStop = OnStop::Keep;
pub(super) const MOVED_FLOWS: MovedFlows = MovedFlows::Reset;
pub(super) const TABLE: u32 = 7700;
pub(super) const BACKUP_TABLE: u32 = 7701;
pub(super) const PROBE_TABLE: u32 = 7710;
pub(super) const SOURCE_TABLE: u32 = 7780;
pub(super) const RULE_PREFERENCE: u32 = 7700;
pub(super) const BACKUP_RULE_PREFERENCE: u32 = 7701;
pub(super) const PROBE_RULE_PREFERENCE: u32 = 7690;
pub(super) const PROTOCOL: u8 = 77;
/// Twice what all service tags of Azure aggregate to, with room.
pub(super) const MAX_ROUTES: u32 = 131_072;
/// Far above what the kernel gives out by itself, from 1 on.
pub(super) const NEXTHOP_BASE: u32 = 0x7700_0000;

pub(super) const SOCKET: &str = "/run/peerward/control.sock";
