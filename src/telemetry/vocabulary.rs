//! The names of everything reported: one table here, the same table in `docs/telemetry.md`, and a test between them.
//!
//! Names and units follow OpenTelemetry's conventions: seconds for durations, `1` for ratios alone (translators to
//! Prometheus append `_ratio` to it), `{thing}` for counts, and an up-down counter per possible state for states.

/// Attribute keys.
pub mod key {
    /// Uplink, as configured.
    pub const UPLINK: &str = "peering.uplink";
    /// ISP, as configured.
    pub const ISP: &str = "peering.isp";
    /// Class of destinations.
    pub const CLASS: &str = "peering.class";
    /// State of a path.
    pub const PATH_STATE: &str = "peering.path.state";
    /// What came of a probe.
    pub const PROBE_OUTCOME: &str = "peering.probe.outcome";
    /// How a path was probed.
    pub const PROBE_KIND: &str = "peering.probe.kind";
    /// One of our two tables.
    pub const TABLE: &str = "peering.table";
    /// `ipv4` or `ipv6` (OpenTelemetry).
    pub const NETWORK_TYPE: &str = "network.type";
    /// Interface of the uplink (OpenTelemetry).
    pub const INTERFACE: &str = "network.interface.name";
    /// Prefix of the other fields of an event.
    pub const EVENT_FIELD: &str = "peering.";
    /// Site; of the resource.
    pub const SITE: &str = "peering.site";
    /// Market; of the resource.
    pub const MARKET: &str = "peering.market";
}

/// How points of a metric add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The value now; adding it up over attributes means nothing.
    Gauge,
    /// The value now; may be added up over attributes.
    UpDownCounter,
    /// Total since the agent started.
    Counter,
    /// What was counted since the report before.
    DeltaCounter,
    /// Distribution since the report before, base-2 exponential buckets.
    DeltaHistogram,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instrument {
    /// Name.
    pub name: &'static str,
    /// Unit, UCUM.
    pub unit: &'static str,
    /// How its points add up.
    pub kind: Kind,
}

const fn instrument(name: &'static str, kind: Kind, unit: &'static str) -> Instrument {
    Instrument { name, unit, kind }
}

/// RTT of answered probes.
pub const PATH_RTT: Instrument = instrument("peering.path.rtt", Kind::DeltaHistogram, "s");
/// What the service took, by kind of probe.
pub const PATH_SERVICE_TIME: Instrument = instrument("peering.path.service_time", Kind::DeltaHistogram, "s");
/// Handshakes of forwarded connections: what users felt, never mixed with what probes measured.
pub const PATH_HANDSHAKE_RTT: Instrument = instrument("peering.path.handshake.rtt", Kind::DeltaHistogram, "s");
/// Probes by kind and outcome.
pub const PATH_PROBES: Instrument = instrument("peering.path.probes", Kind::DeltaCounter, "{probe}");
/// Loss over the path's window.
pub const PATH_LOSS: Instrument = instrument("peering.path.loss", Kind::Gauge, "1");
/// Lower bound of the path's loss with 95 % confidence. Not below the name of the loss itself: by OpenTelemetry's rules a
/// name is a metric or a namespace, not both.
pub const PATH_LOSS_LOWER: Instrument = instrument("peering.path.loss_lower_bound", Kind::Gauge, "1");
/// Upper bound of it.
pub const PATH_LOSS_UPPER: Instrument = instrument("peering.path.loss_upper_bound", Kind::Gauge, "1");
/// Delay variation over the path's window.
pub const PATH_JITTER: Instrument = instrument("peering.path.jitter", Kind::Gauge, "s");
/// Delay variation, smoothed exponentially.
pub const PATH_JITTER_SMOOTHED: Instrument = instrument("peering.path.jitter_smoothed", Kind::Gauge, "s");
/// One point per possible state.
pub const PATH_STATE: Instrument = instrument("peering.path.state", Kind::UpDownCounter, "{path}");
/// Whether the class is on the path.
pub const PATH_SELECTED: Instrument = instrument("peering.path.selected", Kind::UpDownCounter, "{path}");
/// Prefixes of a class as the catalogue lists them.
pub const CLASS_PREFIXES: Instrument = instrument("peering.class.prefixes", Kind::UpDownCounter, "{prefix}");
/// Routes of a class after aggregation.
pub const CLASS_ROUTES: Instrument = instrument("peering.class.routes", Kind::UpDownCounter, "{route}");
/// Changes of uplink of a class.
pub const CLASS_CHANGES: Instrument = instrument("peering.class.changes", Kind::DeltaCounter, "{change}");
/// Time since the agent started.
pub const UPTIME: Instrument = instrument("peering.agent.uptime", Kind::Gauge, "s");
/// Routes of ours in the kernel.
pub const KERNEL_ROUTES: Instrument = instrument("peering.agent.kernel.routes", Kind::UpDownCounter, "{route}");
/// Whether the kernel holds what was planned.
pub const KERNEL_IN_STEP: Instrument = instrument("peering.agent.kernel.in_step", Kind::UpDownCounter, "{agent}");
/// Changes written to the kernel.
pub const KERNEL_WRITES: Instrument = instrument("peering.agent.kernel.writes", Kind::Counter, "{write}");
/// Repairs of what others changed.
pub const KERNEL_REPAIRS: Instrument = instrument("peering.agent.kernel.repairs", Kind::Counter, "{repair}");
/// Lost netlink events.
pub const KERNEL_OVERRUNS: Instrument = instrument("peering.agent.kernel.overruns", Kind::Counter, "{overrun}");
/// NAT entries of moved flows deleted.
pub const FLOWS_RESET: Instrument = instrument("peering.agent.kernel.flows_reset", Kind::Counter, "{flow}");
/// Bytes waiting for the collector.
pub const QUEUE_SIZE: Instrument = instrument("peering.agent.report.queue.size", Kind::UpDownCounter, "By");
/// Batches waiting for the collector.
pub const QUEUE_BATCHES: Instrument =
    instrument("peering.agent.report.queue.batches", Kind::UpDownCounter, "{batch}");
/// Batches dropped because the queue was full.
pub const REPORT_DROPPED: Instrument = instrument("peering.agent.report.dropped", Kind::Counter, "{batch}");
/// Points and records that the collector acknowledged.
pub const REPORT_ACKNOWLEDGED: Instrument =
    instrument("peering.agent.report.acknowledged", Kind::Counter, "{record}");
/// Points and records that the collector refused for good.
pub const REPORT_REJECTED: Instrument = instrument("peering.agent.report.rejected", Kind::Counter, "{record}");

/// Every metric, in the order of the documentation.
#[cfg(test)]
pub const ALL: [Instrument; 26] = [
    PATH_RTT,
    PATH_SERVICE_TIME,
    PATH_HANDSHAKE_RTT,
    PATH_PROBES,
    PATH_LOSS,
    PATH_LOSS_LOWER,
    PATH_LOSS_UPPER,
    PATH_JITTER,
    PATH_JITTER_SMOOTHED,
    PATH_STATE,
    PATH_SELECTED,
    CLASS_PREFIXES,
    CLASS_ROUTES,
    CLASS_CHANGES,
    UPTIME,
    KERNEL_ROUTES,
    KERNEL_IN_STEP,
    KERNEL_WRITES,
    KERNEL_REPAIRS,
    KERNEL_OVERRUNS,
    FLOWS_RESET,
    QUEUE_SIZE,
    QUEUE_BATCHES,
    REPORT_DROPPED,
    REPORT_ACKNOWLEDGED,
    REPORT_REJECTED,
];

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../docs/telemetry.md");

    /// Name, type and unit of every row of the table of metrics.
    fn documented() -> Vec<[String; 3]> {
        let section = DOCUMENT.split("\n## ").find(|section| section.starts_with("Metrics")).unwrap();
        section
            .lines()
            .filter(|line| line.starts_with("| `peering."))
            .map(|line| {
                let cells: Vec<&str> = line.split('|').map(str::trim).collect();
                [cells[1], cells[2], cells[3]].map(|cell| cell.trim_matches('`').to_owned())
            })
            .collect()
    }

    fn words(kind: Kind) -> &'static str {
        match kind {
            Kind::Gauge => "gauge",
            Kind::UpDownCounter => "up-down counter",
            Kind::Counter => "counter, cumulative",
            Kind::DeltaCounter => "counter, delta",
            Kind::DeltaHistogram => "exponential histogram, delta",
        }
    }

    #[test]
    fn the_documentation_and_the_code_agree() {
        let coded: Vec<[String; 3]> =
            ALL.iter().map(|it| [it.name, words(it.kind), it.unit].map(str::to_owned)).collect();
        assert_eq!(documented(), coded);
    }

    #[test]
    fn every_attribute_key_is_documented() {
        for key in [
            key::UPLINK,
            key::ISP,
            key::CLASS,
            key::PATH_STATE,
            key::PROBE_OUTCOME,
            key::PROBE_KIND,
            key::TABLE,
            key::NETWORK_TYPE,
            key::INTERFACE,
            key::SITE,
            key::MARKET,
        ] {
            assert!(DOCUMENT.contains(&format!("\n| `{key}`")), "{key} has no row of its own");
        }
    }
}
