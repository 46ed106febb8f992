//! Why a class is where it is: data first, words from it.

use std::{fmt, sync::Arc, time::Duration};

use super::{Hold, Label, Standing};
use crate::quality::milliseconds;

/// Why a class is where it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// On the most preferred uplink of all.
    Preferred {
        /// The uplink in charge.
        on: Label,
        /// Market of the site.
        market: Arc<str>,
        /// The rule that the class is decided by.
        rule: Option<Arc<str>>,
        /// Why it is preferred.
        standing: Standing,
    },
    /// On the fastest of those that are preferred.
    Fastest {
        /// The uplink in charge.
        on: Label,
        /// Its recent median RTT.
        rtt: Duration,
        /// The others that are up, with theirs.
        others: Vec<(Label, Duration)>,
    },
    /// On several at once.
    Balanced {
        /// The uplinks in charge, with their weights.
        over: Vec<(Label, u8)>,
        /// Preferred uplinks that are not among them, and why.
        apart: Vec<(Label, String)>,
    },
    /// On several at once, and others than before.
    Rebalanced {
        /// The uplinks in charge, with their weights.
        over: Vec<(Label, u8)>,
        /// Those that were in charge before, and what happened to each.
        left: Vec<(Label, String)>,
        /// Those that were not.
        joined: Vec<Label>,
    },
    /// On the most preferred of those that can be used.
    NextBest {
        /// The uplink in charge.
        on: Label,
        /// Why it is preferred to those behind it.
        standing: Standing,
        /// Those ahead of it, and why each is not used.
        ahead: Vec<(Label, String)>,
    },
    /// The kernel held it when the agent started; it is not measured yet.
    Adopted {
        /// The uplink in charge.
        on: Label,
    },
    /// Moved: the uplink before could carry nothing any more.
    LeftLost {
        /// The uplink before.
        from: Label,
        /// What happened to it.
        cause: String,
        /// The uplink in charge now.
        on: Label,
    },
    /// Moved: the uplink before violated its SLA for too long.
    LeftDegraded {
        /// The uplink before.
        from: Label,
        /// Its figures.
        evidence: String,
        /// How long it was degraded.
        lasted: Duration,
        /// The uplink in charge now.
        on: Label,
    },
    /// Moved: back to a more preferred uplink.
    Returned {
        /// The uplink in charge now.
        on: Label,
        /// How long it had been up.
        up_for: Duration,
    },
    /// Moved: another uplink has been faster.
    Overtaken {
        /// The uplink before.
        from: Label,
        /// Its recent median RTT.
        before: Duration,
        /// The uplink in charge now.
        on: Label,
        /// Its recent median RTT.
        rtt: Duration,
        /// How long it had been faster by the margin.
        lasted: Duration,
    },
    /// Stays for now: another uplink is faster, but not for long enough.
    WaitsToOvertake {
        /// The uplink in charge.
        on: Label,
        /// Its recent median RTT.
        own: Duration,
        /// The faster uplink.
        to: Label,
        /// Its recent median RTT.
        rtt: Duration,
        /// How long it has been faster by the margin.
        lasted: Duration,
        /// How long it must have been.
        return_after: Duration,
    },
    /// Stays for now: another uplink would take over, but something forbids the move.
    Held {
        /// The uplink in charge.
        on: Label,
        /// Its figures.
        evidence: String,
        /// The uplink that would take over.
        next: Label,
        /// What forbids it.
        hold: Hold,
    },
    /// Stays for now: degraded, but not for long enough.
    HeldDegraded {
        /// The uplink in charge.
        on: Label,
        /// Its figures.
        evidence: String,
        /// How long it has been degraded.
        lasted: Duration,
        /// How long it may be.
        leave_after: Duration,
        /// The uplink that takes over then.
        next: Label,
    },
    /// Stays: degraded, and nothing else is up.
    LeastBad {
        /// The uplink in charge.
        on: Label,
        /// Its figures.
        evidence: String,
    },
    /// Stays: does not answer, and neither does any other.
    NothingBetter {
        /// The uplink in charge.
        on: Label,
        /// What happened to it.
        cause: String,
    },
    /// Stays for now: a more preferred uplink is up, but not for long enough.
    WaitsToReturn {
        /// The uplink in charge.
        on: Label,
        /// The more preferred uplink.
        to: Label,
        /// How long that has been up.
        up_for: Duration,
        /// How long it must have been.
        return_after: Duration,
    },
    /// Left to the main table for now: an uplink is good again, but not for long enough.
    WaitsInMain {
        /// The uplink.
        to: Label,
        /// How long it has been good.
        good_for: Duration,
        /// How long it must have been.
        return_after: Duration,
    },
    /// Left to the main table for now: an uplink would take over, but something forbids the move.
    HeldInMain {
        /// The uplink that would take over.
        next: Label,
        /// What forbids it.
        hold: Hold,
    },
    /// Left to the main table until first measurements are there.
    Awaited {
        /// The uplinks that are being measured.
        of: Vec<Label>,
    },
    /// Left to the main table: nothing can be used.
    NothingUsable {
        /// Every uplink, and why it is not used.
        why: Vec<(Label, String)>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preferred { on, rule: Some(rule), standing: Standing::Rule, .. } => {
                write!(f, "{on} is preferred by rule {rule}")
            }
            Self::Preferred { on, market, standing: Standing::Fallback, .. } => {
                write!(f, "{on} is the first of the fallback: no ISP is preferred in {market}")
            }
            Self::Preferred { on, market, standing, .. } => write!(f, "{on} is preferred in {market} ({standing})"),
            Self::Fastest { on, rtt, others } => {
                write!(f, "{on} is the fastest: RTT {}", milliseconds(*rtt))?;
                let others: Vec<String> =
                    others.iter().map(|(label, rtt)| format!("{label} {}", milliseconds(*rtt))).collect();
                if others.is_empty() { Ok(()) } else { write!(f, " ({})", others.join(", ")) }
            }
            Self::Balanced { over, apart } if apart.is_empty() => write!(f, "balanced over {}", Shares(over)),
            Self::Balanced { over, apart } => write!(f, "balanced over {}, without {}", Shares(over), Causes(apart)),
            Self::Rebalanced { over, left, joined } => {
                write!(f, "balanced over {}", Shares(over))?;
                if !joined.is_empty() {
                    let joined: Vec<String> = joined.iter().map(ToString::to_string).collect();
                    write!(f, ", joined by {}", joined.join(", "))?;
                }
                if left.is_empty() { Ok(()) } else { write!(f, ", left {}", Causes(left)) }
            }
            Self::Overtaken { from, before, on, rtt, lasted } => write!(
                f,
                "left {from} for the faster {on}: RTT {} instead of {} for {}",
                milliseconds(*rtt),
                milliseconds(*before),
                Seconds(*lasted)
            ),
            Self::WaitsToOvertake { on, own, to, rtt, lasted, return_after } => write!(
                f,
                "stays on {on}: {to} has been faster ({} instead of {}) for {} of {} before it takes over",
                milliseconds(*rtt),
                milliseconds(*own),
                Seconds(*lasted),
                Seconds(*return_after)
            ),
            Self::Held { on, evidence, next, hold } => {
                write!(f, "stays on {on} ({evidence}) though {next} would take over: {hold}")
            }
            Self::NextBest { on, standing, ahead } => write!(f, "on {on} ({standing}): {}", Causes(ahead)),
            Self::Adopted { on } => write!(f, "{on} adopted from the kernel, not measured yet"),
            Self::LeftLost { from, cause, on } => write!(f, "left {from}: {cause}; on {on}"),
            Self::LeftDegraded { from, evidence, lasted, on } => {
                write!(f, "left {from}: {evidence} for {}; on {on}", Seconds(*lasted))
            }
            Self::Returned { on, up_for } => write!(f, "returned: {on} has been up for {}", Seconds(*up_for)),
            Self::HeldDegraded { on, evidence, lasted, leave_after, next } => write!(
                f,
                "stays on {on}: degraded for {} of {} before {next} takes over, {evidence}",
                Seconds(*lasted),
                Seconds(*leave_after)
            ),
            Self::LeastBad { on, evidence } => write!(f, "stays on {on}: degraded ({evidence}), and nothing is up"),
            Self::NothingBetter { on, cause } => write!(f, "stays on {on}: {cause}, and no other uplink answers"),
            Self::WaitsToReturn { on, to, up_for, return_after } => write!(
                f,
                "stays on {on}: {to} has been up for {} of {} before traffic returns",
                Seconds(*up_for),
                Seconds(*return_after)
            ),
            Self::WaitsInMain { to, good_for, return_after } => write!(
                f,
                "left to the main table: {to} has been good for {} of {} before traffic returns",
                Seconds(*good_for),
                Seconds(*return_after)
            ),
            Self::HeldInMain { next, hold } => {
                write!(f, "left to the main table though {next} would take over: {hold}")
            }
            Self::Awaited { of } => {
                let names: Vec<String> = of.iter().map(ToString::to_string).collect();
                write!(f, "waiting for first measurements of {}: left to the main table", names.join(", "))
            }
            Self::NothingUsable { why } => write!(f, "no usable uplink: left to the main table ({})", Causes(why)),
        }
    }
}

/// `NTT (3), IIJ (1)`.
struct Shares<'a>(&'a [(Label, u8)]);

impl fmt::Display for Shares<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (label, weight)) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}{label} (weight {weight})")?;
        }
        Ok(())
    }
}

/// `NTT: no carrier; IIJ: …`.
struct Causes<'a>(&'a [(Label, String)]);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (label, cause)) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{label}: {cause}")?;
        }
        Ok(())
    }
}

/// Whole seconds, or tenths below ten: `2.5 s`, `5 s`, `90 s`.
pub(super) struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0.as_millis() / 100;
        if tenths >= 100 || tenths.is_multiple_of(10) {
            write!(f, "{} s", tenths / 10)
        } else {
            write!(f, "{}.{} s", tenths / 10, tenths % 10)
        }
    }
}
