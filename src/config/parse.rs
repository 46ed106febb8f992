//! From text to [`Config`]: one function a table of the file. Defaults stand in `defaults`, checks across tables in
//! `consistency`.

use std::{collections::BTreeMap, net::IpAddr, path::Path, time::Duration};

use super::{
    consistency::{self, Names},
    defaults,
    finding::{ConfigError, Wrong, suggest},
    model::{
        Config, Control, Destinations, Fallback, Isp, Kernel, Microsoft365, Microsoft365Source, Mode, NextHopSpec,
        OnStop, Policy, Probe, Report, ServiceTags, Site, Sla, StaticList, Uplink,
    },
    reader::{Document, Item, Placed, Section},
    values::{self, duration, number, one_of, text},
};
use crate::{
    domain::{Category, IspId, UplinkId},
    partners::Registry,
};

const CATEGORIES: [(&str, Category); 3] =
    [("optimize", Category::Optimize), ("allow", Category::Allow), ("default", Category::Default)];

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Validates a text.
pub(super) fn parse(text: &str, file: &Path) -> Result<Config, ConfigError> {
    let document = Document::new(file, text);
    let config = read(&document);
    match config {
        Some(config) if document.is_clean() => Ok(config),
        _ => Err(ConfigError::new(document.into_findings())),
    }
}

fn read(document: &Document<'_>) -> Option<Config> {
    let mut root = document.root()?;
    let base = document.file.parent().unwrap_or(Path::new(""));
    let registry = Registry::bundled();
    let site = site(root.section("site"), registry);
    let mut names = Names::default();
    let (isps, uplinks) = isps(&mut root, registry, &mut names);
    let policy = policy(root.section("policy"), registry, &names, document);
    let destinations = destinations(root.section("destinations"), base);
    let probe = probe(root.section("probe"));
    let report = root.optional_section("report").map(|section| report(section, base));
    let kernel = kernel(root.section("kernel"));
    let control = control(root.section("control"));
    root.finish();
    let report = match report {
        Some(report) => Some(report?),
        None => None,
    };
    let config = Config { site: site?, isps, uplinks, policy: policy?, destinations, probe, report, kernel, control };
    consistency::check(document, &config, &names, registry);
    Some(config)
}

fn site(mut section: Section<'_>, registry: &Registry) -> Option<Site> {
    let name = section.require("name", "\"akl-01\"", text);
    let market = section.require("market", "\"New Zealand\"", |item| market(item, registry));
    section.finish();
    Some(Site { name: name?.value, market: market?.value })
}

fn market(item: &Item<'_>, registry: &Registry) -> Result<String, Wrong> {
    known_market(&text(item)?, registry)
}

fn known_market(name: &str, registry: &Registry) -> Result<String, Wrong> {
    let all: Vec<&str> = registry.markets().collect();
    registry.market(name).map(str::to_owned).ok_or_else(|| {
        let fix = super::finding::did_you_mean(name, all.iter().copied()).map_or_else(
            || "use a country or region by its English name, as Microsoft lists markets".to_owned(),
            |near| format!("did you mean \"{near}\"?"),
        );
        Wrong::new(format!("market \"{name}\" is not known"), fix)
    })
}

fn isps(root: &mut Section<'_>, registry: &Registry, names: &mut Names) -> (Vec<Isp>, Vec<Uplink>) {
    let (mut isps, mut uplinks) = (Vec::new(), Vec::new());
    let sections = root.sections("isp");
    if sections.is_empty() {
        let wrong = Wrong::new("there is no ISP", "add an [[isp]] table with a name, and an [[isp.uplink]] below it");
        root.report("isp".to_owned(), wrong);
    }
    for section in sections {
        let id = IspId(u16::try_from(isps.len()).unwrap_or(u16::MAX));
        if let Some(isp) = isp(section, id, registry, names, &mut uplinks) {
            isps.push(isp);
        }
    }
    (isps, uplinks)
}

fn isp(
    mut section: Section<'_>,
    id: IspId,
    registry: &Registry,
    names: &mut Names,
    uplinks: &mut Vec<Uplink>,
) -> Option<Isp> {
    let name = section.require("name", "\"kordia\"", text);
    let partner = section.read_placed("partner", text);
    let qualified_in = section.take("qualified_in").map(|item| item.elements(|item| market(item, registry)));
    let first = uplinks.len();
    let sections = section.sections("uplink");
    if sections.is_empty() {
        let key = format!("{}.uplink", section.path());
        section.report(key, Wrong::new("the ISP has no uplink", "add an [[isp.uplink]] table with an interface"));
    }
    for section in sections {
        if let Some(found) = uplink(section, id, names) {
            uplinks.push(found);
        }
    }
    section.finish();
    let name = name?;
    names.isps.push(name.clone());
    let qualified_in: Vec<String> = qualified_in.unwrap_or_default().into_iter().map(|market| market.value).collect();
    let partner = partner.map(|partner| {
        let spelt = registry.partner(&partner.value).map(str::to_owned);
        if spelt.is_none() && qualified_in.is_empty() {
            names.unknown_partners.push(partner.clone());
        }
        spelt.unwrap_or(partner.value)
    });
    let uplinks = (first..uplinks.len()).filter_map(|position| u16::try_from(position).ok()).map(UplinkId).collect();
    Some(Isp { name: name.value, partner, qualified_in, uplinks })
}

fn uplink(mut section: Section<'_>, isp: IspId, names: &mut Names) -> Option<Uplink> {
    let interface = section.require("interface", "\"wan0\"", values::interface);
    let name = section.read_placed("name", text);
    let ipv4 = section.read_placed("ipv4", values::next_hop).map_or(NextHopSpec::Auto, |spec| spec.value);
    let ipv6 = section.read_placed("ipv6", values::next_hop).map_or(NextHopSpec::Auto, |spec| spec.value);
    if ipv4 == NextHopSpec::Disabled && ipv6 == NextHopSpec::Disabled {
        let wrong = Wrong::new("both families are off", "set ipv4 or ipv6 to \"auto\" or a gateway");
        section.report(section.path().to_owned(), wrong);
    }
    section.finish();
    let interface = interface?;
    names.uplinks.push(name.clone().unwrap_or_else(|| interface.clone()));
    names.interfaces.push(interface.clone());
    Some(Uplink {
        name: name.map_or_else(|| interface.value.clone(), |name| name.value),
        isp,
        interface: interface.value,
        ipv4,
        ipv6,
    })
}

fn policy(mut section: Section<'_>, registry: &Registry, names: &Names, document: &Document<'_>) -> Option<Policy> {
    let preferred = section.take("preferred");
    if preferred.is_none() {
        let wrong = Wrong::new("no ISP is preferred", "add to [policy] for example: preferred = \"kordia\"");
        section.report("policy.preferred".to_owned(), wrong);
    }
    let preferred = preferred.map(|item| order(&item, names, document));
    let markets = markets(section.section("market"), registry, names, document);
    let sla = sla(section.section("sla"));
    let fallback = section.read("fallback", one_of(&[("any", Fallback::Any), ("none", Fallback::None)]));
    let allow_unqualified = section.read("allow_unqualified", values::flag);
    let hold = duration(Duration::ZERO..=HOUR);
    let leave_after = section.read("leave_after", &hold);
    let return_after = section.read("return_after", &hold);
    section.finish();
    Some(Policy {
        preferred: preferred?,
        markets,
        sla,
        fallback: fallback.unwrap_or(defaults::FALLBACK),
        allow_unqualified: allow_unqualified.unwrap_or(false),
        leave_after: leave_after.unwrap_or(defaults::LEAVE_AFTER),
        return_after: return_after.unwrap_or(defaults::RETURN_AFTER),
    })
}

/// Names of ISPs, best first, each once.
fn order(item: &Item<'_>, names: &Names, document: &Document<'_>) -> Vec<IspId> {
    let mut ids = Vec::new();
    let named = item.elements(text);
    if named.is_empty() {
        let wrong = Wrong::new("names no ISP", "name at least one");
        document.report(&item.span, item.path.clone(), wrong);
    }
    for name in named {
        let position = names.isps.iter().position(|isp| isp.value == name.value);
        let wrong = match position.and_then(|position| u16::try_from(position).ok()).map(IspId) {
            None => Wrong::new(
                format!("there is no ISP \"{}\"", name.value),
                suggest(&name.value, names.isps.iter().map(|isp| isp.value.as_str())),
            ),
            Some(id) if ids.contains(&id) => {
                Wrong::new(format!("ISP \"{}\" is named twice", name.value), "name each ISP once, best first")
            }
            Some(id) => {
                ids.push(id);
                continue;
            }
        };
        document.report(&name.span, name.path, wrong);
    }
    ids
}

fn markets(
    section: Section<'_>,
    registry: &Registry,
    names: &Names,
    document: &Document<'_>,
) -> BTreeMap<String, Vec<IspId>> {
    let mut markets = BTreeMap::new();
    for (name, item) in section.entries() {
        let (span, path) = (item.span.clone(), item.path.clone());
        let Some(mut section) = item.into_section() else { continue };
        let preferred = section.take("preferred");
        section.finish();
        let wrong = match (known_market(&name, registry), preferred) {
            (Err(wrong), _) => wrong,
            (Ok(_), None) => Wrong::new("names no ISP", "add to it for example: preferred = \"kordia\""),
            (Ok(market), Some(preferred)) => {
                let ids = order(&preferred, names, document);
                if markets.insert(market, ids).is_none() {
                    continue;
                }
                Wrong::new("this market has an override already", "join the two tables")
            }
        };
        document.report(&span, path, wrong);
    }
    markets
}

fn sla(mut section: Section<'_>) -> Sla {
    let rtt = section.read("rtt", duration(Duration::from_millis(1)..=Duration::from_secs(10)));
    let loss = section.read("loss", values::percent);
    section.finish();
    Sla { rtt, loss: loss.or(defaults::SLA_LOSS) }
}

fn destinations(mut section: Section<'_>, base: &Path) -> Destinations {
    let microsoft365 = microsoft365(section.section("microsoft365"), base);
    let service_tags = section.optional_section("service_tags").and_then(|section| service_tags(section, base));
    let static_lists = section.sections("static").into_iter().filter_map(static_list).collect();
    section.finish();
    Destinations { microsoft365, service_tags, static_lists }
}

fn microsoft365(mut section: Section<'_>, base: &Path) -> Microsoft365 {
    let source = section.read("source", |item| {
        Ok(match text(item)?.as_str() {
            "bundled" => Microsoft365Source::Bundled,
            "off" => Microsoft365Source::Off,
            file => Microsoft365Source::File(base.join(file)),
        })
    });
    let services = section.take("services").map(|item| item.elements(text)).unwrap_or_default();
    let categories = section.take("categories").map(|item| item.elements(one_of(&CATEGORIES)));
    section.finish();
    Microsoft365 {
        source: source.unwrap_or(Microsoft365Source::Bundled),
        services: services.into_iter().map(|service| service.value.to_lowercase()).collect(),
        categories: categories.map_or_else(
            || defaults::CATEGORIES.to_vec(),
            |categories| categories.into_iter().map(|category| category.value).collect(),
        ),
    }
}

fn service_tags(mut section: Section<'_>, base: &Path) -> Option<ServiceTags> {
    let file = section.require("file", "\"ServiceTags_Public.json\"", values::path(base));
    let tags = section.take("tags").map(|item| item.elements(text)).unwrap_or_default();
    section.finish();
    Some(ServiceTags { file: file?.value, tags: tags.into_iter().map(|tag| tag.value).collect() })
}

fn static_list(mut section: Section<'_>) -> Option<StaticList> {
    let name = section.require("name", "\"lab\"", |item| {
        let name = text(item)?;
        let plain =
            name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
        if plain {
            Ok(name)
        } else {
            Err(Wrong::new(format!("\"{name}\" cannot be part of a class's name"), "use a-z, 0-9 and -"))
        }
    });
    let prefixes = section.take("prefixes").map(|item| item.elements(values::prefix));
    if prefixes.is_none() {
        let key = format!("{}.prefixes", section.path());
        section.report(key, Wrong::new("the list is missing", "add for example: prefixes = [\"13.107.6.152/31\"]"));
    }
    section.finish();
    let prefixes = prefixes?.into_iter().map(|prefix: Placed<_>| prefix.value).collect();
    Some(StaticList { name: name?.value, prefixes })
}

fn probe(mut section: Section<'_>) -> Probe {
    let interval = section.read("interval", duration(Duration::from_millis(50)..=HOUR));
    let timeout = section.read("timeout", duration(Duration::from_millis(10)..=Duration::from_secs(10)));
    let port = section.read("port", number(1..=u16::MAX));
    let window = section.read("window", number(5..=1000_u16));
    let down_after = section.read("down_after", number(1..=100_u32));
    let up_after = section.read("up_after", number(1..=100_u32));
    let mut targets: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for (service, item) in section.section("targets").entries() {
        let addresses = item.elements(values::address).into_iter().map(|address| address.value).collect();
        targets.insert(service.to_lowercase(), addresses);
    }
    section.finish();
    Probe {
        interval: interval.unwrap_or(defaults::PROBE_INTERVAL),
        timeout: timeout.unwrap_or(defaults::PROBE_TIMEOUT),
        port: port.unwrap_or(defaults::PROBE_PORT),
        window: usize::from(window.unwrap_or(defaults::PROBE_WINDOW)),
        down_after: down_after.unwrap_or(defaults::DOWN_AFTER),
        up_after: up_after.unwrap_or(defaults::UP_AFTER),
        targets,
    }
}

fn report(mut section: Section<'_>, base: &Path) -> Option<Report> {
    let endpoint = section.require("endpoint", "\"https://otel.example.net:4318\"", values::endpoint);
    let ca = section.require("ca", "\"ca.pem\"", values::path(base));
    let cert = section.require("cert", "\"client.pem\"", values::path(base));
    let key = section.require("key", "\"client.key\"", values::path(base));
    let interval = section.read("interval", duration(SECOND..=HOUR));
    let queue_bytes = section.read("queue_bytes", number(65_536..=268_435_456_u32));
    section.finish();
    Some(Report {
        endpoint: endpoint?.value,
        ca: ca?.value,
        cert: cert?.value,
        key: key?.value,
        interval: interval.unwrap_or(defaults::REPORT_INTERVAL),
        queue_bytes: usize::try_from(queue_bytes.unwrap_or(defaults::QUEUE_BYTES)).unwrap_or(usize::MAX),
    })
}

fn kernel(mut section: Section<'_>) -> Kernel {
    // 252 is reserved by the kernel, 253 to 255 are default, main and local.
    let table = |item: &Item<'_>| match number(1..=u32::MAX - 64)(item)? {
        reserved @ 252..=255 => Err(Wrong::new(format!("table {reserved} is the kernel's own"), "use one above 255")),
        table => Ok(table),
    };
    let preference = number(1..=32_765_u32);
    let mode = section.read("mode", one_of(&[("observe", Mode::Observe), ("enforce", Mode::Enforce)]));
    let primary = section.read("table", table);
    let backup_table = section.read("backup_table", table);
    let probe_table = section.read("probe_table", table);
    let rule_preference = section.read("rule_preference", &preference);
    let backup_rule_preference = section.read("backup_rule_preference", &preference);
    let probe_rule_preference = section.read("probe_rule_preference", &preference);
    // 0 to 4 are the kernel's own (rtnetlink.h: unspec, redirect, kernel, boot, static).
    let protocol = section.read("protocol", number(5..=255_u8));
    let nexthop_base = section.read("nexthop_base", number(1..=u32::MAX - 65_536));
    let on_stop = section.read("on_stop", one_of(&[("keep", OnStop::Keep), ("withdraw", OnStop::Withdraw)]));
    section.finish();
    Kernel {
        mode: mode.unwrap_or(Mode::Observe),
        table: primary.unwrap_or(defaults::TABLE),
        backup_table: backup_table.unwrap_or(defaults::BACKUP_TABLE),
        probe_table: probe_table.unwrap_or(defaults::PROBE_TABLE),
        rule_preference: rule_preference.unwrap_or(defaults::RULE_PREFERENCE),
        backup_rule_preference: backup_rule_preference.unwrap_or(defaults::BACKUP_RULE_PREFERENCE),
        probe_rule_preference: probe_rule_preference.unwrap_or(defaults::PROBE_RULE_PREFERENCE),
        protocol: protocol.unwrap_or(defaults::PROTOCOL),
        nexthop_base: nexthop_base.unwrap_or(defaults::NEXTHOP_BASE),
        on_stop: on_stop.unwrap_or(OnStop::Keep),
    }
}

fn control(mut section: Section<'_>) -> Control {
    let socket = section.read("socket", |item| {
        let path = std::path::PathBuf::from(text(item)?);
        // sockaddr_un holds 108 bytes with the closing zero.
        if path.is_absolute() && path.as_os_str().len() < 108 {
            Ok(path)
        } else {
            Err(Wrong::new("not an absolute path of at most 107 bytes", format!("such as \"{}\"", defaults::SOCKET)))
        }
    });
    section.finish();
    Control { socket: socket.unwrap_or_else(|| defaults::SOCKET.into()) }
}
