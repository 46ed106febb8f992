//! The vocabulary that every room shares: plain values, no I/O, no clock.
//!
//! Types here carry the units and the rules of the domain (see `ARCHITECTURE.md`). They are parsed once, at an
//! edge, and trusted afterwards. Nothing in this folder may know another room.

pub mod calendar;
mod destination;
mod event;
pub mod exponential;
mod measure;
mod names;
mod policy_rule;
mod prefix_set;
mod reserved;
mod router;
mod share;
mod stand_in;
mod target;
mod time;
pub mod view;

pub use destination::{Category, Class, Destination, Source};
pub use event::{Event, EventKind, Severity};
pub use measure::{PathState, ProbeFailure, ProbeOutcome, ProbeSample};
pub use names::{ClassId, Family, IspId, RuleId, UplinkId, ZoneId};
pub use policy_rule::{RuleDetail, RuleVerdict};
pub use prefix_set::PrefixSet;
pub use reserved::reserved;
pub use router::{
    Address, DefaultRoute, IfIndex, Interest, Link, LocalRoute, NeighbourState, NextHop, PolicyRule, ReadState,
    RouteKind, RouterState, UplinkAttachment,
};
pub use share::Share;
pub use stand_in::StandIn;
pub use target::{Check, Host, ProbeKind, Target};
pub use time::{BootTime, TimeOfDay};
