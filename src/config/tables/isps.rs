//! `[[isp]]` and `[[isp.uplink]]`.

use std::collections::BTreeSet;

use super::{once::once, site::market};
use crate::{
    config::{
        defaults,
        document::{Document, Placed},
        finding::Wrong,
        model::{Ipv6Source, Isp, NextHopSpec, Uplink},
        reader::{Item, Section},
        suggestion::{did_you_mean, quoted},
        values::{flag, interface, name, next_hop, one_of, source_prefix, text},
    },
    domain::{IspId, UplinkId},
    partners::Registry,
};

/// Each uplink has a probe table, and there are 64 of those.
const MOST_UPLINKS: usize = 64;

/// Each may need two tables of its own, and there are 128 of those.
const MOST_SOURCES: usize = 64;

/// The ISPs with all their uplinks.
#[derive(Debug, Default)]
pub(super) struct Ring {
    pub isps: Vec<Isp>,
    pub uplinks: Vec<Uplink>,
    /// Names of the ISPs, by position.
    pub names: Vec<Placed<String>>,
    lines: Vec<Line>,
}

/// Where the names of an uplink stand.
#[derive(Debug)]
struct Line {
    name: Option<Placed<String>>,
    interface: Placed<String>,
}

pub(super) fn read(root: &mut Section<'_>, registry: &Registry) -> Ring {
    let mut ring = Ring::default();
    let sections = root.sections("isp");
    if sections.is_empty() {
        let fix = "add an [[isp]] table with a name, and an [[isp.uplink]] with an interface below it";
        root.report("isp", Wrong::new("there is no ISP", fix));
    }
    for section in sections {
        // More than that would only repeat the one finding below.
        if ring.uplinks.len() > MOST_UPLINKS || ring.isps.len() > MOST_UPLINKS {
            break;
        }
        ring.add(section, registry);
    }
    ring.check(root.document());
    ring
}

impl Ring {
    fn add(&mut self, mut section: Section<'_>, registry: &Registry) {
        let id = IspId(u16::try_from(self.isps.len()).unwrap_or(u16::MAX));
        let name = section.require("name", "\"kordia\"", name);
        let partner = section.read_placed("partner", text);
        let qualified_in = section.take("qualified_in");
        let said_qualified = qualified_in.is_some();
        let qualified_in = qualified_in.map(|item| item.elements_or_none(|item| market(item, registry)));
        let partner = partner.map(|partner| known_partner(partner, said_qualified, section.document(), registry));
        let first = self.uplinks.len();
        let sections = section.sections("uplink");
        if sections.is_empty() {
            section.report(
                "uplink",
                Wrong::new("the ISP has no uplink", "add an [[isp.uplink]] table with an interface"),
            );
        }
        for section in sections {
            self.add_uplink(section, id);
        }
        section.finish();
        let Some(name) = name else { return };
        let uplinks = (first..self.uplinks.len()).filter_map(|position| u16::try_from(position).ok());
        self.isps.push(Isp {
            name: name.value.clone(),
            partner,
            qualified_in: qualified_in.unwrap_or_default().into_iter().map(|market| market.value).collect(),
            uplinks: uplinks.map(UplinkId).collect(),
        });
        self.names.push(name);
    }

    fn add_uplink(&mut self, mut section: Section<'_>, isp: IspId) {
        let interface = section.require("interface", "\"wan0\"", interface);
        let name = section.read_placed("name", uplink_name);
        let ipv4 = section.setting("ipv4", NextHopSpec::Auto, next_hop).value;
        let ipv6 = section.setting("ipv6", NextHopSpec::Auto, next_hop).value;
        let require_route = section.setting("require_route", defaults::REQUIRE_ROUTE, flag).value;
        let ipv6_source = section.take("ipv6_source").map_or(Ipv6Source::Any, ipv6_source);
        if ipv4 == NextHopSpec::Disabled && ipv6 == NextHopSpec::Disabled {
            section.report_itself(Wrong::new("both families are off", "set ipv4 or ipv6 to \"auto\" or a gateway"));
        }
        section.finish();
        let Some(interface) = interface else { return };
        self.uplinks.push(Uplink {
            name: name.as_ref().unwrap_or(&interface).value.clone(),
            isp,
            interface: interface.value.clone(),
            ipv4,
            ipv6,
            require_route,
            ipv6_source,
        });
        self.lines.push(Line { name, interface });
    }

    fn check(&self, document: &Document<'_>) {
        once(document, &self.names, "ISP", "give each ISP a name of its own");
        let interfaces = || self.lines.iter().map(|line| &line.interface);
        once(document, interfaces(), "interface", "give each uplink an interface of its own");
        // Two nameless uplinks of one interface have been told just now.
        let mut seen = BTreeSet::new();
        let names = self.lines.iter().filter_map(|line| {
            let first = seen.insert(&line.interface.value);
            line.name.as_ref().or_else(|| first.then_some(&line.interface))
        });
        once(document, names, "uplink", "give each uplink a name of its own; by default it is the interface's");
        if let Some(line) = self.crowded_line() {
            let problem = format!("there are more than {MOST_SOURCES} IPv6 source prefixes in all");
            line.interface.report(document, Wrong::new(problem, "list shorter prefixes in ipv6_source"));
        }
        if let Some(line) = self.lines.get(MOST_UPLINKS) {
            let wrong = Wrong::new(format!("there are more than {MOST_UPLINKS} uplinks"), "remove some");
            line.interface.report(document, wrong);
        }
    }
}

/// Classes of IPv6 sources are named `CLASS@UPLINK+UPLINK`.
fn uplink_name(item: &Item<'_>) -> Result<String, Wrong> {
    let name = name(item)?;
    if name.contains(['+', '@']) {
        return Err(Wrong::new(format!("{} has a + or an @ in it", quoted(&name)), "name it without these"));
    }
    Ok(name)
}

/// `"any"`, `"auto"`, or prefixes.
fn ipv6_source(item: Item<'_>) -> Ipv6Source {
    const WORDS: [(&str, SourceWord); 2] = [("any", SourceWord::Any), ("auto", SourceWord::Auto)];
    if item.is_text() {
        return match item.read(one_of(&WORDS)) {
            Some(SourceWord::Auto) => Ipv6Source::Auto,
            _ => Ipv6Source::Any,
        };
    }
    let prefixes = item.elements("list at least one prefix, or write \"any\" or \"auto\"", source_prefix);
    Ipv6Source::Prefixes(prefixes.into_iter().map(|prefix| prefix.value).collect())
}

#[derive(Debug, Clone, Copy)]
enum SourceWord {
    Any,
    Auto,
}

impl Ring {
    /// The uplink whose source prefixes are too many, together with those before it.
    fn crowded_line(&self) -> Option<&Line> {
        let mut sum = 0;
        let crowded = |uplink: &Uplink| {
            sum += match &uplink.ipv6_source {
                Ipv6Source::Any => 0,
                Ipv6Source::Auto => 1,
                Ipv6Source::Prefixes(prefixes) => prefixes.len(),
            };
            sum > MOST_SOURCES
        };
        self.lines.get(self.uplinks.iter().position(crowded)?)
    }
}

/// The partner as the registry spells it. One that it does not know is believed when the owner says where it is
/// qualified.
fn known_partner(
    partner: Placed<String>,
    said_qualified: bool,
    document: &Document<'_>,
    registry: &Registry,
) -> String {
    if let Some(spelt) = registry.partner(&partner.value) {
        return spelt.to_owned();
    }
    if !said_qualified {
        let fix = match did_you_mean(&partner.value, registry.partners()) {
            Some(near) => format!("did you mean {}?", quoted(near)),
            None => "leave it out, or say in which markets it is qualified: qualified_in = [\"Japan\"]".to_owned(),
        };
        let problem = format!("{} is not on Microsoft's list of Peering Service partners", quoted(&partner.value));
        partner.report(document, Wrong::new(problem, fix));
    }
    partner.value
}
