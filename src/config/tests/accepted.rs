//! What good input becomes.

use std::{fs, path::Path, time::Duration};

use super::{
    super::{Endpoint, Mode, NextHopSpec, load, parse},
    BASE, EXAMPLE, parsed,
};
use crate::domain::{IspId, UplinkId};

#[test]
fn names_are_spelt_as_the_registry_does() {
    let text = BASE.replace("New Zealand", "aotearoa").replace("\"CCL\"", "\"ccl\"");
    let config = parsed(&text);
    assert_eq!(config.site.market, "New Zealand");
    assert_eq!(config.isps[1].partner.as_deref(), Some("CCL"));
}

#[test]
fn an_isp_may_have_several_uplinks_and_an_uplink_one_family() {
    let text = BASE.replace(
        "interface = \"wan0\"",
        "interface = \"wan0\"\nipv6 = \"off\"\n\
         [[isp.uplink]]\ninterface = \"wan2\"\nname = \"spare\"\nipv4 = \"198.51.100.1\"",
    );
    let config = parsed(&text);
    assert_eq!(config.isps[0].uplinks, [UplinkId(0), UplinkId(1)]);
    assert_eq!(config.isps[1].uplinks, [UplinkId(2)]);
    assert_eq!(config.uplinks[0].ipv6, NextHopSpec::Disabled);
    assert_eq!(config.uplinks[1].ipv4, NextHopSpec::Gateway([198, 51, 100, 1].into()));
    assert_eq!((config.uplinks[1].name.as_str(), config.uplinks[2].name.as_str()), ("spare", "wan1"));
}

#[test]
fn a_partner_off_the_list_is_believed_where_its_owner_says_it_is_qualified() {
    let config = parsed(&BASE.replace("\"CCL\"", "\"Garden Hose\"\nqualified_in = \"oceania\""));
    assert_eq!(config.isps[1].qualified_in, ["Oceania"]);
}

#[test]
fn one_policy_file_serves_sites_of_other_markets() {
    let config = parsed(&format!("{BASE}[policy.market.Japan]\npreferred = [\"ccl\", \"kordia\"]\n"));
    assert_eq!(config.policy.markets["Japan"], [IspId(1), IspId(0)]);
}

#[test]
fn without_fallback_the_nearest_override_may_fulfil_the_policy() {
    let text = BASE.replace("preferred = \"kordia\"", "preferred = \"ccl\"\nfallback = \"none\"");
    let text = text.replace("partner = \"CCL\"", "") + "[policy.market.Oceania]\npreferred = \"kordia\"\n";
    parsed(&text);
    let narrower = format!("{text}[policy.market.\"New Zealand\"]\npreferred = \"ccl\"\n");
    let error = parse(&narrower, Path::new("b.toml")).unwrap_err().to_string();
    assert!(error.contains("ccl is qualified nowhere") && !error.contains("kordia is"), "{error}");
    parsed(&narrower.replace("fallback = \"none\"", "fallback = \"none\"\nallow_unqualified = true"));
}

#[test]
fn markets_of_the_file_are_markets_wherever_one_is_named_and_in_any_order() {
    let markets = "[[market]]\nname = \"Auckland\"\nwithin = \"ANZ\"\nazure_regions = \"aucklandeast\"\n\
                   [[market]]\nname = \"ANZ\"\nwithin = \"oceania\"\ncontains = [\"Australia\", \"aotearoa\"]\n";
    let text = BASE.replace("market = \"New Zealand\"", "market = \"auckland\"");
    let text = text.replace("[[isp]]\nname = \"ccl\"", "[[isp]]\nqualified_in = \"anz\"\nname = \"ccl\"");
    let config = parsed(&format!("{text}[policy.market.ANZ]\npreferred = \"ccl\"\n{markets}"));
    assert_eq!((config.site.market.as_str(), config.isps[1].qualified_in[0].as_str()), ("Auckland", "ANZ"));
    assert!(config.policy.markets.contains_key("ANZ"));
    assert_eq!(config.registry.distance("Oceania", "New Zealand"), Some(2));
    assert_eq!(config.registry.market_of_region("aucklandeast"), Some("Auckland"));
    assert!(config.registry.regions_in("Oceania").any(|region| region == "aucklandeast"));
}

#[test]
fn a_market_may_be_said_to_be_in_another_twice_over() {
    let anz = "[[market]]\nname = \"ANZ\"\nwithin = \"Oceania\"\ncontains = \"Australia\"\n";
    let twice = format!("{BASE}{anz}[[market]]\nname = \"Australia\"\nwithin = \"ANZ\"\n");
    assert_eq!(parsed(&twice).registry, parsed(&format!("{BASE}{anz}")).registry);
}

#[test]
fn relative_paths_are_taken_from_the_folder_of_the_file() {
    let report = "[report]\nendpoint = \"https://c\"\nca = \"ca.pem\"\ncert = \"/c.pem\"\nkey = \"tls/k.pem\"\n";
    let report = parsed(&format!("{BASE}{report}")).report.unwrap();
    assert_eq!(report.ca, Path::new("/etc/peerward/ca.pem"));
    assert_eq!(report.cert, Path::new("/c.pem"));
    assert_eq!(report.key, Path::new("/etc/peerward/tls/k.pem"));
}

#[test]
fn paths_stay_right_when_the_file_was_named_relative_to_where_one_stands() {
    let text = format!("{BASE}[destinations.microsoft365]\nsource = \"m365.json\"\n");
    let config = parse(&text, Path::new("conf/b.toml")).unwrap();
    let again = parse(&super::super::effective(&config), Path::new("/elsewhere/b.toml")).unwrap();
    assert_eq!(again, config);
}

#[test]
fn endpoints_are_taken_apart() {
    for (written, host, port, path) in [
        ("https://otel.example.net", "otel.example.net", 4318, ""),
        ("https://192.0.2.1:443/", "192.0.2.1", 443, ""),
        ("https://[2001:db8::1]/otlp/", "2001:db8::1", 4318, "/otlp"),
        ("https://[2001:db8::1]:9/a/b", "2001:db8::1", 9, "/a/b"),
    ] {
        let report = format!("[report]\nendpoint = \"{written}\"\nca = \"a\"\ncert = \"b\"\nkey = \"c\"\n");
        let report = parsed(&format!("{BASE}{report}")).report.unwrap();
        assert_eq!(report.endpoint, Endpoint { host: host.into(), port, path: path.into() }, "{written}");
    }
}

#[test]
fn endpoints_that_are_none_are_refused() {
    for written in [
        "https://",
        "https://:443",
        "https://c:0",
        "https://c:65536",
        "https://c:+1",
        "https://c:",
        "https://2001:db8::1",
        "https://[2001:db8::1",
        "https://[c]:1",
        "https://-c",
        "https://300.1.1.1",
        "https://u@c",
        "https://c?q",
        "https://c/a#f",
        "https://c/ä",
        "ftp://c",
        "c:4318",
        "https://a..b",
    ] {
        let report = format!("{BASE}[report]\nendpoint = \"{written}\"\nca = \"a\"\ncert = \"b\"\nkey = \"c\"\n");
        let error = parse(&report, Path::new("b.toml")).expect_err(written);
        assert_eq!(error.findings().iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), ["report.endpoint"]);
    }
}

#[test]
fn times_and_shares_have_units() {
    let text =
        format!("{BASE}sla = {{ rtt = \"250ms\", loss = \"0.5 %\" }}\nleave_after = \"0s\"\nreturn_after = \"5m\"\n");
    let policy = parsed(&text).policy;
    assert_eq!(
        (policy.treatment.sla.rtt, policy.treatment.sla.loss),
        (Some(Duration::from_millis(250)), Some(0.005))
    );
    assert_eq!(
        (policy.treatment.leave_after, policy.treatment.return_after),
        (Duration::ZERO, Duration::from_secs(300))
    );
    let policy = parsed(&format!("{BASE}sla = {{ rtt = \"off\", loss = \"off\" }}\n")).policy;
    assert_eq!((policy.treatment.sla.rtt, policy.treatment.sla.loss), (None, None));
}

#[test]
fn numbers_may_be_written_as_people_write_them() {
    let kernel = parsed(&format!("{BASE}[kernel]\ntable = 0x1E15\nbackup_table = 7_702\n")).kernel;
    assert_eq!((kernel.table, kernel.backup_table), (7701, 7702));
}

#[test]
fn documentation_prefixes_and_single_addresses_may_be_steered() {
    let list = "[[destinations.static]]\nname = \"lab\"\n\
                prefixes = [\"192.0.2.0/24\", \"2001:db8::/32\", \"13.107.6.152\"]\n";
    let config = parsed(&format!("{BASE}{list}"));
    let prefixes: Vec<String> =
        config.destinations.static_lists[0].prefixes.iter().map(ToString::to_string).collect();
    assert_eq!(prefixes, ["192.0.2.0/24", "2001:db8::/32", "13.107.6.152/32"]);
}

#[test]
fn services_of_files_are_for_the_catalogue_to_judge() {
    let text = format!(
        "{BASE}[destinations.microsoft365]\nsource = \"./m.json\"\nservices = [\"New Area\"]\n\
         [probe.targets]\nx = \"13.107.6.152\"\n"
    );
    assert_eq!(parsed(&text).destinations.microsoft365.services, ["new area"]);
}

#[test]
fn the_known_service_areas_are_those_of_the_snapshot() {
    let snapshot = include_str!("../../../config/microsoft365-endpoints.json");
    let sets: serde_json::Value = serde_json::from_str(snapshot).unwrap();
    let areas: std::collections::BTreeSet<String> =
        sets.as_array().unwrap().iter().map(|set| set["serviceArea"].as_str().unwrap().to_lowercase()).collect();
    assert_eq!(areas.into_iter().collect::<Vec<_>>(), super::super::tables::SERVICE_AREAS);
}

#[test]
fn a_byte_order_mark_and_line_ends_of_windows_do_no_harm() {
    assert_eq!(parsed(&format!("\u{feff}{}", BASE.replace('\n', "\r\n"))), parsed(BASE));
}

#[test]
fn the_example_only_observes() {
    assert_eq!(parsed(EXAMPLE).kernel.mode, Mode::Observe);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("peerward.toml");
    let said = |file: &Path| load(file).unwrap_err().to_string();
    assert!(said(&file).starts_with(&format!("{}: cannot be read: ", file.display())), "{}", said(&file));
    assert!(said(folder.path()).contains("cannot be read"));
    fs::write(&file, b"[site]\nname = \"\xff\"").unwrap();
    assert!(said(&file).ends_with("is not UTF-8 at byte 15; save it as UTF-8 text"), "{}", said(&file));
    fs::write(&file, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    assert!(said(&file).contains("is larger than 1 MiB"));
    fs::write(&file, BASE).unwrap();
    assert_eq!(load(&file).unwrap(), parsed(BASE));
}
