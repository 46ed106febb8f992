//! `peerward check`: validates a configuration and the files that it names, and says what would be done with them.

mod rules;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    arguments::Global,
    failure::{Code, Failure},
    figures::count,
    output::{Facts, Style, print, print_json, visible},
    qualification,
    table::{Align, Cell, Table},
};
use rules::ResolvedRule;

use crate::{
    catalogue::{Catalogue, SourceSummary},
    config::{self, Config, Endpoint, Mode, NextHopSpec, TrustSource},
    domain::{ClassId, Family},
    probe::TrustAnchors,
    select::Policies,
};

/// What is wrong: for people, and as data.
struct Findings {
    text: String,
    data: Vec<Value>,
}

/// What a good configuration comes to at this site.
#[derive(Debug, Serialize)]
pub struct Resolved {
    site: String,
    market: String,
    mode: &'static str,
    isps: Vec<ResolvedIsp>,
    uplinks: Vec<ResolvedUplink>,
    rules: Vec<ResolvedRule>,
    classes: Vec<ResolvedClass>,
    sources: Vec<SourceSummary>,
    report: Option<String>,
}

#[derive(Debug, Serialize)]
struct ResolvedIsp {
    name: String,
    partner: Option<String>,
    qualified: bool,
    qualification: String,
}

#[derive(Debug, Serialize)]
struct ResolvedUplink {
    name: String,
    isp: String,
    interface: String,
    ipv4: String,
    ipv6: String,
    standing: String,
}

#[derive(Debug, Serialize)]
struct ResolvedClass {
    id: ClassId,
    family: Family,
    prefixes: usize,
}

/// Checks a file.
pub fn run(global: &Global, file: Option<PathBuf>, effective: bool, style: Style) -> Result<(), Failure> {
    let file = file.unwrap_or_else(|| global.config_file().to_owned());
    let (config, catalogue) = match load(&file) {
        Ok(good) => good,
        Err(findings) => return refuse(global, &file, &findings),
    };
    match (effective, global.json) {
        (true, false) => print(&config::effective(&config)),
        (true, true) => print_json(&json!({
            "ok": true, "file": file, "findings": [], "effective": config::effective(&config)
        })),
        (false, json) => {
            let resolved = resolve(&config, &catalogue);
            if json {
                print_json(&json!({ "ok": true, "file": file, "findings": [], "resolved": resolved }))
            } else {
                print(&render(&file, &resolved, style))
            }
        }
    }
}

fn load(file: &Path) -> Result<(Config, Catalogue), Findings> {
    let config = config::load(file).map_err(|error| Findings {
        text: error.to_string(),
        data: error.findings().iter().map(|it| json!(it)).collect(),
    })?;
    let finding = |key: &str, problem: String| Findings {
        data: vec![json!({ "file": file, "key": key, "problem": problem })],
        text: problem,
    };
    let catalogue = Catalogue::of(&config).map_err(|it| finding("destinations", it.to_string()))?;
    if !catalogue.ties().is_empty() {
        return Err(rules::ties(file, &config, catalogue.ties()));
    }
    if matches!(config.probe.trust, TrustSource::File(_)) {
        TrustAnchors::load(&config.probe.trust).map_err(|error| finding("probe.ca", error.to_string()))?;
    }
    Ok((config, catalogue))
}

fn refuse(global: &Global, file: &Path, findings: &Findings) -> Result<(), Failure> {
    if !global.json {
        return Err(Failure::new(Code::Config, &findings.text));
    }
    print_json(&json!({ "ok": false, "file": file, "findings": findings.data }))?;
    Err(Failure::already_told(Code::Config))
}

fn resolve(config: &Config, catalogue: &Catalogue) -> Resolved {
    let policies = Policies::resolve(config);
    let isps = config.isps.iter().zip(policies.qualifications()).map(|(isp, found)| ResolvedIsp {
        name: isp.name.clone(),
        partner: isp.partner.clone(),
        qualified: found.qualified,
        qualification: found.reason.clone(),
    });
    let uplinks = policies.of(None).order().iter().map(|&(id, standing)| {
        let uplink = config.uplink(id);
        ResolvedUplink {
            name: uplink.name.clone(),
            isp: config.isp_name_of(id).to_owned(),
            interface: uplink.interface.clone(),
            ipv4: next_hop(&uplink.ipv4),
            ipv6: next_hop(&uplink.ipv6),
            standing: standing.to_string(),
        }
    });
    let classes = catalogue.classes().iter().map(|class| ResolvedClass {
        id: class.id.clone(),
        family: class.family,
        prefixes: class.prefixes.len(),
    });
    Resolved {
        site: config.site.name.clone(),
        market: config.site.market.clone(),
        mode: config.kernel.mode.as_str(),
        isps: isps.collect(),
        uplinks: uplinks.collect(),
        rules: rules::resolve(config, catalogue, &policies),
        classes: classes.collect(),
        sources: catalogue.sources().to_vec(),
        report: config.report.as_ref().map(|report| url(&report.endpoint)),
    }
}

fn next_hop<A: ToString>(spec: &NextHopSpec<A>) -> String {
    match spec {
        NextHopSpec::Auto => "auto".to_owned(),
        NextHopSpec::Gateway(address) => address.to_string(),
        NextHopSpec::Disabled => "off".to_owned(),
    }
}

fn url(endpoint: &Endpoint) -> String {
    let host = if endpoint.host.contains(':') { format!("[{}]", endpoint.host) } else { endpoint.host.clone() };
    format!("https://{host}:{}{}", endpoint.port, endpoint.path)
}

/// The summary as people read it.
pub fn render(file: &Path, resolved: &Resolved, style: Style) -> String {
    let mut facts = Facts::default();
    facts.add("site", visible(&format!("{}, market {}", resolved.site, resolved.market)));
    let meaning = if resolved.mode == Mode::Observe.as_str() { " (nothing is written to the kernel)" } else { "" };
    facts.add("mode", format!("{}{meaning}", resolved.mode));
    facts.add("reporting", visible(resolved.report.as_deref().unwrap_or("not configured")));
    for source in &resolved.sources {
        facts.add("source", visible(&source.to_string()));
    }
    let ok = visible(&format!("{}: ok", file.display()));
    let parts = [
        format!("{ok}\n{}", facts.render()),
        isps(resolved, style),
        uplinks(resolved, style),
        rules::render(&resolved.rules, &resolved.market, style),
        classes(resolved, style),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn isps(resolved: &Resolved, style: Style) -> String {
    let rows = resolved.isps.iter().map(|isp| qualification::Row {
        name: &isp.name,
        partner: isp.partner.as_deref(),
        qualified: isp.qualified,
        why: &isp.qualification,
    });
    qualification::render(rows, style)
}

fn uplinks(resolved: &Resolved, style: Style) -> String {
    let mut table = Table::new(&[
        ("", Align::Right),
        ("UPLINK", Align::Left),
        ("ISP", Align::Left),
        ("INTERFACE", Align::Left),
        ("IPV4 BY", Align::Left),
        ("IPV6 BY", Align::Left),
        ("STANDING", Align::Left),
    ]);
    for (rank, uplink) in (1..).zip(&resolved.uplinks) {
        table.row([
            Cell::from(format!("{rank}.")),
            Cell::from(&uplink.name),
            Cell::from(&uplink.isp),
            Cell::from(&uplink.interface),
            Cell::from(&uplink.ipv4),
            Cell::from(&uplink.ipv6),
            Cell::from(&uplink.standing),
        ]);
    }
    table.render(style)
}

fn classes(resolved: &Resolved, style: Style) -> String {
    if resolved.classes.is_empty() {
        return "Nothing is steered: [destinations] selects no prefix.\n".to_owned();
    }
    let mut table = Table::new(&[("STEERED CLASS", Align::Left), ("PREFIXES", Align::Right)]);
    for class in &resolved.classes {
        table.row([Cell::from(class.id.as_str()), Cell::from(class.prefixes.to_string())]);
    }
    let total: usize = resolved.classes.iter().map(|class| class.prefixes).sum();
    table.row([Cell::from(count(resolved.classes.len(), "class", "classes")), Cell::from(total.to_string())]);
    table.render(style)
}
