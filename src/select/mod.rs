//! Pure: policy, router and path quality in; one decision per class out, with its reasons as data.
//!
//! May know `quality`, the domain, the validated configuration and the partner registry, all as values. Reads no
//! clock (time is an argument), does no I/O, logs nothing. Deterministic and total.
//!
//! The rules, in the order in which [`decide`] applies them:
//!
//! 1. Traffic may be put on an uplink that policy does not exclude, that the kernel has a way through, and whose path
//!    is up or degraded. A path not measured yet carries only what it carried already.
//! 2. What can no longer carry traffic is left at once, for the most preferred that is up, else that is degraded, else for
//!    the backup that is not measured yet. Where nothing answers at all, traffic stays while the kernel has a way through.
//! 3. A degraded uplink is left when it has been degraded for `leave_after` and another one is up.
//! 4. A more preferred uplink is returned to when it has been up for `return_after`.
//! 5. Where nothing is in charge yet, the most preferred is chosen; a more preferred one whose first measurements are
//!    still under way is waited for.
//! 6. The backup is another uplink, of another ISP where there is one.

mod account;
mod attachment;
mod backup;
mod balance;
mod choice;
mod decision;
mod field;
mod gates;
mod hold;
mod label;
mod moment;
mod outlook;
mod policy;
mod qualification;
mod ranking;
mod reason;
mod set_aside;
mod turn;
mod verdict;
mod zones;

#[cfg(test)]
mod tests;

pub use account::{Account, Accounted, Way, account};
pub use attachment::{Unattached, attachment, silent_gateway};
pub use decision::{Candidate, Decision, Memory, PathInput, decide};
pub use gates::{Gate, GateName};
pub use hold::Hold;
pub use label::Label;
pub use moment::Moment;
pub use outlook::Outlook;
pub use policy::{Policies, Policy};
pub use qualification::Qualification;
pub use ranking::Standing;
pub use reason::Reason;
pub use set_aside::{Kept, SetAside, Why, kept_by_local_routes, routed_by};
pub use zones::{Zone, Zones, zone_of};
