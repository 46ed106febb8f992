//! A configuration as TOML, every default spelled out.

mod policy;

use std::{
    fmt::{Display, Write},
    path::Path,
};

use super::{
    model::{Config, Ipv6Source, Microsoft365Source, NextHopSpec, OnStop, Site, TrustSource},
    values::{OFF, in_codes, in_hours, in_units, is_plain},
};
use crate::{
    domain::{Check, Target},
    partners::Addition,
};

/// Writes it so that it reads back to the same value.
pub(super) fn effective(config: &Config) -> String {
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = write(&mut text, config);
    text
}

fn write(to: &mut String, config: &Config) -> std::fmt::Result {
    let Site { name, market, utc_offset } = &config.site;
    writeln!(to, "[site]\nname = {}\nmarket = {}", quoted(name), quoted(market))?;
    writeln!(to, "utc_offset = \"{}\"", in_hours(*utc_offset))?;
    markets(to, config)?;
    isps(to, config)?;
    policy::write(to, config)?;
    destinations(to, config)?;
    probe(to, config)?;
    if let Some(report) = &config.report {
        let endpoint = &report.endpoint;
        let host = if endpoint.host.contains(':') { format!("[{}]", endpoint.host) } else { endpoint.host.clone() };
        writeln!(
            to,
            "\n[report]\nendpoint = {}",
            quoted(&format!("https://{host}:{}{}", endpoint.port, endpoint.path))
        )?;
        writeln!(to, "ca = {}\ncert = {}\nkey = {}", path(&report.ca), path(&report.cert), path(&report.key))?;
        writeln!(to, "interval = \"{}\"\nqueue_bytes = {}", in_units(report.interval), report.queue_bytes)?;
    }
    if let Some(recording) = &config.recording {
        writeln!(to, "\n[recording]\nfile = {}", path(&recording.file))?;
        writeln!(to, "max_bytes = {}", recording.max_bytes)?;
    }
    kernel(to, config)?;
    writeln!(to, "\n[control]\nsocket = {}", path(&config.control.socket))
}

fn markets(to: &mut String, config: &Config) -> std::fmt::Result {
    for Addition { market, within, regions } in config.registry.additions() {
        writeln!(to, "\n[[market]]\nname = {}", quoted(market))?;
        if let Some(within) = within {
            writeln!(to, "within = {}", quoted(within))?;
        }
        writeln!(to, "azure_regions = {}", list(regions.iter().map(|region| quoted(region))))?;
    }
    Ok(())
}

fn isps(to: &mut String, config: &Config) -> std::fmt::Result {
    for isp in &config.isps {
        writeln!(to, "\n[[isp]]\nname = {}", quoted(&isp.name))?;
        if let Some(partner) = &isp.partner {
            writeln!(to, "partner = {}", quoted(partner))?;
        }
        writeln!(to, "qualified_in = {}", list(isp.qualified_in.iter().map(|market| quoted(market))))?;
        for id in &isp.uplinks {
            let uplink = config.uplink(*id);
            writeln!(to, "\n[[isp.uplink]]\nname = {}", quoted(&uplink.name))?;
            writeln!(to, "interface = {}", quoted(&uplink.interface))?;
            writeln!(to, "ipv4 = {}\nipv6 = {}", next_hop(&uplink.ipv4), next_hop(&uplink.ipv6))?;
            writeln!(to, "require_route = {}", uplink.require_route)?;
            writeln!(to, "ipv6_source = {}", ipv6_source(&uplink.ipv6_source))?;
        }
    }
    Ok(())
}

fn destinations(to: &mut String, config: &Config) -> std::fmt::Result {
    let microsoft365 = &config.destinations.microsoft365;
    let source = match &microsoft365.source {
        Microsoft365Source::Bundled => quoted("bundled"),
        Microsoft365Source::Off => quoted("off"),
        Microsoft365Source::File(file) => path(file),
    };
    writeln!(to, "\n[destinations.microsoft365]\nsource = {source}")?;
    writeln!(to, "services = {}", list(microsoft365.services.iter().map(|service| quoted(service))))?;
    writeln!(
        to,
        "categories = {}",
        list(microsoft365.categories.iter().map(|category| quoted(&category.to_string())))
    )?;
    if let Some(tags) = &config.destinations.service_tags {
        writeln!(to, "\n[destinations.service_tags]\nfile = {}", path(&tags.file))?;
        writeln!(to, "tags = {}", list(tags.tags.iter().map(|tag| quoted(tag))))?;
        writeln!(to, "by_region = {}", tags.by_region)?;
    }
    for own in &config.destinations.static_lists {
        writeln!(to, "\n[[destinations.static]]\nname = {}", quoted(&own.name))?;
        writeln!(to, "prefixes = {}", list(own.prefixes.iter().map(|prefix| quoted(&prefix.to_string()))))?;
    }
    Ok(())
}

fn probe(to: &mut String, config: &Config) -> std::fmt::Result {
    let probe = &config.probe;
    let trust = match &probe.trust {
        TrustSource::System => quoted("system"),
        TrustSource::Off => quoted(OFF),
        TrustSource::File(file) => path(file),
    };
    let half_life = probe.flap_half_life.map_or_else(|| OFF.to_owned(), in_units);
    writeln!(to, "\n[probe]\nprofile = \"{}\"\ninterval = \"{}\"", probe.profile.as_str(), in_units(probe.interval))?;
    writeln!(to, "timeout = \"{}\"\nport = {}", in_units(probe.timeout), probe.port)?;
    writeln!(to, "window = {}\ndown_after = {}\nup_after = {}", probe.window, probe.down_after, probe.up_after)?;
    writeln!(to, "degraded_after = {}\nrestored_after = {}", probe.degraded_after, probe.restored_after)?;
    writeln!(to, "hold_down = \"{}\"\nflap_half_life = \"{half_life}\"", in_units(probe.hold_down))?;
    writeln!(to, "quorum = {}\nca = {trust}\npassive = {}", probe.quorum, probe.passive)?;
    writeln!(to, "resolvers = {}", list(probe.resolvers.iter().map(|server| quoted(&server.to_string()))))?;
    writeln!(to, "\n[probe.targets]")?;
    for (service, targets) in &probe.targets {
        writeln!(to, "{} = {}", quoted(service), list(targets.iter().map(target)))?;
    }
    Ok(())
}

/// The text form, in a table with what it does not say.
fn target(target: &Target) -> String {
    let text = quoted(&target.to_string());
    if is_plain(target) {
        return text;
    }
    match &target.check {
        Check::Tcp { refusal_answers } => format!("{{ target = {text}, refusal_answers = {refusal_answers} }}"),
        Check::Icmp | Check::Stun => text,
        Check::Tls { server_name } => format!("{{ target = {text}, server_name = {} }}", quoted(server_name)),
        Check::Http { server_name, status, .. } => {
            let (name, status) = (quoted(server_name), quoted(&in_codes(status)));
            format!("{{ target = {text}, server_name = {name}, status = {status} }}")
        }
    }
}

fn kernel(to: &mut String, config: &Config) -> std::fmt::Result {
    let kernel = &config.kernel;
    let on_stop = match kernel.on_stop {
        OnStop::Keep => "keep",
        OnStop::Withdraw => "withdraw",
    };
    writeln!(to, "\n[kernel]\nmode = \"{}\"\non_stop = \"{on_stop}\"", kernel.mode.as_str())?;
    writeln!(to, "moved_flows = \"{}\"", kernel.moved_flows.as_str())?;
    writeln!(to, "table = {}\nbackup_table = {}", kernel.table, kernel.backup_table)?;
    writeln!(to, "probe_table = {}\nsource_table = {}", kernel.probe_table, kernel.source_table)?;
    let never = list(kernel.never_steer.iter().map(|prefix| quoted(&prefix.to_string())));
    writeln!(to, "never_steer = {never}\nrule_preference = {}", kernel.rule_preference)?;
    writeln!(to, "backup_rule_preference = {}", kernel.backup_rule_preference)?;
    writeln!(to, "probe_rule_preference = {}", kernel.probe_rule_preference)?;
    writeln!(to, "protocol = {}\nnexthop_base = {:#x}", kernel.protocol, kernel.nexthop_base)?;
    writeln!(to, "max_routes = {}", kernel.max_routes)
}

fn next_hop<A: Display>(spec: &NextHopSpec<A>) -> String {
    match spec {
        NextHopSpec::Auto => quoted("auto"),
        NextHopSpec::Disabled => quoted("off"),
        NextHopSpec::Gateway(gateway) => quoted(&gateway.to_string()),
    }
}

fn ipv6_source(source: &Ipv6Source) -> String {
    match source {
        Ipv6Source::Any => quoted("any"),
        Ipv6Source::Auto => quoted("auto"),
        Ipv6Source::Prefixes(prefixes) => list(prefixes.iter().map(|prefix| quoted(&prefix.to_string()))),
    }
}

fn list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(", "))
}

fn path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// A TOML basic string: its escapes are those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
