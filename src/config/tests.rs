//! The configuration as a user meets it: what is accepted, and what is said about what is not.

use std::path::Path;

use proptest::prelude::*;

use super::*;

const REFERENCE: &str = include_str!("../../config/peerward.toml");
const EXAMPLE: &str = include_str!("../../config/examples/branch-observe.toml");

const MINIMAL: &str = r#"
[site]
name = "akl-01"
market = "New Zealand"
[[isp]]
name = "kordia"
partner = "Kordia"
[[isp.uplink]]
interface = "wan0"
[[isp]]
name = "ccl"
partner = "CCL"
[[isp.uplink]]
interface = "wan1"
[policy]
preferred = "kordia"
"#;

fn parsed(text: &str) -> Config {
    parse(text, Path::new("/etc/peerward/peerward.toml")).unwrap_or_else(|error| panic!("{error}"))
}

/// The first lines of all findings, without excerpts.
fn refused(text: &str) -> Vec<String> {
    let error = parse(text, Path::new("b.toml")).expect_err("accepted");
    error.findings().iter().map(|finding| finding.to_string().lines().next().unwrap_or_default().to_owned()).collect()
}

/// The minimal configuration with one line changed for others.
fn changed(from: &str, to: &str) -> String {
    assert!(MINIMAL.contains(from), "{from}");
    MINIMAL.replacen(from, to, 1)
}

#[test]
fn the_reference_and_the_example_are_accepted() {
    let reference = parsed(REFERENCE);
    assert_eq!(reference.uplinks.len(), 2);
    assert_eq!(parsed(EXAMPLE).kernel.mode, Mode::Observe);
}

#[test]
fn the_reference_states_the_defaults() {
    let reference = parsed(REFERENCE);
    let minimal = parsed(EXAMPLE);
    assert_eq!(reference.probe, minimal.probe);
    assert_eq!(reference.kernel, minimal.kernel);
    assert_eq!(reference.control, minimal.control);
    assert_eq!(reference.destinations, minimal.destinations);
    let policy = Policy { markets: minimal.policy.markets.clone(), ..reference.policy };
    assert_eq!(policy, minimal.policy);
}

#[test]
fn uncommenting_everything_in_the_reference_names_every_key_that_is_printed() {
    let full = REFERENCE
        .lines()
        .map(|line| {
            line.strip_prefix("# ").filter(|rest| rest.starts_with('[') || is_assignment(rest)).unwrap_or(line)
        })
        .collect::<Vec<_>>()
        .join("\n");
    let config = parsed(&full);
    assert!(config.report.is_some() && config.destinations.service_tags.is_some());
    for line in effective(&config).lines().filter(|line| is_assignment(line)) {
        let key = line.split(" =").next().unwrap_or_default();
        assert!(full.contains(&format!("{key} =")) || key.starts_with('"'), "{key} is not in the reference");
    }
}

fn is_assignment(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, _)| {
        key.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
    })
}

#[test]
fn what_is_printed_as_effective_reads_back_the_same() {
    for text in [REFERENCE, EXAMPLE, MINIMAL] {
        let config = parsed(text);
        let again = parsed(&effective(&config));
        assert_eq!(again, config);
        assert_eq!(effective(&again), effective(&config));
    }
}

#[test]
fn names_are_spelt_as_the_registry_does_and_paths_are_taken_from_the_folder() {
    let text = changed("market = \"New Zealand\"", "market = \"new zealand\"")
        + "[report]\nendpoint = \"https://[2001:db8::1]/otel/\"\nca = \"ca.pem\"\ncert = \"/c.pem\"\nkey = \"tls/k.pem\"\n";
    let config = parsed(&text);
    assert_eq!(config.site.market, "New Zealand");
    let report = config.report.unwrap();
    assert_eq!(report.ca, Path::new("/etc/peerward/ca.pem"));
    assert_eq!(report.cert, Path::new("/c.pem"));
    assert_eq!(report.endpoint, Endpoint { host: "2001:db8::1".into(), port: 4318, path: "/otel".into() });
}

#[test]
fn one_policy_file_serves_sites_of_other_markets() {
    let text = MINIMAL.to_owned() + "[policy.market.Japan]\npreferred = [\"ccl\", \"kordia\"]\n";
    assert_eq!(parsed(&text).policy.markets["Japan"], [crate::domain::IspId(1), crate::domain::IspId(0)]);
}

#[test]
fn every_finding_is_told_at_once_with_its_place() {
    let text = "[site]\nname = \"\"\nmarket = \"Jpan\"\nmarkt = 1\n";
    assert_eq!(
        refused(text),
        [
            "b.toml:1:1: isp: there is no ISP; add an [[isp]] table with a name, and an [[isp.uplink]] below it",
            "b.toml:1:1: policy.preferred: no ISP is preferred; add to [policy] for example: preferred = \"kordia\"",
            "b.toml:2:8: site.name: is empty; give it a text",
            "b.toml:3:10: site.market: market \"Jpan\" is not known; did you mean \"Japan\"?",
            "b.toml:4:1: site.markt: unknown key; did you mean \"market\"?",
        ]
    );
}

#[test]
fn a_finding_shows_the_line_and_marks_what_is_meant() {
    let error = parse("[site]\nname = \"a\"\nmarket = \"Jpan\"\n", Path::new("b.toml")).unwrap_err();
    let shown = error.findings().iter().find(|finding| finding.key == "site.market").unwrap().to_string();
    let lines: Vec<&str> = shown.lines().skip(1).collect();
    assert_eq!(lines, ["  3 | market = \"Jpan\"", "    |          ^^^^^^"]);
}

#[test]
fn bad_single_values_say_what_is_expected() {
    let cases = [
        (
            "interface = \"wan0\"",
            "interface = 5",
            "isp[0].uplink[0].interface: is of type integer; write a string in quotes",
        ),
        (
            "interface = \"wan0\"",
            "interface = \"a-name-far-too-long\"",
            "isp[0].uplink[0].interface: \"a-name-far-too-long\" cannot be the name of an interface; use a name as \
             `ip link` shows it: at most 15 bytes, no space, slash or colon",
        ),
        (
            "interface = \"wan0\"",
            "interface = \"wan0\"\nipv4 = \"2001:db8::1\"",
            "isp[0].uplink[0].ipv4: \"2001:db8::1\" is not an IPv4 address; use \"auto\", \"off\", or the address of \
             the gateway",
        ),
        (
            "interface = \"wan0\"",
            "interface = \"wan0\"\nipv4 = \"0.0.0.0\"",
            "isp[0].uplink[0].ipv4: \"0.0.0.0\" cannot be a gateway; use the address of the ISP's router on this link, \
             or \"auto\"",
        ),
        (
            "interface = \"wan0\"",
            "interface = \"wan0\"\nipv4 = \"off\"\nipv6 = \"off\"",
            "isp[0].uplink[0]: both families are off; set ipv4 or ipv6 to \"auto\" or a gateway",
        ),
        (
            "partner = \"Kordia\"",
            "partner = \"Kordiaa\"",
            "isp[0].partner: \"Kordiaa\" is not on Microsoft's list of partners; did you mean \"Kordia\"?",
        ),
        (
            "preferred = \"kordia\"",
            "preferred = \"kordai\"",
            "policy.preferred: there is no ISP \"kordai\"; did you mean \"kordia\"?",
        ),
        (
            "preferred = \"kordia\"",
            "preferred = [\"ccl\", \"ccl\"]",
            "policy.preferred[1]: ISP \"ccl\" is named twice; name each ISP once, best first",
        ),
        ("preferred = \"kordia\"", "preferred = []", "policy.preferred: names no ISP; name at least one"),
        (
            "preferred = \"kordia\"",
            "preferred = \"kordia\"\nleave_after = 5",
            "policy.leave_after: is of type integer; use a time from \"0ms\" to \"1h\", with a unit: ms, s, m, h",
        ),
        (
            "preferred = \"kordia\"",
            "preferred = \"kordia\"\nleave_after = \"5 parsecs\"",
            "policy.leave_after: \"5 parsecs\" is not a time; use a time from \"0ms\" to \"1h\", with a unit: ms, s, m, h",
        ),
        (
            "preferred = \"kordia\"",
            "preferred = \"kordia\"\nfallback = \"al\"",
            "policy.fallback: \"al\" is not known here; use one of \"any\", \"none\"",
        ),
        (
            "interface = \"wan1\"",
            "interface = \"wan0\"",
            "isp[1].uplink[0].interface: interface \"wan0\" is named at isp[0].uplink[0].interface already; an \
             interface can be the uplink of one ISP only",
        ),
        (
            "name = \"ccl\"",
            "name = \"kordia\"",
            "isp[1].name: ISP \"kordia\" is named at isp[0].name already; give each ISP a name of its own",
        ),
    ];
    for (from, to, expected) in cases {
        let said = refused(&changed(from, to));
        assert!(said.iter().any(|line| line.ends_with(expected)), "{to}\nexpected {expected}\nsaid {said:#?}");
    }
}

#[test]
fn bad_tables_say_what_is_expected() {
    let cases = [
        (
            "[policy.sla]\nloss = 0.02",
            "policy.sla.loss: is of type float; use a share from \"0%\" to \"100%\", such as \"2%\" or \"0.5%\"",
        ),
        (
            "[policy.sla]\nloss = \"200%\"",
            "policy.sla.loss: \"200%\" is not a share; use a share from \"0%\" to \"100%\", such as \"2%\" or \"0.5%\"",
        ),
        (
            "[policy.market.Atlantis]\npreferred = \"ccl\"",
            "policy.market.Atlantis: market \"Atlantis\" is not known; use a country or region by its English name, as Microsoft lists markets",
        ),
        ("[probe]\nport = 0", "probe.port: 0 is out of range; use a whole number from 1 to 65535"),
        (
            "[probe]\ninterval = \"1ms\"",
            "probe.interval: \"1ms\" is out of range; use a time from \"50ms\" to \"1h\", with a unit: ms, s, m, h",
        ),
        (
            "[probe.targets]\nexchange = [\"10.0.0.1\"]",
            "probe.targets.exchange[0]: \"10.0.0.1\" is private space; use an address of the public internet",
        ),
        ("[kernel]\nmode = \"enforced\"", "kernel.mode: \"enforced\" is not known here; did you mean \"enforce\"?"),
        ("[kernel]\ntable = 254", "kernel.table: table 254 is the kernel's own; use one above 255"),
        ("[kernel]\ntable = 7701", "kernel: table and backup_table are the same; give each a number of its own"),
        (
            "[kernel]\ntable = 7720",
            "kernel: table 7720 is one of the 64 tables from probe_table on; keep it outside that range",
        ),
        ("[kernel]\nprotocol = 2", "kernel.protocol: 2 is out of range; use a whole number from 5 to 255"),
        (
            "[kernel]\nrule_preference = 7701",
            "kernel: the rules are not in order; make probe_rule_preference < rule_preference < backup_rule_preference, all below 32766 (main)",
        ),
        (
            "[report]\nendpoint = \"http://c\"\nca = \"a\"\ncert = \"b\"\nkey = \"c\"",
            "report.endpoint: plain HTTP shows the branch's telemetry to everybody on the way; write https://HOST:PORT, such as https://otel.example.net:4318",
        ),
        (
            "[report]\nendpoint = \"https://c\"\nca = \"a\"\ncert = \"b\"",
            "report.key: the key \"key\" is missing; add for example: key = \"client.key\"",
        ),
        (
            "[control]\nsocket = \"x.sock\"",
            "control.socket: not an absolute path of at most 107 bytes; such as \"/run/peerward/control.sock\"",
        ),
        (
            "[[destinations.static]]\nname = \"a\"\nprefixes = [\"0.0.0.0/0\"]",
            "destinations.static[0].prefixes[0]: \"0.0.0.0/0\" is a default route, which is never steered; remove it",
        ),
        (
            "[[destinations.static]]\nname = \"a\"\nprefixes = [\"192.168.1.0/24\"]",
            "destinations.static[0].prefixes[0]: \"192.168.1.0/24\" is private space, which is never steered; remove it",
        ),
        (
            "[[destinations.static]]\nname = \"a\"\nprefixes = [\"13.107.6.152/24\"]",
            "destinations.static[0].prefixes[0]: \"13.107.6.152/24\" has bits beyond its length; write \"13.107.6.0/24\"",
        ),
        (
            "[destinations.service_tags]\nfile = \"t.json\"",
            "destinations.service_tags: no tag is chosen; add for example: tags = [\"AzureCloud.japaneast\"]",
        ),
        ("[isp]\nname = \"x\"", "not valid TOML: duplicate key; see https://toml.io for the syntax"),
    ];
    for (more, expected) in cases {
        let said = refused(&format!("{MINIMAL}{more}\n"));
        assert!(said.iter().any(|line| line.ends_with(expected)), "{more}\nexpected {expected}\nsaid {said:#?}");
    }
}

#[test]
fn a_policy_that_nobody_can_fulfil_here_is_refused() {
    let text = changed("market = \"New Zealand\"", "market = \"Japan\"")
        .replace("preferred = \"kordia\"", "preferred = \"kordia\"\nfallback = \"none\"");
    let said = refused(&text);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("none of kordia is a qualified partner in Japan"), "{said:#?}");
    parsed(&text.replace("fallback = \"none\"", "fallback = \"none\"\nallow_unqualified = true"));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = load(Path::new("/nonexistent/peerward.toml")).unwrap_err();
    assert!(error.to_string().starts_with("/nonexistent/peerward.toml: cannot be read: "), "{error}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]a-z.=\"\\n 0-9{},é]{0,200}") {
        let _ = parse(&text, Path::new("b.toml"));
    }

    #[test]
    fn no_cut_of_the_reference_makes_it_panic(end in 0..REFERENCE.len()) {
        if let Some(text) = REFERENCE.get(..end) {
            let _ = parse(text, Path::new("b.toml")).map_err(|error| error.to_string());
        }
    }
}
