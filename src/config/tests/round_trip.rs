//! What is printed as effective reads back to the same value; and no text makes the parser panic.

mod policy;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{
    super::{
        Config, Control, Destinations, Endpoint, Ipv6Source, Isp, Kernel, Microsoft365, Microsoft365Source, Mode,
        MovedFlows, NextHopSpec, OnStop, Probe, Profile, Recording, Report, ServiceTags, Site, StaticList,
        TrustSource, Uplink, effective, parse,
    },
    BASE, EXAMPLE, FLEET, REFERENCE, parsed,
};
use policy::policy;

use crate::{
    domain::{Category, Check, Family, Host, IspId, Target, UplinkId},
    partners::Registry,
};

/// What people name things: any letters, quotes and backslashes among them.
fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z\"'\\\\é日#=\\[\\]][ -~é日]{0,10}[a-z\"\\\\]"
}

fn market() -> impl Strategy<Value = String> {
    select(Registry::bundled().markets().map(str::to_owned).collect::<Vec<_>>())
}

fn span(milliseconds: std::ops::RangeInclusive<u64>) -> impl Strategy<Value = Duration> {
    milliseconds.prop_map(Duration::from_millis)
}

fn path() -> impl Strategy<Value = PathBuf> {
    name().prop_map(|name| Path::new("/etc/peerward").join(name))
}

fn spec<A: std::fmt::Debug + Clone>(gateway: impl Strategy<Value = A>) -> impl Strategy<Value = NextHopSpec<A>> {
    prop_oneof![Just(NextHopSpec::Auto), gateway.prop_map(NextHopSpec::Gateway)]
}

prop_compose! {
    fn uplink()(
        name in name(),
        ipv4 in spec((1..127_u8, any::<[u8; 3]>()).prop_filter("loopback", |(first, _)| *first != 127).prop_map(
            |(first, [b, c, d])| Ipv4Addr::new(first, b, c, d))),
        ipv6 in spec(any::<[u16; 7]>().prop_map(|[b, c, d, e, f, g, h]| Ipv6Addr::new(0x2001, b, c, d, e, f, g, h))),
        off in select(vec![None, Some(Family::Ipv4), Some(Family::Ipv6)]),
    ) -> (String, NextHopSpec<Ipv4Addr>, NextHopSpec<Ipv6Addr>) {
        match off {
            Some(Family::Ipv4) => (name, NextHopSpec::Disabled, ipv6),
            Some(Family::Ipv6) => (name, ipv4, NextHopSpec::Disabled),
            None => (name, ipv4, ipv6),
        }
    }
}

fn sources(uplink: u16) -> Ipv6Source {
    match uplink % 3 {
        0 => Ipv6Source::Any,
        1 => Ipv6Source::Auto,
        _ => Ipv6Source::Prefixes(vec!["2001:db8:100::/48".parse().unwrap(), "fd00:1::/64".parse().unwrap()]),
    }
}

/// ISPs with their uplinks; names are made distinct by their numbers.
fn ring() -> impl Strategy<Value = (Vec<Isp>, Vec<Uplink>)> {
    let partner = select(Registry::bundled().partners().map(str::to_owned).collect::<Vec<_>>());
    let isp = (name(), option::of(partner), vec(market(), 0..3), vec(uplink(), 1..4));
    vec(isp, 1..5).prop_map(|parts| {
        let (mut isps, mut uplinks) = (Vec::new(), Vec::new());
        for (number, (name, partner, qualified_in, lines)) in (0..).zip(parts) {
            let mut ids = Vec::new();
            for (name, ipv4, ipv6) in lines {
                let id = u16::try_from(uplinks.len()).unwrap();
                let (name, interface) = (format!("{id}{name}").replace(['+', '@'], "-"), format!("wan{id}"));
                let ipv6_source = sources(id);
                let isp = IspId(number);
                let require_route = id.is_multiple_of(2);
                uplinks.push(Uplink { name, isp, interface, ipv4, ipv6, require_route, ipv6_source });
                ids.push(UplinkId(id));
            }
            isps.push(Isp { name: format!("{number}{name}"), partner, qualified_in, uplinks: ids });
        }
        (isps, uplinks)
    })
}

prop_compose! {
    fn destinations()(
        source in prop_oneof![
            Just(Microsoft365Source::Bundled),
            Just(Microsoft365Source::Off),
            path().prop_map(Microsoft365Source::File),
        ],
        services in vec(select(vec!["exchange", "sharepoint", "skype", "common"]).prop_map(str::to_owned), 0..3),
        categories in vec(select(vec![Category::Optimize, Category::Allow, Category::Default]), 1..3),
        service_tags in option::of((path(), vec(name(), 1..3), any::<bool>()).prop_map(|(file, tags, by_region)| ServiceTags { file, tags, by_region })),
        lists in vec(("[a-z0-9-]{1,8}", 1..4_u8), 0..3),
    ) -> Destinations {
        let prefix = |list: u8, number: u8| format!("13.107.{list}.{number}/32").parse().unwrap();
        let static_lists = (0..).zip(lists).map(|(list, (name, count))| StaticList {
            name: format!("{name}{list}"),
            prefixes: (0..count).map(|number| prefix(list, number)).collect(),
        });
        let static_lists = static_lists.collect();
        Destinations { microsoft365: Microsoft365 { source, services, categories }, service_tags, static_lists }
    }
}

/// Targets of every kind, with and without what only a table can say.
fn target() -> impl Strategy<Value = Target> {
    let host = prop_oneof![
        any::<u8>().prop_map(|last| Host::Address(Ipv4Addr::new(13, 107, 6, last).into())),
        any::<u16>().prop_map(|last| Host::Address(Ipv6Addr::new(0x2620, 0x1ec, 4, 0, 0, 0, 0, last).into())),
        "[a-z][a-z0-9]{0,5}\\.[a-z]{2,5}".prop_map(|name| Host::Name(name.into())),
    ];
    let name = option::of("[a-z]{1,5}\\.example".prop_map(Arc::<str>::from));
    let detail = (any::<bool>(), name, "/[!$-.0-9:;<=>@A-Z\\[\\\\a-z|~]{0,5}", 100..300_u16, 300..600_u16);
    (0..5_u8, host, 1..=u16::MAX, detail).prop_map(|(kind, host, port, (flag, name, path, first, last))| {
        let server_name = name.unwrap_or_else(|| host.to_string().into());
        let check = match kind {
            0 => Check::Tcp { refusal_answers: flag },
            1 => Check::Icmp,
            2 => Check::Stun,
            3 => Check::Tls { server_name },
            _ => Check::Http { secure: flag, server_name, path: path.into(), status: first..=last },
        };
        Target { host, port: if kind == 1 { 0 } else { port }, check, within: None }
    })
}

prop_compose! {
    fn probe()(
        profile in select(Profile::ALL.to_vec()),
        interval in span(50..=3_600_000), timeout in span(10..=10_000),
        port in 1..=u16::MAX, window in 5..=1000_usize,
        counts in [1..=100_u32, 1..=100_u32, 1..=100_u32, 1..=100_u32],
        hold_down in span(0..=3_600_000), flap_half_life in option::of(span(10_000..=3_600_000)),
        quorum in 1..=16_u32, passive in any::<bool>(),
        trust in prop_oneof![Just(TrustSource::System), path().prop_map(TrustSource::File)],
        resolvers in vec(any::<u8>().prop_map(|last| Ipv4Addr::new(192, 0, 2, last).into()), 0..4),
        targets in vec(target(), 1..4),
    ) -> Probe {
        let targets = BTreeMap::from([("exchange".to_owned(), targets)]);
        let [down_after, up_after, degraded_after, restored_after] = counts;
        Probe {
            profile, interval, timeout, port, window, down_after, up_after, degraded_after, restored_after,
            hold_down, flap_half_life, quorum, trust, resolvers, passive, targets,
        }
    }
}

prop_compose! {
    fn report()(
        host in prop_oneof![Just("2001:db8::1".to_owned()), "[a-z][a-z0-9]{0,5}(\\.[a-z]{1,5}){0,2}"],
        port in 1..=u16::MAX, path_of in "(/[!$-.0-9:;<=>@A-Z\\[\\\\a-z|~]{1,5}){0,2}",
        files in [path(), path(), path()],
        interval in span(1000..=3_600_000), queue_bytes in 65_536..=268_435_456_usize,
    ) -> Report {
        let [ca, cert, key] = files;
        Report { endpoint: Endpoint { host, port, path: path_of }, ca, cert, key, interval, queue_bytes }
    }
}

prop_compose! {
    fn kernel()(
        mode in select(vec![Mode::Observe, Mode::Enforce]), on_stop in select(vec![OnStop::Keep, OnStop::Withdraw]),
        moved_flows in select(vec![MovedFlows::Reset, MovedFlows::Keep]),
        table in 256..=1000_u32, backup_table in 1001..=2000_u32, probe_table in 2001..=3000_u32,
        source_table in 3064..=u32::MAX - 128, never_steer in vec(select(vec!["10.0.0.0/8", "2001:db8::1/128"]), 0..3),
        probe_rule_preference in 1..=1000_u32, rule_preference in 1010..=2000_u32,
        backup_rule_preference in 2001..=32_765_u32, protocol in 100..=185_u8, max_routes in 1..=1_000_000_u32, base in 1..=0xffff_u32,
    ) -> Kernel {
        Kernel {
            mode, table, backup_table, probe_table, source_table, rule_preference,
            never_steer: never_steer.into_iter().map(|prefix| prefix.parse().unwrap()).collect(),
            backup_rule_preference, probe_rule_preference,
            protocol, nexthop_base: base << 16, max_routes, on_stop, moved_flows,
        }
    }
}

prop_compose! {
    fn site()(name in name(), market in market(), utc_offset in -720..=840_i16) -> Site {
        Site { name, market, utc_offset }
    }
}

/// The bundled registry with markets between those of Europe, and with regions.
fn registry() -> impl Strategy<Value = Arc<Registry>> {
    (vec(name(), 0..3), vec("[a-z]{12}", 2)).prop_map(|(names, regions)| {
        let mut registry = Registry::bundled().clone();
        for (number, (name, inner)) in names.iter().zip(["Belgium", "France", "Netherlands"]).enumerate() {
            let name = format!("{number}{name}");
            registry.add_market(&name);
            registry.put_within(&name, "Europe").unwrap();
            registry.put_within(inner, &name).unwrap();
            registry.put_region(&regions[number % 2], &name);
        }
        Arc::new(registry)
    })
}

prop_compose! {
    fn config()((isps, uplinks) in ring())(
        policy in policy(isps.len()), isps in Just(isps), uplinks in Just(uplinks), site in site(), registry in registry(),
        destinations in destinations(), probe in probe(), report in option::of(report()), kernel in kernel(),
        recording in option::of((path(), 65_536..=1_073_741_824_u64)),
        socket in "/[a-z\"\\\\]{1,20}",
    ) -> Config {
        let control = Control { socket: socket.into() };
        let mut policy = policy;
        if destinations.service_tags.is_none() {
            policy.rules.iter_mut().for_each(|rule| (rule.matches.tags, rule.matches.regions) = (Vec::new(), Vec::new()));
        }
        let recording = recording.map(|(file, max_bytes)| Recording { file, max_bytes });
        Config { site, registry, isps, uplinks, policy, destinations, probe, report, recording, kernel, control }
    }
}

proptest! {
    #[test]
    fn every_configuration_reads_back_as_it_was_printed(config in config()) {
        let text = effective(&config);
        let again = parse(&text, Path::new("/elsewhere/b.toml"));
        prop_assert_eq!(again.map_err(|error| format!("{error}\n{text}")), Ok(config));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]a-z.=\"\\n 0-9{},é]{0,200}") {
        let _ = parse(&text, Path::new("b.toml")).map_err(|error| error.to_string());
    }

    #[test]
    fn no_cut_of_the_reference_makes_it_panic(
        end in 0..REFERENCE.len(),
        more in "[\\[\\]\"'=#\\n\\u{0}-\\u{7f}é]{0,4}",
    ) {
        if let Some(text) = REFERENCE.get(..end) {
            let _ = parse(&format!("{text}{more}"), Path::new("b.toml")).map_err(|error| error.to_string());
        }
    }
}

#[test]
fn shipped_configurations_read_back_as_they_are_printed() {
    for text in [REFERENCE, EXAMPLE, FLEET, BASE] {
        let config = parsed(text);
        assert_eq!(parsed(&effective(&config)), config);
    }
}
